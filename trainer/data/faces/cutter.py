"""Faces cut out of images, upright and all of one size. No torch."""

import numpy as np

from trainer.contract.headers import Unreadable
from trainer.data.faces.affine import sampled
from trainer.data.faces.landmarks import BROWS, Finder, eye_angle

MARGIN = 0.1


def face_box(points: np.ndarray) -> tuple[np.ndarray, float]:
    """The centre [2] and the longer side, in pixels, of an upright face from its 68 points.
    The points end at the brows. A forehead is about as high as it is from the brows to under the nose, and from there
    to the chin: half as high as both."""
    left, right = points[:, 0].min(), points[:, 0].max()
    brows, chin = points[BROWS, 1].min(), points[:, 1].max()
    top = brows - (chin - brows) / 2
    return np.array([(left + right) / 2, (top + chin) / 2]), float(max(right - left, chin - top, 1.0))


def upright(points: np.ndarray, size: int, margin: float = MARGIN, turn: float = 0) -> np.ndarray:
    """The transform f64 [2, 3] from an image to a square of ``size`` pixels that a face fills, its eyes level.
    points: f32 [68, 2]. margin: what is left on each side, as a fraction of the face. turn: degrees, anticlockwise."""
    angle = np.radians(eye_angle(points))
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    centre, side = face_box(points @ rotation.T)
    more = np.radians(turn)
    turned = np.array([[np.cos(more), np.sin(more)], [-np.sin(more), np.cos(more)]])
    linear = size / (side * (1 + 2 * margin)) * turned
    middle = np.full(2, (size - 1) / 2)
    return np.column_stack([linear @ rotation, middle - linear @ centre])


def cut(
    image: np.ndarray, points: np.ndarray, size: int, margin: float = MARGIN, turn: float = 0, mirrored: bool = False
) -> np.ndarray:
    """The face at ``points`` of an image u8 [h, w, c] → u8 [size, size, c], turned by ``turn`` degrees, anticlockwise.
    Where it reaches beyond its image, the edges of this are repeated."""
    matrix = upright(points, size, margin, -turn if mirrored else turn)
    face = sampled(image, matrix, size).reshape(size, size, image.shape[2])
    return face[:, ::-1] if mirrored else face


def fit_face(finder: Finder, image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The largest face, cut out: a ``Fit`` to squares once it has its finder. Raises ``Unreadable`` without a face."""
    assert height == width, (height, width)
    points = finder.find(image)
    if points is None:
        raise Unreadable("no face found")
    return cut(image, points, height)
