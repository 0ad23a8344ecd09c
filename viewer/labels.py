"""Text and thin lines on a frame: pixels in a window and in files, characters in the cells of a terminal.

All text is written by ``write``. On a ``Frame`` it stays text until the display is known: ``painted`` makes pixels of
it, and a terminal puts it into its cells. So do thin lines, as those of plots, that are drawn on its ``line_layer``.
"""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # [h, w, 3] BGR
Colour = tuple[int, int, int]  # blue, green, red
Anchor = Literal["left", "middle", "right"]

FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
FONT_SCALE: Final = 0.42
TEXT: Final[Colour] = (225, 222, 220)
PAPER: Final[Colour] = (24, 22, 21)  # of frames


class Label(NamedTuple):  # as a dataclass it would take a millisecond more of every start
    """A line of text on a frame."""

    text: str
    x: float  # of its anchor: frame pixels from the left
    y: float  # of the middle of its height: frame pixels from the top
    colour: Colour = TEXT
    anchor: Anchor = "left"
    upright: bool = False  # reads from the bottom to the top; its middle is at x and y


class Frame(np.ndarray[Any, np.dtype[np.uint8]]):
    """An image u8 [h, w, 3] BGR that keeps the text and thin lines on it apart from its pixels.

    Only a ``copy`` keeps them too. Parts of a frame are plain images: what is written on them is pixels.
    """

    labels: list[Label] | None  # None: a plain image
    lines: Image | None  # [h, w, 3] BGR, black where there are none; None: there are none at all
    text_scale: float  # how many times as large as usual its letters are
    fits: bool  # whether it was made for the room that the display has; else the display brings it to its size

    def __array_finalize__(self, source: object) -> None:
        """Views and results begin as plain images."""
        self.labels, self.lines, self.text_scale, self.fits = None, None, 1.0, False

    def copy(self, order: Any = "C") -> "Frame":
        """The same image with the same text and lines."""
        frame = frame_of(super().copy(order), self.labels or (), self.text_scale, self.fits)
        frame.lines = None if self.lines is None else self.lines.copy()
        return frame


def one_colour(height: int, width: int, colour: Colour = PAPER) -> Image:
    """An image of one colour. Row by row: ``np.full`` writes three numbers at a time, which takes thirty times as
    long."""
    image = np.empty((height, width, 3), np.uint8)
    image.reshape(height, 3 * width)[:] = np.tile(np.array(colour, np.uint8), width)
    return image


def frame_of(image: Image, labels: Iterable[Label] = (), text_scale: float = 1.0, fits: bool = False) -> Frame:
    """An image as a frame, of the same memory, with this text."""
    frame = image.view(Frame)
    frame.labels, frame.text_scale, frame.fits = list(labels), text_scale, fits
    return frame


def stacked(*images: Image) -> Frame:
    """Images of one width below each other, with the text and lines of all."""
    frame, top = frame_of(np.concatenate([image.view(np.ndarray) for image in images])), 0
    for image in images:
        frame.labels = [*labels_of(frame), *(label._replace(y=label.y + top) for label in labels_of(image))]
        lines = lines_of(image)
        if lines is not None:
            line_layer(frame)[top : top + len(image)] = lines
        top += len(image)
    return frame


def line_layer(frame: Frame) -> Image:
    """Where to draw bright thin lines over the dark ground of a frame: u8 [h, w, 3] BGR, black where there are none. A
    terminal makes braille of them, finer than its half blocks."""
    if frame.lines is None:
        frame.lines = np.zeros(frame.shape, np.uint8)
    return frame.lines


def lines_of(image: Image) -> Image | None:
    """The lines that an image keeps apart; ``None`` where there are none."""
    return image.lines if isinstance(image, Frame) else None


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
    """A plain image with the text and lines of a frame in its pixels."""
    plain = image.view(np.ndarray)
    if not labels_of(image) and lines_of(image) is None:
        return plain
    plain = plain.copy()
    paint_all(plain, image)
    return plain


def paint_all(target: Image, frame: Image, zoom: float = 1.0) -> None:
    """Draw the lines and the text of a frame into an image that is ``zoom`` times as large."""
    lines = lines_of(frame)
    if lines is not None:
        size = target.shape[1], target.shape[0]
        cv2.max(target, lines if lines.shape == target.shape else cv2.resize(lines, size), target)
    scale = zoom * (frame.text_scale if isinstance(frame, Frame) else 1.0)
    for label in labels_of(frame):
        paint(target, label._replace(x=label.x * zoom, y=label.y * zoom), scale)


def paint(image: Image, label: Label, scale: float = 1.0) -> None:
    """Draw text into the pixels of an image. ``scale``: how many times as large as usual."""
    if label.upright:
        upright = _upright(label.text, label.colour, bytes(image[0, 0]), scale)
        height, width = upright.shape[:2]
        left, top = math.floor(label.x - width / 2), math.floor(label.y - height / 2)
        if left >= 0 and top >= 0:
            target = image[top : top + height, left : left + width]
            target[:] = upright[: target.shape[0], : target.shape[1]]
        return
    left = label.x - {"left": 0.0, "middle": 0.5, "right": 1.0}[label.anchor] * text_width(label.text, scale)
    origin = round(left), round(label.y) + round(4 * scale)
    cv2.putText(image, label.text, origin, FONT, FONT_SCALE * scale, label.colour, _thickness(scale), cv2.LINE_AA)


@lru_cache(maxsize=8)
def _upright(text: str, colour: Colour, ground: bytes, scale: float) -> Image:
    """A line of text that reads from the bottom to the top, on a ground of one colour."""
    flat = np.empty((round(16 * scale), text_width(text, scale) + round(4 * scale), 3), np.uint8)
    flat[:] = np.frombuffer(ground, np.uint8)
    paint(flat, Label(text, 2 * scale, 8 * scale, colour), scale)
    return np.ascontiguousarray(np.rot90(flat))


def fitted(text: str, room: float, scale: float = 1.0, grain: int = 1) -> str:
    """As much of the text as fits into so many pixels, two dots for the rest. ``grain``: as for ``text_width``."""
    if text_width(text, scale, grain) <= room:
        return text
    while len(text) > 1 and text_width(text + "..", scale, grain) > room:
        text = text[:-1]
    return text + ".."


@lru_cache(maxsize=256)
def text_width(text: str, scale: float = 1.0, grain: int = 1) -> int:
    """Of a line of text, in pixels. ``scale``: how many times as large as usual. ``grain``: frame pixels of a
    terminal's cell, which a character takes there; 1: it is drawn."""
    if grain > 1:
        return len(text) * grain
    return int(cv2.getTextSize(text, FONT, FONT_SCALE * scale, _thickness(scale))[0][0])


def _thickness(scale: float) -> int:
    """Of the lines that letters are made of, in pixels."""
    return max(round(scale), 1)
