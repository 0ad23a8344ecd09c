"""An image enlarged plainly and by a model, on either side of a divider: pure functions on arrays."""

import cv2
import numpy as np
from numpy.typing import NDArray

from viewer.modes.upscale.state import UpscaleState
from viewer.render import CURSOR, INK, Image


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
