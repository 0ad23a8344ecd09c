"""Sets of pictures in .npy files, u8 [n, h, w, 3] RGB: written whole or not at all, opened only when sound."""

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from trainer.config import UserError
from trainer.files import replacing


def printable(path: str | os.PathLike[str]) -> str:
    """A file's name for the terminal: control characters and bytes that are not UTF-8 are shown as escapes."""
    return "".join(
        character
        if character.isprintable()
        else character.encode("utf-8", "surrogateescape").decode("latin-1").encode("unicode_escape").decode()
        for character in os.fspath(path)
    )


@contextlib.contextmanager
def output(path: Path, force: bool) -> Iterator[BinaryIO]:
    """``trainer.files.replacing`` for a person's file: what goes wrong is a ``UserError`` that names it."""
    try:
        with replacing(path, force) as file:
            yield file
    except FileExistsError:
        raise UserError(f"{printable(path)} exists; give --force to replace it") from None
    except OSError as error:  # a full disk, a folder that may not be written to
        raise UserError(f"cannot write {printable(path)}: {error.strerror or error}") from None


class Writer:
    """Appends pictures to a .npy file whose length is known only at the end; ``with output(...)`` gives the file.

    Pictures never pile up in memory, and a full disk is an error where a memory-mapped file would kill the process.
    """

    def __init__(self, file: BinaryIO, shape: tuple[int, int, int]) -> None:
        self.file, self.shape, self.count = file, shape, 0
        self._header(2**62)
        self.start = file.tell()

    def _header(self, count: int) -> None:
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, *self.shape)}
        np.lib.format.write_array_header_1_0(self.file, header)

    def append(self, images: np.ndarray) -> None:
        """Append one picture [h, w, c] or several [n, h, w, c], u8."""
        images = images.reshape(-1, *self.shape)
        self.file.write(np.ascontiguousarray(images, np.uint8).data)
        self.count += len(images)

    def finish(self) -> None:
        """Put the true count into the header."""
        self.file.seek(0)
        self._header(self.count)
        if self.file.tell() != self.start:  # numpy pads its headers for growth; should it stop, do not corrupt
            raise RuntimeError("the .npy header changed its length")

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()


def check_output(path: Path, force: bool) -> None:
    """Raise ``UserError`` early, before hours of work, where ``path`` could not be written in the end."""
    if path.suffix != ".npy":
        raise UserError(f"the output is {printable(path)}, expected a name that ends in .npy")
    check_free(path, force)


def check_free(path: Path, force: bool) -> None:
    """Raise ``UserError`` where a file cannot be written, or exists already and is not to be replaced."""
    try:
        if not path.parent.is_dir():
            raise UserError(f"there is no folder {printable(path.parent)}")
        if path.is_dir():
            raise UserError(f"{printable(path)} is a folder, expected the name of a file to write")
        if path.exists() and not force:
            raise UserError(f"{printable(path)} exists; give --force to replace it")
    except OSError as error:  # a name that is too long
        raise UserError(f"{printable(path)}: {error.strerror}") from None


def read_header(path: Path) -> tuple[tuple[int, ...], int]:
    """Check a .npy file of pictures without reading it → its shape and the byte where the pictures begin.

    The shape is [n, h, w] or [n, h, w, 1 or 3]. Raises ``UserError`` in one line for a file that is missing, cut short,
    pickled, or no set of pictures.
    """
    name = printable(path)
    if not path.exists():
        raise UserError(f"there is no file {name}")
    if not path.is_file():
        raise UserError(f"{name} is not a regular file")
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            if version not in read:
                raise ValueError(f"unknown .npy version {version}")
            shape, fortran, dtype = read[version](file)
            start = file.tell()
    except OSError as error:
        raise UserError(f"cannot read {name}: {error.strerror}") from None
    except Exception as error:  # the header is parsed from text that can be anything
        reason = re.sub(r"\s+", " ", printable(str(error)))[:160]
        raise UserError(f"{name} is not a .npy file of pictures: {reason}") from None
    expected = "expected u8 [n, h, w, 3]"
    if dtype.hasobject:
        raise UserError(f"{name} holds pickled objects, which are never loaded; {expected}")
    if dtype != np.uint8:
        raise UserError(f"{name} holds {dtype} {list(shape)}, {expected} (values 0..255)")
    if any(not isinstance(length, int) or length < 0 for length in shape):
        raise UserError(f"{name} says shape {shape}, {expected}")
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)):
        hint = ""
        if len(shape) == 4 and shape[1] in (1, 3):
            hint = "; the channels must come last: images.transpose(0, 2, 3, 1)"
        elif len(shape) == 4 and shape[3] == 4:
            hint = "; drop the alpha channel first"
        raise UserError(f"{name} holds u8 {list(shape)}, {expected}{hint}")
    if len(shape) == 3 and shape[2] in (3, 4):
        raise UserError(f"{name} holds u8 {list(shape)}, one picture and not a set; {expected}")
    if fortran:
        raise UserError(f"{name} is in Fortran order, expected C order: np.save(name, np.ascontiguousarray(images))")
    if 0 in shape:
        raise UserError(f"{name} holds no pictures: u8 {list(shape)}")
    needed = start
    size = 1
    for length in shape:
        size *= length
    needed += size
    found = path.stat().st_size
    if found != needed:
        kind = "is cut short" if found < needed else "has bytes too many"
        raise UserError(f"{name} {kind}: {found} bytes, expected {needed} for u8 {list(shape)}")
    return shape, start


def read_labels(path: Path, count: int) -> tuple[np.ndarray, tuple[str, ...]] | None:
    """Labels i64 [count] and class names from ``<stem>.factors.json`` or ``<stem>.json`` beside a .npy file, if any.

    Raises ``UserError`` where they do not fit the pictures.
    """
    for side in (path.with_suffix(".factors.json"), path.with_suffix(".json")):
        if not side.is_file():
            continue
        try:
            facts = json.loads(side.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"cannot read {printable(side)}: {error}") from None
        if not isinstance(facts, dict) or "labels" not in facts:
            continue
        labels, classes = facts["labels"], facts.get("classes")
        if not isinstance(classes, list) or not all(isinstance(item, str) for item in classes) or not classes:
            raise UserError(f"{printable(side)} has labels, expected a list of names under 'classes' as well")
        if not isinstance(labels, list) or len(labels) != count:
            found = len(labels) if isinstance(labels, list) else type(labels).__name__
            raise UserError(f"{printable(side)} has {found} labels, expected {count}, one a picture of {path.name}")
        if not all(type(label) is int and 0 <= label < len(classes) for label in labels):
            raise UserError(f"{printable(side)} has labels outside of 0..{len(classes) - 1}")
        return np.array(labels, np.int64), tuple(classes)
    return None


def write_facts(path: Path, facts: dict[str, Any], force: bool) -> None:
    """Write a JSON file in one step. Raises ``UserError``."""
    with output(path, force) as file:
        file.write((json.dumps(facts, ensure_ascii=False, allow_nan=False) + "\n").encode())
