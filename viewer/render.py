"""Draw the frame that is shown: images, a cursor, and a strip of text below. Pure functions on arrays.

The strip says on the left what is shown, on the right the keys, or what just happened.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from viewer.files.resizing import resize
from viewer.labels import FONT, FONT_SCALE, TEXT, fitted, frame_of, labels_of, painted, text_width
from viewer.sheet import Sheet

Image = NDArray[np.uint8]  # [h, w, 3] BGR
Tone = Literal["hint", "notice", "error"]

STRIP_HEIGHT: Final = 28  # pixels
LEAST_WIDTH: Final = 480  # of a frame of no model, so that the strip says enough
PAPER: Final = (24, 22, 21)
TONES: Final = {
    "status": TEXT,
    "hint": (140, 134, 130),
    "notice": (140, 220, 150),
    "error": (105, 120, 255),
}
CURSOR: Final = (60, 200, 255)
INK: Final = (0, 0, 0)
_MARGIN: Final = 10
_SPACE: Final = 18  # between two pieces of text


def blank(sheet: Sheet) -> Image:
    """A sheet with no images yet."""
    return np.full((sheet.height, sheet.width, 3), PAPER, np.uint8)


def place(target: Image, sheet: Sheet, first: int, images: Image) -> Image:
    """Put images [n, h, w, 3] onto the sheet at ``target``, from number ``first`` on, scaled to its cells; returns
    ``target``."""
    for index, image in enumerate(images, first):
        left, top = sheet.corner(index)
        cell = target[top : top + sheet.cell_height, left : left + sheet.cell_width]
        cell[:] = resize(image, sheet.cell_height, sheet.cell_width)
    return target


def with_detail(images: Image, details: NDArray[np.float32], gain: float) -> Image:
    """Images u8 [n, h, w, 3] with ``gain`` times their details f32 [n, h, w, 3], both in levels, added."""
    flat = (len(images) * images.shape[1], images.shape[2] * 3)
    levels = images.reshape(flat).astype(np.float32)
    mixed = cv2.addWeighted(levels, 1.0, details.reshape(flat), gain, 0.0, dtype=cv2.CV_8U)  # rounds, and limits
    return np.asarray(mixed, np.uint8).reshape(images.shape)


def compose(images: Image, strip: Image | None, sheet: Sheet | None = None, cursor: int = 0) -> Image:
    """The whole frame: images above the strip, if there is one, and a cursor where there is a sheet.

    Text is pixels in a frame with a strip; one without keeps it as text.
    """
    height = len(images)
    frame = images.view(np.ndarray).copy() if strip is None else np.concatenate([painted(images), strip])
    if sheet is not None:
        outline(frame[:height], *sheet.corner(cursor), sheet.cell_width, sheet.cell_height)
    return frame_of(frame, labels_of(images)) if strip is None and labels_of(images) else frame


def outline(frame: Image, left: int, top: int, width: int, height: int) -> None:
    """A bright line round the image that is chosen, mostly outside of it, with a dark one inside: it shows on any."""
    right, bottom = left + width - 1, top + height - 1
    for offset, colour in ((-2, CURSOR), (-1, CURSOR), (0, CURSOR), (1, INK)):
        if width > 2 * offset + 2 and height > 2 * offset + 2:
            cv2.rectangle(frame, (left + offset, top + offset), (right - offset, bottom - offset), colour, 1)


@lru_cache(maxsize=32)
def draw_strip(width: int, status: Sequence[str], message: Sequence[str], tone: Tone = "hint") -> Image:
    """The strip of text [STRIP_HEIGHT, width, 3]: ``status`` from the left, ``message`` from the right. Pieces that
    find no room are left out: of hints the last first; a notice goes before the status."""
    strip = np.full((STRIP_HEIGHT, width, 3), PAPER, np.uint8)
    room = width - 2 * _MARGIN
    if tone == "hint":
        status = _fitting(status, room)
        message = _fitting(message, room - _length(status) - 2 * _SPACE) if status else ()
    else:
        message = _fitting(message, room) or (fitted(message[0], room),)
        status = _fitting(status, room - _length(message) - 2 * _SPACE)
    _write(strip, _MARGIN, status, TONES["status"])
    _write(strip, max(width - _MARGIN - _length(message), _MARGIN), message, TONES[tone])
    strip.setflags(write=False)
    return strip


def _write(strip: Image, left: int, pieces: Sequence[str], colour: tuple[int, int, int]) -> None:
    for piece in pieces:
        origin = (left, STRIP_HEIGHT // 2 + 5)
        cv2.putText(strip, piece, origin, FONT, FONT_SCALE, colour, 1, cv2.LINE_AA)
        left += text_width(piece) + _SPACE


def _fitting(pieces: Sequence[str], room: int) -> tuple[str, ...]:
    count = len(pieces)
    while count and _length(pieces[:count]) > room:
        count -= 1
    return tuple(pieces[:count])


def _length(pieces: Sequence[str]) -> int:
    return sum(map(text_width, pieces)) + _SPACE * max(len(pieces) - 1, 0)
