"""Where the eyes, brows, nose, mouth and jaw of a face are: 68 points, as dlib finds them.

The order of the points is that of the 300-W set (Sagonas et al. 2013): 0-16 the jaw from the viewer's left to right,
17-26 the brows, 27-35 the nose, 36-47 the eyes, 48-67 the lips. The finder is an ensemble of regression trees (Kazemi &
Sullivan 2014) that begins with the box of a histogram-of-gradients detector (Dalal & Triggs 2005)."""

import importlib.util
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.packages import how_to_install
from trainer.data.faces.affine import apply, turned
from trainer.data.sources._threads import say

POINTS = 68
JAW, BROWS = slice(0, 17), slice(17, 27)
LEFT_EYE, RIGHT_EYE = slice(36, 42), slice(42, 48)  # as the viewer sees them
MIRRORED = np.array([
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
    41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65,
])  # fmt: skip
"""Which point is where, once a face is mirrored."""

SEARCHED = 640  # longest side in pixels of an image that faces are searched in
CERTAIN = 0.25  # score of the detector from which on a box is a face; lower ones are often a vase or a wheel
TURNS = (-45, 45, -90, 90, -135, 135, 180)  # degrees; the detector knows upright faces, and those within 25 or so
LOOKS = (((0,), 0), (TURNS, 0), ((0,), 1))
"""Where faces are looked for until there is one: turns, and how often an image is doubled for it, which takes four
times as long: faces have 80 px of those searched, then 40 px."""
LEAST_PX = 16  # of width and height of an image in which a face can be found
CLOSE_UP = 320  # side in pixels of the second, upright look at a face


class Finder:
    """Finds the largest face of an image. Several threads may use the same."""

    def __init__(self, model: Path | None = None) -> None:
        """``model``: a file of 68 points for dlib's ``shape_predictor``. Raises ``UserError`` without it, or dlib."""
        try:
            import dlib
        except ImportError:
            raise UserError(f"faces are found with dlib, which is not installed: {how_to_install('data')}") from None
        self.dlib: Any = dlib
        path = model or _shipped_model()
        if not path.is_file():
            raise UserError(f"--landmarks-model: there is no file {path}")
        try:
            self.predictor = self.dlib.shape_predictor(str(path))
            found = self._predict(np.zeros((64, 64), np.uint8), (0, 0, 63, 63))
        except (RuntimeError, MemoryError, UnicodeEncodeError):
            raise UserError(f"{path} cannot be read, expected a model for dlib's shape_predictor") from None
        if len(found) != POINTS:
            raise UserError(f"{path} finds {len(found)} points of a face, expected {POINTS}")
        self.of_thread = threading.local()

    def find(self, image: np.ndarray) -> np.ndarray | None:
        """The points f32 [68, 2], x and y in pixels, of the largest face of an image u8 [h, w, c]; None without one.
        A face is looked at a second time, turned upright: its points are found best there, and false finds show."""
        if min(image.shape[:2]) < LEAST_PX:
            return None
        # The mean of the colours, whatever their order: the same face in RGB and BGR has the same points.
        grey = cv2.transform(image, np.full((1, image.shape[2]), 1 / image.shape[2]))
        for guess in self._first_look(grey):
            points = self._second_look(grey, guess)
            if points is not None:
                better = self._second_look(grey, points)
                return points if better is None else better
        return None

    def _first_look(self, grey: np.ndarray) -> Iterator[np.ndarray]:
        """Points of what may be faces: upright ones, the largest first; turned ones, the surest first; small ones."""
        height, width = grey.shape[:2]
        longest = max(height, width)
        scale = SEARCHED / longest if longest > SEARCHED else max(1.0, SEARCHED / 2 / longest)
        room = 0.15 * longest * scale  # round an image that is all face
        for turns, doubled in LOOKS:
            guesses: list[tuple[float, list[list[float]]]] = []
            for turn in turns:
                matrix, size = turned((width, height), turn, scale, room)
                small = _view(grey, matrix, size, scale)
                back = cv2.invertAffineTransform(matrix)
                for area, score, box in self._detect(small, doubled):
                    guesses.append((score if turn else area, apply(back, self._predict(small, box)).tolist()))
            for _, points in sorted(guesses, reverse=True):
                yield np.array(points, np.float32)

    def _second_look(self, grey: np.ndarray, points: np.ndarray) -> np.ndarray | None:
        """Find the points once more, of the face turned upright by ``points``; None where there is no face then."""
        low, high = points.min(0), points.max(0)
        scale = 0.5 * CLOSE_UP / max(float((high - low).max()), 1.0)
        matrix = cv2.getRotationMatrix2D(((low + high) / 2).tolist(), eye_angle(points), scale)
        matrix[:, 2] += CLOSE_UP / 2 - (low + high) / 2
        close = _view(grey, matrix, (CLOSE_UP, CLOSE_UP), scale)
        boxes = self._detect(close, 0)
        return apply(cv2.invertAffineTransform(matrix), self._predict(close, max(boxes)[2])) if boxes else None

    def _detect(self, grey: np.ndarray, doubled: int) -> list[tuple[int, float, tuple[int, int, int, int]]]:
        """Faces as (area, score, box)."""
        detector = getattr(self.of_thread, "detector", None)
        if detector is None:  # it keeps what it works on, so that each thread has its own
            detector = self.of_thread.detector = self.dlib.get_frontal_face_detector()
        boxes, scores, _ = detector.run(grey, doubled, CERTAIN)
        corners = [(box.left(), box.top(), box.right(), box.bottom()) for box in boxes]
        return list(zip([box.area() for box in boxes], scores, corners, strict=True))

    def _predict(self, grey: np.ndarray, box: tuple[int, ...]) -> np.ndarray:
        found = self.predictor(grey, self.dlib.rectangle(*box))
        return np.array([(point.x, point.y) for point in found.parts()], np.float32)


def eye_angle(points: np.ndarray) -> float:
    """By how many degrees the line of the eyes falls from left to right; -180 to 180, more than 90 upside down."""
    across, down = points[RIGHT_EYE].mean(0) - points[LEFT_EYE].mean(0)
    return float(np.degrees(np.arctan2(down, across)))


def _view(grey: np.ndarray, matrix: np.ndarray, size: tuple[int, int], scale: float) -> np.ndarray:
    """A turned and scaled image; a large one is made smaller first, since it would lose rows and columns."""
    if scale < 0.5:
        less = cv2.resize(grey, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA)
        factors = np.array([grey.shape[1] / less.shape[1], grey.shape[0] / less.shape[0]])
        matrix = matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ (factors / 2 - 0.5)  # pixel centres
        matrix[:, :2] *= factors
        grey = less
    return cv2.warpAffine(grey, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _shipped_model() -> Path:
    """The points of the ``data`` extra. Its package is not imported: that needs a setuptools of long ago."""
    package = "face_recognition_models"
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"faces need {package}, which is not installed, or --landmarks-model: {how_to_install('data')}")
    return Path(spec.submodule_search_locations[0], "models", "shape_predictor_68_face_landmarks.dat")


def say_faceless(titles: Sequence[str]) -> None:
    """Say which images have no face that was found, by what they are called."""
    if titles:
        say(f"no face found in {len(titles)} image{'s' * (len(titles) > 1)}: {', '.join(titles)}")
