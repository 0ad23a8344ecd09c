"""The files of a model of the hub, in the cache of ``huggingface_hub``: fetched once, checked, found again offline.

The hub names every file's hash (SHA-256 of large ones, git's SHA-1 of others), and the cache names its files by it:
what lies there is compared with it each time that it is opened."""

import hashlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trainer.contract.errors import UserError
from trainer.contract.hub.answers import AnswerError, checked_commit, checked_digest, guarded
from trainer.contract.hub.errors import EmptyError, HubError, NoSuchModelError, UnreachableError, explained
from trainer.contract.hub.names import HubName, is_hub_name, is_model_file, parse, remember_origin
from trainer.contract.packages import how_to_install
from trainer.contract.text import printable, say

LARGEST: Final = 2**31  # bytes of a model file; ONNX itself ends here
_MOST_NAMED: Final = 12  # files in a message
_SECONDS: Final = 15.0  # to wait for the hub's answer
_SLACK: Final = 10_000_000  # bytes that a transfer may need on top
_PARTS: Final = ("encoder", "detail")  # what is opened beside a model NAME.onnx, as NAME.encoder.onnx

_known: dict[str, Path] = {}  # what this process has looked up


@dataclass(frozen=True)
class Entry:
    """A file of a repository."""

    size: int  # bytes
    digest: str  # SHA-256, or git's SHA-1 of a blob, in hexadecimal; "": unknown


@dataclass(frozen=True)
class Listing:
    """What a repository holds at a commit."""

    commit: str
    files: Mapping[str, Entry]  # by path


def local(path: Path) -> Path:
    """The file that a path stands for: itself, or what the hub has by that name. Raises ``UserError``."""
    return fetch(path.as_posix()) if is_hub_name(path) else path


def fetch(text: str) -> Path:
    """The model file of a name such as ``hub:OWNER/NAME``, with its encoder and detail network beside it, if it has
    any. What is not in the cache is downloaded; without the hub, the cache is what there is.

    Raises ``HubError``: ``NoSuchModelError`` where the hub has none, ``UnreachableError`` where neither it nor the
    cache can be asked."""
    if text not in _known:
        name = parse(text)
        with library(text) as hub:
            _known[text] = _fetch(hub, name, text)
    return _known[text]


@contextmanager
def library(what: str) -> Iterator[Any]:
    """``huggingface_hub``, and its errors in one line. Raises ``UserError``."""
    try:
        import huggingface_hub as hub
        from huggingface_hub import constants
        from huggingface_hub.utils import disable_progress_bars, logging
    except ImportError:
        raise UserError(f"{what}: models of the hub need one more package: {how_to_install('hub')}") from None
    logging.set_verbosity(logging.ERROR)  # each retry would be a line
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        with guarded(hub):
            yield hub
    except AnswerError as error:
        raise HubError(f"{what}: {error}") from None
    except (UserError, KeyboardInterrupt):
        raise
    except Exception as error:  # of the network, the hub, and whatever answers in its place: kinds without end
        raise explained(error, what, constants.HF_HUB_CACHE) from None


def _fetch(hub: Any, name: HubName, what: str) -> Path:
    found = _in_cache(hub, name.repository, name.revision, name.file) if name.is_commit and name.file else None
    if found is not None and _digest_of(found) == _link(found):  # a commit never changes: nobody needs to be asked
        return _opened(found, name)
    try:
        listing = listing_of(hub, name.repository, name.revision)
    except Exception as error:
        problem = explained(error, what)
        if not isinstance(problem, UnreachableError):
            raise problem from None
        return _offline(hub, name, what, problem)
    file = choose(listing.files, name, what)
    parts = [one for one in parts_of(file) if one in listing.files]
    for one in (*parts, file):
        _check_size(listing.files[one], f"{what}: {one}")
    missing = [one for one in (*parts, file) if not _in_cache(hub, name.repository, listing.commit, one)]
    if missing:
        sizes = ", ".join(f"{printable(one, 100)} ({listing.files[one].size / 1e6:.1f} MB)" for one in missing)
        say(f"{what}: downloading {sizes}")
    for one in parts:
        _download(hub, name, listing, one, what)
    path = _download(hub, name, listing, file, what)  # last: where it is, the others are
    return _opened(path, name.at(listing.commit, file))


def listing_of(hub: Any, repository: str, revision: str, kind: str = "model") -> Listing:
    """What the hub says of a repository; ``kind`` is ``model`` or ``space``. Raises errors of ``huggingface_hub``, and
    ``HubError``."""
    info = hub.HfApi().repo_info(repository, repo_type=kind, revision=revision, files_metadata=True, timeout=_SECONDS)
    if not info.sha or not info.siblings:
        raise EmptyError(f"hub:{repository}: is empty: no file was ever pushed to it")
    files = {}
    for one in info.siblings:
        path, size = str(one.rfilename), one.size or 0
        if not isinstance(size, int):
            raise AnswerError(f"the hub gives {size!r} as the size of {path}, expected a number of bytes")
        files[path] = Entry(size, checked_digest((one.lfs.sha256 if one.lfs else one.blob_id) or "", path))
    return Listing(checked_commit(info.sha), files)


def choose(files: Mapping[str, Any], name: HubName, what: str) -> str:
    """The model file that a name means. Raises ``HubError`` where it is not there, or there are several."""
    models = models_among(files)
    if name.file:
        if name.file in files:
            return name.file
        raise HubError(f"{what}: has no file {name.file}, {_there_are(models)}")
    if not models:
        raise NoSuchModelError(f"{what}: has no ONNX file, expected one")
    if len(models) > 1:
        first = name.at(name.revision, models[0])
        raise HubError(f"{what}: has {len(models)} models, expected the name of one, such as {first}: "
                       f"{_there_are(models)}")  # fmt: skip
    return models[0]


def models_among(files: Mapping[str, Any]) -> list[str]:
    """The ONNX files that are no part of another one."""
    onnx = [file for file in files if is_model_file(file)]
    parts = {part for file in onnx for part in parts_of(file)}
    return sorted(file for file in onnx if file not in parts)


def parts_of(file: str) -> list[str]:
    """What is opened beside a model file, if it is there."""
    return [f"{file[: -len('.onnx')]}.{part}.onnx" for part in _PARTS]


def _there_are(models: list[str]) -> str:
    if not models:
        return "it has no ONNX file"
    more = f" and {len(models) - _MOST_NAMED} more" if len(models) > _MOST_NAMED else ""
    return f"it has {', '.join(models[:_MOST_NAMED])}{more}"


def _check_size(entry: Entry, what: str) -> None:
    if not 0 < entry.size < LARGEST:
        raise HubError(f"{what} has {entry.size} bytes, expected an ONNX file of 1..{LARGEST - 1}")


def _download(hub: Any, name: HubName, listing: Listing, file: str, what: str) -> Path:
    """One file of a commit, in the cache, compared with its hash. Raises ``HubError``."""
    entry = listing.files[file]
    there = _in_cache(hub, name.repository, listing.commit, file)
    if there is not None:
        if _is_whole(there, entry):
            return there
        _remove(there)  # the disk's fault, or somebody's
    # by the name of the revision, which the cache then knows offline
    path = Path(
        hub.hf_hub_download(
            name.repository, file, revision=name.revision, library_name="utsuroi",
            tqdm_class=bounded(entry.size, f"{what}: {file}"),
        )
    )  # fmt: skip
    if not _is_whole(path, entry):
        found = f"{path.stat().st_size} bytes with hash {_digest_of(path, entry.digest)[:12]}"
        _remove(path)
        raise HubError(
            f"{what}: {file} came as {found}, expected {entry.size} with {entry.digest[:12]}: "
            "it was not kept; try again, or tell who serves it"
        )
    if _in_cache(hub, name.repository, listing.commit, file) is None:
        raise UnreachableError(f"{what}: was changed on the hub meanwhile: try again")
    return path


def _is_whole(path: Path, entry: Entry) -> bool:
    return path.stat().st_size == entry.size and entry.digest in ("", _digest_of(path, entry.digest))


def bounded(size: int, what: str) -> type:
    """A progress bar that ends a download which brings more than it may: the disk is not to be filled. What comes is
    compared with its hash later; some more may come, since Xet counts what it transfers for its pieces."""

    from huggingface_hub.utils import tqdm

    most = size + size // 4 + _SLACK

    class Bounded(tqdm):
        _came = 0

        def update(self, n: float | None = 1) -> bool | None:
            """Count bytes. Raises ``HubError``."""
            self._came += int(n or 0)
            if self._came > most:
                raise HubError(f"{what} comes with more than the {size} bytes that the hub said: it was not taken")
            done: bool | None = super().update(n)
            return done

    return Bounded


def _digest_of(path: Path, like: str | None = None) -> str:
    """The hash of a file in the cache, of the kind of ``like``, or of the name under which the cache keeps it; empty
    where that is none."""
    like = _link(path) if like is None else like
    if len(like) == 64:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if len(like) == 40:  # git's hash of a blob
        data = path.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    return ""


def _link(path: Path) -> str:
    """The hash that a file of the cache is named by; empty where the system has no links. What it is linked to may be
    a link itself, into a store by Xet's hashes."""
    return path.readlink().name if path.is_symlink() else ""


def _remove(path: Path) -> None:
    """A file that is not what it should be, out of the cache."""
    with suppress(OSError):
        if path.is_symlink():
            path.resolve().unlink(missing_ok=True)
        path.unlink()


def _in_cache(hub: Any, repository: str, revision: str, file: str) -> Path | None:
    found = hub.try_to_load_from_cache(repository, file, revision=revision)
    return Path(found) if isinstance(found, str) else None


def _opened(path: Path, name: HubName) -> Path:
    remember_origin(path, name)
    return path


def _offline(hub: Any, name: HubName, what: str, problem: UserError) -> Path:
    """What the cache has of a model. Raises ``UnreachableError``."""
    from huggingface_hub import constants
    from huggingface_hub.errors import CacheNotFound

    with suppress(CacheNotFound):
        for repository in hub.scan_cache_dir(constants.HF_HUB_CACHE).repos:
            if repository.repo_type != "model" or repository.repo_id != name.repository:
                continue
            for revision in repository.revisions:
                if name.revision not in (*revision.refs, revision.commit_hash):
                    continue
                root = revision.snapshot_path
                files = {one.file_path.relative_to(root).as_posix(): one for one in revision.files}
                if models_among(files) or name.file in files:
                    path: Path = root / choose(files, name, what)
                    if _digest_of(path) != _link(path):
                        raise UnreachableError(f"{problem}; its copy in the cache is damaged: {path}")
                    say(f"{problem}; taken from the cache, commit {revision.commit_hash[:8]}")
                    return _opened(path, name.at(revision.commit_hash, path.relative_to(root).as_posix()))
    raise UnreachableError(f"{problem}; and it is not in the cache")
