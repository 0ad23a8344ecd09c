"""CIFAR-10's official binary version: records of one label and 32x32 pixels by colour plane, in ``*_batch*.bin``.

The Python version is pickled, which could run anything when loaded: it is recognised, and refused."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.files import any_case, reading
from trainer.contract.text import printable
from trainer.data.sources._sidecar import Sidecar, read_small
from trainer.data.sources._threads import say
from trainer.data.sources.base import ImageSource, OpenOptions, Piece

HELP = "CIFAR-10's binary folder"
ORDER = 50
SIDE = 32  # pixels
RECORD = 1 + 3 * SIDE * SIDE  # bytes
PIECE = 1000  # records
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
NAMES_FILE = "batches.meta.txt"
ARCHIVE_FOLDERS = ("cifar-10-batches-bin", "cifar-10-batches-py")  # what the official archives unpack to
PICKLE = b"\x80"


def claims(data: str) -> bool:
    """By the size of a file, or the files of a folder. Raises ``UserError`` for a pickled file."""
    path = Path(data)
    if path.is_dir():
        return bool(find_batches(path))
    if not path.is_file():
        return False
    size = path.stat().st_size
    if path.suffix.lower() == ".bin" and size > 0 and size % RECORD == 0:
        return True
    with path.open("rb") as file:
        if file.read(1) == PICKLE and path.suffix.lower() != ".npy":
            raise UserError(f"{path} is pickled, which is never loaded: it could run anything")
    return False


def open(data: str, options: OpenOptions) -> ImageSource:
    """The training batches of a folder, or one file. Raises ``UserError``."""
    path = Path(data)
    paths = find_batches(path) if path.is_dir() else [path]
    if path.is_dir() and any(paths[0].parent.glob(any_case("test_batch*.bin"))):
        say(f"note: {path}: the {len(paths)} training batches are read, and not those for tests")
    count = 0
    for path in paths:
        size = path.stat().st_size
        if size == 0 or size % RECORD:
            raise UserError(f"{path} holds {size} bytes, expected a multiple of {RECORD}: a label and 32x32 px RGB")
        count += size // RECORD
    classes = _read_names(paths[0].with_name(NAMES_FILE))

    def pieces() -> Iterator[Piece]:
        for path in paths:
            with reading(path), path.open("rb") as file:
                while data := file.read(PIECE * RECORD):
                    yield _decode(path, data, len(classes))

    name = paths[0].stem if len(paths) == 1 else paths[0].parent.name
    return ImageSource(name=name, shape=(count, SIDE, SIDE, 3), pieces=pieces, sidecar=Sidecar(classes=classes))


def find_batches(folder: Path) -> list[Path]:
    """The training batches in a folder, or in the archive's folder below it; none where it is no such folder.
    Raises ``UserError`` for the pickled version."""
    for place in (folder, *(folder / name for name in ARCHIVE_FOLDERS)):
        if not place.is_dir():
            continue
        batches = sorted(path for path in place.glob(any_case("data_batch*.bin")) if path.is_file())
        if batches:
            return batches
        if (place / "data_batch_1").is_file():
            raise UserError(
                f"{place} holds the Python version of CIFAR-10, which is pickled and never loaded; expected "
                "the binary version (cifar-10-binary.tar.gz) or class folders"
            )
    return []


def _decode(path: Path, data: bytes, classes: int) -> Piece:
    if len(data) % RECORD:
        raise UserError(f"{path} was cut short while it was read")
    records = np.frombuffer(data, np.uint8).reshape(-1, RECORD)
    labels = records[:, 0].astype(np.int64)
    if labels.max() >= classes:
        raise UserError(f"{path} has the label {labels.max()}, expected 0 to {classes - 1}: not CIFAR-10")
    return np.ascontiguousarray(records[:, 1:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)), labels


def _read_names(path: Path) -> tuple[str, ...]:
    """The class names beside the batches; CIFAR-10's own where there is no such file."""
    if not path.is_file():
        return CLASSES
    names = tuple(line.strip() for line in read_small(path, 1 << 16).decode(errors="replace").splitlines())
    names = tuple(printable(name) for name in names if name)
    if not 1 <= len(names) <= 256 or len(set(names)) != len(names):
        raise UserError(f"{path} has {len(names)} lines, expected class names, each once")
    return names
