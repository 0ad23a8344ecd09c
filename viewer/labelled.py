"""A set of pictures with labels, to be seen in latent space: .npy, idx (the format of MNIST, .gz or not), or folders.

A .npy file holds u8 [n, h, w] or [n, h, w, 1 or 3] in RGB; its labels and the names of its classes are in
``<stem>.factors.json`` or ``<stem>.json`` beside it. Labels of ``…-images-idx3-ubyte.gz`` are in
``…-labels-idx1-ubyte.gz``. In a folder, the folders are the classes.
"""

import gzip
import json
import math
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from viewer.pictures import Image, PictureError, fit, read_picture
from viewer.text import printable

Labels = NDArray[np.int64]

_LARGEST_SIDECAR: Final = 2**28  # bytes
_LARGEST_IDX: Final = 2**31  # bytes, unpacked
_LARGEST_SIDE: Final = 2**14  # pixels
_PICTURE_SUFFIXES: Final = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"))
_EXPECTED: Final = "expected a .npy file of pictures, an idx file of images (.gz or not), or a folder of class folders"


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """Pictures that are read when they are asked for."""

    path: Path
    count: int
    fetch: Callable[[int], Image]  # picture [h, w, 3] BGR of a number; raises ``PictureError``
    labels: Labels | None = None  # [count]
    classes: tuple[str, ...] = ()  # names by label

    def read(self, indices: Sequence[int], height: int, width: int) -> NDArray[np.uint8]:
        """Pictures [n, height, width, 3] BGR, cut and scaled to the size. Raises ``PictureError``."""
        return np.stack([fit(self.fetch(index), height, width) for index in indices])


def open_set(path: Path) -> LabelledSet:
    """Open a set of pictures. Raises ``PictureError`` in one line where it is none."""
    try:
        if path.is_dir():
            return _open_folder(path)
        if not path.is_file():
            raise PictureError(f"{path}: no such file, {_EXPECTED}")
        if path.suffix == ".npy":
            return _open_npy(path)
        if "idx3-ubyte" in path.name:
            return _open_idx(path)
    except OSError as error:
        raise PictureError(f"{path}: cannot be read: {error.strerror or error}") from None
    raise PictureError(f"{path}: an unknown kind of file, {_EXPECTED}")


def _open_npy(path: Path) -> LabelledSet:
    expected = "expected u8 [n, h, w, 3] in C order"
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file)
        except Exception as error:  # the header is parsed from text that can be anything
            raise PictureError(f"{path}: not a .npy file: {printable(str(error), 120)}") from None
        start = file.tell()
    sides = shape[1:3]
    if (
        dtype != np.uint8
        or fortran
        or not (len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3)))
        or not shape[0]
        or not all(0 < side <= _LARGEST_SIDE for side in sides)
    ):
        raise PictureError(f"{path}: holds {dtype} {list(shape)}, {expected}")
    size = math.prod(shape[1:])
    if path.stat().st_size < start + shape[0] * size:
        raise PictureError(f"{path}: is cut short: {path.stat().st_size} bytes, expected {start + shape[0] * size}")

    def fetch(index: int) -> Image:
        try:
            with path.open("rb") as file:
                file.seek(start + index * size)
                data = file.read(size)
        except OSError as error:
            raise PictureError(f"{path}: cannot be read: {error.strerror or error}") from None
        if len(data) < size:
            raise PictureError(f"{path}: is cut short")
        return _to_bgr(np.frombuffer(data, np.uint8).reshape(*sides, -1))

    labels, classes = _read_sidecar(path, shape[0])
    return LabelledSet(path, shape[0], fetch, labels, classes)


def _to_bgr(image: NDArray[np.uint8]) -> Image:
    """A picture [h, w, 1 or 3] RGB as one with three channels in BGR."""
    return np.ascontiguousarray(np.broadcast_to(image[..., ::-1], (*image.shape[:2], 3)))


def _read_sidecar(path: Path, count: int) -> tuple[Labels | None, tuple[str, ...]]:
    for side in (path.with_suffix(".factors.json"), path.with_suffix(".json")):
        if not side.is_file():
            continue
        if side.stat().st_size > _LARGEST_SIDECAR:
            raise PictureError(f"{side}: {side.stat().st_size} bytes, expected labels in at most {_LARGEST_SIDECAR}")
        try:
            facts = json.loads(side.read_text("utf-8"))
        except (ValueError, RecursionError):
            raise PictureError(f"{side}: not JSON, expected the labels of {path.name}") from None
        if not isinstance(facts, dict) or "labels" not in facts:
            continue
        classes = facts.get("classes")
        if not isinstance(classes, list) or not classes or not all(isinstance(name, str) for name in classes):
            raise PictureError(f"{side}: has labels, expected a list of names under 'classes' as well")
        return _check_labels(side, facts["labels"], count, len(classes)), _shown(classes)
    return None, ()


def _check_labels(path: Path, labels: Any, count: int, classes: int) -> Labels:
    if not isinstance(labels, list) or len(labels) != count:
        found = f"{len(labels)} labels" if isinstance(labels, list) else type(labels).__name__
        raise PictureError(f"{path}: {found}, expected {count}, one a picture")
    if not all(type(label) is int and 0 <= label < classes for label in labels):
        raise PictureError(f"{path}: labels outside of 0..{classes - 1}")
    return np.array(labels, np.int64)


def _shown(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(printable(name, 40) for name in names)


def _open_idx(path: Path) -> LabelledSet:
    images = _read_idx(path, axes=3)
    count, height, width = images.shape
    beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    labels: Labels | None = None
    classes: tuple[str, ...] = ()
    if beside != path and beside.is_file():
        values = _read_idx(beside, axes=1)
        if len(values) != count:
            raise PictureError(f"{beside}: {len(values)} labels, expected {count}, one a picture of {path.name}")
        labels = values.astype(np.int64)
        classes = tuple(str(label) for label in range(int(values.max()) + 1))

    def fetch(index: int) -> Image:
        return _to_bgr(images[index].reshape(height, width, 1))

    return LabelledSet(path, count, fetch, labels, classes)


def _read_idx(path: Path, axes: int) -> NDArray[np.uint8]:
    """An idx file of bytes with so many axes (http://yann.lecun.com/exdb/mnist), packed by gzip or not."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(4 + 4 * axes)
            shape = tuple(int.from_bytes(header[at : at + 4], "big") for at in range(4, 4 + 4 * axes, 4))
            if len(header) < 4 + 4 * axes or header[:4] != bytes((0, 0, 8, axes)):
                raise PictureError(
                    f"{path}: begins with {header[:4].hex()}, expected an idx file of {axes} axes of bytes"
                )
            size = math.prod(shape)
            if not 0 < size <= _LARGEST_IDX:
                raise PictureError(f"{path}: says shape {list(shape)}, expected 1..{_LARGEST_IDX} bytes in all")
            data = file.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise PictureError(f"{path}: is cut short or damaged, expected an idx file packed by gzip") from None
    if len(data) < size:
        raise PictureError(f"{path}: {len(data)} bytes after its header, expected {size}: it is cut short")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _open_folder(path: Path) -> LabelledSet:
    inside = sorted(path.iterdir())
    packed = [file for file in inside if re.search(r"images[.-]idx3-ubyte(\.gz)?$", file.name)]
    if packed:
        return _open_idx(next((file for file in packed if "train" in file.name), packed[0]))
    folders = [folder for folder in inside if folder.is_dir()]
    found = [(file, label) for label, folder in enumerate(folders) for file in _pictures_in(folder)]
    labelled = bool(found)
    found = found or [(file, 0) for file in _pictures_in(path)]
    if not found:
        raise PictureError(f"{path}: a folder without pictures, {_EXPECTED}")

    def fetch(index: int) -> Image:
        return read_picture(found[index][0])

    if not labelled:
        return LabelledSet(path, len(found), fetch)
    labels = np.array([label for _, label in found], np.int64)
    return LabelledSet(path, len(found), fetch, labels, _shown([folder.name for folder in folders]))


def _pictures_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in _PICTURE_SUFFIXES and file.is_file())
