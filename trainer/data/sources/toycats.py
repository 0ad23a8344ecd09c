"""Drawn toy cats: ``toycats[:COUNT]``, always those of seed 0, so that runs with other seeds stay comparable."""

from collections.abc import Iterator

import numpy as np

from trainer.contract.errors import UserError
from trainer.data.drawing.toycats import CLASSES, choose, paint
from trainer.data.sources._identity import of_name
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources.base import ImageSource, OpenOptions, Piece, pieces_of

HELP = "'toycats[:COUNT]' (drawn)"
ORDER = 0
SIDE = 128  # pixels, by default
COUNT = "2000"
MOST = 1_000_000

identity = of_name


def claims(data: str) -> bool:
    """By its prefix."""
    return data == "toycats" or data.startswith("toycats:")


def open(data: str, options: OpenOptions) -> ImageSource:
    """So many cats, drawn as they are read. Raises ``UserError``."""
    number = data.removeprefix("toycats").removeprefix(":") or COUNT
    if not number.isdecimal() or not 1 <= int(number) <= MOST:
        raise UserError(f"--data is {data}, expected toycats:COUNT with a count of 1 to {MOST}")
    count, side = int(number), options.image_size or SIDE
    labels = np.array([CLASSES.index(choose(0, k)["pattern"]) for k in range(count)], np.int64)

    def fetch(index: int) -> np.ndarray:
        return paint(choose(0, index), side)

    def pieces() -> Iterator[Piece]:
        return pieces_of(range(count), fetch, labels, options.workers)

    shape, sidecar = (count, side, side, 3), Sidecar(labels=labels, classes=CLASSES)
    return ImageSource(name=data, shape=shape, pieces=pieces, fetch=fetch, sidecar=sidecar)
