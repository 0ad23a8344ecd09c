"""Rectangles of a frame, in frame pixels."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction


@dataclass(frozen=True)
class Area:
    """A rectangle of the frame."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column beyond it."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """The first row beyond it."""
        return self.top + self.height

    @property
    def pixels(self) -> tuple[slice, slice]:
        """Its rows and columns of an array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def times(self, factor: "int | Fraction") -> "Area":
        """The same on an image so many times larger; what touches here touches there."""
        left, top, right, bottom = (math.ceil(edge * factor) for edge in (self.left, self.top, self.right, self.bottom))
        return Area(left, top, right - left, bottom - top)

    def holds(self, x: int, y: int) -> bool:
        """Whether a pixel lies in it."""
        return self.left <= x < self.right and self.top <= y < self.bottom

    def fraction(self, x: int, y: int) -> tuple[float, float]:
        """How far across and down the middle of a pixel lies, 0..1; pixels outside count as those at the edge."""
        across, down = (x + 0.5 - self.left) / self.width, (y + 0.5 - self.top) / self.height
        return min(max(across, 0.0), 1.0), min(max(down, 0.0), 1.0)


def fitting_side(native: int, most: int) -> int:
    """A side of at most so many pixels for one of ``native``: a whole multiple or part of it where one comes near."""
    side = native * (most // native) if native <= most else native // -(-native // most)
    return side if side > 0.8 * most else most


def fitting_size(width: int, height: int, most: int) -> tuple[int, int]:
    """Width and height of an image of this size whose longer side is brought to ``fitting_side``."""
    longer = max(width, height)
    side = fitting_side(longer, most)
    return max(round(width * side / longer), 1), max(round(height * side / longer), 1)


def image_area(place: Area, height: int, width: int) -> Area:
    """Where an image of this size goes, as large as it looks well, in the middle of the upper edge of a place."""
    wide, high = fitting_size(width, height, place.width)
    return Area(place.left + (place.width - wide) // 2, place.top, wide, high)
