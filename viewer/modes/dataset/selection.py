"""Marked images of a set, in a list beside it that ``python -m trainer.data select --drop LIST`` reads.

A line each: the number of an image in its file, from 0 on, or of a folder the name of the file. Lines that begin with
``#`` are remarks; the first says which images the list is of.
"""

import os
from functools import cached_property
from pathlib import Path
from typing import Final

from trainer.contract.errors import ImageError, UserError
from trainer.contract.files import replace_bytes
from trainer.contract.text import printable
from trainer.data.sources._sidecar import SELECTION_OF, fingerprint, read_small
from viewer.files.image_set import LabelledSet
from viewer.files.png import naming

_LARGEST: Final = 2**28  # bytes
_SUFFIX: Final = ".marks.txt"
_HEAD: Final = ("# marked in ", "# python -m trainer.data select ")  # how the remarks of the viewer begin


def marks_path(source: LabelledSet) -> Path:
    """Where the list of a set is, unless ``--marks`` says otherwise."""
    path = Path(os.path.abspath(source.path))  # noqa: PTH100  (links are not followed)
    return path.with_name(path.name + _SUFFIX)


class Selection:
    """The list of one set. Every change reads it first, so that two viewers lose nothing of each other."""

    def __init__(self, source: LabelledSet, path: Path | None = None) -> None:
        """Read the list. Raises ``ImageError`` where it is of other images."""
        self.path = path or marks_path(source)
        self.source = source
        self._numbers = {name: number for number, name in enumerate(source.names)}
        self._kept: list[str] = []  # remarks, and names of a folder's images that are not there now, or not shown
        self._seen: tuple[int, ...] | None = None  # the file as it was read or written last
        self._opened = () if source.files else _stamp(source.path)
        self.numbers = self._read()

    def put(self, number: int, marked: bool) -> frozenset[int]:
        """Mark an image or take its mark away; returns all that are marked, once the list is on the disk.

        Raises ``ImageError``, and leaves the list as it was.
        """
        name = self.source.names[number] if self.source.files else ""
        if "\n" in name or name != name.strip():
            raise ImageError(f"{printable(name)!r} cannot stand in a list, expected another file name")
        if self._opened and _stamp(self.source.path) != self._opened:
            raise ImageError(f"{self.source.path}: has changed since it was opened: nothing is marked any more")
        if _stamp(self.path) != self._seen:
            self.numbers = self._read()
        numbers = self.numbers | {number} if marked else self.numbers - {number}
        self._write(numbers)
        self.numbers = numbers
        return numbers

    def _read(self) -> frozenset[int]:
        source, stamp = self.source, _stamp(self.path)
        self._seen, self._kept = stamp, []
        if stamp is None:
            return frozenset()
        try:
            lines = read_small(self.path, _LARGEST).decode("utf-8-sig", "surrogateescape").split("\n")
        except UserError as error:
            raise ImageError(str(error)) from None
        of = SELECTION_OF.fullmatch(lines[0].strip())
        if of is not None and of[1] != self._fingerprint:
            raise ImageError(
                f"{self.path}: selected from other images than {source.path.name} holds now: remove it, or name "
                "another with --marks"
            )
        numbers: set[int] = set()
        for place, whole in enumerate(lines, 1):
            line = whole if whole in self._numbers else whole.strip()
            counted = not source.files and line.isascii() and line.isdecimal() and len(line) <= 12
            if counted and int(line) < source.count:
                numbers.add(int(line))
            elif line in self._numbers and not counted:
                numbers.add(self._numbers[line])
            elif source.files or not line or line.startswith("#"):
                self._kept += [line] if line and not line.startswith(_HEAD) else []
            else:
                raise ImageError(
                    f"{self.path}, line {place}: {printable(line, 60)!r}, expected a number 0..{source.count - 1}"
                )
        return frozenset(numbers)

    @cached_property
    def _fingerprint(self) -> str:
        """Of the images; empty for those of a folder."""
        return fingerprint(self.source.path) if self.source.path.is_file() else ""

    def _write(self, numbers: frozenset[int]) -> None:
        source, chosen = self.source, sorted(numbers)
        lines = [source.names[number] for number in chosen] if source.files else list(map(str, chosen))
        name = printable(marks_path(source).name.removesuffix(_SUFFIX))
        said = f"{_HEAD[0]}{name} {self._fingerprint}".rstrip()
        of = "SET.npy" if source.files else name
        use = f"{_HEAD[1]}{of} --drop {self.path.name} -o OUT.npy"
        data = "\n".join([said, printable(use), *self._kept, *lines, ""]).encode("utf-8", "surrogateescape")
        with naming(self.path):
            replace_bytes(self.path, data)
        self._seen = _stamp(self.path)


def _stamp(path: Path) -> tuple[int, ...] | None:
    """By which a changed file is known; ``None`` where there is none. Raises ``ImageError``."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from None
    return status.st_mtime_ns, status.st_size, status.st_ino
