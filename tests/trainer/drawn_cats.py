"""Toy cats as arrays."""

from dataclasses import dataclass

import numpy as np

from trainer.data.drawing.toycats import CLASSES, choose, paint


@dataclass(frozen=True)
class Cats:
    """A drawn data set."""

    images: np.ndarray  # u8 [n, size, size, 3], RGB
    labels: np.ndarray  # i64 [n], into classes
    classes: tuple[str, ...]
    factors: dict[str, np.ndarray]  # [n] each: names (str) or numbers, in units of the image's half side


def draw(count: int, size: int, seed: int, *, start: int = 0) -> Cats:
    """Cats ``start`` to ``start + count`` of a seed, ``size`` pixels square."""
    drawn = [choose(seed, start + k) for k in range(count)]
    images = np.stack([paint(factors, size) for factors in drawn])
    labels = np.array([CLASSES.index(item["pattern"]) for item in drawn], np.int64)
    return Cats(images, labels, CLASSES, {name: np.array([item[name] for item in drawn]) for name in drawn[0]})
