"""The page that is drawn on, and the frame that it is on: pure functions on arrays."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from viewer.frame.area import Area, fitting_size
from viewer.frame.plots import frame_round, put, write
from viewer.frame.side_by_side import GAP, LEAST_WIDTH, sharp
from viewer.modes.translate.draw.state import DrawState, Easel, Stroke
from viewer.render import CURSOR, INK, PAPER, Image

_PAGE_SIDE: Final = 512  # pixels of the frame, about
_SWATCH: Final = 30  # pixels


def make_easel(height: int, width: int, colours: int) -> Easel:
    """Where a page of this size, in pixels, goes on the frame, and the ``colours`` to choose from below it."""
    page = Area(GAP, GAP, *fitting_size(width, height, _PAGE_SIDE))
    swatches = [Area(GAP + number * (_SWATCH + 6), page.bottom + GAP, _SWATCH, _SWATCH) for number in range(colours)]
    return Easel(page, width, height, tuple(swatches))


def blank_page(state: DrawState) -> Image:
    """Paper."""
    return np.full((state.easel.height, state.easel.width, 3), state.palette[0], np.uint8)


def add_strokes(page: Image, state: DrawState, strokes: Sequence[Stroke]) -> None:
    """Strokes onto a page, one after another; every pixel gets one colour of the palette, and none between two."""
    for stroke in strokes:
        colour = state.palette[stroke.colour]
        if stroke.size == 0:
            page[:] = colour
            continue
        points = np.array(stroke.points, np.int32)
        if stroke.size <= 2 or len(points) > 1:
            cv2.polylines(page, [points.reshape(-1, 1, 2)], False, colour, stroke.size, cv2.LINE_8)
        if stroke.size <= 2:
            continue
        for x, y in (points[0].tolist(), points[-1].tolist()):
            cv2.circle(page, (x, y), stroke.size // 2, colour, -1, cv2.LINE_8)


def draw_easel(state: DrawState, page: Image, result: Image | None) -> Image:
    """The frame: the page, what the model makes of it, and the colours."""
    place = state.easel.page
    below = state.easel.swatches[0].bottom if state.easel.swatches else place.bottom
    width = max(2 * place.width + 3 * GAP, LEAST_WIDTH, *(swatch.right + GAP for swatch in state.easel.swatches))
    frame = np.full((below + GAP, width, 3), PAPER, np.uint8)
    put(frame, place, sharp(page, place.height, place.width))
    frame_round(frame, place)
    other = Area(place.right + GAP, place.top, place.width, place.height)
    if result is not None:
        put(frame, other, sharp(result, other.height, other.width))
    frame_round(frame, other)
    for number, swatch in enumerate(state.easel.swatches):
        frame[swatch.pixels] = state.palette[number]
        if number == state.colour:
            cv2.rectangle(frame, (swatch.left - 3, swatch.top - 3), (swatch.right + 2, swatch.bottom + 2), CURSOR, 2)
        if number < 10:
            ink = INK if sum(state.palette[number]) > 380 else (255, 255, 255)
            middle = swatch.left + swatch.width / 2, swatch.top + swatch.height / 2
            write(frame, *middle, str(number), ink, "middle")
    return frame
