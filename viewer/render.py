"""Draw the frame that is shown: images, a cursor, and a strip of text below. Pure functions on arrays.

The strip says on the left what is shown, on the right the keys, or what just happened.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from viewer import labels
from viewer.files.resizing import resize
from viewer.labels import TEXT, Colour, Frame, fitted, frame_of, stacked, text_width, write
from viewer.room import strip_height
from viewer.sheet import Sheet

Image = NDArray[np.uint8]  # [h, w, 3] BGR
Tone = Literal["hint", "notice", "error"]

LEAST_WIDTH: Final = 480  # of a frame of no model, so that the strip says enough
PAPER: Final = labels.PAPER
TONES: Final = {
    "status": TEXT,
    "hint": (140, 134, 130),
    "notice": (140, 220, 150),
    "error": (105, 120, 255),
}
CURSOR: Final = (60, 200, 255)
INK: Final = (0, 0, 0)
_MARGIN: Final = 10
_CAPTION_HEIGHT: Final = 17  # pixels
_CAPTION_MARGIN: Final = 4
_SPACE: Final = 18  # between two pieces of text


def blank(sheet: Sheet) -> Image:
    """A sheet with no images yet."""
    return labels.one_colour(sheet.height, sheet.width)


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


def compose(
    images: Image, strip: Image | None, sheet: Sheet | None = None, cursor: int = 0, text_scale: float = 1.0
) -> Frame:
    """The whole frame: images above the strip, if there is one, and a cursor where there is a sheet. Text stays text,
    and lines stay lines.

    ``text_scale``: how many times as large as usual letters are.
    """
    height = len(images)
    frame = stacked(images) if strip is None else stacked(images, strip)
    frame.text_scale = text_scale
    if sheet is not None:
        inside = 2 if text_scale >= 1 else 0  # where pixels are merged, the image would become darker
        outline(frame[:height], *sheet.corner(cursor), sheet.cell_width, sheet.cell_height, max(sheet.gap, 2), inside)
    return frame


class Caption(NamedTuple):
    """A line of text over an image."""

    left: int  # frame pixels
    top: int  # frame pixels
    text: str


def draw_caption(frame: Frame, caption: Caption, scale: float = 1.0) -> None:
    """Write a caption on dark ground, so that it shows on any image."""
    margin, height = _CAPTION_MARGIN * scale, round(_CAPTION_HEIGHT * scale)
    text = fitted(caption.text, frame.shape[1] - caption.left - 2 * margin, scale)
    right = caption.left + round(text_width(text, scale) + 2 * margin)
    frame[caption.top : caption.top + height, caption.left : right] = PAPER
    write(frame, caption.left + margin, caption.top + height / 2, text)


def outline(frame: Image, left: int, top: int, width: int, height: int, outside: int = 2, inside: int = 2) -> None:
    """A bright line round the image that is chosen, mostly outside of it, with a dark one inside: it shows on any.
    ``outside``, ``inside``: pixels of them."""
    right, bottom = left + width - 1, top + height - 1
    for offset in range(-outside, inside):
        if width > 2 * offset + 2 and height > 2 * offset + 2:
            colour = CURSOR if offset < 1 else INK
            cv2.rectangle(frame, (left + offset, top + offset), (right - offset, bottom - offset), colour, 1)


def draw_strip(
    width: int, status: Sequence[str], message: Sequence[str], tone: Tone = "hint", scale: float = 1.0
) -> Frame:
    """The strip of text [strip_height(scale), width, 3]: ``status`` from the left, ``message`` from the right. Pieces
    that find no room are left out: of hints the last first; a notice goes before the status."""
    strip = frame_of(labels.one_colour(strip_height(scale), width), text_scale=scale)
    margin, space = _MARGIN * scale, _SPACE * scale
    room = width - 2 * margin
    if tone == "hint":
        first = _fitting(message[:1], room, scale)  # the key that tells all others comes before what is shown
        status = _fitting(status, room - _length(first, scale) - 2 * space if first else room, scale)
        message = _fitting(message, room - _length(status, scale) - 2 * space, scale) or first
    else:
        message = _fitting(message, room, scale) or (fitted(message[0], room, scale),)
        status = _fitting(status, room - _length(message, scale) - 2 * space, scale)
    _write(strip, margin, status, TONES["status"], scale)
    right = width - margin
    if _length(message, scale) > room:  # cut, and still too long
        _write(strip, margin, message, TONES[tone], scale)
        return strip
    for piece in reversed(message):  # its right edge is kept, whatever letters become at another size
        write(strip, right, len(strip) // 2 + round(scale), piece, TONES[tone], "right")
        right -= text_width(piece, scale) + _SPACE * scale
    return strip


def _write(strip: Frame, left: float, pieces: Sequence[str], colour: Colour, scale: float) -> None:
    for piece in pieces:
        write(strip, left, len(strip) // 2 + round(scale), piece, colour)
        left += text_width(piece, scale) + _SPACE * scale


def _fitting(pieces: Sequence[str], room: float, scale: float) -> tuple[str, ...]:
    count = len(pieces)
    while count and _length(pieces[:count], scale) > room:
        count -= 1
    return tuple(pieces[:count])


def _length(pieces: Sequence[str], scale: float) -> float:
    return sum(text_width(piece, scale) for piece in pieces) + _SPACE * scale * max(len(pieces) - 1, 0)
