"""Drawn faces of people, which a detector of faces accepts, and whose eyes are at places that are known."""

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from trainer.data.faces.landmarks import Finder

NEEDS_FACES = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("dlib", "face_recognition_models"))),
    reason="faces are found with what comes in the extra 'data'",
)
SIDE = 256


@cache
def shared_finder(model: Path | None = None) -> Finder:
    """One for many tests: half a second each is too much."""
    return Finder(model)


@dataclass(frozen=True)
class Drawn:
    """An image u8 [256, 256, 3] RGB with a face in it."""

    image: np.ndarray
    eyes: np.ndarray  # f64 [2, 2]: the centres, x and y, the viewer's left one first


def draw_face(seed: int = 0, turn: float = 0.0) -> Drawn:
    """Another seed, another face; ``turn``: degrees, anticlockwise."""
    random = np.random.default_rng(seed)
    k = 4  # drawn so much larger, for smooth edges
    image = np.full((SIDE * k, SIDE * k, 3), random.integers(90, 200, 3), np.float32)
    skin = np.array([205, 160, 130]) + random.uniform(-25, 25, 3)
    hair = random.uniform(20, 90, 3)
    wide, long = random.uniform(58, 66), random.uniform(80, 90)
    x, y = 128.0, 136.0
    apart, level = random.uniform(25, 28), y - random.uniform(16, 20)

    def ellipse(cx: float, cy: float, rx: float, ry: float, colour: object, angle: float = 0) -> None:
        place, size = (round(cx * k), round(cy * k)), (round(rx * k), round(ry * k))
        cv2.ellipse(image, place, size, angle, 0, 360, np.array(colour, float).tolist(), -1, cv2.LINE_AA)

    def line(points: list[tuple[float, float]], width: float, colour: object) -> None:
        corners = np.rint(np.array(points) * k).astype(np.int32)
        cv2.polylines(image, [corners], False, np.array(colour, float).tolist(), round(width * k), cv2.LINE_AA)

    ellipse(x, y - 18, wide + 12, long + 10, hair)
    cv2.rectangle(
        image, (round((x - 26) * k), round((y + 50) * k)), (round((x + 26) * k), SIDE * k), (skin * 0.8).tolist(), -1
    )
    ellipse(x, y, wide, long, skin)
    ellipse(x, y - long + 8, wide - 6, 20, hair)
    for side in (-1, 1):
        ellipse(x + side * apart, level, 15, 11, skin * 0.72)  # the socket
        ellipse(x + side * apart, level, 11, 5.5, (240, 240, 240))
        ellipse(x + side * apart, level, 5.2, 5.2, random.uniform(40, 110, 3))
        ellipse(x + side * apart, level, 2.5, 2.5, (10, 10, 10))
        line(
            [(x + side * (apart + 12), level), (x + side * apart, level - 6), (x + side * (apart - 12), level)],
            2,
            (40, 25, 20),
        )
        brow = level - 17
        line(
            [(x + side * (apart + 17), brow + 5), (x + side * apart, brow - 2), (x + side * (apart - 13), brow + 2)],
            5,
            hair,
        )
        ellipse(x + side * 40, y + 18, 14, 12, skin * np.array([1.04, 0.93, 0.93]))
        ellipse(x + side * 7, y + 22, 5, 3.5, skin * 0.55)  # nostrils
    line([(x - 6, level), (x - 8, y + 12)], 3, skin * 0.85)
    line([(x + 6, level), (x + 8, y + 12)], 3, skin * 0.9)
    ellipse(x, y + 14, 8, 8, skin * 1.12)
    ellipse(x, y + 25, 11, 3, skin * 0.7)
    mouth = y + random.uniform(42, 46)
    ellipse(x, mouth, random.uniform(21, 27), 7, (165, 70, 75))
    line([(x - 24, mouth - 1), (x, mouth + 1), (x + 24, mouth - 1)], 2, (90, 30, 35))
    ellipse(x, mouth + 14, 16, 3, skin * 0.82)
    across = np.linspace(-1, 1, SIDE * k)[None, :, None]
    image *= 1 - random.uniform(0.08, 0.25) * across * random.choice([-1, 1])  # light from one side
    image = cv2.GaussianBlur(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA), (0, 0), 0.8)
    image += random.normal(0, 2, image.shape)
    matrix = cv2.getRotationMatrix2D((127.5, 127.5), turn, 0.75)
    turned = cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    eyes = np.array([[x - apart, level], [x + apart, level]]) @ matrix[:, :2].T + matrix[:, 2]
    return Drawn(np.rint(turned.clip(0, 255)).astype(np.uint8), eyes)
