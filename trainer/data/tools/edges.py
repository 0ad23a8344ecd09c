"""Draw the edges of images, white on black, as networks that turn drawings into images are trained on them.

Canny's edges, with thresholds a share below and above the image's median brightness, after a light blur. IN is a
folder (all images in and below it), a quoted pattern, or files; photographs and illustrations, on white too. Every
image becomes OUT/<same name>.png, in the folders that it lay in; a file that cannot be used is named and left out.

    python -m trainer.data edges illustrations/ -o edges --size 256
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from trainer.contract.edges import BLUR_PX, SIGMA, edge_map
from trainer.contract.errors import UserError, require
from trainer.contract.headers import Header
from trainer.contract.images import decode, pad, resize
from trainer.contract.text import printable
from trainer.data.tools._convert import convert, plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("inputs", nargs="+", metavar="IN", help="folders, quoted patterns, or image files")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder to write to")
    parser.add_argument("--size", type=int, default=0, help="side in pixels to bring images to first (0: theirs)")
    parser.add_argument("--keep-aspect", action="store_true", help="pad by repeating the edge instead of stretching")
    parser.add_argument("--sigma", type=float, default=SIGMA, help="how far the thresholds are from the median, 0 to 1")
    parser.add_argument("--blur", type=int, default=BLUR_PX, help="pixels of the blur, an odd number (0: none)")
    parser.add_argument("--invert", action="store_true", help="black on white")
    parser.add_argument("--workers", type=int, default=0, help="images at once (0: one a core)")
    parser.add_argument("--force", action="store_true", help="replace files that exist")


def run(arguments: argparse.Namespace) -> int:
    """Draw them all; returns the exit code."""
    require(arguments.size == 0 or 8 <= arguments.size <= 4096, "size", arguments.size, "8 to 4096, or 0")
    require(0 <= arguments.sigma <= 1, "sigma", arguments.sigma, "0 to 1")
    odd = arguments.blur == 0 or (arguments.blur % 2 == 1 and 0 < arguments.blur < 100)
    require(odd, "blur", arguments.blur, "0, or an odd number under 100")
    require(0 <= arguments.workers <= 256, "workers", arguments.workers, "0 to 256")
    targets, skipped = plan(arguments.inputs, arguments.output, ".png")

    def draw(data: bytes, header: Header) -> np.ndarray:
        image = cv2.cvtColor(decode(data, header), cv2.COLOR_BGR2RGB)
        if arguments.size:
            image = (pad if arguments.keep_aspect else resize)(image, arguments.size, arguments.size)
        return edge_map(image, arguments.sigma, arguments.blur, arguments.invert)

    written = convert(targets, draw, "edges", arguments.workers, arguments.force)
    if written is None:
        return 130
    skipped += len(targets) - written
    if not written:
        raise UserError(f"none of the {skipped} files is a readable image; nothing was written")
    print(f"{printable(arguments.output)}: edges of {written} images, {skipped} skipped")
    return 0
