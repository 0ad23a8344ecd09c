"""The key table over an image. A frame that is too small for it is made larger for as long as it is shown."""

import math
from itertools import zip_longest
from typing import Final

import cv2
import numpy as np

from viewer.labels import Frame, frame_of, one_colour, painted, text_width, write
from viewer.render import PAPER, TONES
from viewer.text import Rows, wrapped

# Pixels, where text has the usual size.
_LINE: Final = 19  # from one line of text to the next
_MARGIN: Final = 16
_BETWEEN: Final = 20  # keys and what they do
_NARROWEST: Final = 420  # frame on which the table is written
_WIDEST: Final = 560  # what keys do, before it is broken into lines
_SHADE: Final = 0.35  # of the image, that is left below the table
_ZOOMS: Final = (1, 2, 3)  # that a display may show a frame at: thicker letters are wider than in proportion
_END: Final = "any key takes this away"


def over(frame: Frame, rows: Rows, scale: float = 1.0) -> Frame:
    """A frame with a key table in its middle. ``scale``: how many times as large as usual letters are."""

    zooms = (1,) if frame.fits else _ZOOMS

    def measure(text: str) -> int:
        return max(math.ceil(text_width(text, scale * zoom) / zoom) for zoom in zooms)

    line, margin, between = round(_LINE * scale), round(_MARGIN * scale), round(_BETWEEN * scale)
    width = max(frame.shape[1], round(_NARROWEST * scale))
    left = min(max(measure(keys) for keys, _ in rows), (width - 2 * margin) // 3)
    right = min(width - left - between - 2 * margin, round(_WIDEST * scale))
    lines: list[tuple[str, str]] = []
    for keys, does in rows:
        lines += zip_longest(wrapped(keys, left, measure), wrapped(does, right, measure), fillvalue="")
    used = left + between + max(measure(does) for _, does in lines) + 2 * margin
    high = len(lines) * line + line * 3 // 2 + 2 * margin
    height = max(frame.shape[0], high)
    page = one_colour(height, width)
    down, across = (height - frame.shape[0]) // 2, (width - frame.shape[1]) // 2
    page[down : down + frame.shape[0], across : across + frame.shape[1]] = painted(frame)
    page = np.asarray(cv2.addWeighted(page, _SHADE, one_colour(height, width), 1 - _SHADE, 0), np.uint8)
    top, start = (height - high) // 2, (width - used) // 2
    page[top : top + high, start : start + used] = PAPER
    cv2.rectangle(page, (start, top), (start + used - 1, top + high - 1), TONES["hint"], max(round(scale), 1))
    shown = frame_of(page, text_scale=scale, fits=frame.fits)
    y = top + margin + line // 2
    for keys, does in lines:
        write(shown, start + margin, y, keys, TONES["notice"])
        write(shown, start + margin + left + between, y, does)
        y += line
    write(shown, start + margin, y + line // 2, _END, TONES["hint"])
    return shown
