"""Look at a whole set at once: numbers, and a page of images, histograms, and the odd ones out.

Prints the mean and the std of each channel, and how bright and how sharp the images are (the std of a Laplacian, in
levels). The page shows the mean image, where images differ, the histograms, a sheet of
images from all over the set, and its darkest, brightest, softest and sharpest ones with their numbers, as 'select
--drop' takes them.

    python -m trainer.data stats cats.npy -o cats-stats.png
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.options import argument, flag
from trainer.contract.text import printable
from trainer.data.sources.npy import check_free
from trainer.data.sources.npy_set import ImageSet, check_not_input
from trainer.data.tools import ForceOption
from trainer.data.tools._files import write_png
from trainer.data.tools.stats.measure import measure
from trainer.data.tools.stats.page import draw_page


@dataclass(frozen=True, kw_only=True)
class Options(ForceOption):
    """What to look at, and where the page goes."""

    input: Path = argument("a .npy file", metavar="SET")
    output: Path | None = flag("the page to write, a .png (<set>-stats.png here)", "-o", "--output")


def run(options: Options) -> int:
    """Measure and draw; returns the exit code."""
    source = ImageSet(options.input)
    path = options.output or Path(f"{options.input.stem}-stats.png")
    if path.suffix.lower() != ".png":
        raise UserError(f"the output is {printable(path)}, expected a name that ends in .png")
    check_free(path, options.force)
    check_not_input(path, [options.input])
    measured = measure(source)
    write_png(path, draw_page(source, measured), options.force)
    channels = ("red", "green", "blue") if source.shape[3] == 3 else ("grey",)
    for name, mean, std in zip(channels, measured.mean, measured.std, strict=True):
        print(f"{name:<10}  mean {mean:.1f}, std {std:.1f}")
    for name, values in (("brightness", measured.brightness), ("sharpness", measured.sharpness)):
        low, middle, high = np.percentile(values, (5, 50, 95))
        print(f"{name:<10}  median {middle:.1f}, 90 of 100 in {low:.1f} to {high:.1f}")
    print(f"{printable(path)}: a page on {len(source)} images of {source.shape[2]}x{source.shape[1]} px")
    return 0
