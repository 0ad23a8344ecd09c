"""Figures of images and of sets of features: the formulas of ``trainer.metrics``, in NumPy."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from viewer.files.png import Image

Floats = NDArray[np.float64]

_SIDE: Final = 11  # pixels of the window of SSIM, and
_STD: Final = 1.5  # its width
_LUMA: Final = (24.966, 128.553, 65.481)  # of blue, green, red: ITU-R BT.601, 16 to 235 of 255


def unit(image: Image) -> Floats:
    """An image u8 [h, w, 3] with values in 0..1."""
    return image.astype(np.float64) / 255


def luma(image: Image) -> Floats:
    """Luma of an image u8 [h, w, 3] BGR, [h, w, 1] in 16/255..235/255: super-resolution is measured on it."""
    grey: Floats = (unit(image) @ np.array(_LUMA) + 16) / 255
    return grey[..., None]


def squared_error(image: Floats, target: Floats) -> float:
    """Mean squared error, values in 0..1."""
    return float(np.square(image - target).mean())


def peak_signal_to_noise(image: Floats, target: Floats) -> float:
    """PSNR in dB, values in 0..1; equal images get 100."""
    return float(-10 * np.log10(max(squared_error(image, target), 1e-10)))


def structural_similarity(image: Floats, target: Floats) -> float:
    """SSIM of images [h, w, c], values in 0..1.

    Wang et al. 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity", section III.B: a
    Gaussian window of 11 pixels and std 1.5, where it fits; a smaller odd window in smaller images.
    """
    height, width = image.shape[:2]
    side = min(_SIDE, height - 1 + height % 2, width - 1 + width % 2)
    window = np.exp(-np.square(np.arange(side) - side // 2) / (2 * _STD**2))
    window /= window.sum()
    edge = side // 2

    def blur(value: Floats) -> Floats:
        blurred = cv2.sepFilter2D(value, cv2.CV_64F, window, window).reshape(value.shape)
        return np.asarray(blurred[edge : height - edge, edge : width - edge], np.float64)

    c1, c2 = 0.01**2, 0.03**2
    mean_x, mean_y = blur(image), blur(target)
    variance_x, variance_y = blur(image * image) - mean_x**2, blur(target * target) - mean_y**2
    covariance = blur(image * target) - mean_x * mean_y
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((similarity / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2))).mean())


def frechet_distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Fréchet distance between Gaussians of the moments of two sets of features [n, d], n at least 2.

    Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule", equation 6:
    ‖μ₁ - μ₂‖² + tr(Σ₁ + Σ₂ - 2 (Σ₁Σ₂)^½).

    The last trace is the sum of the singular values of A Bᵀ, where Σ₁ = AᵀA and Σ₂ = BᵀB are made of the centred
    features: as few as there are features or images.
    """
    means: list[Floats] = []
    roots: list[Floats] = []
    for features in (one, other):
        rows = features.astype(np.float64)
        means.append(rows.mean(0))
        root = (rows - means[-1]) / np.sqrt(len(rows) - 1)
        roots.append(root if len(root) <= root.shape[1] else np.linalg.qr(root)[1])
    mixed = np.linalg.svd(roots[0] @ roots[1].T, full_matrices=False)[1].sum()
    distance = np.square(means[0] - means[1]).sum() + sum(np.square(root).sum() for root in roots) - 2 * mixed
    return max(0.0, float(distance))
