"""What went wrong with the hub, in one line without addresses that carry secrets."""

import errno
import os
import re
from typing import Any, Final

from trainer.contract.errors import UserError
from trainer.contract.text import printable

LOG_IN: Final = "log in (hf auth login), or set HF_TOKEN"
NO_HUB: Final = "is HF_ENDPOINT a hub, or does the network answer in its place?"
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_NO_CONNECTION: Final = {"TransportError", "ConnectionError", "Timeout", "TimeoutError", "OfflineModeIsEnabled"}
_DOWN: Final = (500, 502, 503, 504)
_NO_SENSE: Final = {"JSONDecodeError", "KeyError", "TypeError", "AttributeError", "TooManyRedirects"}


class HubError(UserError):
    """What the hub, or the way to it, does not give; one line."""


class NoSuchModelError(HubError):
    """There is no such model on the hub, or none that may be read."""


class EmptyError(HubError):
    """The repository is there, without a commit."""


class UnreachableError(HubError):
    """The hub cannot be reached now: what is in the cache can be taken."""


def explained(error: BaseException, what: str, place: str = "") -> UserError:
    """An error of ``huggingface_hub``, or of what it stands on, as one line. ``what``: what was asked for, as the user
    wrote it. ``place``: the folder that was written to, if any."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, UserError):
        return error
    if "OfflineModeIsEnabled" in kinds:
        return UnreachableError(f"{what}: the hub is not asked (HF_HUB_OFFLINE is set)")
    if "GatedRepoError" in kinds:
        return HubError(f"{what}: is gated: accept its terms on its page of the hub, then {LOG_IN}")
    if "RevisionNotFoundError" in kinds:
        return HubError(f"{what}: has no such revision, expected a branch, a tag or a commit of it")
    if "RepositoryNotFoundError" in kinds:
        return NoSuchModelError(f"{what}: there is no such model on the hub, or a private one: if it is, {LOG_IN}")
    if "EntryNotFoundError" in kinds:
        return HubError(f"{what}: has no such file")
    if status == 401:
        return HubError(f"{what}: the hub refuses the token: {LOG_IN}")
    if status == 403:
        return HubError(f"{what}: the token may not do this, expected one that may write to it: {LOG_IN}")
    if "Consistency check failed" in str(error):
        return HubError(f"{what}: the download ended early: try again")
    if status in _DOWN or status == 429:
        return UnreachableError(f"{what}: the hub answers with status {status} ({_server(error)}): try again later")
    if status is not None:
        return HubError(f"{what}: the hub answers with status {status} ({_server(error)})")
    if kinds & _NO_CONNECTION:
        return UnreachableError(f"{what}: the hub cannot be reached ({_first_line(error)})")
    if isinstance(error, OSError) and (error.errno in _FULL or isinstance(error, PermissionError)):
        where = f" in {place}" if place else ""
        way = "free some room, or set HF_HOME to a folder elsewhere"
        return HubError(f"{what}: cannot be stored{where} ({error.strerror}): {way}")
    if kinds & _NO_SENSE:
        return HubError(f"{what}: the hub's answer cannot be read ({_first_line(error)}): {NO_HUB}")
    return HubError(f"{what}: {_first_line(error)}")


def _server(error: Any) -> str:
    """What the server says, or nothing that could be shown."""
    return clean(str(getattr(error, "server_message", "") or "no reason given"))


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return clean(lines[0] if lines else type(error).__name__)


def clean(text: str) -> str:
    """Text of a server or a library without tokens, and addresses without their queries, which may be signatures."""
    token = os.environ.get("HF_TOKEN", "").strip()
    text = text.replace(token, "…") if token else text
    text = re.sub(r"\bhf_\w{8,}|\bBearer\s+\S+|[\w-]*(?:sign|token|key|credential)[\w-]*=\S+", "…", text, flags=re.I)
    return printable(re.sub(r"(https?://)(?:[^\s/@]*@)?([^\s?#'\"]*)[?#][^\s'\"]*", r"\1\2", text), 200)
