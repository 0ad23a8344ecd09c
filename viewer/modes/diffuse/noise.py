"""Noise that follows from a seed: every image of a page has its own, at the start and after every step.

Where a page is interpolated, only its corners have: between them noise turns on great circles, first along the top and
the bottom row, then down, so that it stays as long as noise is. The corners are those of the page that is not
interpolated, to the bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from viewer.latents import Latents, corner_numbers, normal, slerp

Floats = NDArray[np.float32]
_KEPT: Final = 8  # fields of noise: those of the corners, of two steps


@dataclass(frozen=True)
class PageNoise:
    """The noise of the images of a page."""

    seed: int
    shape: tuple[int, int, int]  # channels, height, width
    rows: int = 1
    columns: int = 1
    interpolated: bool = False

    def draw(self, numbers: Sequence[int], stage: int) -> Floats:
        """Of the images with these numbers, f32 [n, c, h, w]. ``stage``: 0: to begin with; k: of the kth step."""
        fields = [self._between(number, stage) if self.interpolated else self._own(number, stage) for number in numbers]
        return np.stack(fields).reshape(-1, *self.shape)

    def _own(self, number: int, stage: int) -> Latents:
        return normal(f"noise {self.seed} {number} {stage}", int(np.prod(self.shape)))

    def _between(self, number: int, stage: int) -> Latents:
        row, column = divmod(number, self.columns)
        down, along = row / max(self.rows - 1, 1), column / max(self.columns - 1, 1)
        corners = [_corner(self, corner, stage) for corner in corner_numbers(self.rows, self.columns)]
        return slerp(slerp(corners[0], corners[1], along), slerp(corners[2], corners[3], along), down)


@lru_cache(maxsize=_KEPT)
def _corner(noise: PageNoise, number: int, stage: int) -> Latents:
    return noise._own(number, stage)
