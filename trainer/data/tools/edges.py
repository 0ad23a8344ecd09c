"""Draw the edges of images, white on black, as networks that turn drawings into images are trained on them.

Canny's edges, with thresholds a fraction below and above the image's median brightness, after a light blur. IN is a
folder (all images in and below it), a quoted pattern, or files; photographs and illustrations, on white too. Every
image becomes OUT/<same name>.png, in the folders that it lay in; a file that cannot be used is named and left out.
With --size, what is no square is cropped to its middle, or kept whole with --pad or --stretch.

    python -m trainer.data edges illustrations/ -o edges --size 256
"""

from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np

from trainer.contract.edges import BLUR_PX, SIGMA, edge_map
from trainer.contract.errors import require
from trainer.contract.headers import Header
from trainer.contract.images import decode
from trainer.contract.options import flag
from trainer.contract.text import printable
from trainer.data.tools._convert import ConvertOptions, convert_all
from trainer.data.tools._files import FitOption, print_fit


@dataclass(frozen=True, kw_only=True)
class Options(FitOption, ConvertOptions):
    """What to draw the edges of, and how."""

    size: int = flag("side in pixels to bring images to first (0: theirs)", default=0)
    sigma: float = flag("how far the thresholds are from the median, 0 to 1", default=SIGMA, within=(0, 1))
    blur: int = flag("pixels of the blur, an odd number (0: none)", default=BLUR_PX)
    invert: bool = flag("black on white", default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.size == 0 or 8 <= self.size <= 4096, "size", self.size, "8 to 4096, or 0")
        odd = self.blur == 0 or (self.blur % 2 == 1 and 0 < self.blur < 100)
        require(odd, "blur", self.blur, "0, or an odd number under 100")


def run(options: Options) -> None:
    """Draw them all."""
    sizes: list[tuple[int, int]] = []

    def draw(data: bytes, header: Header) -> np.ndarray:
        image = cv2.cvtColor(decode(data, header), cv2.COLOR_BGR2RGB)
        if options.size:
            sizes.append((image.shape[0], image.shape[1]))
            image = options.fit(image, options.size, options.size)
        return edge_map(image, options.sigma, options.blur, options.invert)

    written, skipped = convert_all(options, draw)
    print(f"{printable(options.output)}: edges of {written} images, {skipped} skipped")
    print_fit(Counter(sizes), options.fit)
