"""Morphing by thin-plate splines: the smoothest map that moves the points where they should go (Bookstein 1989,
"Principal Warps: Thin-Plate Splines and the Decomposition of Deformations")."""

import numpy as np

from trainer.data.faces.affine import grid
from trainer.data.tools.morph.warp_pair import WarpField, anchors

STIFFNESS = 1e-4  # how little points have to be met exactly: lips that touch would tear


def by_spline(first: np.ndarray, second: np.ndarray, alpha: float, height: int, width: int) -> WarpField:
    """How to warp two images whose faces have the points f32 [68, 2]; ``alpha`` 0 is the first one, 1 the second."""
    start, end = anchors(first, height, width), anchors(second, height, width)
    return warp_between((1 - alpha) * start + alpha * end, start, end, alpha, height, width)


def warp_between(
    between: np.ndarray, first: np.ndarray, second: np.ndarray, alpha: float, height: int, width: int
) -> WarpField:
    """How to warp two images so that what is at their points [n, 2] comes to those between."""
    moves = spline(between, np.concatenate([first - between, second - between], 1), height, width)
    places = grid(height, width)
    return WarpField(places + moves[..., :2], places + moves[..., 2:], alpha)


def spline(points: np.ndarray, values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Values [n, k] at points [n, 2] → f32 [h, w, k] at all pixels, smoothly."""
    count, unit = len(points), float(max(height, width))
    at = points.astype(np.float64) / unit
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _bending(at, at) + STIFFNESS * np.eye(count)
    system[:count, count:] = np.column_stack([np.ones(count), at])
    system[count:, :count] = system[:count, count:].T
    weights = np.linalg.solve(system, np.concatenate([values.astype(np.float64), np.zeros((3, values.shape[1]))]))
    pixels = grid(height, width).reshape(-1, 2) / unit
    result = np.empty((len(pixels), values.shape[1]), np.float32)
    weights = weights.astype(np.float32)
    step = max(1, (1 << 20) // count)
    for start in range(0, len(pixels), step):
        part = pixels[start : start + step]
        result[start : start + step] = (
            _bending(part, at.astype(np.float32)) @ weights[:count] + weights[count] + part @ weights[count + 1 :]
        )
    return result.reshape(height, width, -1)


def _bending(these: np.ndarray, those: np.ndarray) -> np.ndarray:
    """U(r) = r² log r² between points [a, 2] and [b, 2] → [a, b]."""
    squares = ((these[:, None] - those[None]) ** 2).sum(2)
    return squares * np.log(np.maximum(squares, 1e-12))
