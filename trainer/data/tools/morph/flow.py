"""Morphing by optical flow: where each place of one image is in the other is found by likeness, so that nothing
needs to be known of what they show. The flow is Farnebäck 2003, "Two-Frame Motion Estimation Based on Polynomial
Expansion": on faces of cats it finds more of what belongs together than a dense inverse search does."""

import cv2
import numpy as np

from trainer.data.faces.affine import grid, moved
from trainer.data.tools.morph.warp import WarpField

SEEN = 128  # longest edge in pixels of what is compared
EVEN = 0.1  # of the side: light is evened out over so much
FARNEBACK = (0.6, 5, 25, 5, 7, 1.5)
"""The pyramid's scale and levels, window in pixels, iterations, the polynomials' neighbourhood in pixels and std."""
SMOOTH = 0.03  # of the side: the flow is smoothed over so much
ROUNDS = 12


def by_flow(first: np.ndarray, second: np.ndarray, alpha: float) -> WarpField:
    """How to warp two images u8 [h, w, c]; ``alpha`` 0 is the first one, 1 the second."""
    height, width = first.shape[:2]
    there = consistent_flow(first, second)
    places = grid(height, width)
    start = _undone(places, alpha * there)
    moves = moved(there, start, cv2.INTER_LINEAR)
    return WarpField(places - alpha * moves, places + (1 - alpha) * moves, alpha)


def consistent_flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Where each pixel of the first image has gone in the second, f32 [h, w, 2] in pixels.
    The mean of the flow and of that from the second back, turned round, so that it hardly matters which comes first."""
    height, width = first.shape[:2]
    scale = SEEN / max(height, width)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    a, b = (_evened(cv2.resize(image, size, interpolation=cv2.INTER_AREA)) for image in (first, second))
    there, back = _flow(a, b), _flow(b, a)
    places = grid(size[1], size[0])
    turned = _undone(places, back) - places
    mean = cv2.GaussianBlur((there + turned) / 2, (0, 0), SMOOTH * max(size))
    large = cv2.resize(mean, (width, height), interpolation=cv2.INTER_CUBIC)
    return large * np.array([width / size[0], height / size[1]], np.float32)


def _flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    nothing, kernel = np.zeros((*first.shape, 2), np.float32), cv2.OPTFLOW_FARNEBACK_GAUSSIAN
    flow = cv2.calcOpticalFlowFarneback(first, second, nothing, *FARNEBACK, kernel)
    return cv2.GaussianBlur(flow, (0, 0), SMOOTH * max(first.shape))


def _evened(image: np.ndarray) -> np.ndarray:
    """Light and contrast made even: u8 [h, w]."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    values, sigma = grey.astype(np.float32), EVEN * max(grey.shape)
    values -= cv2.GaussianBlur(values, (0, 0), sigma)
    values /= np.sqrt(cv2.GaussianBlur(values**2, (0, 0), sigma)) + 4
    return np.rint(128 + 50 * values).clip(0, 255).astype(np.uint8)


def _undone(places: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Where each place was before ``flow`` moved it: x with x + flow(x) = place, by repetition."""
    start = places.copy()
    for _ in range(ROUNDS):
        back = places - moved(flow, start, cv2.INTER_LINEAR)
        start = (start + back) / 2  # half a step: no overshooting where the flow is steep
    return start
