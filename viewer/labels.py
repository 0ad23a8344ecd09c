"""Text on a frame: pixels in a window and in files, characters in the cells of a terminal.

All text is written by ``write``. On a ``Frame`` it stays text until the display is known: ``painted`` makes pixels of
it, and a terminal puts it into its cells.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # [h, w, 3] BGR
Colour = tuple[int, int, int]  # blue, green, red
Anchor = Literal["left", "middle", "right"]

FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
FONT_SCALE: Final = 0.42
TEXT: Final[Colour] = (225, 222, 220)


@dataclass(frozen=True)
class Label:
    """A line of text on a frame."""

    text: str
    x: float  # of its anchor: frame pixels from the left
    y: float  # of the middle of its height: frame pixels from the top
    colour: Colour = TEXT
    anchor: Anchor = "left"
    upright: bool = False  # reads from the bottom to the top; its middle is at x and y


class Frame(np.ndarray[Any, np.dtype[np.uint8]]):
    """An image u8 [h, w, 3] BGR that keeps the text on it apart from its pixels.

    Only a ``copy`` keeps it too. Parts of a frame are plain images: what is written on them is pixels.
    """

    labels: list[Label] | None  # None: a plain image

    def __array_finalize__(self, source: object) -> None:
        """Views and results begin as plain images."""
        self.labels = None

    def copy(self, order: Any = "C") -> "Frame":
        """The same image with the same text."""
        return frame_of(super().copy(order), self.labels or ())


def frame_of(image: Image, labels: Iterable[Label] = ()) -> Frame:
    """An image as a frame, of the same memory, with this text."""
    frame = image.view(Frame)
    frame.labels = list(labels)
    return frame


def labels_of(image: Image) -> Sequence[Label]:
    """The text that an image keeps apart; none where it is plain."""
    return (image.labels or ()) if isinstance(image, Frame) else ()


def write(
    image: Image, x: float, y: float, text: str, colour: Colour = TEXT, anchor: Anchor = "left", upright: bool = False
) -> None:
    """Write a line of text whose middle is at height ``y``. ``upright``: it reads from the bottom to the top, its
    middle at ``x`` and ``y``."""
    label = Label(text, x, y, colour, anchor, upright)
    if isinstance(image, Frame) and image.labels is not None:
        image.labels.append(label)
    else:
        paint(image, label)


def painted(image: Image) -> Image:
    """A plain image with the text of a frame in its pixels."""
    labels = labels_of(image)
    plain = image.view(np.ndarray)
    if labels:
        plain = plain.copy()
        for label in labels:
            paint(plain, label)
    return plain


def paint(image: Image, label: Label) -> None:
    """Draw text into the pixels of an image."""
    if label.upright:
        upright = _upright(label.text, label.colour, bytes(image[0, 0]))
        height, width = upright.shape[:2]
        left, top = math.floor(label.x - width / 2), math.floor(label.y - height / 2)
        if left >= 0 and top >= 0:
            target = image[top : top + height, left : left + width]
            target[:] = upright[: target.shape[0], : target.shape[1]]
        return
    left = label.x - {"left": 0.0, "middle": 0.5, "right": 1.0}[label.anchor] * text_width(label.text)
    origin = round(left), round(label.y) + 4
    cv2.putText(image, label.text, origin, FONT, FONT_SCALE, label.colour, 1, cv2.LINE_AA)


@lru_cache(maxsize=8)
def _upright(text: str, colour: Colour, ground: bytes) -> Image:
    """A line of text that reads from the bottom to the top, on a ground of one colour."""
    flat = np.empty((16, text_width(text) + 4, 3), np.uint8)
    flat[:] = np.frombuffer(ground, np.uint8)
    paint(flat, Label(text, 2, 8, colour))
    return np.ascontiguousarray(np.rot90(flat))


def fitted(text: str, room: int) -> str:
    """As much of the text as fits into so many pixels, two dots for the rest."""
    if text_width(text) <= room:
        return text
    while len(text) > 1 and text_width(text + "..") > room:
        text = text[:-1]
    return text + ".."


@lru_cache(maxsize=256)
def text_width(text: str) -> int:
    """Of a line of text, in pixels."""
    return int(cv2.getTextSize(text, FONT, FONT_SCALE, 1)[0][0])
