"""Look at a whole set at once: numbers, and a page of pictures, histograms, and the odd ones out.

Prints the mean and the deviation of each channel, and how bright and how sharp the pictures are (the deviation of a
Laplacian, in levels). The page shows the mean picture, where pictures differ, the histograms, a sheet of pictures from
all over the set, and its darkest, brightest, softest and sharpest ones with their numbers, as 'select --drop' takes
them.

    python -m trainer.data stats cats.npy -o cats-stats.png
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from trainer.config import UserError
from trainer.data.npy import check_free, output, printable
from trainer.data.page import draw_page
from trainer.data.sets import PictureSet, check_not_input
from trainer.data.threads import in_threads


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """Figures of a set of n pictures; all in levels, 0 to 255."""

    mean: np.ndarray  # f64 [c]
    deviation: np.ndarray  # f64 [c], over all pixels
    mean_picture: np.ndarray  # f64 [h, w, c]
    deviation_picture: np.ndarray  # f64 [h, w, c], of each pixel over the pictures
    histograms: np.ndarray  # i64 [c, 256]
    brightness: np.ndarray  # f32 [n]: mean of the luma of each picture
    sharpness: np.ndarray  # f32 [n]: standard deviation of the Laplacian of the luma of each picture


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("input", type=Path, metavar="SET", help="a .npy file")
    parser.add_argument("-o", "--output", type=Path, help="the page to write, a .png (<set>-stats.png here)")
    parser.add_argument("--force", action="store_true", help="replace an output that exists")


def run(arguments: argparse.Namespace) -> int:
    """Measure and draw; returns the exit code."""
    source = PictureSet(arguments.input)
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
    print(f"{printable(path)}: a page on {len(source)} pictures of {source.shape[2]}x{source.shape[1]} px")
    return 0


def measure(source: PictureSet) -> Measured:
    """Go over all pictures once."""
    count, height, width, channels = source.shape
    sums = np.zeros((height, width, channels), np.int64)
    squares = np.zeros((height, width, channels), np.int64)
    histograms = np.zeros((channels, 256), np.int64)
    brightness, sharpness = np.empty(count, np.float32), np.empty(count, np.float32)
    first = 0
    with tqdm(total=count, desc="pictures", unit="picture", disable=None) as bar:
        for images, figures in in_threads(_pieces(source), _figures):
            wide = images.astype(np.int32)
            sums += wide.sum(0)
            squares += np.einsum("nhwc,nhwc->hwc", wide, wide, dtype=np.int64, casting="safe")
            histograms += [np.bincount(images[..., c].reshape(-1), minlength=256) for c in range(channels)]
            brightness[first : first + len(images)], sharpness[first : first + len(images)] = figures
            first += len(images)
            bar.update(len(images))
    levels = np.arange(256)
    pixels = count * height * width
    mean = histograms @ levels / pixels
    mean_picture = sums / count
    return Measured(
        mean=mean,
        deviation=np.sqrt(np.maximum(histograms @ levels**2 / pixels - mean**2, 0)),
        mean_picture=mean_picture,
        deviation_picture=np.sqrt(np.maximum(squares / count - mean_picture**2, 0)),
        histograms=histograms,
        brightness=brightness,
        sharpness=sharpness,
    )


def _pieces(source: PictureSet) -> Iterator[np.ndarray]:
    return source.pieces(1 << 20)


def _figures(images: np.ndarray) -> tuple[list[float], list[float]]:
    """Brightness and sharpness of pictures [n, h, w, c]."""
    brightness, sharpness = [], []
    for image in images:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else image[..., 0]
        brightness.append(float(grey.mean()))
        sharpness.append(float(cv2.Laplacian(grey, cv2.CV_16S).std()))
    return brightness, sharpness
