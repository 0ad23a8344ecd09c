"""Images in .npy files, u8 [n, h, w, 3] RGB: written whole or not at all, opened only when sound. No torch."""

import contextlib
import math
import os
import re
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.files import replacing
from trainer.contract.text import printable
from trainer.data.sources.sidecar import Sidecar


@contextlib.contextmanager
def output(path: Path, force: bool) -> Iterator[BinaryIO]:
    """``trainer.contract.files.replacing`` for a person's file: what goes wrong is a ``UserError`` that names it."""
    try:
        with replacing(path, force) as file:
            yield file
    except FileExistsError:
        raise UserError(f"{printable(path)} exists; give --force to replace it") from None
    except OSError as error:  # a full disk, a folder that may not be written to
        raise UserError(f"cannot write {printable(path)}: {error.strerror or error}") from None


class Writer:
    """Appends images to a .npy file whose length is known only at the end; ``with output(...)`` gives the file.

    Images never pile up in memory, and a full disk is an error where a memory-mapped file would kill the process.
    ``sidecar`` is to be set before the end, where something is known of them."""

    sidecar = Sidecar()

    def __init__(self, file: BinaryIO, shape: tuple[int, int, int]) -> None:
        self.file, self.shape, self.count = file, shape, 0
        self._header(2**62)
        self.start = file.tell()

    def _header(self, count: int) -> None:
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, *self.shape)}
        np.lib.format.write_array_header_1_0(self.file, header)

    def append(self, images: np.ndarray) -> None:
        """Append one image [h, w, c] or several [n, h, w, c], u8."""
        images = images.reshape(-1, *self.shape)
        self.file.write(np.ascontiguousarray(images, np.uint8).data)
        self.count += len(images)

    def finish(self) -> None:
        """Put the true count into the header."""
        self.file.seek(0)
        self._header(self.count)
        if self.file.tell() != self.start:  # numpy pads its headers for growth; should it stop, do not corrupt
            raise RuntimeError("the .npy header changed its length")


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


def make_folder(folder: Path) -> None:
    """Raises ``UserError`` where a folder cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {printable(folder)}: {error.strerror}") from None


def read_header(path: Path) -> tuple[tuple[int, ...], int]:
    """Check a .npy file of images without reading it → its shape and the byte where the images begin.
    The shape is [n, h, w] or [n, h, w, 1 or 3]. Raises ``UserError`` in one line for a file that is missing, cut short,
    pickled, or no set of images."""
    name = printable(path)
    if not path.exists():
        raise UserError(f"there is no file {name}")
    if path.is_dir():
        raise UserError(f"{name} is a folder, expected a .npy file of images; 'create' makes one of a folder")
    if not path.is_file():
        raise UserError(f"{name} is not a regular file")
    try:
        with path.open("rb") as file, warnings.catch_warnings(action="ignore"):  # of headers of old
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
        raise UserError(f"{name} is not a .npy file of images: {reason}") from None
    expected = "expected u8 [n, h, w, 3]"
    if dtype.hasobject:
        raise UserError(f"{name} holds pickled objects, which are never loaded; {expected}")
    if dtype != np.uint8:
        raise UserError(f"{name} holds {dtype} {list(shape)}, {expected} (values 0..255)")
    if any(type(length) is not int or length < 0 for length in shape):
        raise UserError(f"{name} says shape {shape}, {expected}")
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)):
        hint = ""
        if len(shape) == 4 and shape[1] in (1, 3):
            hint = "; the channels must come last: images.transpose(0, 2, 3, 1)"
        elif len(shape) == 4 and shape[3] == 4:
            hint = "; drop the alpha channel first"
        raise UserError(f"{name} holds u8 {list(shape)}, {expected}{hint}")
    if len(shape) == 3 and shape[2] in (3, 4):
        raise UserError(f"{name} holds u8 {list(shape)}, one image and not a set; {expected}")
    if fortran:
        raise UserError(f"{name} is in Fortran order, expected C order: np.save(name, np.ascontiguousarray(images))")
    if 0 in shape:
        raise UserError(f"{name} holds no images: u8 {list(shape)}")
    needed = start + math.prod(shape)
    found = path.stat().st_size
    if found != needed:
        kind = "is cut short" if found < needed else "has bytes too many"
        raise UserError(f"{name} {kind}: {found} bytes, expected {needed} for u8 {list(shape)}")
    return shape, start


_seeking = threading.Lock()


def read_at(file: BinaryIO, position: int, view: memoryview) -> None:
    """Fill ``view`` from a place in a file, from several threads at once. Raises ``OSError`` and ``EOFError``."""
    while view:
        if hasattr(os, "preadv"):
            count = os.preadv(file.fileno(), [view], position)
        else:
            with _seeking:
                file.seek(position)
                count = file.readinto(view)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        view, position = view[count:], position + count
