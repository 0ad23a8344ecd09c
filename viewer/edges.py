"""Edges of a photograph, as a translator of edges takes them: Canny with thresholds that follow the median.

Canny 1986, "A Computational Approach to Edge Detection". A model learns from the very same pixels: the maker of its
training data computes them in the same way.
"""

import cv2
import numpy as np
from numpy.typing import NDArray


def find_edges(image: NDArray[np.uint8], sigma: float = 0.33, blur: int = 3, invert: bool = False) -> NDArray[np.uint8]:
    """White edges on black, u8 [h, w], of an image u8 [h, w, 3] BGR or [h, w] grey.

    ``sigma``: how far below and above the median the two thresholds lie, 0..1. ``blur``: pixels across, of the Gaussian
    before, odd; 0: none. ``invert``: black edges on white.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    if blur > 1:
        grey = cv2.GaussianBlur(grey, (blur, blur), 0)
    median = float(np.median(grey))
    edges = cv2.Canny(grey, max(0.0, (1 - sigma) * median), min(255.0, (1 + sigma) * median))
    return np.asarray(255 - edges if invert else edges, np.uint8)
