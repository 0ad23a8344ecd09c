"""Edge maps of images (Canny): conditions of networks that turn drawings into images."""

import cv2
import numpy as np

SIGMA = 0.33
BLUR_PX = 3


def edge_map(image: np.ndarray, sigma: float = SIGMA, blur: int = BLUR_PX, invert: bool = False) -> np.ndarray:
    """Edges u8 [h, w], 255 on 0 (or 0 on 255), of an image u8 [h, w, 3] RGB or [h, w, 1].

    Canny 1986, "A Computational Approach to Edge Detection"; thresholds (1 ∓ ``sigma``) times the median of the
    brightness, blurred by a Gaussian kernel of ``blur`` pixels (odd; 0: not at all)."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else np.ascontiguousarray(image[..., 0])
    if blur:
        grey = cv2.GaussianBlur(grey, (blur, blur), 0)
    median = float(np.median(grey))
    edges = cv2.Canny(grey, max(0.0, (1 - sigma) * median), min(255.0, (1 + sigma) * median))
    return 255 - edges if invert else edges
