"""How the arrays of a graph are arranged, and conversions of images and latents to and from them."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from viewer.latents import Latents

if TYPE_CHECKING:  # slow to import
    from fractions import Fraction

CHANNELS: Final = (1, 3, 4)  # of images: grey, colours, colours and alpha


@dataclass(frozen=True)
class Layout:
    """How the arrays of a generator's graph are arranged."""

    latent_shape: tuple[int, ...]  # of one latent, as the graph has it: (d,), (d, 1, 1), ...
    latent_type: type[np.generic]
    batched_input: bool = True
    batch: int | None = None  # images a run; None: any number
    output: str = "image"
    batched_output: bool = True
    axes: str = "hwc"  # of one image: hwc or chw
    image_shape: tuple[int, ...] = ()  # of one image, along ``axes``
    value_range: tuple[float, float] | None = None  # of float images; None: u8 levels
    bgr: bool = False  # the order of its colours; else RGB
    sure: float | None = None  # how probable it is that a guessed range is right; None: nothing was guessed

    @property
    def image_size(self) -> tuple[int, int, int]:
        """Height, width and channels of an image, alpha left out."""
        size = dict(zip(self.axes, self.image_shape, strict=True))
        return size["h"], size["w"], min(size["c"], 3)

    def describe(self) -> str:
        """The layout in words."""
        shape = "x".join(map(str, self.image_shape))
        batch = "any batch" if self.batch is None else f"batch of {self.batch}"
        if not self.batched_output:
            batch = "one image a run, no batch axis"
        images = f"images {self.axes} {shape}{', BGR' * self.bgr}, {_values(self.value_range)}, {batch}"
        return images + _sureness(self.sure)


@dataclass(frozen=True)
class ImageLayout:
    """How the arrays of a translator's graph are arranged: one image in, one out."""

    axes: str = "hwc"  # of the image that goes in: hwc or chw
    channels: int = 3  # of the same: 1, 3, or 4 with alpha
    size: tuple[int | None, int | None] = (None, None)  # height and width of the same; None: any
    input_type: type[np.generic] = np.uint8
    input_range: tuple[float, float] | None = None  # of float images; None: u8 levels
    output: str = "translated"
    output_axes: str = "hwc"  # or chw, or hw: of one channel without an axis of its own
    output_range: tuple[float, float] | None = None
    output_channels: int = 3  # 1, 3, or 4 with alpha
    scale: "int | Fraction" = 1  # output pixels an input pixel
    multiple: int = 1  # of height and width; itself one of the denominator of ``scale``
    border: int = 0  # output pixels that an axis lacks, half of them at either end, after unpadded convolutions
    smallest: int = 1  # height and width at least
    batch: int = 1  # images that a run takes
    bgr: bool = False  # the order of colours, going in and coming out; else RGB
    sure: float | None = None  # how probable it is that guessed ranges are right; None: nothing was guessed

    @property
    def lead(self) -> int:
        """Input pixels before an image, of the missing border."""
        return _rounded_up(_over(self.border // 2, self.scale), self.multiple)

    @property
    def trail(self) -> int:
        """Input pixels after an image, of the missing border."""
        return _over(self.border - self.border // 2, self.scale)

    @property
    def largest(self) -> tuple[int | None, int | None]:
        """Height and width of the image that fits into a fixed size; None: any."""
        rows, columns = (side and max(side - self.lead - self.trail, 1) for side in self.size)
        return rows, columns

    def accepted(self, height: int, width: int) -> tuple[int, int]:
        """The height and width that the network takes for an image of this size, with the missing border."""
        rows, columns = (
            fixed or _rounded_up(max(self.lead + length + self.trail, self.smallest), self.multiple)
            for length, fixed in zip((height, width), self.size, strict=True)
        )
        return rows, columns

    def made(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of what the network makes of an accepted size."""
        rows, columns = (int(length * self.scale) - self.border for length in (height, width))
        return rows, columns

    def result_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the whole result of an image of any size."""
        rows, columns = (math.ceil(length * self.scale) for length in (height, width))
        return rows, columns

    def describe(self) -> str:
        """The layout in words."""
        height, width = ("any" if side is None else str(side) for side in self.size)
        size = "any size" if self.size == (None, None) else f"{width}x{height} pixels"
        if self.multiple > 1:
            size += f", multiples of {self.multiple}"
        batch = f", batches of {self.batch}" if self.batch > 1 else ""
        colours = f"{self.channels} channel(s){', BGR' * self.bgr}"
        source = f"{self.axes}, {colours}, {size}, {_values(self.input_range)}{batch}"
        lacking = f", without a border of {self.border / 2:g} pixels, which is added before" if self.border else ""
        grown = "" if isinstance(self.scale, int) else f", {float(self.scale):.4g} times as large"
        alpha = ", with alpha" if self.output_channels == 4 else ""
        return (
            f"{source} → {self.output_axes}, {_values(self.output_range)}{grown}{alpha}{lacking}{_sureness(self.sure)}"
        )


def _over(length: int, scale: "int | Fraction") -> int:
    """A length over the scale, rounded up."""
    return -(-length * scale.denominator // scale.numerator)


def _rounded_up(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple


@dataclass(frozen=True)
class NoiseLayout:
    """How the arrays of a denoiser's graph are arranged."""

    output: str
    channels: int  # of the noisy image
    gives: int  # channels of the output: the first of them are the prediction
    size: tuple[int, int]  # height and width
    type: type[np.generic]
    batch: int | None = None  # images a run; None: any number

    def array(self, noisy: NDArray[np.float32]) -> NDArray[Any]:
        """Noisy images [n, c, h, w] as the graph takes them; a fixed batch is filled up with copies of the last one."""
        missing = max((self.batch or 0) - len(noisy), 0)
        padded = np.pad(noisy, ((0, missing), (0, 0), (0, 0), (0, 0)), mode="edge") if missing else noisy
        return np.ascontiguousarray(padded, self.type)

    def describe(self) -> str:
        """The layout in words."""
        batch = "any batch" if self.batch is None else f"batch of {self.batch}"
        return f"images chw {self.channels}x{self.size[0]}x{self.size[1]}, values -1..1, {batch}"


AnyLayout = Layout | ImageLayout | NoiseLayout


def _sureness(sure: float | None) -> str:
    return "" if sure is None else f"; ranges found out, {sure:.0%} sure"


def _values(value_range: tuple[float, float] | None) -> str:
    return "levels 0..255" if value_range is None else "values {:g}..{:g}".format(*value_range)


def latent_array(layout: Layout, latents: Latents) -> NDArray[Any]:
    """Latents [n, d] as a generator takes them; a fixed batch is filled up with copies of the last one."""
    latents = filled(latents, layout.batch or 0)
    shape = (len(latents), *layout.latent_shape) if layout.batched_input else layout.latent_shape
    return np.ascontiguousarray(latents.reshape(shape).astype(layout.latent_type, copy=False))


def filled(rows: NDArray[Any], count: int) -> NDArray[Any]:
    """An array [n, ...] with copies of its last entry, so that there are ``count`` at least."""
    missing = max(count - len(rows), 0)
    return np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)]) if missing else rows


def read_images(layout: Layout, output: NDArray[Any], images: NDArray[np.uint8]) -> None:
    """Write the first images of a generator's output into ``images``, u8 [n, h, w, 3] BGR. Raises ``ValueError`` where
    it has another shape."""
    shape = (len(images), *layout.image_shape)
    try:
        values = (output[: len(images)] if layout.batched_output else output).reshape(shape)
    except ValueError:
        raise ValueError(f"gave an array {output.shape}, expected {shape}") from None
    _read(values, layout.axes, layout.value_range, layout.bgr, images)


def read_image(layout: ImageLayout, output: NDArray[Any]) -> NDArray[np.uint8]:
    """The first image of a translator's output [n, ...], of the layout's axes and range, as u8 [h, w, 3] BGR, or
    [h, w, 4] with its alpha."""
    size = dict(zip(layout.output_axes, output.shape[1:], strict=True))
    if size.get("c") == 4:
        levels = _levels(output[0], layout.output_axes, layout.output_range)
        return levels if layout.bgr else np.asarray(cv2.cvtColor(levels, cv2.COLOR_RGBA2BGRA), np.uint8)
    image = np.empty((size["h"], size["w"], 3), np.uint8)
    _read(output[:1], layout.output_axes, layout.output_range, layout.bgr, image[None])
    return image


def _levels(values: NDArray[Any], axes: str, value_range: tuple[float, float] | None) -> NDArray[np.uint8]:
    """Images [..., *axes] of this range as u8 levels [..., h, w, c]."""
    if value_range is not None:  # whole numbers in 0..255, still floats
        low, high = value_range
        scaled = (values.astype(np.float32) - low) * (255.0 / (high - low))
        values = np.clip(np.nan_to_num(np.rint(scaled)), 0, 255)
    return np.ascontiguousarray(channels_last(values.astype(np.uint8, copy=False), axes))


def channels_last(values: NDArray[Any], axes: str) -> NDArray[Any]:
    """Images [..., *axes] as [..., h, w, c]."""
    if axes == "hw":
        return values[..., None]
    return np.moveaxis(values, -3, -1) if axes == "chw" else values


def _read(
    values: NDArray[Any], axes: str, value_range: tuple[float, float] | None, bgr: bool, images: NDArray[np.uint8]
) -> None:
    """Images [n, ...] of these axes, range and order of colours into ``images``, u8 [n, h, w, 3] BGR."""
    levels = _levels(values, axes, value_range)
    count, height, width, channels = levels.shape
    tall = levels.reshape(count * height, width, channels)
    target = images.reshape(count * height, width, 3)
    if bgr and channels > 1:
        tall = np.ascontiguousarray(tall[..., [2, 1, 0, *range(3, channels)]])
    if channels == 4:  # alpha over white
        alpha = tall[..., 3:].astype(np.uint16)
        target[...] = (tall[..., 2::-1] * alpha + 255 * (255 - alpha) + 127) // 255
    else:
        cv2.cvtColor(tall, cv2.COLOR_GRAY2BGR if channels == 1 else cv2.COLOR_RGB2BGR, dst=target)


def image_array(layout: ImageLayout, image: NDArray[np.uint8]) -> NDArray[Any]:
    """An image u8 [h, w, 3] BGR, [h, w, 4] BGRA or [h, w, 1] as a translator takes it, with a batch axis; a fixed batch
    is filled up with copies."""
    array: NDArray[Any] = image
    if not layout.bgr:
        array = image[..., [2, 1, 0, 3]] if image.shape[2] == 4 else image[..., ::-1]
    if layout.input_range is not None:
        low, high = layout.input_range
        array = array.astype(np.float32) * ((high - low) / 255) + low
    if layout.axes == "chw":
        array = array.transpose(2, 0, 1)
    one = np.ascontiguousarray(array[None].astype(layout.input_type, copy=False))
    return one if layout.batch == 1 else np.repeat(one, layout.batch, axis=0)


def with_channels(image: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """An image u8 [h, w, 3] BGR as it is, grey [h, w, 1], or with an opaque alpha [h, w, 4]."""
    if channels == 4:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2BGRA), np.uint8)
    return image if channels == 3 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)[..., None]


def made_size(layout: ImageLayout, output: NDArray[Any]) -> tuple[int, int] | None:
    """Height and width of the images that an output [n, ...] holds; ``None`` where it holds none."""
    if output.ndim != 1 + len(layout.output_axes) or output.shape[0] != layout.batch:
        return None
    size = dict(zip(layout.output_axes, output.shape[1:], strict=True))
    return (size["h"], size["w"]) if size.get("c", 1) in CHANNELS else None
