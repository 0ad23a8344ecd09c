"""MNIST's file format, idx: a header of sizes, then bytes; raw or gzipped, images and labels in two files.

Nothing that a file claims is believed: sizes are checked against the file before memory is asked for, and gzipped
data is unpacked a few megabytes at a time, to the size claimed and not a byte further."""

import contextlib
import gzip
import math
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.files import reading
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources._threads import say
from trainer.data.sources.base import ImageSource, OpenOptions, Piece

HELP = "an idx file as MNIST's or its folder"
ORDER = 20
GZIP = b"\x1f\x8b"
MAGIC = re.compile(rb"\0\0[\x08-\x0e][\x01-\x08]", re.DOTALL)
MOST_BYTES = 1 << 32
MOST_SIDE = 4096  # pixels
PIECE_BYTES = 1 << 22
BEST_RATIO = 1040  # deflate cannot pack better than 1032 to 1
IMAGES_NAME = re.compile(r"(.*)images([-.]idx)3([-.]ubyte)(\.gz)?", re.IGNORECASE)


def claims(data: str) -> bool:
    """By the first bytes of a file, or the files of a folder. Raises ``UserError``."""
    path = Path(data)
    if path.is_dir():
        return find_images(path) is not None
    with contextlib.suppress(OSError, EOFError, zlib.error):
        if path.is_file():
            with _open(path) as file:
                return bool(MAGIC.fullmatch(file.read(4)))
    return False


def open(data: str, options: OpenOptions) -> ImageSource:
    """The images of a file or a folder, with their labels. Raises ``UserError``."""
    path = Path(data)
    if path.is_dir():
        folder, path = path, find_images(path) or path
        others = [one.name for one in path.parent.iterdir() if IMAGES_NAME.fullmatch(one.name) and one != path]
        if others:
            say(f"note: {folder}: {path.name} is read, and not {', '.join(sorted(others)[:3])}")
    with _opened(path, 3) as (_, sizes):
        count, height, width = sizes
    if max(height, width) > MOST_SIDE:
        raise UserError(f"{path} says {width}x{height} px, expected at most {MOST_SIDE} a side")
    labels = _labels_of(path, count)
    classes = () if labels is None else tuple(str(number) for number in range(max(10, int(labels.max()) + 1)))

    def pieces() -> Iterator[Piece]:
        per_piece = max(1, PIECE_BYTES // (height * width))
        with _opened(path, 3) as (file, _):
            for start in range(0, count, per_piece):
                rows = slice(start, min(start + per_piece, count))
                data = _read(file, (rows.stop - start) * height * width)
                images = np.frombuffer(data, np.uint8).reshape(-1, height, width, 1)
                yield images, None if labels is None else labels[rows]
            _expect_end(path, file)

    name, sidecar = path.name.removesuffix(".gz"), Sidecar(labels=labels, classes=classes)
    return ImageSource(name=name, shape=(count, height, width, 1), pieces=pieces, path=path, sidecar=sidecar)


def find_images(folder: Path) -> Path | None:
    """The images' file in a folder, or in ``raw`` below it, where torchvision keeps them; the training set of two.
    Raises ``UserError`` where there are several and none is the training set."""
    for place in (folder, folder / "raw"):
        if not place.is_dir():
            continue
        found = {match[1]: path for path in sorted(place.iterdir()) if (match := IMAGES_NAME.fullmatch(path.name))}
        training = [path for prefix, path in found.items() if prefix.lower().startswith("train")]
        if len(found) == 1 or len(training) == 1:
            return (training or list(found.values()))[0]
        if found:
            names = ", ".join(path.name for path in found.values())
            raise UserError(f"{folder} holds {len(found)} sets ({names}): give one of the files")
    return None


def _labels_of(path: Path, count: int) -> np.ndarray | None:
    """Labels i64 [count] of the file beside that of the images, if there is one."""
    match = IMAGES_NAME.fullmatch(path.name)
    if match is None:
        return None
    stem = f"{match[1]}labels{match[2]}1{match[3]}"
    names = [stem + (match[4] or ""), stem, f"{stem}.gz"]
    names += [name.upper() for name in names]
    beside = next((found for name in names if (found := path.with_name(name)).is_file()), None)
    if beside is None:
        return None
    with _opened(beside, 1) as (file, sizes):
        if sizes[0] != count:
            raise UserError(f"{beside} holds {sizes[0]} labels, expected {count}, one an image")
        labels = np.frombuffer(_read(file, count), np.uint8).astype(np.int64)
        _expect_end(beside, file)
    return labels


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        compressed = file.read(2) == GZIP
    return gzip.open(path, "rb") if compressed else path.open("rb")  # type: ignore[return-value]


@contextlib.contextmanager
def _opened(path: Path, dimensions: int) -> Iterator[tuple[BinaryIO, tuple[int, ...]]]:
    """A file after its header, and the sizes that this says. What goes wrong while it is read is a ``UserError``."""
    with reading(path), _open(path) as file:
        try:
            yield file, _read_header(path, file, dimensions)
        except (gzip.BadGzipFile, zlib.error) as error:
            raise UserError(f"{path} is damaged: {error}") from None


def _read_header(path: Path, file: BinaryIO, dimensions: int) -> tuple[int, ...]:
    """The sizes, in so far as the file can be as large as they say."""
    what = {1: "labels", 3: "images"}
    magic = file.read(4)
    expected = f"expected u8 {what[dimensions]} in {dimensions} dimension(s)"
    if not MAGIC.fullmatch(magic):
        raise UserError(f"{path} is not an idx file (it begins {magic.hex(' ')}), {expected}")
    if magic[2] != 8 or magic[3] != dimensions:
        kind = {8: "u8", 9: "i8", 11: "i16", 12: "i32", 13: "f32", 14: "f64"}.get(magic[2], "unknown")
        raise UserError(f"{path} holds {kind} values in {magic[3]} dimension(s), {expected}")
    sizes = struct.unpack(f">{dimensions}I", _read(file, 4 * dimensions))
    needed = math.prod(sizes)
    if not needed:
        raise UserError(f"{path} holds no {what[dimensions]}: u8 {list(sizes)}")
    if needed > MOST_BYTES:
        raise UserError(f"{path} says u8 {list(sizes)}, {needed} bytes, expected at most {MOST_BYTES}")
    stored = path.stat().st_size
    compressed = isinstance(file, gzip.GzipFile)
    start = 4 + 4 * dimensions
    if not compressed and stored != start + needed:
        kind = "is cut short" if stored < start + needed else "has bytes too many"
        raise UserError(f"{path} {kind}: {stored} bytes, expected {start + needed} for u8 {list(sizes)}")
    if compressed and needed > stored * BEST_RATIO:
        raise UserError(f"{path} is cut short: {stored} gzipped bytes cannot hold u8 {list(sizes)}")
    return sizes


def _read(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise EOFError
    return data


def _expect_end(path: Path, file: BinaryIO) -> None:
    """For gzip this also checks the CRC."""
    if file.read(1):
        raise UserError(f"{path} has bytes too many: it goes on after the sizes that it says")
