"""Look at a whole set at once: numbers, and a page of images, histograms, and the odd ones out.

Prints the mean and the deviation of each channel, and how bright and how sharp the images are (the deviation of a
Laplacian, in levels). The page shows the mean image, where images differ, the histograms, a sheet of images from
all over the set, and its darkest, brightest, softest and sharpest ones with their numbers, as 'select --drop' takes
them.

    python -m trainer.data stats cats.npy -o cats-stats.png
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from trainer.contract.errors import UserError
from trainer.contract.text import printable
from trainer.data.sources.npy import check_free, output
from trainer.data.sources.npy_set import ImageSet, check_not_input
from trainer.data.sources.threads import in_threads
from trainer.data.tools.stats.page import draw_page


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """Figures of a set of n images; all in levels, 0 to 255."""

    mean: np.ndarray  # f64 [c]
    deviation: np.ndarray  # f64 [c], over all pixels
    mean_image: np.ndarray  # f64 [h, w, c]
    deviation_image: np.ndarray  # f64 [h, w, c], of each pixel over the images
    histograms: np.ndarray  # f64 [c, 256]
    brightness: np.ndarray  # f32 [n]: mean of the luma of each image
    sharpness: np.ndarray  # f32 [n]: standard deviation of the Laplacian of the luma of each image


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("input", type=Path, metavar="SET", help="a .npy file")
    parser.add_argument("-o", "--output", type=Path, help="the page to write, a .png (<set>-stats.png here)")
    parser.add_argument("--force", action="store_true", help="replace an output that exists")


def run(arguments: argparse.Namespace) -> int:
    """Measure and draw; returns the exit code."""
    source = ImageSet(arguments.input)
    path: Path = arguments.output or Path(f"{arguments.input.stem}-stats.png")
    if path.suffix.lower() != ".png":
        raise UserError(f"the output is {printable(path)}, expected a name that ends in .png")
    check_free(path, arguments.force)
    check_not_input(path, [arguments.input])
    measured = measure(source)
    page = cv2.imencode(".png", cv2.cvtColor(draw_page(source, measured), cv2.COLOR_RGB2BGR))[1].tobytes()
    with output(path, arguments.force) as file:
        file.write(page)
    channels = ("red", "green", "blue") if source.shape[3] == 3 else ("grey",)
    for name, mean, deviation in zip(channels, measured.mean, measured.deviation, strict=True):
        print(f"{name:<10}  mean {mean:.1f}, deviation {deviation:.1f}")
    for name, values in (("brightness", measured.brightness), ("sharpness", measured.sharpness)):
        low, middle, high = np.percentile(values, (5, 50, 95))
        print(f"{name:<10}  median {middle:.1f}, 90 of 100 in {low:.1f} to {high:.1f}")
    print(f"{printable(path)}: a page on {len(source)} images of {source.shape[2]}x{source.shape[1]} px")
    return 0


def measure(source: ImageSet) -> Measured:
    """Go over all images once."""
    count, height, width, channels = source.shape
    sums, squares = np.zeros((height, width, channels)), np.zeros((height, width, channels))
    histograms = np.zeros((channels, 256))
    brightness, sharpness = np.empty(count, np.float32), np.empty(count, np.float32)
    first = 0
    with tqdm(total=count, desc="images", unit="image", disable=None) as bar:
        for images, part in in_threads(source.pieces(), _figures):
            sums += part.sums
            squares += part.squares
            histograms += part.histograms
            brightness[first : first + len(images)] = part.brightness
            sharpness[first : first + len(images)] = part.sharpness
            first += len(images)
            bar.update(len(images))
    levels = np.arange(256)
    pixels = count * height * width
    mean = histograms @ levels / pixels
    mean_image = sums / count
    return Measured(
        mean=mean,
        deviation=np.sqrt(np.maximum(histograms @ levels**2 / pixels - mean**2, 0)),
        mean_image=mean_image,
        deviation_image=np.sqrt(np.maximum(squares / count - mean_image**2, 0)),
        histograms=histograms,
        brightness=brightness,
        sharpness=sharpness,
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """What is summed up of some images; floats hold it to the last digit."""

    sums: np.ndarray  # f64 [h, w, c]
    squares: np.ndarray  # f64 [h, w, c]
    histograms: np.ndarray  # f64 [c, 256]
    brightness: list[float]
    sharpness: list[float]


def _figures(images: np.ndarray) -> _Part:
    """Of images [n, h, w, c], by OpenCV alone, which leaves the other threads to work meanwhile."""
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
    return _Part(sums, squares, np.array(histograms, np.float64), brightness, sharpness)
