"""An image through a translator whatever its size: fitted to what the network takes, the result cut free."""

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from viewer.files.png import Image
from viewer.graph.layout import ImageLayout
from viewer.latents import Latents
from viewer.model import Model

if TYPE_CHECKING:
    from viewer.graph.ports import Settings

Condition = NDArray[np.uint8]  # [h, w, c], c as the model takes it: BGR, BGRA or grey

_REACH: Final = 64  # pixels round a part of an image, that a local network looks at at most
_PATCH: Final = 8  # pixels a side, of such a part
_RING: Final = 8  # pixels that are beyond the reach
_SMALLEST_REACH: Final = 8  # pixels, that a fixed size leaves
_TOLERANCE: Final = 1  # levels


def through(
    model: Model,
    image: Condition,
    latent: Latents | None = None,
    settings: "Settings | None" = None,
    *,
    centred: bool = False,
) -> Image:
    """The whole result of an image that fits into the network: u8 [h·scale, w·scale, 3] BGR, or [..., 4].

    What the network lacks at its border, or needs to be of a size that it takes, is added as the image's own
    reflection: scaling would distort, cutting would lose something, and a border of one colour would be an edge that
    the network draws something on. ``centred``: on all sides; else below and to the right, so that parts of an image
    which begin at multiples of ``layout.multiple`` go through alike. ``settings``: of other inputs. Raises
    ``ModelError``.
    """
    layout, (height, width) = model.image_layout, image.shape[:2]
    rows, columns = layout.accepted(height, width)
    top, left = (
        layout.lead + (_spare(layout, accepted - length) if centred else 0)
        for accepted, length in ((rows, height), (columns, width))
    )
    made = model.translate(np.ascontiguousarray(_padded(image, rows, columns, top, left)), latent, settings)
    down, across = (int(begin * layout.scale) - layout.border // 2 for begin in (top, left))
    tall, wide = layout.result_size(height, width)
    return np.ascontiguousarray(made[down : down + tall, across : across + wide])


def _spare(layout: ImageLayout, added: int) -> int:
    """How much of what is added besides the missing border goes before the image."""
    denominator = layout.scale.denominator
    return (added - layout.lead - layout.trail) // 2 // denominator * denominator


def _padded(image: Condition, height: int, width: int, top: int, left: int) -> Condition:
    """An image [h, w, c], grown by its own reflection: ``top`` rows above, ``left`` columns before it."""
    if image.shape[:2] == (height, width):
        return image
    below, right = height - top - image.shape[0], width - left - image.shape[1]
    grown = cv2.copyMakeBorder(image, top, below, left, right, cv2.BORDER_REFLECT_101)
    return np.asarray(grown, np.uint8).reshape(height, width, image.shape[2])


def is_local(model: Model) -> bool:
    """Whether a translator looks at the surroundings of a pixel only, and not at the whole image, as those with
    instance norm or attention over all of it do.

    A small part of the result has to stay as it is where all of the image changes that is ``_REACH`` pixels away from
    it, or as far as a fixed size lets it be. Raises ``ModelError``.
    """
    layout = model.image_layout
    largest = min((side for side in layout.largest if side is not None), default=_PATCH + 2 * (_REACH + _RING))
    reach = min(_REACH, (largest - _PATCH) // 2 - _RING)
    if reach < _SMALLEST_REACH:
        return False
    side = _PATCH + 2 * (reach + _RING)
    noise = np.random.default_rng(0).integers(64, 192, (side, side, layout.channels), np.uint8)
    image = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.5), np.uint8).reshape(noise.shape)
    other = np.full_like(image, 16)
    other[_RING:-_RING, _RING:-_RING] = image[_RING:-_RING, _RING:-_RING]
    begin = int((reach + _RING) * layout.scale)
    end = int((reach + _RING + _PATCH) * layout.scale)
    before, after = (through(model, one)[begin:end, begin:end].astype(np.int16) for one in (image, other))
    return int(np.abs(before - after).max(initial=0)) <= _TOLERANCE
