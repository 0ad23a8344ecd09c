"""What data sets that come packed (idx, CIFAR-10's binary batches, parquet, the hub) have in common. No torch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.images import Fit, resize
from trainer.contract.text import printable
from trainer.data.sources.npy import Stored
from trainer.data.sources.threads import in_threads

MOST_BYTES = 1 << 20  # of images that are changed at once
WINDOW = 2048  # images that are shuffled with each other, where a set is read by blocks
Piece = tuple[np.ndarray, np.ndarray | None]
"""Some images, u8 [k, h, w, c] RGB or grey, and their labels, i64 [k]."""


class AnyImage(Protocol):
    """Images that are read when asked for."""

    shape: tuple[int, int, int, int]

    def __len__(self) -> int: ...

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Images [k, h, w, c] by their indices i64 [k]."""


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A set that is read piece by piece, so that none of its sizes has to be believed."""

    name: str
    shape: tuple[int, int, int, int]  # n, h, w, c; there may turn out to be fewer than n readable ones
    classes: tuple[str, ...] = ()
    pieces: Callable[[], Iterator[Piece]]  # raises UserError where the set is not sound
    images: "AnyImage | None" = None  # the same images, where any of them can be read without those before it
    labels: np.ndarray | None = None  # i64 [n], with ``images``
    blocks: np.ndarray | None = None  # i64 [m], with ``images``: the first image of each block best read as a whole
    facts: Callable[[], list[tuple[str, str]]] = list  # what else there is to say of it, in lines


def of_stored(stored: Stored) -> Packed:
    """A .npy file as a set that is read piece by piece, without its labels."""
    return Packed(
        name=stored.path.stem, shape=stored.shape, pieces=lambda: ((images, None) for images in stored.pieces())
    )


def resized(packed: Packed, size: int, fit: Fit = resize, workers: int = 0) -> Packed:
    """The set with its images brought to a square, stretched or as ``fit`` does it; ``size`` 0 keeps theirs.

    workers: pieces at once, 0 for one a core. What comes in one piece may leave in several, so that memory stays
    bounded however much larger the images become.
    """
    count, height, width, channels = packed.shape
    if size in (0, height) and size in (0, width):
        return packed

    step = max(1, MOST_BYTES // (size * size * channels))

    def parts() -> Iterator[Piece]:
        for images, labels in packed.pieces():
            for first in range(0, len(images), step):
                rows = slice(first, first + step)
                yield images[rows], None if labels is None else labels[rows]

    def change(piece: Piece) -> np.ndarray:
        return np.stack([fit(image, size, size).reshape(size, size, channels) for image in piece[0]])

    def pieces() -> Iterator[Piece]:
        for (_, labels), images in in_threads(parts(), change, workers):
            yield images, labels

    return replace(packed, shape=(count, size, size, channels), pieces=pieces, images=None, labels=None, blocks=None)


def read_all(path: Path, most: int) -> bytes:
    """A small file's bytes. Raises ``UserError`` where it is missing or larger than ``most`` bytes."""
    try:
        size = path.stat().st_size
        if size > most:
            raise UserError(f"{printable(path)} holds {size} bytes, expected at most {most}")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {printable(path)}: {error.strerror}") from None
