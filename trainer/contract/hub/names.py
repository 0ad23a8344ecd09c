"""Names of models of the hub. Standard library only: they are recognised before anything of the hub is imported."""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from trainer.contract.errors import UserError

PREFIX: Final = "hub:"
REPOSITORY: Final = r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}"
EXPECTED: Final = f"{PREFIX}OWNER/NAME, {PREFIX}OWNER/NAME@REVISION or {PREFIX}OWNER/NAME/FILE.onnx"
DEFAULT: Final = "main"  # revision
_NAME: Final = re.compile(rf"{PREFIX}({REPOSITORY})(?:@(refs/(?:pr|convert)/[\w.-]+|[^/@]+))?(?:/(.+))?", re.ASCII)
_REVISION: Final = re.compile(r"[\w][\w./-]{0,199}", re.ASCII)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")

_fetched: dict[Path, "HubName"] = {}


@dataclass(frozen=True)
class HubName:
    """A model of the hub, or one file of it."""

    repository: str  # OWNER/NAME
    revision: str = DEFAULT  # branch, tag or commit
    file: str = ""  # path in the repository; "": the one model that is in it

    def __str__(self) -> str:
        revision = "" if self.revision == DEFAULT else f"@{_quoted(self.revision)}"
        return f"{PREFIX}{self.repository}{revision}{f'/{self.file}' if self.file else ''}"

    @property
    def is_commit(self) -> bool:
        """Whether what the revision names never changes."""
        return _COMMIT.fullmatch(self.revision) is not None

    def at(self, revision: str, file: str) -> "HubName":
        """The same repository at another revision."""
        return replace(self, revision=revision, file=file)


def is_hub_name(text: str | os.PathLike[str]) -> bool:
    """Whether a word on a command line is one, and not a file that is called like one."""
    text = _plain(text)
    return text.startswith(PREFIX) and not os.path.lexists(text)


def is_set_name(text: str) -> bool:
    """Whether a name of the hub can only be one of a data set: ``hub:OWNER/NAME:SPLIT``."""
    return re.fullmatch(rf"{PREFIX}{REPOSITORY}:[\w.-]+", text, re.ASCII) is not None


def parse(text: str | os.PathLike[str]) -> HubName:
    """Read a name. Slashes of a revision are written ``%2F``, but in ``refs/pr/1``. Raises ``UserError``."""
    text = _plain(text)
    match = _NAME.fullmatch(text)
    if match is None:
        raise UserError(f"{text}: expected {EXPECTED}")
    repository, revision, file = match.groups()
    name = HubName(repository, unquote(revision or DEFAULT), file or "")
    if ".." in repository or "--" in repository or not _REVISION.fullmatch(name.revision) or ".." in name.revision:
        raise UserError(f"{text}: expected {EXPECTED}")
    if name.file and not is_model_file(name.file):
        raise UserError(f"{text}: names {name.file!r}, expected the path of an .onnx file in the repository")
    return name


def is_model_file(path: str) -> bool:
    """Whether a path in a repository is one of an ONNX file, and stays in it."""
    return path.lower().endswith(".onnx") and stays_inside(path)


def stays_inside(path: str) -> bool:
    """Whether a path in a repository can be one below a folder on every system."""
    parts = path.split("/")
    return all(part not in ("", ".", "..") and not re.search(r'[\\:*?"<>|\x00-\x1f\x7f]', part) for part in parts)


def remember_origin(path: Path, name: HubName) -> None:
    """Keep where a file in the cache comes from, as long as this process lives."""
    _fetched[path] = name


def origin_of(path: Path) -> HubName | None:
    """The commit and file of the hub that a path stands for; ``None``: it is a file of the user's own."""
    return _fetched.get(path)


def _plain(text: str | os.PathLike[str]) -> str:
    return text if isinstance(text, str) else Path(text).as_posix()


def _quoted(revision: str) -> str:
    return revision if revision.startswith("refs/") else quote(revision, safe="")
