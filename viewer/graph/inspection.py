"""What a graph is: what its card says, compared with what it declares; without a card, what its declared shapes and a
run with a few latents or an image tell."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from export.card import Card, Latent, Port
from export.kinds import KINDS
from trainer.contract.errors import UserError
from trainer.contract.text import printable
from viewer.graph.layout import ImageLayout, Layout, find_scale, image_array, latent_array
from viewer.graph.screening import ScreeningError
from viewer.latents import Latents, draw_many

LARGEST_ARRAY: Final = 2**28  # numbers an input or output may declare for one image
_LARGEST_LATENT: Final = 2**16
_SMALLEST_SIDE_PX: Final = 8  # below this a square of numbers is no image
_LARGEST_FIXED_BATCH: Final = 4096
_PROBES: Final = 8  # images whose values tell the range of a file without a card
_OVERSHOOT: Final = 0.25  # below 0, that a network for 0..1 may give at hard edges
_PROBE_SECONDS: Final = 0.5  # that they may take of the viewer's start
_PROBED_SIDES: Final = {65: 1, 66: 2, 68: 4, 72: 8, 80: 16, 96: 32, 64: 64, 128: 128, 256: 256, 512: 512}  # multiples
_CARD_TYPES: Final = {"f32": "tensor(float)", "i64": "tensor(int64)", "u8": "tensor(uint8)"}
_TYPES: Final[Mapping[str, Any]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}

Run = Callable[[Mapping[str, NDArray[Any]], str], NDArray[Any]]
"""Gives an output of some inputs, both by their names. May raise ``UserError``."""


def describe(ports: Sequence[Any]) -> str:
    """Names, types and shapes."""
    return ", ".join(_describe(port) for port in ports)


def _describe(port: Any) -> str:
    shape = ", ".join("?" if size is None else str(size) for size in port.shape)
    return printable(f"{port.name} {port.type.removeprefix('tensor(').removesuffix(')')} [{shape}]", 120)


def _check_size(port: Any) -> None:
    """Raises ``ScreeningError`` where an array for one image would be too large for any model."""
    if math.prod(size for size in port.shape[1:] if isinstance(size, int)) > LARGEST_ARRAY:
        raise ScreeningError(f"{_describe(port)} is too large, expected at most {LARGEST_ARRAY} numbers")


def check_card(card: Card, inputs: Sequence[Any], outputs: Sequence[Any]) -> Layout | ImageLayout | None:
    """Compare a card with its graph. Returns how the images are arranged that it generates from latents, or that it
    takes and gives; ``None`` for other kinds. Raises ``ScreeningError``."""
    found = {port.name: port for port in inputs}
    output = next((port for port in outputs if port.name == card.output.name), None)
    if found.keys() != {port.name for port in card.inputs} or output is None:
        names = ", ".join(port.name for port in card.inputs)
        raise ScreeningError(
            f"the graph has {describe(inputs)} → {describe(outputs)}, its card says {names} → {card.output.name}"
        )
    for said, graph in (*((port, found[port.name]) for port in card.inputs), (card.output, output)):
        if graph.type != _CARD_TYPES[said.dtype]:
            raise ScreeningError(f"{_describe(graph)} in the graph, its card says {said.dtype}")
        _check_size(graph)
        if len(graph.shape) != len(said.shape) or _differ(graph.shape, said.shape):
            raise ScreeningError(f"{_describe(graph)} in the graph, its card says {said.shape}")
    kind = KINDS[card.kind]
    if kind.translates:
        return _image_layout(card, found["image"])
    if not kind.output.is_image:
        return None
    if card.image_size is None:
        raise ScreeningError("its card gives no image_size, expected height and width")
    height, width = card.image_size
    if height * width * 3 > LARGEST_ARRAY:
        raise ScreeningError(f"images of {width}x{height}, expected at most {LARGEST_ARRAY // 3} pixels")
    if len(output.shape) != 4 or _differ(output.shape[1:], (height, width, 3)):
        raise ScreeningError(f"images of {output.shape[1:]} in the graph, its card says {height}x{width} pixels")
    if kind.output.dtype != "u8" or card.latent is None:
        return None
    return Layout((card.latent.size,), np.float32, output=output.name, image_shape=(height, width, 3))


def _differ(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two shapes disagree in a size that both of them fix."""
    pairs = zip(one, other, strict=True)
    return any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in pairs)


def _image_layout(card: Card, graph: Any) -> ImageLayout:
    channels = card.input_channels or card.channels
    if len(graph.shape) != 4 or _differ(graph.shape[3:], [channels]):
        raise ScreeningError(f"{_describe(graph)} in the graph, its card says {channels} channels")
    if channels not in (1, 3):
        raise ScreeningError(f"takes images of {channels} channels, expected 1 or 3")
    height, width = (side if isinstance(side, int) else None for side in graph.shape[1:3])
    return ImageLayout(
        channels=channels,
        size=(height, width),
        output=card.output.name,
        scale=card.scale,
        multiple=card.multiple if height is None else 1,
    )


def infer(
    name: str, inputs: Sequence[Any], outputs: Sequence[Any], run: Run
) -> tuple[Card | None, Layout | ImageLayout | None]:
    """Infer what a graph without a card is: a card, and the layout of a generator or of a translator.

    ``name``: for the card, which is ``None`` where there are no images. ``inputs``, ``outputs``: as the graph declares
    them. Raises ``ScreeningError``, and ``CardError`` for sizes that no card may have.
    """
    for port in (*inputs, *outputs):
        _check_size(port)
    if len(inputs) != 1 or inputs[0].type not in _TYPES:
        return None, None
    if _is_image_port(inputs[0]):
        if not any(_is_image_port(port) for port in outputs):
            return _inferred_card("encoder", name), None
        images = _translator(inputs[0], outputs, run)
        if images is None:
            return _inferred_card("translator", name), None
        sizes = {"input_channels": images.channels, "scale": images.scale, "multiple": images.multiple}
        return _inferred_card("translator", name, **sizes), images
    latent = _latent_layout(inputs[0])
    if latent is not None:
        for port in outputs:
            layout = _generator(replace(latent, output=port.name), inputs[0].name, run)
            if layout is not None:
                height, width, channels = layout.image_size
                size = math.prod(layout.latent_shape)
                card = _inferred_card("generator", name, size, image_size=(height, width), channels=channels)
                return card, layout
    return None, None


def _generator(layout: Layout, source: str, run: Run) -> Layout | None:
    """Run a few latents through the graph and infer the layout of the images from the output."""

    def images_of(latents: Latents) -> NDArray[Any]:
        return run({source: latent_array(layout, latents)}, layout.output)

    probes = draw_many(Latent(size=math.prod(layout.latent_shape)), 0, range(_PROBES))
    output = images_of(probes[:1])
    if output.dtype.type not in _TYPES.values():
        return None
    if not layout.batched_input or output.ndim < 2:
        batched = False
    elif layout.batch is None:
        try:
            two = images_of(probes[:2])
            batched = len(output) == 1 and two.shape == (2, *output.shape[1:])
        except UserError:  # it declares any batch size, and cannot run it
            batched = False
    else:  # [1, h, w] is a batch of one; [1, w, 3] would be a very flat image
        batched = len(output) == layout.batch and (layout.batch > 1 or output.ndim != 3 or output.shape[-1] > 4)
    arrangement = _find_arrangement(output.shape[1:] if batched else output.shape)
    if arrangement is None:
        return None
    axes, shape = arrangement
    layout = replace(layout, batched_output=batched, axes=axes, image_shape=shape)
    if not np.issubdtype(output.dtype, np.floating):
        return layout
    values, until = [output], time.monotonic() + _PROBE_SECONDS
    while len(values) < _PROBES and time.monotonic() < until:
        values.append(images_of(probes[len(values) :][:1]))
    return replace(layout, value_range=_find_value_range(np.stack(values)))


def _translator(source: Any, outputs: Sequence[Any], run: Run) -> ImageLayout | None:
    """Run an image of waves through a translator without a card and infer its layout from the output.

    Floats are taken to be of the same range in and out, which is found by what becomes of 0..1. A size that does
    not come out as it went in, or several times as large, is one that the network cannot take.
    """
    layout = _image_input(source)
    if layout is None:
        return None
    for side, multiple in _PROBED_SIDES.items():
        height, width = (side if fixed is None else fixed for fixed in layout.size)
        y, x = np.mgrid[0:height, 0:width] / 16
        wave = (np.rint(127.5 + 127.5 * np.sin(x + 2 * y))[..., None] * np.ones(layout.channels)).astype(np.uint8)
        known = replace(layout, multiple=1 if None not in layout.size else multiple)
        if np.issubdtype(layout.input_type, np.floating):
            known = replace(known, input_range=(0.0, 1.0))
        for port in outputs:
            found = _image(replace(known, output=port.name), wave, source.name, run)
            if found is not None:
                return found
        if None not in layout.size:
            break
    return None


def _image(layout: ImageLayout, image: NDArray[np.uint8], source: str, run: Run) -> ImageLayout | None:
    """The layout completed from one output; ``None`` where that is no image, or the run fails."""
    try:
        output = run({source: image_array(layout, image)}, layout.output)
    except UserError:
        return None
    for axes in ("chw", "hwc"):
        scale = find_scale(axes, output.shape, *image.shape[:2])
        if scale is not None and output.dtype.type in _TYPES.values():
            layout = replace(layout, output_axes=axes, scale=scale)
            if not np.issubdtype(output.dtype, np.floating):
                return layout
            overshoot = output + _OVERSHOOT * (output < 0)  # sharpening networks leave 0..1 by a little
            values = _find_value_range(overshoot)
            return replace(layout, input_range=layout.input_range and values, output_range=values)
    return None


def _image_input(port: Any, any_batch: bool = False) -> ImageLayout | None:
    """Layout of an input [n, c, h, w] or [n, h, w, c], its range left to a probe; ``None`` where it can be no image."""
    batch, *shape = port.shape
    if isinstance(batch, int) and batch != 1 and not any_batch:
        return None
    for axes in ("chw", "hwc"):
        size = dict(zip(axes, shape, strict=True))
        if size["c"] in (1, 3):
            height, width = (size[axis] if isinstance(size[axis], int) else None for axis in "hw")
            if any(side is not None and side < _SMALLEST_SIDE_PX for side in (height, width)):
                continue
            return ImageLayout(axes, size["c"], (height, width), _TYPES[port.type])
    return None


def feature_layout(inputs: Sequence[Any]) -> ImageLayout | None:
    """How images go into a network that says something of them: u8 levels or floats in 0..1, in the order of its
    axes. ``None`` where it does not take one image."""
    if len(inputs) != 1 or inputs[0].type not in _TYPES or not _is_image_port(inputs[0]):
        return None
    layout = _image_input(inputs[0], any_batch=True)
    if layout is None or not np.issubdtype(layout.input_type, np.floating):
        return layout
    return replace(layout, input_range=(0.0, 1.0))


def _is_image_port(port: Any) -> bool:
    """Whether a declared shape has a height and a width: [n, c, h, w] or [n, h, w, c]; unknown sizes count as large."""
    large = sum(not isinstance(size, int) or size >= _SMALLEST_SIDE_PX for size in port.shape[1:])
    return len(port.shape) == 4 and large >= 2


def _latent_layout(port: Any) -> Layout | None:
    """Layout of a latent input: [n, d], perhaps with further axes of size 1, or [d] without a batch axis."""
    shape = list(port.shape)
    batched_input = len(shape) > 1
    batch = shape.pop(0) if batched_input else None
    if not all(isinstance(size, int) and size > 0 for size in shape) or sum(size > 1 for size in shape) > 1:
        return None
    if not np.issubdtype(_TYPES[port.type], np.floating) or not 1 <= math.prod(shape) <= _LARGEST_LATENT:
        return None
    fixed = batch if isinstance(batch, int) else None
    if fixed is not None and not 1 <= fixed <= _LARGEST_FIXED_BATCH:
        return None
    return Layout(tuple(shape), _TYPES[port.type], batched_input, fixed)


def _find_arrangement(shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]] | None:
    """Axes and shape of one image from the shape of an array; ``None`` where it can be no image."""
    while len(shape) > 3 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) == 3:
        for axes, channels, size in (("chw", shape[0], shape[1:]), ("hwc", shape[2], shape[:2])):
            if channels in (1, 3, 4) and min(size) >= _SMALLEST_SIDE_PX:
                return axes, shape
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


def _find_value_range(values: NDArray[Any]) -> tuple[float, float]:
    """The likely range of float images, out of 0..1, -1..1 and 0..255."""
    finite = values[np.isfinite(values)].astype(np.float64)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if high > 16.0:
        return 0.0, 255.0
    return (-1.0, 1.0) if low < -0.05 else (0.0, 1.0)


def _inferred_card(kind: str, name: str, latent_size: int = 1, **known: Any) -> Card:
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
