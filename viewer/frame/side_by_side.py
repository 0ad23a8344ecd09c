"""Draw images beside each other onto a frame. Pure functions on arrays."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from trainer.contract.images import resize
from viewer.files.png import resize_nearest
from viewer.frame.area import Area, fitting_side
from viewer.frame.plots import mark, put
from viewer.render import PAPER, Image

GAP: Final = 8  # pixels round every image
LEAST_WIDTH: Final = 420  # of a frame, so that the strip says enough
_ROOM: Final = (1180, 620)  # width and height that all images together may take


def row(images: Sequence[Image], side: int, chosen: int = -1) -> Image:
    """Images [h, w, 3] beside each other, all of the same height, no larger than the screen has room for.

    ``side``: the longer one of the last image, which says how large all are shown; ``chosen``: gets a bright line.
    """
    height, width = images[-1].shape[:2]
    most = min((_ROOM[0] - GAP) // len(images) - GAP, _ROOM[1])
    shown, longer = fitting_side(side, most), max(height, width)
    high, wide = max(round(height * shown / longer), 1), max(round(width * shown / longer), 1)
    total = len(images) * (wide + GAP) + GAP
    frame = np.full((high + 2 * GAP, max(total, LEAST_WIDTH), 3), PAPER, np.uint8)
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
    whole = height % rows == 0 and width % columns == 0
    return resize_nearest(image, height, width) if whole else np.asarray(resize(image, height, width), np.uint8)
