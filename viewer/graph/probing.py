"""Find out what a file without a card is, by running a few latents or an image through its graph."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from export.card import Card, Latent
from trainer.contract.errors import UserError
from viewer.graph.arrays import image_array, latent_array
from viewer.graph.inspection import (
    TYPES,
    ImageLayout,
    Layout,
    find_arrangement,
    find_scale,
    find_value_range,
    image_input,
    inferred_card,
    is_image_port,
    latent_layout,
)
from viewer.latents import Latents, draw_many

_PROBES: Final = 8  # images whose values tell the range of a file without a card
_OVERSHOOT: Final = 0.25  # below 0, that a network for 0..1 may give at hard edges
_PROBE_SECONDS: Final = 0.5  # that they may take of the viewer's start
_PROBED_SIDES: Final = {65: 1, 66: 2, 68: 4, 72: 8, 80: 16, 96: 32, 64: 64, 128: 128, 256: 256, 512: 512}  # multiples

Run = Callable[[Mapping[str, NDArray[Any]], str], NDArray[Any]]
"""Gives an output of some inputs, both by their names. May raise ``UserError``."""


def probe(
    name: str, inputs: Sequence[Any], outputs: Sequence[Any], run: Run
) -> tuple[Card | None, Layout | None, ImageLayout | None]:
    """Infer what a graph without a card is: a card, the layout of a generator, and that of a translator.

    ``name``: for the card, which is ``None`` where there are no images. ``inputs``, ``outputs``: as the graph declares
    them. Raises ``CardError`` for sizes that no card may have.
    """
    if len(inputs) != 1 or inputs[0].type not in TYPES:
        return None, None, None
    if is_image_port(inputs[0]):
        if not any(is_image_port(port) for port in outputs):
            return inferred_card("encoder", name), None, None
        images = _translator(inputs[0], outputs, run)
        if images is None:
            return inferred_card("translator", name), None, None
        sizes = {"input_channels": images.channels, "scale": images.scale, "multiple": images.multiple}
        return inferred_card("translator", name, **sizes), None, images
    latent = latent_layout(inputs[0])
    if latent is not None:
        for port in outputs:
            layout = _generator(replace(latent, output=port.name), inputs[0].name, run)
            if layout is not None:
                height, width, channels = layout.image_size
                size = math.prod(layout.latent_shape)
                card = inferred_card("generator", name, size, image_size=(height, width), channels=channels)
                return card, layout, None
    return None, None, None


def _generator(layout: Layout, source: str, run: Run) -> Layout | None:
    """Run a few latents through the graph and infer the layout of the images from the output."""

    def images_of(latents: Latents) -> NDArray[Any]:
        return run({source: latent_array(layout, latents)}, layout.output)

    probes = draw_many(Latent(size=math.prod(layout.latent_shape)), 0, range(_PROBES))
    output = images_of(probes[:1])
    if output.dtype.type not in TYPES.values():
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
    arrangement = find_arrangement(output.shape[1:] if batched else output.shape)
    if arrangement is None:
        return None
    axes, shape = arrangement
    layout = replace(layout, batched_output=batched, axes=axes, image_shape=shape)
    if not np.issubdtype(output.dtype, np.floating):
        return layout
    values, until = [output], time.monotonic() + _PROBE_SECONDS
    while len(values) < _PROBES and time.monotonic() < until:
        values.append(images_of(probes[len(values) :][:1]))
    return replace(layout, value_range=find_value_range(np.stack(values)))


def _translator(source: Any, outputs: Sequence[Any], run: Run) -> ImageLayout | None:
    """Run an image of waves through a translator without a card and infer its layout from the output.

    Floats are taken to be of the same range in and out, which is found by what becomes of 0..1. A size that does
    not come out as it went in, or several times as large, is one that the network cannot take.
    """
    layout = image_input(source)
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
        if scale is not None and output.dtype.type in TYPES.values():
            layout = replace(layout, output_axes=axes, scale=scale)
            if not np.issubdtype(output.dtype, np.floating):
                return layout
            overshoot = output + _OVERSHOOT * (output < 0)  # sharpening networks leave 0..1 by a little
            values = find_value_range(overshoot)
            return replace(layout, input_range=layout.input_range and values, output_range=values)
    return None
