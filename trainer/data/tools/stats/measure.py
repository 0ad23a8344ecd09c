"""Figures of a whole set: mean, std, histograms, the brightness and sharpness of each image."""

from dataclasses import dataclass

import cv2
import numpy as np

from trainer.data.sources.npy_set import ImageSet
from trainer.data.sources.threads import counted, in_threads


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """Figures of a set of n images; all in levels, 0 to 255."""

    mean: np.ndarray  # f64 [c]
    std: np.ndarray  # f64 [c], over all pixels
    mean_image: np.ndarray  # f64 [h, w, c]
    std_image: np.ndarray  # f64 [h, w, c], of each pixel over the images
    histograms: np.ndarray  # f64 [c, 256]
    brightness: np.ndarray  # f32 [n]: mean of the luma of each image
    sharpness: np.ndarray  # f32 [n]: std of the Laplacian of the luma of each image


def measure(source: ImageSet) -> Measured:
    """Go over all images once."""
    count, height, width, channels = source.shape
    sums, squares = np.zeros((height, width, channels)), np.zeros((height, width, channels))
    histograms = np.zeros((channels, 256))
    brightness, sharpness = np.empty(count, np.float32), np.empty(count, np.float32)
    first = 0
    for images, part in counted(in_threads(source.pieces(), _figures), count, lambda piece: len(piece[0])):
        rows = slice(first, first + len(images))
        sums += part[0]
        squares += part[1]
        histograms += part[2]
        brightness[rows], sharpness[rows] = part[3:]
        first += len(images)
    levels = np.arange(256)
    pixels = count * height * width
    mean = histograms @ levels / pixels
    mean_image = sums / count
    return Measured(
        mean=mean,
        std=np.sqrt(np.maximum(histograms @ levels**2 / pixels - mean**2, 0)),
        mean_image=mean_image,
        std_image=np.sqrt(np.maximum(squares / count - mean_image**2, 0)),
        histograms=histograms,
        brightness=brightness,
        sharpness=sharpness,
    )


def _figures(images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[float], list[float]]:
    """Of images [n, h, w, c] the sums and sums of squares [h, w, c], histograms [c, 256], brightness and sharpness [n];
    by OpenCV alone, which leaves the other threads to work meanwhile. Floats hold the sums to the last digit."""
    _, _, width, channels = images.shape
    sums, squares = np.zeros(images.shape[1:]), np.zeros(images.shape[1:])
    brightness, sharpness = [], []
    for image in images:
        cv2.accumulate(image, sums)
        cv2.accumulateSquare(image, squares)
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if channels == 3 else image
        brightness.append(cv2.mean(grey)[0])
        sharpness.append(cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))[1].item())
    tall = images.reshape(-1, width, channels)
    histograms = [cv2.calcHist([tall], [k], None, [256], [0, 256]).reshape(-1) for k in range(channels)]
    return sums, squares, np.array(histograms, np.float64), brightness, sharpness
