"""What a hub answers, looked at before ``huggingface_hub`` goes by it: whatever answers at its address may be another
server, and that library makes names of files out of headers."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from trainer.contract.hub.errors import NO_HUB, HubError
from trainer.contract.text import printable

LARGEST: Final = 64_000_000  # bytes of an answer that is no file; a listing has some 300 a file
_DIGEST: Final = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})?")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


class AnswerError(HubError):
    """What no hub answers."""


@contextmanager
def guarded(hub: Any) -> Iterator[None]:
    """Within, each answer to ``huggingface_hub`` is checked: ``AnswerError`` where it names a path for a hash, or does
    not end."""
    hooks = hub.utils.get_session().event_hooks["response"]  # of the client that the library shares
    hooks.append(_check)
    try:
        yield
    finally:
        hooks.remove(_check)


def checked_commit(commit: object) -> str:
    """The name of a commit. Raises ``AnswerError``."""
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise AnswerError(f"the hub names {_shown(commit)} as a commit, expected 40 hexadecimal digits: {NO_HUB}")
    return commit


def checked_digest(digest: object, file: str) -> str:
    """A file's SHA-256, git's SHA-1 of it, or nothing. Raises ``AnswerError``."""
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise AnswerError(
            f"the hub names {_shown(digest)} as the hash of {file}, expected 40 or 64 hexadecimal digits: {NO_HUB}"
        )
    return digest


def _shown(value: object) -> str:
    return printable(repr(value), 80)


def _check(response: Any) -> None:
    headers = response.headers
    if "X-Repo-Commit" in headers:
        checked_commit(headers["X-Repo-Commit"])
    etag = headers.get("X-Linked-Etag") or (headers.get("ETag") if response.request.method == "HEAD" else None)
    if etag and re.search(r'[/\\:\x00]|^"?\.+"?$', etag.removeprefix("W/")):  # it becomes the name of a file
        raise AnswerError(f"the hub names {_shown(etag)} as the hash of a file, expected hexadecimal digits: {NO_HUB}")
    is_file = response.status_code in (200, 206) and "/api/" not in response.request.url.path
    if not is_file:  # files are bounded where they are written
        response.iter_bytes = _bounded(response.iter_bytes)


def _bounded(parts: Callable[..., Iterator[bytes]]) -> Callable[..., Iterator[bytes]]:
    """The parts of a body, unpacked, as long as they are few enough to be kept in memory."""

    def bounded(*words: Any, **more: Any) -> Iterator[bytes]:
        came = 0
        for part in parts(*words, **more):
            came += len(part)
            if came > LARGEST:
                raise AnswerError(f"the hub's answer has more than {LARGEST / 1e6:.0f} MB: {NO_HUB}")
            yield part

    return bounded
