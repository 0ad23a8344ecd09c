"""Look at a whole set at once: numbers, and a page of images, histograms, and the odd ones out.

Prints the mean and the std of each channel, and how bright and how sharp the images are (the std of a Laplacian, in
levels). The page shows the mean image, where images differ, the histograms, a sheet of
images from all over the set, and its darkest, brightest, softest and sharpest ones with their numbers, as 'select
--drop' takes them.

    python -m trainer.data stats cats.npy -o cats-stats.png
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from trainer.contract.errors import UserError
from trainer.contract.files import check_free
from trainer.contract.images import resize
from trainer.contract.options import argument, flag
from trainer.contract.text import printable
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources._threads import counted, in_threads
from trainer.data.sources.npy_set import ImageSet, check_not_input
from trainer.data.tools import ForceOption
from trainer.data.tools._files import write_png

Colour = tuple[int, int, int]

PAPER: Colour = (21, 22, 24)
PANEL: Colour = (32, 34, 37)
INK: Colour = (226, 224, 220)
FAINT: Colour = (148, 146, 142)
ACCENT: Colour = (255, 196, 92)
CHANNELS: dict[str, Colour] = {"red": (236, 98, 90), "green": (104, 200, 120), "blue": (92, 150, 246)}

WIDTH, EDGE, SPACE = 1316, 36, 20  # pixels; rows of images end where panels do
COLUMNS, ROWS = 16, 6  # of the sheet
ODD = 8  # images of each kind that stands out
GAP = 4
CELL = (WIDTH - 2 * EDGE + GAP) // COLUMNS - GAP
FACE = 236  # side of the mean image
FIGURES = 122  # width of the channels' figures
LINE = 15  # of a list


@dataclass(frozen=True, kw_only=True)
class Options(ForceOption):
    """What to look at, and where the page goes."""

    input: Path = argument("a .npy file", metavar="SET")
    output: Path | None = flag("the page to write, a .png (<set>-stats.png here)", "-o", "--output")


def run(options: Options) -> None:
    """Measure and draw."""
    source = ImageSet(options.input)
    path = options.output or Path(f"{options.input.stem}-stats.png")
    if path.suffix.lower() != ".png":
        raise UserError(f"the output is {path}, expected a name that ends in .png")
    check_free(path, options.force)
    check_not_input(path, [options.input])
    measured = measure(source)
    write_png(path, draw_page(source, measured), options.force)
    channels = list(CHANNELS) if source.shape[3] == 3 else ["grey"]
    for name, mean, std in zip(channels, measured.mean, measured.std, strict=True):
        print(f"{name:<10}  mean {mean:.1f}, std {std:.1f}")
    for name, values in (("brightness", measured.brightness), ("sharpness", measured.sharpness)):
        low, middle, high = np.percentile(values, (5, 50, 95))
        print(f"{name:<10}  median {middle:.1f}, 90 of 100 in {low:.1f} to {high:.1f}")
    print(f"{printable(path)}: a page on {len(source)} images of {source.shape[2]}x{source.shape[1]} px")


class Measured(NamedTuple):
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
    levels, pixels = np.arange(256), count * height * width
    mean, mean_image = histograms @ levels / pixels, sums / count
    std = np.sqrt(np.maximum(histograms @ levels**2 / pixels - mean**2, 0))
    std_image = np.sqrt(np.maximum(squares / count - mean_image**2, 0))
    return Measured(mean, std, mean_image, std_image, histograms, brightness, sharpness)


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


class Page:
    """An image that is drawn on."""

    def __init__(self, height: int) -> None:
        self.image = Image.new("RGB", (WIDTH, height), PAPER)
        self.draw = ImageDraw.Draw(self.image)
        self.fonts = {size: ImageFont.load_default(size) for size in (12, 14, 17, 30)}

    def text(self, x: int, y: int, text: str, size: int = 14, colour: Colour = INK, anchor: str = "la") -> None:
        """A line of text; ``anchor`` as Pillow has it."""
        self.draw.text((x, y), text, colour, self.fonts[size], anchor)

    def put(self, x: int, y: int, image: np.ndarray, width: int, height: int) -> None:
        """An image u8 [h, w, c] RGB within a box, in the middle of it, in its own proportions."""
        scale = min(width / image.shape[1], height / image.shape[0])
        inner = max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))
        pixels = scale >= 2  # that stay pixels
        fitted = cv2.resize(image, inner[::-1], interpolation=cv2.INTER_NEAREST) if pixels else resize(image, *inner)
        shown = Image.fromarray(np.ascontiguousarray(np.broadcast_to(fitted.reshape(*inner, -1), (*inner, 3))))
        self.image.paste(shown, (x + (width - inner[1]) // 2, y + (height - inner[0]) // 2))

    def panel(self, x: int, y: int, width: int, height: int, title: str, note: str = "") -> None:
        """A darker box with a title."""
        self.draw.rounded_rectangle((x, y, x + width, y + height), 8, PANEL)
        self.text(x + 14, y + 11, title, 14)
        self.text(x + width - 14, y + 12, note, 12, FAINT, "ra")

    def axis(self, x: int, y: int, width: int, ticks: Sequence[str]) -> None:
        """A line below a plot, with what its left end, middle and right end mean."""
        self.draw.line((x, y + 1, x + width, y + 1), FAINT)
        for place, anchor, tick in zip((0, 0.5, 1), ("la", "ma", "ra"), ticks, strict=True):
            self.text(x + round(width * place), y + 6, tick, 12, FAINT, anchor)

    def bars(self, x: int, y: int, width: int, height: int, counts: np.ndarray, ticks: Sequence[str]) -> None:
        """A histogram."""
        edges = x + np.rint(np.arange(len(counts) + 1) * width / len(counts)).astype(int)
        tops = y + height - np.maximum(1, np.rint(height * counts / max(1, counts.max())).astype(int))
        for left, right, top, count in zip(edges, edges[1:] - 2, tops, counts, strict=False):
            if count:
                self.draw.rectangle((left, top, max(left, right), y + height), ACCENT)
        self.axis(x, y + height, width, ticks)

    def curves(self, x: int, y: int, width: int, height: int, rows: np.ndarray, colours: Sequence[Colour]) -> None:
        """Histograms of 256 levels over each other, each filled; the highest 1 of 100 levels may leave the box."""
        most = max(1.0, float(np.percentile(rows, 99)))
        layer = np.array(self.image.crop((x, y, x + width, y + height)), np.float32)
        heights = np.minimum(rows / most, 1.0)
        across = np.linspace(0, 255, width)
        down = (height - np.arange(height))[:, None] / height
        for row, colour in zip(heights, colours, strict=True):
            below = np.clip((np.interp(across, np.arange(256), row)[None] - down) * height + 0.5, 0, 1)
            layer += (below * 0.55)[..., None] * (np.array(colour, np.float32) - layer)
        self.image.paste(Image.fromarray(np.rint(layer).astype(np.uint8)), (x, y))
        self.axis(x, y + height, width, ("0", "128", "255"))


def draw_page(source: ImageSet, measured: Measured) -> np.ndarray:
    """The page u8 [h, w, 3] RGB."""
    count, height, width, channels = source.shape
    cell = max(16, min(4 * CELL, round(CELL * height / width)))
    shown = np.unique(np.linspace(0, count - 1, min(count, ROWS * COLUMNS)).astype(int))
    rows = -(-len(shown) // COLUMNS)
    top = 104
    sheet = top + FACE + 56 + SPACE
    odd = sheet + 30 + rows * (cell + GAP) + SPACE
    page = Page(odd + 2 * (30 + cell + 20) + EDGE)
    page.text(EDGE, 30, printable(source.path.name, 59), 30)
    words = [f"{count:,} images", f"{width}x{height} px", "RGB" if channels == 3 else "grey"]
    words += [f"{len(source.sidecar.classes)} classes"] if source.sidecar.labels is not None else []
    page.text(EDGE, 70, "   ".join(words), 17, FAINT)
    _draw_faces(page, EDGE, top, measured)
    _draw_panels(page, EDGE + 2 * (FACE + SPACE), top, source, measured)
    page.text(EDGE, sheet, "From all over the set", 17)
    _draw_strip(page, EDGE, sheet + 30, cell, source, shown)
    by_brightness, by_sharpness = np.argsort(measured.brightness), np.argsort(measured.sharpness)
    ends = (("Darkest", by_brightness), ("Brightest", by_brightness[::-1]),
            ("Softest", by_sharpness), ("Sharpest", by_sharpness[::-1]))  # fmt: skip
    for place, (title, order) in enumerate(ends):
        x = EDGE + (place % 2) * ((WIDTH - 2 * EDGE + SPACE) // 2)
        y = odd + (place // 2) * (30 + cell + 20)
        page.text(x, y, title, 17)
        _draw_strip(page, x, y + 28, cell, source, order[:ODD], numbers=True)
    return np.array(page.image)


def _draw_faces(page: Page, x: int, y: int, measured: Measured) -> None:
    std = measured.std_image.mean(2, keepdims=True)
    low, high = float(std.min()), float(std.max())
    spread = np.rint((std - low) / max(1e-6, high - low) * 255).astype(np.uint8)
    heat = cv2.cvtColor(cv2.applyColorMap(spread, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    faces = (("Mean image", "", np.rint(measured.mean_image).astype(np.uint8)),
             ("Where they differ", f"±{low:.0f} to ±{high:.0f}", heat))  # fmt: skip
    for place, (title, note, image) in enumerate(faces):
        left = x + place * (FACE + SPACE)
        page.panel(left, y, FACE, FACE + 44, title, note)
        page.put(left + 12, y + 38, image, FACE - 24, FACE - 8)


def _draw_panels(page: Page, x: int, y: int, source: ImageSet, measured: Measured) -> None:
    """Histograms and figures, right of the mean image."""
    room = WIDTH - EDGE - x
    width, height = (room - SPACE) // 2, (FACE + 44 - SPACE) // 2
    right, low = x + width + SPACE, y + height + SPACE
    labelled = source.sidecar.labels is not None
    channels = CHANNELS if source.shape[3] == 3 else {"grey": INK}
    whole = width if labelled else room
    page.panel(x, y, whole, height, "Levels")
    page.curves(x + 14, y + 36, whole - 28 - FIGURES, height - 62, measured.histograms, [*channels.values()])
    for k, (name, colour) in enumerate(channels.items()):
        line = y + 38 + 22 * k
        page.text(x + whole - FIGURES, line, name, 14, colour)
        page.text(x + whole - 14, line, f"{measured.mean[k]:.0f} ± {measured.std[k]:.0f}", 14, INK, "ra")
    for left, title, values, most in (
        (x, "Brightness", measured.brightness, 255.0),
        (right, "Sharpness", measured.sharpness, float(max(1, np.percentile(measured.sharpness, 99.5)))),
    ):
        counts, _ = np.histogram(np.minimum(values, most), 48, (0, most))
        page.panel(left, low, width, height, title, f"median {np.median(values):.0f}")
        page.bars(left + 14, low + 36, width - 28, height - 62, counts, ("0", f"{most / 2:.0f}", f"{most:.0f}"))
    if labelled:
        _draw_classes(page, right, y, width, height, source.sidecar)


def _draw_classes(page: Page, x: int, y: int, width: int, height: int, sidecar: Sidecar) -> None:
    """The largest classes, in two columns where there are many."""
    classes, counts = sidecar.classes, sidecar.counts()
    page.panel(x, y, width, height, "Classes", f"{len(classes)}" if len(classes) > 1 else "")
    lines = (height - 40) // LINE
    columns = 1 if len(classes) <= lines else 2
    inner = (width - 28 - (columns - 1) * SPACE) // columns
    order = np.argsort(-counts, kind="stable").tolist()
    for place, label in enumerate(order[: lines * columns]):
        left, line = x + 14 + place // lines * (inner + SPACE), y + 34 + place % lines * LINE
        if place == lines * columns - 1 and len(order) > lines * columns:
            page.text(left, line, f"... and {len(order) - place} more", 12, FAINT)
            break
        name = inner * 2 // 5
        bar = (inner - name - 56) * counts[label] / max(1, counts.max())
        page.text(left, line, printable(classes[label], name // 7 - 1), 12, FAINT)
        page.draw.rectangle((left + name, line + 4, left + name + round(bar), line + 11), ACCENT)
        page.text(left + inner, line, f"{counts[label]:,}", 12, FAINT, "ra")


def _draw_strip(
    page: Page, x: int, y: int, cell: int, source: ImageSet, indices: np.ndarray, numbers: bool = False
) -> None:
    """Images in rows; or in a row of half the width, with their numbers below, where these are of use."""
    width = ((WIDTH - 2 * EDGE - SPACE) // 2 + GAP) // ODD - GAP if numbers else CELL
    for place, index in enumerate(indices.tolist()):
        row, column = divmod(place, COLUMNS)
        left, top = x + column * (width + GAP), y + row * (cell + GAP)
        page.put(left, top, source.read(index), width, cell)
        if numbers:
            page.text(left + width // 2, top + cell + 3, str(index), 12, FAINT, "ma")
