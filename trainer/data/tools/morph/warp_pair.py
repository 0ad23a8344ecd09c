"""Two images morphed into one: each is warped to a shape between theirs, and their colours are mixed.

The modules ``delaunay``, ``spline``, ``mesh`` and ``flow`` make the warp fields."""

from dataclasses import dataclass

import numpy as np

from trainer.data.faces.affine import moved
from trainer.data.faces.landmarks import BROWS, JAW

FRAME = 5  # points along each edge of an image, which stay where they are


@dataclass(frozen=True, eq=False)
class WarpField:
    """Where each pixel of a mixture comes from."""

    first: np.ndarray  # f32 [h, w, 2]: places x, y in the first image
    second: np.ndarray  # and in the second one
    weight: np.ndarray | float  # of the second one's colour, 0..1: f32 [h, w], or one of all


def mix(first: np.ndarray, second: np.ndarray, field: WarpField) -> np.ndarray:
    """The mixture u8 [h, w, c] of two images of that shape."""
    weight = field.weight if isinstance(field.weight, float) else field.weight[..., None]
    parts = [moved(first, field.first).astype(np.float32), moved(second, field.second).astype(np.float32)]
    return np.rint((1 - weight) * parts[0] + weight * parts[1]).astype(np.uint8)


def with_forehead(points: np.ndarray) -> np.ndarray:
    """The 68 points of a face, and five along its forehead: f32 [73, 2]. Foreheads are about half as high as what is
    from the brows to the chin."""
    up = (points[BROWS].mean(0) - points[JAW][8]) / 2
    root = points[[17, 19, 24, 26]]
    middle = points[[21, 22]].mean(0, keepdims=True)
    arc = np.concatenate([root[:2], middle, root[2:]]) + np.array([[0.45], [0.85], [1], [0.85], [0.45]]) * up
    return np.concatenate([points, arc]).astype(np.float32)


def frame(height: int, width: int) -> np.ndarray:
    """Points on the rim of an image, f32 [16, 2]."""
    along = np.linspace(0, 1, FRAME)
    rim = [(x, y) for x in along for y in along if x in (0, 1) or y in (0, 1)]
    return (np.array(rim) * (width - 1, height - 1)).astype(np.float32)


def anchors(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """The points f32 [68, 2] of a face, those of its forehead and of the image's rim: f32 [89, 2], within the image."""
    return np.concatenate([inside(with_forehead(points), height, width), frame(height, width)])


def inside(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """Points moved into an image where they are beyond it."""
    return points.clip(1, (width - 2, height - 2)).astype(np.float32)
