"""Images at other sizes, as they are shown and as they go into a model."""

import cv2
import numpy as np

from viewer.files.png import Image


def fit(image: Image, height: int, width: int, nearest: bool = False) -> Image:
    """The middle of an image, cut to the proportions and scaled to the size wanted; ``nearest``: no new colours."""
    from trainer.contract.images import centre  # which reads files of all kinds; most sessions need none

    return np.ascontiguousarray(centre(image, height, width, resize_nearest if nearest else resize))


def resize(image: Image, height: int, width: int) -> Image:
    """The image at another size: averaged when it shrinks, smooth when it grows."""
    if image.shape[:2] == (height, width):
        return image
    method = cv2.INTER_AREA if height < image.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)


def resize_nearest(image: Image, height: int, width: int) -> Image:
    """The image at another size, with no new colours."""
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
