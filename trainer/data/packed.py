"""What data sets that come packed (idx, CIFAR-10's binary batches, parquet, the hub) have in common. No torch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from trainer.config import UserError
from trainer.data.npy import printable
from trainer.data.pictures import pad, resize

Piece = tuple[np.ndarray, np.ndarray | None]
"""Some pictures, u8 [k, h, w, c] RGB or grey, and their labels, i64 [k]."""


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A set that is read piece by piece, so that none of its sizes has to be believed."""

    name: str
    shape: tuple[int, int, int, int]  # n, h, w, c; there may turn out to be fewer than n readable ones
    classes: tuple[str, ...] = ()
    pieces: Callable[[], Iterator[Piece]]  # raises UserError where the set is not sound


def resized(packed: Packed, size: int, keep_aspect: bool = False) -> Packed:
    """The set with its pictures stretched, or (``keep_aspect``) padded, to a square; ``size`` 0 keeps theirs."""
    count, height, width, channels = packed.shape
    if size in (0, height) and size in (0, width):
        return packed
    fit = pad if keep_aspect else resize

    def pieces() -> Iterator[Piece]:
        for images, labels in packed.pieces():
            yield np.stack([fit(image, size, size).reshape(size, size, channels) for image in images]), labels

    return replace(packed, shape=(count, size, size, channels), pieces=pieces)


def read_all(path: Path, most: int) -> bytes:
    """A small file's bytes. Raises ``UserError`` where it is missing or larger than ``most`` bytes."""
    try:
        size = path.stat().st_size
        if size > most:
            raise UserError(f"{printable(path)} holds {size} bytes, expected at most {most}")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {printable(path)}: {error.strerror}") from None
