"""Bicubic resizing with antialiasing, as MATLAB's ``imresize`` does it: what super-resolution is measured against.

Keys 1981, "Cubic Convolution Interpolation for Digital Image Processing", equation 4 with a = -1/2. Where an image
shrinks, the kernel is stretched by as much, so that each new pixel is a weighted mean of all that it covers; beyond
the edge the image goes on as in a mirror. ``torch.nn.functional.interpolate(mode="bicubic", antialias=True)`` has the
same weights inside, other ones at the edge, and OpenCV's cubic neither."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' kernel at these distances in pixels."""
    x = np.abs(distance)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def taps(length: int, new_length: int, scale: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Which pixels of a row of ``length`` make each of ``new_length`` new ones: (indices, weights), both [new, k]."""
    narrow = min(scale, 1.0)
    centre = (np.arange(new_length) + 0.5) / scale - 0.5
    reach = 2 / narrow
    indices = np.floor(centre - reach).astype(np.int64)[:, None] + np.arange(int(np.ceil(2 * reach)) + 2)
    weights = cubic(narrow * (centre[:, None] - indices))
    used = np.abs(weights).max(0) > 0
    indices, weights = indices[:, used], weights[:, used]
    wrapped = indices % (2 * length)
    return np.minimum(wrapped, 2 * length - 1 - wrapped), weights / weights.sum(1, keepdims=True)


@lru_cache(maxsize=64)
def matrix(length: int, new_length: int, scale: float) -> Floats:
    """The same as a matrix [new, length], for crops: rows of an image are resized by multiplying from the left."""
    indices, weights = taps(length, new_length, scale)
    found = np.zeros((new_length, length))
    np.add.at(found, (np.arange(new_length)[:, None], indices), weights)
    return found.astype(np.float32)


@lru_cache(maxsize=16)
def _kernel(times: int) -> Floats:
    """The weights that make one pixel of those around it, [k], k odd: for whole ``times`` all pixels have the same."""
    indices, weights = taps(16 * times, 16, 1 / times)
    offsets = indices[8] - 8 * times
    reach = int(np.abs(offsets).max())
    kernel = np.zeros(2 * reach + 1, np.float32)
    kernel[reach + offsets] = weights[8]
    return kernel


def shrink(image: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    """An image u8 [h, w, c] reduced a whole number of ``times``, and rounded; what makes no whole pixel is cut off."""
    height, width = (side // times * times for side in image.shape[:2])
    kernel = _kernel(times)
    # All pixels are computed, of which few are kept: OpenCV does that in a seventh of numpy's time.
    whole = cv2.sepFilter2D(image[:height, :width], cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REFLECT)
    few = np.rint(whole[::times, ::times]).clip(0, 255).astype(np.uint8)
    return few.reshape(*few.shape[:2], -1)  # OpenCV drops a single channel
