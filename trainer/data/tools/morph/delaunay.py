"""Morphing by triangles: those of Delaunay on the points between, each filled from both images by affine maps."""

import cv2
import numpy as np

from trainer.data.faces.affine import grid
from trainer.data.tools.morph.warp_pair import WarpField, anchors

FINE = 4  # bits below the pixel in which corners are drawn


def by_triangles(first: np.ndarray, second: np.ndarray, alpha: float, height: int, width: int) -> WarpField:
    """How to warp two images whose faces have the points f32 [68, 2]; ``alpha`` 0 is the first one, 1 the second."""
    start, end = anchors(first, height, width), anchors(second, height, width)
    between = (1 - alpha) * start + alpha * end
    corners = triangulate(between)
    places = piecewise(between, np.concatenate([start, end], 1), corners, height, width)
    return WarpField(places[..., :2], places[..., 2:], alpha)


def triangulate(points: np.ndarray) -> np.ndarray:
    """Delaunay's triangles i64 [m, 3] of points f32 [n, 2]: their numbers. Of points in one place one counts."""
    low, high = points.min(0), points.max(0)
    left, top = np.floor(low).astype(int) - 2
    right, bottom = np.ceil(high).astype(int) + 2
    plane = cv2.Subdiv2D((int(left), int(top), int(right - left), int(bottom - top)))
    numbers: dict[tuple[float, ...], int] = {}
    for number, point in enumerate(points.astype(np.float32).tolist()):
        if numbers.setdefault(tuple(point), number) == number:
            plane.insert(point)
    found = []
    for corners in np.reshape(plane.getTriangleList(), (-1, 3, 2)).tolist():  # also those of the far corners of its own
        triangle = [numbers.get(tuple(corner), -1) for corner in corners]
        if min(triangle) >= 0:
            found.append(triangle)
    return np.array(found)


def piecewise(points: np.ndarray, values: np.ndarray, corners: np.ndarray, height: int, width: int) -> np.ndarray:
    """Values f32 [n, k] at points [n, 2] → f32 [h, w, k] at all pixels, linear in each triangle of ``corners`` [m, 3].
    Where triangles overlap the last one counts. What lies in none gets the values of the nearest edge's plane."""
    shapes = points[corners]  # [m, 3, 2]
    flat = np.abs(np.linalg.det(shapes[:, 1:] - shapes[:, :1])) < 1e-6
    corners, shapes = corners[~flat], shapes[~flat]
    planes = np.linalg.solve(
        np.concatenate([shapes, np.ones((*shapes.shape[:2], 1))], 2).astype(np.float64), values[corners]
    )  # [m, 3, k]: of x, y and 1
    owner = np.zeros((height, width), np.int32)
    for number, shape in enumerate(np.rint(shapes * (1 << FINE)).astype(np.int32)):
        cv2.fillConvexPoly(owner, shape, number, shift=FINE)
    places = grid(height, width)
    result = np.empty((height, width, values.shape[1]), np.float32)
    rows = max(1, (1 << 17) // width)
    for top in range(0, height, rows):
        part = planes[owner[top : top + rows]]
        xy = places[top : top + rows, :, None]
        result[top : top + rows] = part[..., 0, :] * xy[..., 0] + part[..., 1, :] * xy[..., 1] + part[..., 2, :]
    return result
