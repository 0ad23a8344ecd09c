"""What a graph without a card is: what its declared shapes and a run with a few latents or an image tell."""

import math
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from export.card import Card, Latent, Port
from export.kinds import KINDS
from trainer.contract.errors import UserError
from trainer.contract.text import printable
from viewer.graph import ranges
from viewer.graph.declared import FEW, LARGEST_FIXED_BATCH, SMALLEST_SIDE_PX, check_size, describe
from viewer.graph.denoisers import check_step_of_latents, infer_denoiser, is_denoiser
from viewer.graph.foreign import Foreign
from viewer.graph.inputs import by_preference, find_classes, is_for_images, is_spatial_latent, sort_inputs
from viewer.graph.layout import AnyLayout, ImageLayout, Layout, NoiseLayout, image_array, latent_array
from viewer.graph.no_image import is_map_of_classes
from viewer.graph.ports import TYPES, Ports
from viewer.graph.reading import Range, Reading, flag_of, range_words
from viewer.graph.screening import ScreeningError
from viewer.graph.sizes import find_sizes, remarks_on
from viewer.graph.trails import said_bgr
from viewer.latents import Latents, draw_many

_LARGEST_LATENT: Final = 2**16
_USUAL_LATENT_SIDE: Final = 8  # of a map of latents
_LARGEST_IMAGE_BATCH: Final = 64
_PROBES: Final = 8  # images whose values tell the range of a file without a card
_PROBE_SECONDS: Final = 0.5  # that they may take of the viewer's start
_TYPES: Final[Mapping[str, Any]] = {name: kind for name, kind in TYPES.items() if kind is not np.bool_}


def infer(graph: Foreign) -> tuple[Card | None, AnyLayout | None, Ports | None]:
    """Infer what a graph without a card is: a card, which is ``None`` where there are no images, the layout of a
    generator, a translator or a denoiser, and what its inputs are given. Raises ``ScreeningError``, and ``CardError``
    for sizes that no card may have."""
    inputs, outputs = graph.inputs, by_preference(_chosen_outputs(graph))
    for port in (*inputs, *outputs):
        check_size(port)
    card, layout, ports = _infer(graph, outputs)
    _check_reading(graph.reading, layout)
    if layout is not None and len(outputs) > 1 and graph.reading.output_name is None:
        names = ", ".join(printable(port.name, 60) for port in graph.outputs[:FEW])
        more = f" and {len(outputs) - FEW} more" if len(outputs) > FEW else ""
        taken = printable(layout.output, 60)
        graph.remarks.append(f"gives {names}{more}: {taken} is taken for the image; --output-name NAME takes another")
    return card, layout, ports


def _chosen_outputs(graph: Foreign) -> Sequence[Any]:
    """The outputs that may hold images. Raises ``ScreeningError``."""
    name = graph.reading.output_name
    chosen = [port for port in graph.outputs if name in (None, port.name)]
    if not chosen:
        raise ScreeningError(f"found no output {printable(repr(name), 60)}, expected one of: {describe(graph.outputs)}")
    return chosen


def _check_reading(reading: Reading, layout: AnyLayout | None) -> None:
    """Raises ``ScreeningError`` where something is said that this graph has no use for."""
    if layout is None:
        return  # which is said by whatever wants to use it
    for name in ("schedule", "prediction", "image_size"):
        if getattr(reading, name) is not None and not isinstance(layout, NoiseLayout):
            raise ScreeningError(f"{flag_of(name)} is {reading.kept[name]}, expected none: it is no denoiser")
    takes, gives = getattr(layout, "input_range", None), getattr(layout, "value_range", None)
    if isinstance(layout, ImageLayout):
        gives = layout.output_range
    for said, found, what in ((reading.input_range, takes, "takes"), (reading.output_range, gives, "gives")):
        if said is not None and found is None:
            flag = flag_of("input_range" if what == "takes" else "output_range")
            raise ScreeningError(f"{flag} is {range_words(said)}, expected none: it {what} no images of floats")


def _infer(whole: Foreign, outputs: Sequence[Any]) -> tuple[Card | None, AnyLayout | None, Ports | None]:
    name = whole.name
    if not is_for_images(whole.inputs, _is_image_port, _is_latent_port):
        return None, None, None
    graph, ports, of_image = sort_inputs(whole, _is_image_port, _is_latent_port)
    source = graph.inputs[0]
    if of_image and is_denoiser(source, outputs, ports):
        ports, classes = find_classes(graph, ports, whole, spare=True)
        return *infer_denoiser(graph, source, outputs, ports, classes), ports
    ports, classes = find_classes(graph, ports, whole)
    if of_image:
        images = (
            _translator(graph, outputs) if any(_has_sides(port) or len(port.shape) == 3 for port in outputs) else None
        )
        if images is None:
            sided = any(_has_sides(port) or is_map_of_classes(port) for port in outputs)
            return _inferred_card("translator" if sided else "encoder", name), None, ports
        scale = images.scale if isinstance(images.scale, int) else 1  # a card has no other
        sizes = {"input_channels": images.channels, "scale": scale, "multiple": images.multiple}
        return _inferred_card("translator", name, ports.more_latent, **sizes), images, ports
    latent = _latent_layout(source)
    if latent is not None:
        check_step_of_latents(source, whole.inputs, outputs)
        if not all(isinstance(size, int) for size in source.shape[1:]):
            sides = "x".join(map(str, latent.latent_shape))
            graph.remarks.append(
                f"takes latents of any size: {sides} is assumed; export it with fixed sizes for others"
            )
        for port in outputs:
            layout = _generator(graph, replace(latent, output=port.name))
            if layout is not None:
                height, width, channels = layout.image_size
                size = math.prod(layout.latent_shape) + ports.more_latent
                known = {"image_size": (height, width), "channels": channels, "classes": classes}
                return _inferred_card("generator", name, size, **known), layout, ports
    if _has_sides(source):  # an image of channels that no image has
        return _inferred_card("translator" if any(map(_has_sides, outputs)) else "encoder", name), None, ports
    return None, None, None


def has_images(ports: Sequence[Any]) -> bool:
    """Whether some array has as many axes as images, and may be large enough for them."""
    return any(
        len(port.shape) in (3, 4)
        and sum(not isinstance(size, int) or size >= SMALLEST_SIDE_PX for size in port.shape[-3:]) >= 2
        and any(size in (1, 3, 4) or not isinstance(size, int) for size in port.shape[-3:])
        and port.type in _TYPES
        for port in ports
    )


def _is_latent_port(port: Any) -> bool:
    return port.type in _TYPES and _latent_layout(port) is not None


def _generator(graph: Foreign, layout: Layout) -> Layout | None:
    """Run a few latents through the graph and infer the layout of the images from the output."""
    source, run, reading = graph.inputs[0].name, graph.run, graph.reading

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
    arrangement = _find_arrangement(output.shape[1:] if batched else output.shape, reading.layout)
    if arrangement is None:
        return None
    axes, shape = arrangement
    layout = replace(layout, batched_output=batched, axes=axes, image_shape=shape, bgr=_is_bgr(graph))
    if not np.issubdtype(output.dtype, np.floating):
        return layout
    if reading.output_range is not None:
        return replace(layout, value_range=reading.output_range)
    values, until = [output], time.monotonic() + _PROBE_SECONDS
    while len(values) < _PROBES and time.monotonic() < until:
        values.append(images_of(probes[len(values) :][:1]))
    guess = ranges.of_generator(graph, layout.output, np.stack(values))
    graph.remarks.extend(filter(None, [ranges.remark(guess, reading)]))
    return replace(layout, value_range=guess.gives, sure=guess.sure)


def _translator(graph: Foreign, outputs: Sequence[Any]) -> ImageLayout | None:
    """Run images through a translator without a card and infer its layout from the outputs."""
    source, reading = graph.inputs[0], graph.reading
    layout = _image_input(source, said=reading.layout)
    if layout is None:
        return None
    layout = replace(layout, bgr=_is_bgr(graph))
    if np.issubdtype(layout.input_type, np.floating):
        layout = replace(layout, input_range=reading.input_range or (0.0, 1.0))
    layouts = [replace(layout, output=port.name) for port in outputs]
    runs: list[tuple[Any, tuple[int, int], float]] = []  # what came of it, which is not kept alive; size, seconds

    def outcome(known: ImageLayout, height: int, width: int) -> NDArray[Any] | None:
        begun = time.monotonic()
        output = _output(graph, known, _waves(height, width, known.channels))
        if output is not None:
            runs.append((weakref.ref(output), (height, width), time.monotonic() - begun))
        return output

    found = find_sizes(layouts, (*_orders(reading.layout), "hw"), outcome)
    if found is None:
        return None
    graph.remarks.extend(remarks_on(found[0]))
    size, seconds = next(run[1:] for run in runs if run[0]() is found[1])
    return _with_ranges(graph, *found, size, seconds)


def _waves(height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """An image u8 [h, w, c] with all levels."""
    y, x = np.mgrid[0:height, 0:width] / 16
    waves = np.rint(127.5 + 127.5 * np.sin(x + 2 * y)).astype(np.uint8)
    return np.repeat(waves[..., None], channels, axis=2)


def _output(graph: Foreign, layout: ImageLayout, image: NDArray[np.uint8]) -> NDArray[Any] | None:
    """What becomes of an image; ``None`` where the run fails."""
    try:
        output = graph.run({graph.inputs[0].name: image_array(layout, image)}, layout.output)
    except UserError:
        return None
    return output if output.dtype.type in _TYPES.values() else None


def _with_ranges(
    graph: Foreign, layout: ImageLayout, output: NDArray[Any], size: tuple[int, int], seconds: float
) -> ImageLayout:
    """The layout completed by the ranges of its images. ``output``: of an image of a size, and how long it took."""
    reading = graph.reading
    if np.issubdtype(output.dtype, np.floating):
        layout = replace(layout, output_range=reading.output_range or (0.0, 1.0))

    def show(known: ImageLayout, image: NDArray[np.uint8]) -> NDArray[Any]:
        return graph.run({graph.inputs[0].name: image_array(known, image)}, known.output)

    guess = ranges.of_translator(graph, layout, show, size, seconds)
    if guess is None:
        return layout
    graph.remarks.extend(filter(None, [ranges.remark(guess, reading, gives=layout.output_range is not None)]))
    takes, gives = layout.input_range and guess.takes, layout.output_range and guess.gives
    return replace(layout, input_range=takes, output_range=gives, sure=guess.sure)


def _is_bgr(graph: Foreign) -> bool:
    """Whether colours are in the order BGR, as is said, or as the file's properties have it."""
    said = graph.reading.channels
    return said_bgr(graph.properties) if said is None else said == "bgr"


def _orders(said: str | None) -> tuple[str, ...]:
    """The orders of axes that are looked for."""
    return (said,) if said else ("chw", "hwc")


def _image_input(port: Any, said: str | None = None) -> ImageLayout | None:
    """Layout of an input [n, c, h, w] or [n, h, w, c], its range left to a probe; ``None`` where it can be no image.
    ``said``: the order of its axes."""
    batch, *shape = port.shape
    if isinstance(batch, int) and not 1 <= batch <= _LARGEST_IMAGE_BATCH:
        return None
    for axes in _orders(said):
        size = dict(zip(axes, shape, strict=True))
        if size["c"] in (1, 3, 4):
            height, width = (size[axis] if isinstance(size[axis], int) else None for axis in "hw")
            if any(side is not None and side < SMALLEST_SIDE_PX for side in (height, width)):
                continue
            fixed = batch if isinstance(batch, int) else 1
            return ImageLayout(axes, size["c"], (height, width), _TYPES[port.type], batch=fixed)
    return None


def feature_layout(inputs: Sequence[Any], reading: Reading, found: Range = (0.0, 1.0)) -> ImageLayout | None:
    """How images go into a network that says something of them: u8 levels, or floats in the range that was found,
    unless another one is said. ``None`` where it does not take one image."""
    if len(inputs) != 1 or inputs[0].type not in _TYPES or not _has_sides(inputs[0]):
        return None
    layout = _image_input(inputs[0], said=reading.layout)
    if layout is None:
        return None
    layout = replace(layout, bgr=reading.channels == "bgr", batch=1)  # which the caller fills up
    if not np.issubdtype(layout.input_type, np.floating):
        return layout
    return replace(layout, input_range=reading.input_range or found)


def taken_range(graph: Foreign) -> Range:
    """What black and white are to a network that says something of images."""
    layout = feature_layout(graph.inputs, graph.reading)
    if layout is None or layout.input_range is None or graph.reading.input_range is not None:
        return 0.0, 1.0
    return ranges.of_input(graph, graph.inputs[0].name)


def _has_sides(port: Any) -> bool:
    """Whether a declared shape has a height and a width: [n, c, h, w] or [n, h, w, c]; unknown sizes count as large."""
    large = sum(not isinstance(size, int) or size >= SMALLEST_SIDE_PX for size in port.shape[1:])
    return len(port.shape) == 4 and large >= 2


def _is_image_port(port: Any) -> bool:
    return _has_sides(port) and not is_spatial_latent(port)


def _latent_layout(port: Any) -> Layout | None:
    """Layout of a latent input: [n, d], perhaps with further axes, or [d] without a batch axis. Sides of a map that may
    be any are taken to be ``_USUAL_LATENT_SIDE``."""
    shape = list(port.shape)
    if len(shape) > 4 and sum(isinstance(size, int) and size >= SMALLEST_SIDE_PX for size in shape[2:]) >= 2:
        return None  # images of a film, or a volume
    if is_spatial_latent(port):
        shape[2:] = [size if isinstance(size, int) else _USUAL_LATENT_SIDE for size in shape[2:]]
    batched_input = len(shape) > 1
    batch = shape.pop(0) if batched_input else None
    if not all(isinstance(size, int) and size > 0 for size in shape):
        return None
    if not np.issubdtype(_TYPES[port.type], np.floating) or not 1 <= math.prod(shape) <= _LARGEST_LATENT:
        return None
    fixed = batch if isinstance(batch, int) else None
    if fixed is not None and not 1 <= fixed <= LARGEST_FIXED_BATCH:
        return None
    return Layout(tuple(shape), _TYPES[port.type], batched_input, fixed)


def _find_arrangement(shape: tuple[int, ...], said: str | None = None) -> tuple[str, tuple[int, ...]] | None:
    """Axes and shape of one image from the shape of an array; ``None`` where it can be no image. ``said``: the axes."""
    while len(shape) > 3 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) == 3:
        for axes, channels, size in (("chw", shape[0], shape[1:]), ("hwc", shape[2], shape[:2])):
            if channels in (1, 3, 4) and min(size) >= SMALLEST_SIDE_PX and axes in _orders(said):
                return axes, shape
        return None
    if len(shape) == 2 and min(shape) >= SMALLEST_SIDE_PX:
        return "hwc", (*shape, 1)
    flat = math.prod(shape)
    if len(shape) not in (1, 2) or flat != max(shape):
        return None
    if (side := math.isqrt(flat)) >= SMALLEST_SIDE_PX and side * side == flat:
        return "hwc", (side, side, 1)
    if flat % 3 == 0 and (side := math.isqrt(flat // 3)) >= SMALLEST_SIDE_PX and 3 * side * side == flat:
        return ("hwc", (side, side, 3)) if said == "hwc" else ("chw", (3, side, side))
    return None


def _inferred_card(kind: str, name: str, latent_size: int = 0, **known: Any) -> Card:
    """A card for a file without one. ``latent_size``: 0: it has none, or of unknown size. ``known``: fields of the
    card, as far as inspection tells."""
    described = KINDS[kind]
    height, width = known.get("image_size", (None, None))
    sizes = {"n": None, "h": height, "w": width, "c": 3, "d": latent_size or 1}
    optional = {"latent": latent_size > 0, "label": bool(known.get("classes"))}
    *sources, target = (
        Port(name=port.name, dtype=port.dtype, shape=tuple(sizes[axis] for axis in port.axes))
        for port in (*described.inputs, described.output)
        if not port.optional or optional[port.name]
    )
    latent = Latent(size=latent_size or 1) if described.needs_latent or latent_size else None
    return Card(kind=kind, family="", name=name, inputs=tuple(sources), output=target, latent=latent, **known)
