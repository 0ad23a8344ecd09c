"""A set of images with labels, to be seen in latent space: .npy, idx (the format of MNIST, .gz or not), or folders.

A .npy file holds u8 [n, h, w] or [n, h, w, 1 or 3] in RGB, or in BGR where one is told so; its labels and the names of
its classes are in ``<stem>.json`` beside it, with what else the image tools know of them. Labels of
``…-images-idx3-ubyte.gz`` are in ``…-labels-idx1-ubyte.gz``. In a folder, the folders are the classes.

Everything is read as training reads it: a model's classes and its encoder know images as they were trained on.
"""

import gzip
import io
import json
import math
import os
import re
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.contract.errors import ImageError
from trainer.contract.text import printable
from viewer.files.inputs import read_photo
from viewer.files.png import Image

Labels = NDArray[np.int64]

_LARGEST_SIDECAR: Final = 2**28  # bytes
_BLOCK: Final = 4096  # bytes
_BLOCKS: Final = 64  # of them
_LARGEST_IDX: Final = 2**31  # bytes, unpacked
_LARGEST_SIDE: Final = 2**14  # pixels
_IMAGE_SUFFIXES: Final = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff"))
_PARTS: Final = frozenset(("train", "training", "test", "testing", "val", "valid", "validation"))  # of published sets
_IDX_MAGIC: Final = re.compile(rb"\0\0[\x08-\x0e][\x01-\x08]", re.DOTALL)
_IDX_IMAGES: Final = re.compile(r"(.*)images([-.]idx)3([-.]ubyte)(\.gz)?")
_EXPECTED: Final = "expected a .npy file of images, an idx file of images (.gz or not), or a folder of class folders"


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """Images that are read when they are asked for."""

    path: Path
    count: int
    fetch: Callable[[int], Image]  # image [h, w, 3] BGR of a number; raises ``ImageError``
    labels: Labels | None = None  # [count]
    classes: tuple[str, ...] = ()  # names by label, fit to be printed
    bgr: bool = False  # whether it was opened as BGR, which the file does not say
    names: tuple[str, ...] = ()  # [count], or unknown
    size: tuple[int, int] | None = None  # height and width of all images; None: of each its own
    files: tuple[Path, ...] = ()  # [count], where each image is a file

    def read(self, index: int, height: int, width: int) -> Image:
        """Image [height, width, 3] BGR, stretched to the size. Raises ``ImageError``."""
        try:
            return _stretched(self.fetch(index), height, width)
        except (cv2.error, MemoryError):
            raise ImageError(f"{self.path}: image {index} is too large to be read here") from None


def _stretched(image: Image, height: int, width: int) -> Image:
    """Exactly this size, as in training: area average where a side shrinks, cubic where it grows."""
    for shrink, method in ((True, cv2.INTER_AREA), (False, cv2.INTER_CUBIC)):
        old_height, old_width = image.shape[:2]
        new_height = height if (height < old_height) == shrink else old_height
        new_width = width if (width < old_width) == shrink else old_width
        if (new_height, new_width) != (old_height, old_width):
            image = np.asarray(cv2.resize(image, (new_width, new_height), interpolation=method), np.uint8)
    return image


def open_set(path: Path, bgr: bool = False) -> LabelledSet:
    """Open a set of images. ``bgr``: a .npy file holds BGR. Raises ``ImageError`` in one line where it is none."""
    try:
        if not path.exists():
            raise ImageError(f"{path}: no such file, {_EXPECTED}")
        if path.is_file() and path.suffix == ".npy":
            return _open_npy(path, bgr)
        if bgr:
            raise ImageError(f"--bgr: {path} says its order itself, expected a .npy file")
        if path.is_dir():
            return _open_folder(path)
        if path.is_file() and _is_idx(path):
            return _open_idx(path)
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from None
    raise ImageError(f"{path}: an unknown kind of file, {_EXPECTED}")


def _open_npy(path: Path, bgr: bool) -> LabelledSet:
    expected = "expected u8 [n, h, w, 3] in C order"
    with path.open("rb") as file, warnings.catch_warnings(action="ignore"):  # of headers of old
        try:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file)
        except Exception as error:  # the header is parsed from text that can be anything
            raise ImageError(f"{path}: not a .npy file: {printable(str(error), 120)}") from None
        start = file.tell()
    sides = shape[1:3]
    if (
        dtype != np.uint8
        or fortran
        or not (len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3)))
        or not shape[0] > 0
        or not all(0 < side <= _LARGEST_SIDE for side in sides)
    ):
        raise ImageError(f"{path}: holds {dtype} {list(shape)}, {expected}")
    if bgr and shape[3:] != (3,):
        raise ImageError(f"--bgr: {path} has 1 channel, expected 3")
    size = math.prod(shape[1:])
    if path.stat().st_size < start + shape[0] * size:
        raise ImageError(f"{path}: is cut short: {path.stat().st_size} bytes, expected {start + shape[0] * size}")

    facts = _read_sidecar(path)
    turned = bgr or facts.get("order") == "BGR"

    def fetch(index: int) -> Image:
        try:
            with path.open("rb") as file:
                file.seek(start + index * size)
                data = file.read(size)
        except OSError as error:
            raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from None
        if len(data) < size:
            raise ImageError(f"{path}: is cut short")
        image = np.frombuffer(data, np.uint8).reshape(*sides, -1)
        return image if turned and shape[3:] == (3,) else _to_bgr(image)

    labels, classes = _labels_in(facts, path, shape[0])
    names = _names_in(facts, path, shape[0])
    return LabelledSet(path, shape[0], fetch, labels, classes, bgr, names, (sides[0], sides[1]))


def _to_bgr(image: NDArray[np.uint8]) -> Image:
    """An image [h, w, 1 or 3] RGB as one with three channels in BGR."""
    code = cv2.COLOR_GRAY2BGR if image.shape[2] == 1 else cv2.COLOR_RGB2BGR
    return np.asarray(cv2.cvtColor(image, code), np.uint8)


def _read_sidecar(path: Path) -> dict[str, Any]:
    """What the JSON beside a .npy file says of its images; nothing where there is none. Raises ``ImageError``."""
    side = path.with_suffix(".json")
    if not side.is_file():
        return {}
    if side.stat().st_size > _LARGEST_SIDECAR:
        raise ImageError(f"{side}: {side.stat().st_size} bytes, expected facts in at most {_LARGEST_SIDECAR}")
    try:
        facts = json.loads(side.read_text("utf-8"))
    except (ValueError, RecursionError):
        raise ImageError(f"{side}: not JSON, expected what is known of {path.name}") from None
    if not isinstance(facts, dict):
        return {}
    if "fingerprint" in facts or "pending" in facts:
        found = fingerprint(path)
        pending = facts.get("pending")  # of a set that was put in place in the same moment as the tool was killed
        if isinstance(pending, dict) and pending.get("fingerprint") == found:
            return pending
        if facts.get("fingerprint", found) != found:
            raise ImageError(f"{side}: is of other images than {path.name} holds now")
    return facts


def fingerprint(path: Path) -> str:
    """As ``sidecar.fingerprint``: the size, and a checksum of blocks all over the file. Raises ``OSError``."""
    size, checksum = path.stat().st_size, 0
    with path.open("rb") as file:
        for number in range(_BLOCKS):
            file.seek(max(0, size - _BLOCK) * number // (_BLOCKS - 1))
            checksum = zlib.crc32(file.read(_BLOCK), checksum)
    return f"{size}-{checksum:08x}"


def _names_in(facts: dict[str, Any], path: Path, count: int) -> tuple[str, ...]:
    """What the images of a .npy file are called, if that is known. Raises ``ImageError``."""
    names = facts.get("names", [])
    if not isinstance(names, list) or len(names) not in (0, count) or not all(isinstance(name, str) for name in names):
        raise ImageError(f"{path.with_suffix('.json')}: has other names than {count}, one an image")
    return tuple(names)


def _labels_in(facts: dict[str, Any], path: Path, count: int) -> tuple[Labels | None, tuple[str, ...]]:
    """Labels and names of classes of what is known of a .npy file. Raises ``ImageError``."""
    side = path.with_suffix(".json")
    if "labels" not in facts:
        return None, ()
    classes = facts.get("classes")
    if not isinstance(classes, list) or not classes or not all(isinstance(name, str) for name in classes):
        raise ImageError(f"{side}: has labels, expected a list of names under 'classes' as well")
    return _check_labels(side, facts["labels"], count, len(classes)), _shown(classes)


def _check_labels(path: Path, labels: Any, count: int, classes: int) -> Labels:
    if not isinstance(labels, list) or len(labels) != count:
        found = f"{len(labels)} labels" if isinstance(labels, list) else type(labels).__name__
        raise ImageError(f"{path}: {found}, expected {count}, one an image")
    if not all(type(label) is int and 0 <= label < classes for label in labels):
        raise ImageError(f"{path}: labels outside of 0..{classes - 1}")
    return np.array(labels, np.int64)


def _shown(names: Sequence[str]) -> tuple[str, ...]:
    """As ``Model.classes`` shows those of a model: the two are compared."""
    return tuple(printable(name, 40) or "?" for name in names)


def _find_idx(folder: Path) -> Path | None:
    """The images' idx file in a folder, or in ``raw`` below it; the training set of two. Raises ``ImageError``."""
    for place in (folder, folder / "raw"):
        files = sorted(place.iterdir()) if place.is_dir() else []
        found = {match[1]: path for path in files if (match := _IDX_IMAGES.fullmatch(path.name))}
        training = [path for prefix, path in found.items() if prefix.startswith("train")]
        if len(found) == 1 or len(training) == 1:
            return (training or list(found.values()))[0]
        if found:
            names = ", ".join(path.name for path in found.values())
            raise ImageError(f"{folder}: holds {len(found)} sets ({names}), expected one of the files to be given")
    return None


def _is_idx(path: Path) -> bool:
    """Whether a regular file begins as an idx file does, packed by gzip or not."""
    try:
        with _unpacked(path) as file:
            return bool(_IDX_MAGIC.fullmatch(file.read(4)))
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return False


def _unpacked(path: Path) -> gzip.GzipFile | io.BufferedReader:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"  # whatever its name: browsers unpack what they download
    return gzip.open(path) if packed else path.open("rb")


def _open_idx(path: Path) -> LabelledSet:
    images = _read_idx(path, axes=3)
    count, height, width = images.shape
    beside = _labels_beside(path)
    labels: Labels | None = None
    classes: tuple[str, ...] = ()
    if beside is not None:
        values = _read_idx(beside, axes=1)
        if len(values) != count:
            raise ImageError(f"{beside}: {len(values)} labels, expected {count}, one an image of {path.name}")
        labels = values.astype(np.int64)
        classes = tuple(str(label) for label in range(max(10, int(values.max()) + 1)))

    def fetch(index: int) -> Image:
        return _to_bgr(images[index].reshape(height, width, 1))

    return LabelledSet(path, count, fetch, labels, classes, size=(height, width))


def _labels_beside(path: Path) -> Path | None:
    match = _IDX_IMAGES.fullmatch(path.name)
    if match is None:
        return None
    stem = f"{match[1]}labels{match[2]}1{match[3]}"
    names = (stem + (match[4] or ""), stem, f"{stem}.gz")
    return next((side for side in map(path.with_name, names) if side.is_file()), None)


def _read_idx(path: Path, axes: int) -> NDArray[np.uint8]:
    """An idx file of bytes with so many axes (http://yann.lecun.com/exdb/mnist), packed by gzip or not."""
    try:
        with _unpacked(path) as file:
            header = file.read(4 + 4 * axes)
            shape = tuple(int.from_bytes(header[at : at + 4], "big") for at in range(4, 4 + 4 * axes, 4))
            if len(header) < 4 + 4 * axes or header[:4] != bytes((0, 0, 8, axes)):
                raise ImageError(
                    f"{path}: begins with {header[:4].hex()}, expected an idx file of {axes} axes of bytes"
                )
            size = math.prod(shape)
            if not 0 < size <= _LARGEST_IDX:
                raise ImageError(f"{path}: says shape {list(shape)}, expected 1..{_LARGEST_IDX} bytes in all")
            data = file.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise ImageError(f"{path}: is cut short or damaged, expected an idx file packed by gzip") from None
    if len(data) < size:
        raise ImageError(f"{path}: {len(data)} bytes after its header, expected {size}: it is cut short")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _open_folder(path: Path) -> LabelledSet:
    packed = _find_idx(path)
    if packed is not None:
        return _open_idx(packed)
    folder = _training_part(path)
    found = [file for file in _files_in(folder) if file.suffix.lower() in _IMAGE_SUFFIXES]
    if not found:
        raise ImageError(f"{path}: a folder without images, {_EXPECTED}")
    below: dict[str, list[Path]] = {}
    for file in found:
        below.setdefault("" if file.parent == folder else file.relative_to(folder).parts[0], []).append(file)
    beside = below.pop("", [])
    names = sorted(name for name, own in below.items() if any(map(_is_image, own))) if len(below) > 1 else []
    # Class folders only: with images beside them, the folders are no classes.
    if len(names) < 2 or any(map(_is_image, beside)):
        return set_of_files(path, found)
    files = [file for name in names for file in below[name]]
    labels = np.repeat(np.arange(len(names)), [len(below[name]) for name in names])
    return set_of_files(path, files, labels, _shown(names))


def _is_image(path: Path) -> bool:
    try:
        read_photo(path)
    except ImageError:
        return False
    return True


def set_of_files(
    folder: Path, files: Sequence[Path], labels: Labels | None = None, classes: tuple[str, ...] = ()
) -> LabelledSet:
    """Image files in or below a folder."""
    names = tuple(file.relative_to(folder).as_posix() for file in files)

    def fetch(index: int) -> Image:
        return read_photo(files[index]).on_white()

    return LabelledSet(folder, len(files), fetch, labels, classes, names=names, files=tuple(files))


def _training_part(folder: Path) -> Path:
    """The training half of a folder that holds the halves of a published set, or the folder itself."""
    below = {path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")}
    training = [name for name in ("train", "training") if name in below]
    return folder / training[0] if training and len(below) > 1 and below <= _PARTS else folder


def _files_in(folder: Path) -> Iterator[Path]:
    """All files below a folder, sorted, without hidden ones. Links to folders are followed, but those to a folder that
    is found without them, that comes for the second time, or that holds the first one, as links in a circle do."""
    root = Path(os.path.realpath(folder))
    seen = {root}

    def is_new(path: Path) -> bool:
        place = Path(os.path.realpath(path))
        inside = root in place.parents
        hidden = inside and any(part.startswith(".") for part in place.relative_to(root).parts)
        if path.is_symlink() and (place in root.parents or (inside and not hidden)):
            return False
        was_new = place not in seen
        seen.add(place)
        return was_new

    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in sorted(folders) if not name.startswith(".") and is_new(Path(parent, name))]
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(parent, name)
