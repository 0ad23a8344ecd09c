"""A brush for anti-aliased shapes, and curves for it; coordinates are in units of half the image's side, -1..1."""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np

Colour = tuple[int, int, int]
"""Red, green, blue, 0..255."""


class Brush:
    """Fills shapes, in units of half the image's side, through one affine pose into an image."""

    def __init__(self, canvas: np.ndarray, pose: np.ndarray) -> None:
        self.canvas = canvas
        half = canvas.shape[0] / 2
        self.half = half
        # The pixel of (-1, -1) is the corner of pixel 0, hence the half pixel.
        self.matrix = pose[:, :2] * half
        self.offset = (pose[:, 2] + 1) * half - 0.5

    def points(self, shape: np.ndarray) -> np.ndarray:
        """[m, 2] units → i32 [m, 2] in 1/16 pixels, as OpenCV's ``shift=4`` wants it."""
        return np.rint((shape @ self.matrix.T + self.offset) * 16).astype(np.int32)

    def fill(self, shape: np.ndarray, colour: Colour | int) -> None:
        """Fill a closed shape."""
        cv2.fillPoly(self.canvas, [self.points(shape)], colour, cv2.LINE_8, 4)

    def stroke(self, shape: np.ndarray, colour: Colour, width: float, closed: bool = False) -> None:
        """Draw a line ``width`` units wide."""
        pixels = max(1, round(width * self.half))
        cv2.polylines(self.canvas, [self.points(shape)], closed, colour, pixels, cv2.LINE_AA, 4)


@lru_cache
def _spline_basis(count: int, steps: int, closed: bool) -> np.ndarray:
    """Catmull-Rom as one matrix: control points [count, 2] → curve [m, 2]."""
    rows = []
    for k in range(count if closed else count - 1):
        for t in np.arange(steps) / steps:
            weights = np.array([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3])
            row = np.zeros(count)
            for offset, weight in enumerate(weights, -1):
                row[(k + offset) % count if closed else min(max(k + offset, 0), count - 1)] += weight / 2
            rows.append(row)
    if not closed:
        rows.append(np.eye(count)[-1])
    return np.array(rows)


def curve(points: Any, closed: bool = True, steps: int = 8) -> np.ndarray:
    """A smooth curve through points [count, 2] → [m, 2]."""
    controls = np.asarray(points, float)
    return _spline_basis(len(controls), steps, closed) @ controls


CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 40, False)), np.sin(np.linspace(0, 2 * np.pi, 40, False))], 1)


def ellipse(x: float, y: float, width: float, height: float) -> np.ndarray:
    """An ellipse by its centre and half axes."""
    return CIRCLE * (width, height) + (x, y)


def mirrored(half: list[tuple[float, float]]) -> np.ndarray:
    """Close a right half, listed from the top to the bottom of the middle line, with its mirror image."""
    right = np.array(half)
    return np.concatenate([right, right[-2:0:-1] * (-1, 1)])


def leaf(start: tuple[float, float], end: tuple[float, float], width: float) -> np.ndarray:
    """A stripe that is blunt at the start and tapers to its end."""
    a, b = np.array(start), np.array(end)
    along = b - a
    across = np.array([-along[1], along[0]]) / np.hypot(*along) * width
    return curve([a, a + along * 0.25 + across, a + along * 0.6 + across * 0.7, b, a + along * 0.6 - across * 0.7,
                  a + along * 0.25 - across], steps=5)  # fmt: skip


def mix(a: Colour, b: Colour, amount: float) -> Colour:
    """Colour between ``a`` (0) and ``b`` (1)."""
    return tuple(round(x + (y - x) * amount) for x, y in zip(a, b, strict=True))  # type: ignore[return-value]
