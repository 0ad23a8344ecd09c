"""Send files to a repository of the hub: made if it is not there, one commit, and a look at what arrived."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from trainer.contract.errors import UserError
from trainer.contract.hub.errors import LOG_IN, EmptyError, HubError, NoSuchModelError, explained
from trainer.contract.hub.files import Entry, Listing, bounded, listing_of, models_among
from utsuroi import __version__
from utsuroi.push.contents import README, Contents, Say
from utsuroi.push.readme import is_replaceable

_LARGEST_README: Final = 1_000_000  # bytes of one that is looked at
_MISSING: Final = ("RepositoryNotFoundError", "RevisionNotFoundError")


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where to."""

    repository: str
    revision: str
    private: bool = False
    force: bool = False  # replaces a README that somebody changed
    message: str = ""


@dataclass(frozen=True)
class There:
    """What is there already."""

    exists: bool = False
    private: bool = False
    has_branch: bool = False
    listing: Listing = field(default_factory=lambda: Listing("", {}))


def send(hub: Any, contents: Contents, target: Target, say: Say) -> str:
    """Push files as one commit, which is looked at afterwards. Returns the commit. Raises ``UserError``, and has pushed
    nothing then, or says what was."""
    what = f"hub:{target.repository}"
    if not hub.get_token():
        raise HubError(f"{what}: there is no token to push with: {LOG_IN}")
    api = hub.HfApi(library_name="utsuroi", library_version=__version__)
    there = look(hub, api, target, what)
    if target.private and there.exists and not there.private:
        raise UserError(f"{what}: is there and public, expected no --private, or another name")
    files, removed = plan(hub, contents, there, target, say)
    made = ""
    try:
        if not there.exists:
            api.create_repo(target.repository, private=target.private, exist_ok=False)
            made = f"; but {target.repository} was made there, and is empty"
            there = look(hub, api, target, what)
        if not there.has_branch:
            api.create_branch(target.repository, branch=target.revision, exist_ok=True)
            there = look(hub, api, target, what)
        done = api.create_commit(
            target.repository,
            [
                *(hub.CommitOperationAdd(name, data) for name, data in files.items()),
                *(hub.CommitOperationDelete(name) for name in removed),
            ],
            commit_message=target.message or f"Push {next(iter(contents.files))} by utsuroi {__version__}",
            revision=target.revision,
            parent_commit=there.listing.commit or None,
        )
    except Exception as error:
        problem = explained(error, what)
        if getattr(getattr(error, "response", None), "status_code", None) == 412:
            problem = HubError(f"{what}: somebody else pushed at the same time: try again")
        raise type(problem)(f"{problem}; nothing was pushed{made}") from None
    check(listing_of(hub, target.repository, done.oid), files, what)
    return str(done.oid)


def look(hub: Any, api: Any, target: Target, what: str) -> There:
    """What a repository has, if it is there. Raises ``HubError``."""
    try:
        info = api.model_info(target.repository)
    except Exception as error:
        problem = explained(error, what)
        if isinstance(problem, NoSuchModelError):
            return There()
        raise problem from None
    private, branch = bool(info.private), target.revision == "main"
    listing = Listing(str(info.sha or ""), {})
    try:
        listing = listing_of(hub, target.repository, target.revision)
        branch = True
    except EmptyError:
        pass
    except Exception as error:
        if type(error).__name__ not in _MISSING:
            raise
    return There(True, private, branch, listing)


def plan(hub: Any, contents: Contents, there: There, target: Target, say: Say) -> tuple[dict[str, bytes], list[str]]:
    """The files to send, and the names of those to remove. What somebody else wrote stays, and is said."""
    files, old = dict(contents.files), there.listing.files
    if README in old and not target.force and not is_ours(hub, target.repository, there.listing):
        del files[README]
        say(f"note: {README} there is not as utsuroi wrote it: it stays as it is; --force replaces it")
    removed = [name for name in contents.parts if name in old]
    for name in removed:
        say(f"note: {name} is removed there: it is no part of the model that is pushed now")
    others = [name for name in models_among(old) if name not in files]
    if others and README in files:
        say(f"note: {', '.join(others[:5])} stays there; {README} and the player are about {next(iter(files))} now")
    return files, removed


def is_ours(hub: Any, repository: str, listing: Listing, kind: str = "model") -> bool:
    """Whether the README of a repository is one that was written here and not changed since."""
    size = listing.files[README].size
    if size > _LARGEST_README:
        return False
    bar = bounded(size, f"{repository}: {README}")
    path = Path(hub.hf_hub_download(repository, README, revision=listing.commit, repo_type=kind, tqdm_class=bar))
    try:
        return is_replaceable(path.read_text("utf-8"))
    except UnicodeDecodeError:
        return False


def check(listing: Listing, files: Mapping[str, bytes], what: str) -> None:
    """Raise ``HubError`` unless the hub has what was sent."""
    for name, data in files.items():
        entry = listing.files.get(name, Entry(0, ""))
        git = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
        if entry.size != len(data) or entry.digest not in ("", git, hashlib.sha256(data).hexdigest()):
            raise HubError(
                f"{what}: {name} arrived as another file ({entry.size} bytes, {len(data)} were sent): push again"
            )
