"""NumPy archives (.npz) of images u8 [n, h, w(, c)], with labels beside them: ``images`` and ``labels``, ``x_train``
and ``y_train``, ``arr_0`` and ``arr_1``. No torch, and nothing pickled is loaded."""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.files import reading
from trainer.contract.text import printable
from trainer.data.sources._archives import begins_as_zip
from trainer.data.sources._labels import numbered_values
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources._threads import say
from trainer.data.sources.base import MOST_BYTES, ImageSource, OpenOptions, Piece

HELP = "a .npz file"
ORDER = 35
MOST_ARRAYS = 10_000
MOST_SET_BYTES = 1 << 40  # of the images, unpacked: they are read a piece at a time
MOST_LABELS = 20_000_000
# What the arrays of a training set are called, likeliest first, without cases.
IMAGES = ("images", "train_images", "x_train", "image", "x", "imgs", "data", "train_x", "arr_0")
LABELS = ("labels", "train_labels", "y_train", "label", "y", "classes", "targets", "train_y", "arr_1")


def claims(data: str) -> bool:
    """By the first bytes, and that all its members are arrays; a damaged one by its ending."""
    path = Path(data)
    if not begins_as_zip(path):
        return False
    if path.suffix.lower() == ".npz":
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def open(data: str, options: OpenOptions) -> ImageSource:
    """The images of an archive, read a piece at a time. Raises ``UserError``."""
    path = Path(data)
    headers = read_headers(path)
    name = find_images(path, headers)
    shape, planar = image_shape(path, name, *headers[name])
    labels, classes = read_labels(path, name, headers, shape[0])
    others = sorted(other for other in headers if other != name)
    if len(others) > (labels is not None):
        say(f"note: {path}: its array {name} is read, of {', '.join([name, *others][:8])}")
    count, height, width, channels = shape

    def pieces() -> Iterator[Piece]:
        step = max(1, MOST_BYTES // (height * width * channels))
        with _member(path, name) as file:
            read_header(path, name, file)
            for first in range(0, count, step):
                rows = slice(first, min(first + step, count))
                found = _exactly(path, name, file, (rows.stop - first) * height * width * channels)
                images = np.frombuffer(found, np.uint8)
                if planar:
                    images = images.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
                images = np.ascontiguousarray(images.reshape(-1, height, width, channels))
                yield images, None if labels is None else labels[rows]
            if file.read(1):
                raise UserError(f"{path}, {name} has bytes too many")

    return ImageSource(
        name=path.stem, shape=shape, pieces=pieces, path=path, sidecar=Sidecar(labels=labels, classes=classes)
    )


Headers = dict[str, tuple[tuple[int, ...], bool, np.dtype[Any]]]
"""Shape, whether in Fortran's order, and type of each array."""


def read_headers(path: Path) -> Headers:
    """What an archive says of its arrays, of which nothing else is read. Raises ``UserError``."""
    with reading(path):
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.namelist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise UserError(f"{path} is no sound .npz file, or cut short: {printable(str(error))[:100]}") from None
    names = [member.removesuffix(".npy") for member in members if member.endswith(".npy") and member.isprintable()]
    if len(names) > MOST_ARRAYS:
        raise UserError(f"{path} holds {len(names)} arrays, expected at most {MOST_ARRAYS}, and one of all images")
    found: Headers = {}
    for name in names:
        with _member(path, name) as file:
            found[name] = read_header(path, name, file)
    return found


def read_header(path: Path, name: str, file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Of the array that begins here. Raises ``UserError``."""
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, fortran, dtype = read[version](file)
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, SyntaxError, MemoryError, RecursionError):
        raise UserError(f"{path}, {printable(name)} is no sound array") from None
    if any(type(side) is not int or side < 0 for side in shape):
        raise UserError(f"{path}, {printable(name)} says shape {shape}")
    return shape, fortran, dtype


def find_images(path: Path, headers: Headers) -> str:
    """The array of images: by its name, else the only one that can be. Raises ``UserError``."""
    fitting = [name for name, (shape, _, dtype) in headers.items() if dtype == np.uint8 and len(shape) in (3, 4)]
    lower = {name.lower(): name for name in reversed(fitting)}
    named = next((lower[name] for name in IMAGES if name in lower), None)
    if named is not None:
        return named
    if len(fitting) == 1:
        return fitting[0]
    few = ", ".join(f"{name}: {dtype} {list(shape)}" for name, (shape, _, dtype) in list(headers.items())[:4])
    which = f"{len(fitting)} arrays that could be images" if fitting else "no array of images"
    few = few.replace("object", "pickled objects, which are never loaded")
    raise UserError(f"{path} holds {which} ({few or 'none at all'}), expected u8 [n, h, w, 3] called 'images'")


def image_shape(
    path: Path, name: str, shape: tuple[int, ...], fortran: bool, dtype: np.dtype[Any]
) -> tuple[tuple[int, int, int, int], bool]:
    """n, h, w, c, and whether channels come first. Raises ``UserError``."""
    what = f"{path}, {name} holds {dtype} {list(shape)}"
    planar = len(shape) == 4 and shape[3] not in (1, 3) and shape[1] in (1, 3)
    if len(shape) == 4 and shape[3] not in (1, 3) and not planar:
        raise UserError(f"{what}, expected u8 [n, h, w, 3]")
    if fortran:
        raise UserError(
            f"{what} in Fortran's order, expected C's: numpy.savez(name, images=numpy.ascontiguousarray(...))"
        )
    if len(shape) == 3 and shape[2] in (3, 4):
        raise UserError(f"{what}, one image and not a set")
    if 0 in shape:
        raise UserError(f"{what}: no images")
    count, *rest = shape
    height, width, channels = (*rest[1:], rest[0]) if planar else (*rest, 1)[:3]
    with zipfile.ZipFile(path) as archive:
        stored = archive.getinfo(f"{name}.npy").file_size
    needed = int(np.prod(shape, dtype=object))
    if needed > MOST_SET_BYTES or not needed < stored <= needed + (1 << 16):
        raise UserError(f"{what}, of which there are {stored} bytes, expected {needed} and a header")
    return (count, height, width, channels), planar


def read_labels(path: Path, images: str, headers: Headers, count: int) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels i64 [n] and class names, where there is an array of them. Raises ``UserError`` where it fits no images."""
    lower = {name.lower(): name for name in headers}
    partner = LABELS[IMAGES.index(images.lower())] if images.lower() in IMAGES else ""
    name = next((lower[name] for name in (partner, *LABELS) if name in lower and lower[name] != images), None)
    if name is None:
        return None, ()
    shape, _, dtype = headers[name]
    what = f"{path}, {name} holds {'pickled objects' if dtype.hasobject else dtype} {list(shape)}"
    if dtype.hasobject:
        raise UserError(f"{what}, which are never loaded; expected numbers")
    if shape not in ((count,), (count, 1)) or dtype.kind not in "iu" or count > MOST_LABELS:
        if dtype.kind in "iufb" and shape[:1] == (count,):  # one-hot, or attributes
            say(f"note: {what}, no number of a class for each image: not taken as labels")
            return None, ()
        raise UserError(f"{what}, expected whole numbers [{count}], one an image")
    with _member(path, name) as file:
        read_header(path, name, file)
        data = _exactly(path, name, file, count * dtype.itemsize)
    return numbered_values(np.frombuffer(data, dtype).reshape(-1).tolist(), f"{path}, {name}", None)


class _member:
    """An array's file in an archive; what goes wrong while it is read is a ``UserError``."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name

    def __enter__(self) -> Any:
        try:
            self.archive = zipfile.ZipFile(self.path)
            return self.archive.open(f"{self.name}.npy")
        except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, KeyError, ValueError):
            raise UserError(f"{self.path}, {printable(self.name)} cannot be read") from None

    def __exit__(self, *failure: object) -> None:
        self.archive.close()
        if isinstance(failure[1], zipfile.BadZipFile | zlib.error | EOFError | OSError):
            raise UserError(f"{self.path}, {printable(self.name)} is damaged") from None


def _exactly(path: Path, name: str, file: Any, count: int) -> bytes:
    data: bytes = file.read(count)
    if len(data) != count:
        raise UserError(f"{path}, {printable(name)} is cut short")
    return data
