"""Filter images of files or of a set: their high-pass part, sharper ones, ones of even contrast, or blurred ones.

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

from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from trainer.contract.errors import UserError, require
from trainer.contract.headers import Header
from trainer.contract.images import decode
from trainer.contract.options import argument, flag
from trainer.contract.text import printable
from trainer.data.sources import open_set
from trainer.data.sources._sidecar import beside
from trainer.data.sources._threads import counted, in_threads
from trainer.data.sources.base import ImageSource, Piece
from trainer.data.sources.npy_set import check_set, read_header, writing
from trainer.data.tools._convert import ConvertOptions, convert_all


def kernel(centre: float) -> np.ndarray:
    """The 3x3 kernel of a centre against its ring, f32, of sum 1."""
    weights = np.array(((-2, -4, -2), (-4, centre, -4), (-2, -4, -2)), np.float32)
    return weights / weights.sum()


def high_pass(image: np.ndarray, sigma: float) -> np.ndarray:
    """What a Gaussian of ``sigma`` pixels takes away; 0: 1/256 of what the kernel gives. Around middle grey."""
    if not sigma:
        return cv2.filter2D(image, -1, kernel(24.1) / 256, delta=127.5).reshape(image.shape)
    values = image.astype(np.float32)  # a blur in whole levels would lose half a level of what is faint
    soft = cv2.GaussianBlur(values, (0, 0), sigma).reshape(image.shape)
    return cv2.addWeighted(values, 1, soft, -1, 128, dtype=cv2.CV_8U).reshape(image.shape)


def sharpen(image: np.ndarray) -> np.ndarray:
    """The 3x3 kernel of sum 1."""
    return cv2.filter2D(image, -1, kernel(28)).reshape(image.shape)


def even_contrast(image: np.ndarray, clip: float, tiles: int, channels: bool) -> np.ndarray:
    """Contrast-limited adaptive histogram equalisation of the brightness (CIE L*), or of each channel."""
    method = cv2.createCLAHE(clip, (tiles, tiles))  # of its own: threads cannot use the same
    if image.shape[2] == 1 or channels:
        return cv2.merge([method.apply(part) for part in cv2.split(image)]).reshape(image.shape)
    lightness, *colours = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2LAB))
    return cv2.cvtColor(cv2.merge([method.apply(lightness), *colours]), cv2.COLOR_LAB2RGB)


def blur(image: np.ndarray, size: int) -> np.ndarray:
    """A Gaussian of ``size`` pixels, its std as OpenCV fits it to that."""
    return cv2.GaussianBlur(image, (size, size), 0).reshape(image.shape)


FILTERS: dict[str, tuple[Callable[..., np.ndarray], tuple[str, ...]]] = {
    "highpass": (high_pass, ("sigma",)),
    "sharpen": (sharpen, ()),
    "clahe": (even_contrast, ("clip", "tiles", "channels")),
    "blur": (blur, ("size",)),
}
"""Kinds of filters, and the options that each takes: u8 [h, w, 3] RGB or [h, w, 1] → the same."""


@dataclass(frozen=True, kw_only=True)
class Options(ConvertOptions):
    """What to filter, and how."""

    inputs: Sequence[str] = argument("one set; or folders, quoted patterns, images", metavar="IN")
    output: Path = flag("the .npy file, or the folder, to write", "-o", "--output", default=MISSING, metavar="OUT")
    kind: Literal["highpass", "sharpen", "clahe", "blur"] = flag("what to do to each image", default=MISSING)
    sigma: float = flag("highpass: std of the blur, in pixels; 0: the kernel (2)", default=2.0, within=(0, 100))
    clip: float = flag("clahe: limit of the contrast (2)", default=2.0)
    tiles: int = flag("clahe: tiles along each side (2)", default=2, within=(1, 64))
    channels: bool = flag("clahe: each colour by itself instead of the brightness", default=False)
    size: int = flag("blur: width of the Gaussian in pixels, an odd number (7)", default=7)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.clip <= 100, "clip", self.clip, "more than 0, at most 100")
        require(self.size % 2 == 1 and 0 < self.size < 100, "size", self.size, "an odd number under 100")


def run(options: Options) -> None:
    """Filter them all."""
    path = Path(options.inputs[0])
    if len(options.inputs) == 1:
        if path.suffix.lower() == ".npy" and not path.is_dir():
            read_header(path)  # raises where there is no such set
        opened = open_set(options.inputs[0])
        if opened is not None:
            filter_set(opened, options)
            return
    if options.output.suffix.lower() == ".npy":
        expected = "expected a folder for image files; the tool create makes a .npy of them"
        raise UserError(f"-o is {options.output}, {expected}")
    change, _ = make_filter(options)

    def one(data: bytes, header: Header) -> np.ndarray:
        image = cv2.cvtColor(decode(data, header), cv2.COLOR_BGR2RGB)
        return cv2.cvtColor(change(image), cv2.COLOR_RGB2BGR)

    written, skipped = convert_all(options, one)
    print(f"{printable(options.output)}: {options.kind} of {written} images, {skipped} skipped")


def make_filter(options: Options) -> tuple[Callable[[np.ndarray], np.ndarray], dict[str, Any]]:
    """The filter that the options say, and those of them that it follows from."""
    method, names = FILTERS[options.kind]
    chosen = {name: getattr(options, name) for name in names}
    return partial(method, **chosen), {"kind": options.kind, **chosen}


def filter_set(source: ImageSource, options: Options) -> None:
    """A set → a .npy file, and what is known of its images → the sidecar of that."""
    path = options.output
    if path.suffix.lower() != ".npy":
        raise UserError(f"-o is {path}, expected a .npy file, as {source.name} is a set")
    check_set(path, options.force, [Path(options.inputs[0])])
    change, chosen = make_filter(options)
    labels: list[int] = []
    sidecar = source.sidecar
    count, height, width, channels = source.shape

    def one(piece: Piece) -> np.ndarray:
        return np.stack([change(image) for image in piece[0]])

    with writing(path, (height, width, channels), options.force) as writer:
        made = in_threads(source.pieces(), one, options.workers)
        for (_, numbers), images in counted(made, count, lambda piece: len(piece[1])):
            writer.append(images)
            labels += [] if numbers is None else numbers.tolist()
        if not writer.count:
            raise UserError(f"{source.name} holds no readable image; nothing was written")
        if labels:
            sidecar = replace(sidecar, labels=np.array(labels, np.int64))
        made_by = {"tool": "filter", "of": Path(options.inputs[0]).name, "options": chosen}
        writer.sidecar = replace(sidecar, made=made_by)
    kind = "no labels" if sidecar.labels is None else f"labels in {printable(beside(path))}"
    left = f", {count - writer.count} skipped" if writer.count < count else ""
    print(f"{printable(path)}: {options.kind} of {writer.count} images of {width}x{height} px{left}, {kind}")
