"""How the arrays of a graph are arranged, and conversions of images and latents to and from them."""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from viewer.latents import Latents

_LARGEST_SCALE: Final = 16


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
        return f"images {self.axes} {shape}, {_values(self.value_range)}, {batch}"


@dataclass(frozen=True)
class ImageLayout:
    """How the arrays of a translator's graph are arranged: one image in, one out."""

    axes: str = "hwc"  # of the image that goes in: hwc or chw
    channels: int = 3  # of the same: 1 or 3
    size: tuple[int | None, int | None] = (None, None)  # height and width of the same; None: any
    input_type: type[np.generic] = np.uint8
    input_range: tuple[float, float] | None = None  # of float images; None: u8 levels
    output: str = "translated"
    output_axes: str = "hwc"
    output_range: tuple[float, float] | None = None
    scale: int = 1  # output pixels an input pixel
    multiple: int = 1  # of height and width

    def accepted(self, height: int, width: int) -> tuple[int, int]:
        """The height and width that the network takes for an image of this size."""
        rows, columns = (
            fixed or -(-length // self.multiple) * self.multiple
            for length, fixed in zip((height, width), self.size, strict=True)
        )
        return rows, columns

    def describe(self) -> str:
        """The layout in words."""
        height, width = ("any" if side is None else str(side) for side in self.size)
        size = "any size" if self.size == (None, None) else f"{width}x{height} pixels"
        source = f"{self.axes}, {self.channels} channel(s), {size}, {_values(self.input_range)}"
        return f"{source} → {self.output_axes}, {_values(self.output_range)}"


def _values(value_range: tuple[float, float] | None) -> str:
    return "levels 0..255" if value_range is None else "values {:g}..{:g}".format(*value_range)


def latent_array(layout: Layout, latents: Latents) -> NDArray[Any]:
    """Latents [n, d] as a generator takes them; a fixed batch is filled up with copies of the last one."""
    if layout.batch is not None and len(latents) < layout.batch:
        latents = np.pad(latents, ((0, layout.batch - len(latents)), (0, 0)), mode="edge")
    shape = (len(latents), *layout.latent_shape) if layout.batched_input else layout.latent_shape
    return np.ascontiguousarray(latents.reshape(shape).astype(layout.latent_type, copy=False))


def read_images(layout: Layout, output: NDArray[Any], images: NDArray[np.uint8]) -> None:
    """Write the first images of a generator's output into ``images``, u8 [n, h, w, 3] BGR. Raises ``ValueError`` where
    it has another shape."""
    shape = (len(images), *layout.image_shape)
    try:
        values = (output[: len(images)] if layout.batched_output else output).reshape(shape)
    except ValueError:
        raise ValueError(f"gave an array {output.shape}, expected {shape}") from None
    _read(values, layout.axes, layout.value_range, images)


def read_image(layout: ImageLayout, output: NDArray[Any]) -> NDArray[np.uint8]:
    """A translator's output [1, ...], of the layout's axes and range, as an image u8 [h, w, 3] BGR."""
    size = dict(zip(layout.output_axes, output.shape[1:], strict=True))
    image = np.empty((size["h"], size["w"], 3), np.uint8)
    _read(output, layout.output_axes, layout.output_range, image[None])
    return image


def _read(values: NDArray[Any], axes: str, value_range: tuple[float, float] | None, images: NDArray[np.uint8]) -> None:
    """Images [n, ...] of these axes and range into ``images``, u8 [n, h, w, 3] BGR."""
    if value_range is not None:  # whole numbers in 0..255, still floats
        low, high = value_range
        scaled = (values.astype(np.float32) - low) * (255.0 / (high - low))
        values = np.clip(np.nan_to_num(np.rint(scaled)), 0, 255)
    values = values.astype(np.uint8, copy=False)
    if axes == "chw":
        values = values.transpose(0, 2, 3, 1)
    count, height, width, channels = values.shape
    tall = np.ascontiguousarray(values).reshape(count * height, width, channels)
    target = images.reshape(count * height, width, 3)
    if channels == 4:  # alpha over white
        alpha = tall[..., 3:].astype(np.uint16)
        target[...] = (tall[..., 2::-1] * alpha + 255 * (255 - alpha) + 127) // 255
    else:
        cv2.cvtColor(tall, cv2.COLOR_GRAY2BGR if channels == 1 else cv2.COLOR_RGB2BGR, dst=target)


def image_array(layout: ImageLayout, image: NDArray[np.uint8]) -> NDArray[Any]:
    """An image u8 [h, w, 3] BGR or [h, w, 1] as a translator takes it, with a batch axis."""
    array: NDArray[Any] = image[..., ::-1]
    if layout.input_range is not None:
        low, high = layout.input_range
        array = array.astype(np.float32) * ((high - low) / 255) + low
    if layout.axes == "chw":
        array = array.transpose(2, 0, 1)
    return np.ascontiguousarray(array[None].astype(layout.input_type, copy=False))


def with_channels(image: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """An image u8 [h, w, 3] BGR as it is, or grey [h, w, 1]."""
    return image if channels == 3 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)[..., None]


def find_scale(axes: str, shape: tuple[int, ...], height: int, width: int) -> int | None:
    """How many times as high and wide an image [1, ...] of these axes is; ``None`` where it is no image."""
    if len(shape) != 4 or shape[0] != 1:
        return None
    size = dict(zip(axes, shape[1:], strict=True))
    scale = size["h"] // height
    fits = (size["h"], size["w"]) == (scale * height, scale * width) and 1 <= scale <= _LARGEST_SCALE
    return scale if fits and size["c"] in (1, 3) else None
