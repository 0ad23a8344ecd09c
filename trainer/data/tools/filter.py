"""Filter images: their high-pass part, sharper ones, ones of even contrast, or blurred ones.

IN is a .npy file of images, which becomes a .npy file, image by image, so that neither has to fit in memory; its
labels go along. Or IN is folders, quoted patterns and files, each of which becomes OUT/<same name>.png. Kinds:

  highpass  what a blur of --sigma pixels takes away, around middle grey; with --sigma 0 what the kernel
            -2 -4 -2 / -4 c -4 / -2 -4 -2 gives, c = 24.1, divided by its sum, 1/256 of it around middle grey
  sharpen   the same kernel with c = 28, divided by its sum
  clahe     contrast made even by tiles (--clip 2.0, --tiles 2), of the brightness, or with --channels of each colour
  blur      a Gaussian of --size 7 pixels

    python -m trainer.data filter cats.npy -o edges-of-cats.npy --kind highpass --sigma 2
    python -m trainer.data filter photos/ -o blurred --kind blur
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from trainer.contract.errors import UserError, require
from trainer.contract.headers import Header
from trainer.contract.images import decode
from trainer.contract.text import printable
from trainer.data.sources.base import Packed, Piece, of_stored
from trainer.data.sources.formats import open_packed
from trainer.data.sources.npy_set import ImageSet, check_set, writing
from trainer.data.sources.sidecar import Facts, beside
from trainer.data.sources.threads import in_threads
from trainer.data.tools._convert import convert, plan

HIGH_PASS_CENTRE, SHARPEN_CENTRE = 24.1, 28.0
_RING = ((-2, -4, -2), (-4, 0, -4), (-2, -4, -2))  # what the centre is weighed against

Filter = Callable[[np.ndarray], np.ndarray]  # u8 [h, w, 3] RGB or [h, w, 1] → the same


def kernel(centre: float) -> np.ndarray:
    """The 3x3 kernel of a centre against its ring, f32, of sum 1."""
    weights = np.array(_RING, np.float32)
    weights[1, 1] = centre
    return weights / weights.sum()


def high_pass(image: np.ndarray, sigma: float) -> np.ndarray:
    """What a Gaussian of ``sigma`` pixels takes away; 0: 1/256 of what the kernel gives. Around middle grey."""
    if not sigma:
        return cv2.filter2D(image, -1, kernel(HIGH_PASS_CENTRE) / 256, delta=127.5).reshape(image.shape)
    values = image.astype(np.float32)  # a blur in whole levels would lose half a level of what is faint
    soft = cv2.GaussianBlur(values, (0, 0), sigma).reshape(image.shape)
    return cv2.addWeighted(values, 1, soft, -1, 128, dtype=cv2.CV_8U).reshape(image.shape)


def sharpen(image: np.ndarray) -> np.ndarray:
    """The 3x3 kernel of sum 1."""
    return cv2.filter2D(image, -1, kernel(SHARPEN_CENTRE)).reshape(image.shape)


def even_contrast(image: np.ndarray, clip: float, tiles: int, channels: bool) -> np.ndarray:
    """Contrast-limited adaptive histogram equalisation of the brightness (CIE L*), or of each channel."""
    method = cv2.createCLAHE(clip, (tiles, tiles))  # of its own: threads cannot share one
    if image.shape[2] == 1 or channels:
        return cv2.merge([method.apply(part) for part in cv2.split(image)]).reshape(image.shape)
    lightness, *colours = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2LAB))
    return cv2.cvtColor(cv2.merge([method.apply(lightness), *colours]), cv2.COLOR_LAB2RGB)


def blur(image: np.ndarray, size: int) -> np.ndarray:
    """A Gaussian of ``size`` pixels, its deviation as OpenCV fits it to that."""
    return cv2.GaussianBlur(image, (size, size), 0).reshape(image.shape)


def make_filter(arguments: argparse.Namespace) -> Filter:
    """The filter that the options say. Raises ``UserError``."""
    require(0 <= arguments.sigma <= 100, "sigma", arguments.sigma, "0 to 100")
    require(0 < arguments.clip <= 100, "clip", arguments.clip, "more than 0, at most 100")
    require(1 <= arguments.tiles <= 64, "tiles", arguments.tiles, "1 to 64")
    require(arguments.size % 2 == 1 and 0 < arguments.size < 100, "size", arguments.size, "an odd number under 100")
    match arguments.kind:
        case "highpass":
            return partial(high_pass, sigma=arguments.sigma)
        case "sharpen":
            return sharpen
        case "clahe":
            return partial(even_contrast, clip=arguments.clip, tiles=arguments.tiles, channels=arguments.channels)
        case _:
            return partial(blur, size=arguments.size)


def options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the filtered images follow from."""
    names = {"highpass": ("sigma",), "sharpen": (), "clahe": ("clip", "tiles", "channels"), "blur": ("size",)}
    return {name: getattr(arguments, name) for name in ("kind", *names[arguments.kind])}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add = parser.add_argument
    add("inputs", nargs="+", metavar="IN", help="one .npy file or packed set; or folders, quoted patterns, images")
    add("-o", "--output", type=Path, required=True, metavar="OUT", help="the .npy file, or the folder, to write")
    add("--kind", choices=("highpass", "sharpen", "clahe", "blur"), required=True, help="what to do to each image")
    add("--sigma", type=float, default=2.0, help="highpass: deviation of the blur, in pixels; 0: the kernel (2)")
    add("--clip", type=float, default=2.0, help="clahe: limit of the contrast (2)")
    add("--tiles", type=int, default=2, help="clahe: tiles along each side (2)")
    add("--channels", action="store_true", help="clahe: each colour by itself instead of the brightness")
    add("--size", type=int, default=7, help="blur: width of the Gaussian in pixels, an odd number (7)")
    add("--workers", type=int, default=0, help="images at once (0: one a core)")
    add("--force", action="store_true", help="replace an output that exists")


def run(arguments: argparse.Namespace) -> int:
    """Filter them all; returns the exit code."""
    require(0 <= arguments.workers <= 256, "workers", arguments.workers, "0 to 256")
    change = make_filter(arguments)
    stored = Path(arguments.inputs[0])
    if len(arguments.inputs) == 1 and stored.suffix == ".npy" and not stored.is_dir():
        images = ImageSet(stored)
        return filter_array(of_stored(images), images.facts, change, arguments)
    packed = open_packed(arguments.inputs[0], 0) if len(arguments.inputs) == 1 else None
    if packed is not None:
        return filter_array(packed, Facts(), change, arguments)
    if arguments.output.suffix == ".npy":
        raise UserError(
            f"-o is {printable(arguments.output)}, expected a folder for image files; the tool create makes a .npy "
            "of them"
        )
    targets, skipped = plan(arguments.inputs, arguments.output, ".png")

    def one(data: bytes, header: Header) -> np.ndarray:
        image = cv2.cvtColor(decode(data, header), cv2.COLOR_BGR2RGB)
        return cv2.cvtColor(change(image), cv2.COLOR_RGB2BGR)

    written = convert(targets, one, "images", arguments.workers, arguments.force)
    if written is None:
        return 130
    skipped += len(targets) - written
    if not written:
        raise UserError(f"none of the {skipped} files is a readable image; nothing was written")
    print(f"{printable(arguments.output)}: {arguments.kind} of {written} images, {skipped} skipped")
    return 0


def filter_array(packed: Packed, known: Facts, change: Filter, arguments: argparse.Namespace) -> int:
    """A set → a .npy file, and what is known of its images → the facts beside that; returns the exit code."""
    path: Path = arguments.output
    if path.suffix != ".npy":
        raise UserError(f"-o is {printable(path)}, expected a .npy file, as {printable(packed.name)} is a set")
    check_set(path, arguments.force, [Path(arguments.inputs[0])])
    labels: list[int] = []
    count, height, width, channels = packed.shape

    def one(piece: Piece) -> np.ndarray:
        return np.stack([change(image) for image in piece[0]])

    with writing(path, (height, width, channels), arguments.force) as writer:
        with tqdm(total=count, desc="images", unit="image", disable=None) as bar:
            for (_, numbers), images in in_threads(packed.pieces(), one, arguments.workers):
                writer.append(images)
                labels += [] if numbers is None else numbers.tolist()
                bar.update(len(images))
        if not writer.count:
            raise UserError(f"{printable(packed.name)} holds no readable image; nothing was written")
        if labels:
            known = replace(known, labels=np.array(labels, np.int64), classes=packed.classes)
        made = {"tool": "filter", "of": Path(arguments.inputs[0]).name, "options": options(arguments)}
        writer.facts = replace(known, made=made)
    kind = "no labels" if known.labels is None else f"labels in {printable(beside(path))}"
    print(f"{printable(path)}: {arguments.kind} of {writer.count} images of {width}x{height} px, {kind}")
    return 0
