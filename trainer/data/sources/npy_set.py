"""Sets of images as .npy files, u8 [n, h, w, c], with what is known of them beside it: the source, and how tools write
them, both files or none. No torch."""

import contextlib
import math
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.files import check_free, output, read_at, reading
from trainer.contract.recognise import recognise
from trainer.contract.text import printable
from trainer.data.sources import _sidecar as known
from trainer.data.sources.base import MOST_BYTES, ImageSource, OpenOptions, Piece, ReadImages

HELP = "a .npy file"
ORDER = 90
TAKES_BGR = True
MAGIC = b"\x93NUMPY"
MOST_SIDECAR_BYTES = 1 << 30  # of the set that is replaced


def claims(data: str) -> bool:
    """By its first bytes, or as a file of that ending that is damaged."""
    path = Path(data)
    if path.suffix.lower() == ".npy" and os.path.lexists(data) and not path.is_dir():
        return True  # a pipe or a broken link, too: opening it says what is wrong with it
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def open(data: str, options: OpenOptions) -> ImageSource:
    """The images of a .npy file. Raises ``UserError``."""
    return ImageSet(Path(data), options.bgr).source()


def _found_instead(path: Path) -> str:
    """What a file is that is no .npy file, in words; empty where its bytes do not tell."""
    with contextlib.suppress(OSError):
        found = recognise(path)
        if found is not None and found.kind != "array":
            more = ", expected its folder or a set" if found.kind == "image" else ""
            return f"found {found.what}{more}"
    return ""


def read_header(path: Path) -> tuple[tuple[int, ...], int]:
    """Check a .npy file of images without reading it → its shape, [n, h, w] or [n, h, w, 1 or 3], and the byte where
    they begin. Raises ``UserError`` for a file that is missing, cut short, pickled, or no set of images."""
    if not path.exists():
        raise UserError(f"there is no file {path}")
    if path.is_dir():
        raise UserError(f"{path} is a folder, expected a .npy file of images; 'create' makes one of a folder")
    if not path.is_file():
        raise UserError(f"{path} is not a regular file")
    try:
        with reading(path), path.open("rb") as file, warnings.catch_warnings(action="ignore"):  # of headers of old
            version = np.lib.format.read_magic(file)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            if version not in read:
                raise ValueError(f"unknown .npy version {version}")
            shape, fortran, dtype = read[version](file)
            start = file.tell()
    except UserError:
        raise
    except Exception as error:  # the header is parsed from text that can be anything
        reason = _found_instead(path) or re.sub(r"\s+", " ", printable(str(error)))[:160]
        raise UserError(f"{path} is not a .npy file of images: {reason}") from None
    expected = "expected u8 [n, h, w, 3]"
    if dtype.hasobject:
        raise UserError(f"{path} holds pickled objects, which are never loaded; {expected}")
    if dtype != np.uint8:
        raise UserError(f"{path} holds {dtype} {list(shape)}, {expected} (values 0..255)")
    if any(type(length) is not int or length < 0 for length in shape):
        raise UserError(f"{path} says shape {shape}, {expected}")
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)):
        hint = ""
        if len(shape) == 4 and shape[1] in (1, 3):
            hint = "; the channels must come last: images.transpose(0, 2, 3, 1)"
        elif len(shape) == 4 and shape[3] == 4:
            hint = "; drop the alpha channel first"
        raise UserError(f"{path} holds u8 {list(shape)}, {expected}{hint}")
    if len(shape) == 3 and shape[2] in (3, 4):
        raise UserError(f"{path} holds u8 {list(shape)}, one image and not a set; {expected}")
    if fortran:
        raise UserError(f"{path} is in Fortran order, expected C order: np.save(name, np.ascontiguousarray(images))")
    if 0 in shape:
        raise UserError(f"{path} holds no images: u8 {list(shape)}")
    needed = start + math.prod(shape)
    found = path.stat().st_size
    if found != needed:
        kind = "is cut short" if found < needed else "has bytes too many"
        raise UserError(f"{path} {kind}: {found} bytes, expected {needed} for u8 {list(shape)}")
    return shape, start


class ImageSet(ReadImages):
    """Images u8 [n, h, w, c] of a .npy file, RGB or grey whatever their order on disk, with what is known of them.

    Read and not mapped: what a map has touched counts as this process's memory, and a file that shrinks under a map
    kills it. Loader processes get the name alone. Raises ``UserError`` for a file that is not sound."""

    def __init__(self, path: Path, bgr: bool = False) -> None:
        self.path = path
        self.file: BinaryIO | None = None
        stored, self.start = read_header(path)
        self.shape = (*stored, 1)[:4]  # type: ignore[assignment]
        channels = self.shape[3]
        if bgr and channels != 3:
            raise UserError(f"--bgr: {path} has {channels} channel, expected 3")
        self.sidecar = known.read_sidecar(path, len(self))
        order = self.sidecar.order
        if order and (order == "grey") != (channels == 1):
            side = known.beside(path)
            raise UserError(f"{side} says that the order is {order}, but {path.name} has {channels} channel(s)")
        self.bgr = bgr or order == "BGR"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "file": None}

    def read(self, index: int) -> np.ndarray:
        """One image [h, w, c]; a negative index counts from the end."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"image {index} of {len(self)}")
        return self._read(index % len(self), 1)[0]

    def pieces(self, most: int = MOST_BYTES) -> Iterator[np.ndarray]:
        """All images in order, some [k, h, w, c] at a time: of at most so many bytes, and at least one."""
        step = max(1, most // math.prod(self.shape[1:]))
        for first in range(0, len(self), step):
            yield self._read(first, min(step, len(self) - first))

    def _read(self, first: int, count: int) -> np.ndarray:
        images = np.empty((count, *self.shape[1:]), np.uint8)
        with reading(self.path):
            if self.file is None:
                self.file = self.path.open("rb", buffering=0)
            read_at(self.file, self.start + first * math.prod(self.shape[1:]), images.data.cast("B"))
        return np.ascontiguousarray(images[..., ::-1]) if self.bgr else images

    def source(self) -> ImageSource:
        """The set as an opened source."""
        labels = self.sidecar.labels

        def pieces() -> Iterator[Piece]:
            first = 0
            for images in self.pieces():
                yield images, None if labels is None else labels[first : first + len(images)]
                first += len(images)

        path, shape, fetch = self.path, self.shape, self.read
        return ImageSource(
            name=path.stem, shape=shape, pieces=pieces, images=self, fetch=fetch, path=path, sidecar=self.sidecar
        )


class Writer:
    """Appends images to a .npy file whose length is known only at the end; ``with output(...)`` gives the file.

    Images never pile up in memory, and a full disk is an error where a memory-mapped file would kill the process.
    ``sidecar`` is to be set before the end, where something is known of them."""

    sidecar = known.Sidecar()

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


def check_set(path: Path, force: bool, inputs: Iterable[Path] = ()) -> None:
    """Raise ``UserError`` early, before hours of work, where a set could not be written in the end, would take the
    place of one that it is made of, or of anything without ``force``."""
    if path.suffix.lower() != ".npy":
        raise UserError(f"the output is {path}, expected a name that ends in .npy")
    check_free(path, force)
    sources = list(inputs)
    check_not_input(path, sources)
    check_not_input(known.beside(path), sources)
    check_free(known.beside(path), force or _is_abandoned(path))


def check_not_input(path: Path, inputs: Iterable[Path]) -> None:
    """Raise ``UserError`` where an output is one of the inputs."""
    for source in inputs:
        if path.exists() and source.exists() and path.samefile(source):
            raise UserError(f"{path} is an input as well, which is never changed: expected another output")


@contextlib.contextmanager
def writing(path: Path, shape: tuple[int, int, int], force: bool) -> Iterator[Writer]:
    """Write images u8 [h, w, c] = ``shape`` to ``path``, and their sidecar beside it.
    However it ends, by an error or a kill at any moment, there is the old set or the whole new one: the sidecar is put
    in place first, and waits for its images (see ``trainer.data.sources._sidecar``). Raises ``UserError``."""
    side = known.beside(path)
    announced: dict[str, Any] = {}
    old: bytes | None = None
    try:
        with output(path, force) as file:
            writer = Writer(file, shape)
            yield writer
            writer.finish()
            file.flush()
            order = "grey" if shape[2] == 1 else "RGB"
            earlier: dict[str, Any] = {}
            if force and path.exists():
                with contextlib.suppress(UserError):  # as far as it can be read
                    earlier = dict(known.current(path, known.read_json(known.beside(path), MOST_SIDECAR_BYTES)))
            old = side.read_bytes() if earlier else None
            announced = {**writer.sidecar.to_json(), "order": order, "fingerprint": known.fingerprint(Path(file.name))}
            known.write_json(side, {**earlier, "pending": announced}, force or _is_abandoned(path))
        known.write_json(side, announced, force=True)
    except BaseException:
        if announced:
            _settle(path, announced, old)
        raise


def _settle(path: Path, announced: Mapping[str, Any], old: bytes | None) -> None:
    """Have the sidecar of ``path`` describe the images that are there after all."""
    side = known.beside(path)
    with contextlib.suppress(OSError, UserError):
        if path.exists() and known.fingerprint(path) == announced["fingerprint"]:
            known.write_json(side, announced, force=True)
        elif old is None and _is_abandoned(path):
            side.unlink()
        elif old is not None:
            with output(side, force=True) as file:
                file.write(old)


def _is_abandoned(path: Path) -> bool:
    """Whether the sidecar of ``path`` waits for images that a kill has kept from coming."""
    side = known.beside(path)
    if os.path.lexists(path) or not side.is_file():
        return False
    with contextlib.suppress(UserError):
        return list(known.read_json(side, MOST_SIDECAR_BYTES)) == ["pending"]
    return False
