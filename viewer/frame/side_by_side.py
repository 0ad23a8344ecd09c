"""Images beside each other on a frame, and the page that is drawn on: pure functions on arrays."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from viewer.frame.plots import enlarged, frame_round, mark, put, write
from viewer.modes.draw.state import DrawState, Easel, Stroke
from viewer.modes.latent.layout import Area, fitting_side
from viewer.modes.upscale.state import UpscaleState
from viewer.render import CURSOR, INK, PAPER, Image

GAP: Final = 8  # pixels round every image
_LEAST_WIDTH: Final = 420  # of a frame, so that the strip says enough
_ROOM: Final = (1180, 620)  # width and height that all images together may take
_PAGE_SIDE: Final = 512  # pixels of the frame, about
_SWATCH: Final = 30  # pixels


def row(images: Sequence[Image], side: int, chosen: int = -1) -> Image:
    """Images [h, w, 3] beside each other, all of the same height, no larger than the screen has room for.

    ``side``: the longer one of the last image, which says how large all are shown; ``chosen``: gets a bright line.
    """
    height, width = images[-1].shape[:2]
    most = min((_ROOM[0] - GAP) // len(images) - GAP, _ROOM[1])
    shown = fitting_side(side, most)
    if height > width:
        high, wide = shown, max(round(width * shown / height), 1)
    else:
        high, wide = max(round(height * shown / width), 1), shown
    total = len(images) * (wide + GAP) + GAP
    frame = np.full((high + 2 * GAP, max(total, _LEAST_WIDTH), 3), PAPER, np.uint8)
    left = GAP + (frame.shape[1] - total) // 2
    for number, image in enumerate(images):
        area = Area(left + number * (wide + GAP), GAP, wide, high)
        put(frame, area, sharp(image, high, wide))
        if number == chosen:
            mark(frame, area)
    return frame


def sharp(image: Image, height: int, width: int) -> Image:
    """The image at another size; a whole number of times larger, its pixels stay squares."""
    rows, columns = image.shape[:2]
    if height % rows == 0 and width % columns == 0:
        return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    return enlarged(image, height, width)


# Drawing.


def make_easel(height: int, width: int, colours: int) -> Easel:
    """Where a page of this size, in pixels, goes on the frame, and the ``colours`` to choose from below it."""
    longer = max(height, width)
    side = fitting_side(longer, _PAGE_SIDE)
    page = Area(GAP, GAP, max(round(width * side / longer), 1), max(round(height * side / longer), 1))
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
        if stroke.size <= 2:
            cv2.polylines(page, [points.reshape(-1, 1, 2)], False, colour, stroke.size, cv2.LINE_8)
            continue
        radius = stroke.size // 2
        if len(points) > 1:
            cv2.polylines(page, [points.reshape(-1, 1, 2)], False, colour, stroke.size, cv2.LINE_8)
        for end in (points[0], points[-1]):
            cv2.circle(page, (int(end[0]), int(end[1])), radius, colour, -1, cv2.LINE_8)


def easel(state: DrawState, page: Image, result: Image | None) -> Image:
    """The frame: the page, what the model makes of it, and the colours."""
    place = state.easel.page
    below = state.easel.swatches[0].bottom if state.easel.swatches else place.bottom
    width = max(2 * place.width + 3 * GAP, _LEAST_WIDTH, *(swatch.right + GAP for swatch in state.easel.swatches))
    frame = np.full((below + GAP, width, 3), PAPER, np.uint8)
    put(frame, place, sharp(page, place.height, place.width))
    frame_round(frame, place)
    other = Area(place.right + GAP, place.top, place.width, place.height)
    if result is not None:
        put(frame, other, sharp(result, other.height, other.width))
    frame_round(frame, other)
    for number, swatch in enumerate(state.easel.swatches):
        frame[swatch.top : swatch.bottom, swatch.left : swatch.right] = state.palette[number]
        if number == state.colour:
            cv2.rectangle(frame, (swatch.left - 3, swatch.top - 3), (swatch.right + 2, swatch.bottom + 2), CURSOR, 2)
        if number < 10:
            light = sum(state.palette[number]) > 380
            write(frame, swatch.left + swatch.width / 2, swatch.top + swatch.height / 2, str(number),
                  INK if light else (255, 255, 255), "middle")  # fmt: skip
    return frame


# Before and after.


def divided(state: UpscaleState, source: Image, result: Image, factor: int) -> Image:
    """The frame: left of the divider the source [h, w, 3], enlarged plainly; right of it the result."""
    width, height = state.view
    split = round(state.divider * width)
    frame = np.empty((height, width, 3), np.uint8)
    if split > 0:
        method = cv2.INTER_NEAREST if state.nearest else cv2.INTER_CUBIC
        frame[:, :split] = _part(state, source, factor, method, 0, split)
    if split < width:
        frame[:, split:] = _part(state, result, 1, cv2.INTER_NEAREST, split, width)
    for offset, colour in ((-1, INK), (0, CURSOR), (1, INK)):
        if 0 <= split + offset < width:
            frame[:, split + offset] = colour
    return frame


def _part(state: UpscaleState, image: Image, factor: int, method: int, left: int, right: int) -> Image:
    """Columns ``left``..``right`` of the view of an image that is ``factor`` times smaller than the result."""
    scale = state.scale * factor  # frame pixels a pixel of the image
    corner = state.corner[0] / factor + left / scale, state.corner[1] / factor
    size = right - left, state.view[1]
    begins = [max(int(np.floor(one)) - 4, 0) for one in corner]
    ends = [
        min(int(np.ceil(one + length / scale)) + 4, side)
        for one, length, side in zip(corner, size, (image.shape[1], image.shape[0]), strict=True)
    ]
    cut = np.ascontiguousarray(image[begins[1] : max(ends[1], begins[1] + 1), begins[0] : max(ends[0], begins[0] + 1)])
    if scale < 1:  # averaged first, so that nothing flickers
        small = max(round(cut.shape[1] * scale), 1), max(round(cut.shape[0] * scale), 1)
        shrunk = np.asarray(cv2.resize(cut, small, interpolation=cv2.INTER_AREA), np.uint8)
        return _sampled(shrunk, (corner[0] - begins[0]) * scale, (corner[1] - begins[1]) * scale, 1.0, size,
                        cv2.INTER_LINEAR)  # fmt: skip
    return _sampled(cut, corner[0] - begins[0], corner[1] - begins[1], scale, size, method)


def _sampled(
    image: NDArray[np.uint8], left: float, top: float, scale: float, size: tuple[int, int], method: int
) -> Image:
    """A view of ``size`` whose corner is at ``left``, ``top`` of an image; ``scale``: view pixels an image pixel."""
    step = 1 / scale
    matrix = np.array([[step, 0, left + step / 2 - 0.5], [0, step, top + step / 2 - 0.5]])
    flags = method | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8)
