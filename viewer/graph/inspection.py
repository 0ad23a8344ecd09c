"""Infer what the arrays of a file without a card mean from their shapes and values."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from export.card import Card, Latent, Port
from export.kinds import KINDS

_LARGEST_LATENT: Final = 2**16
_SMALLEST_SIDE_PX: Final = 8  # below this a square of numbers is no image
_LARGEST_FIXED_BATCH: Final = 4096
_LARGEST_SCALE: Final = 16
TYPES: Final[Mapping[str, Any]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


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

    def describe(self) -> str:
        """The layout in words."""
        height, width = ("any" if side is None else str(side) for side in self.size)
        size = "any size" if self.size == (None, None) else f"{width}x{height} pixels"
        source = f"{self.axes}, {self.channels} channel(s), {size}, {_values(self.input_range)}"
        return f"{source} → {self.output_axes}, {_values(self.output_range)}"


def _values(value_range: tuple[float, float] | None) -> str:
    return "levels 0..255" if value_range is None else "values {:g}..{:g}".format(*value_range)


def image_input(port: Any) -> ImageLayout | None:
    """Layout of an input declared as [n, c, h, w] or [n, h, w, c]; ``None`` where it can be no image.

    What its values mean is left to a probe.
    """
    batch, *shape = port.shape
    if isinstance(batch, int) and batch != 1:
        return None
    for axes in ("chw", "hwc"):
        size = dict(zip(axes, shape, strict=True))
        if size["c"] in (1, 3):
            height, width = (size[axis] if isinstance(size[axis], int) else None for axis in "hw")
            if any(side is not None and side < _SMALLEST_SIDE_PX for side in (height, width)):
                continue
            return ImageLayout(axes, size["c"], (height, width), TYPES[port.type])
    return None


def find_scale(axes: str, shape: tuple[int, ...], height: int, width: int) -> int | None:
    """How many times as high and wide an image [1, ...] of these axes is; ``None`` where it is no image."""
    if len(shape) != 4 or shape[0] != 1:
        return None
    size = dict(zip(axes, shape[1:], strict=True))
    scale = size["h"] // height
    fits = (size["h"], size["w"]) == (scale * height, scale * width) and 1 <= scale <= _LARGEST_SCALE
    return scale if fits and size["c"] in (1, 3) else None


def is_image_port(port: Any) -> bool:
    """Whether a declared shape has a height and a width: [n, c, h, w] or [n, h, w, c]; unknown sizes count as large."""
    large = sum(not isinstance(size, int) or size >= _SMALLEST_SIDE_PX for size in port.shape[1:])
    return len(port.shape) == 4 and large >= 2


def latent_layout(port: Any) -> Layout | None:
    """Layout of a latent input: [n, d], perhaps with further axes of size 1, or [d] without a batch axis."""
    shape = list(port.shape)
    batched_input = len(shape) > 1
    batch = shape.pop(0) if batched_input else None
    if not all(isinstance(size, int) and size > 0 for size in shape) or sum(size > 1 for size in shape) > 1:
        return None
    if not np.issubdtype(TYPES[port.type], np.floating) or not 1 <= math.prod(shape) <= _LARGEST_LATENT:
        return None
    fixed = batch if isinstance(batch, int) else None
    if fixed is not None and not 1 <= fixed <= _LARGEST_FIXED_BATCH:
        return None
    return Layout(tuple(shape), TYPES[port.type], batched_input, fixed)


def find_arrangement(shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]] | None:
    """Axes and shape of one image from the shape of an array; ``None`` where it can be no image."""
    while len(shape) > 3 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) == 3:
        channels_first, channels_last = shape[0] in (1, 3, 4), shape[2] in (1, 3, 4)
        if channels_first and min(shape[1:]) >= _SMALLEST_SIDE_PX:
            return "chw", shape
        if channels_last and min(shape[:2]) >= _SMALLEST_SIDE_PX:
            return "hwc", shape
        return None
    if len(shape) == 2 and min(shape) >= _SMALLEST_SIDE_PX:
        return "hwc", (*shape, 1)
    flat = math.prod(shape)
    if len(shape) not in (1, 2) or flat != max(shape):
        return None
    if (side := math.isqrt(flat)) >= _SMALLEST_SIDE_PX and side * side == flat:
        return "hwc", (side, side, 1)
    if flat % 3 == 0 and (side := math.isqrt(flat // 3)) >= _SMALLEST_SIDE_PX and 3 * side * side == flat:
        return "chw", (3, side, side)
    return None


def find_value_range(values: NDArray[Any]) -> tuple[float, float]:
    """The likely range of float images, out of 0..1, -1..1 and 0..255."""
    finite = values[np.isfinite(values)].astype(np.float64)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if high > 16.0:
        return 0.0, 255.0
    return (-1.0, 1.0) if low < -0.05 else (0.0, 1.0)


def inferred_card(kind: str, name: str, latent_size: int = 1, **known: Any) -> Card:
    """A card for a file without one. ``known``: fields of the card, as far as inspection tells."""
    described = KINDS[kind]
    height, width = known.get("image_size", (None, None))
    sizes = {"n": None, "h": height, "w": width, "c": 3, "d": latent_size}
    source, target = (
        Port(name=port.name, dtype=port.dtype, shape=tuple(sizes[axis] for axis in port.axes))
        for port in (described.inputs[0], described.output)
    )
    latent = Latent(size=latent_size) if described.needs_latent else None
    return Card(kind=kind, family="", name=name, inputs=(source,), output=target, latent=latent, **known)
