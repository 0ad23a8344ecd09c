"""Faces cut out of images, upright and all of one size. No torch."""

from dataclasses import dataclass

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


@dataclass(frozen=True, kw_only=True)
class Variant:
    """How one copy of a face is cut out."""

    turn: float = 0  # degrees, anticlockwise
    mirrored: bool = False

    @property
    def suffix(self) -> str:
        """What tells its name from that of the others."""
        return (f"-turned{self.turn:+g}" if self.turn else "") + ("-mirrored" if self.mirrored else "")


@dataclass(frozen=True, kw_only=True)
class Cutter:
    """Cuts the largest face out of images. Several threads may use the same."""

    finder: Finder
    margin: float = MARGIN
    variants: tuple[Variant, ...] = (Variant(),)

    def cut(self, image: np.ndarray, size: int) -> np.ndarray:
        """An image u8 [h, w, c] → one for each variant, u8 [k, size, size, c]; none without a face.
        Where a face reaches beyond its image, the edges of this are repeated."""
        points = self.finder.find(image)
        made = np.empty((0 if points is None else len(self.variants), size, size, image.shape[2]), np.uint8)
        if points is None:
            return made
        for face, variant in zip(made, self.variants, strict=True):
            matrix = upright(points, size, self.margin, -variant.turn if variant.mirrored else variant.turn)
            face[:] = sampled(image, matrix, size).reshape(face.shape)[:, :: -1 if variant.mirrored else 1]
        return made

    def fit(self, image: np.ndarray, height: int, width: int) -> np.ndarray:
        """``cut`` as a ``trainer.contract.images.Fit``: the first variant, square. Raises ``Unreadable``."""
        assert height == width, (height, width)
        faces = self.cut(image, height)
        if not len(faces):
            raise Unreadable("no face found")
        return faces[0]
