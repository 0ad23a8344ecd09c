"""Find out what a file without a card is, by running a few latents or an image through its graph."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from export.card import Card, Latent
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


@dataclass(frozen=True)
class Inspected:
    """Result of an inspection; ``card`` is ``None`` where neither input nor output is an image."""

    card: Card | None = None
    layout: Layout | None = None  # of a generator
    image_layout: ImageLayout | None = None  # of a translator


class Probe:
    """Probes a graph without a card."""

    def __init__(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        run: Callable[[Mapping[str, NDArray[Any]], str], NDArray[Any]],
        refused: type[Exception],
    ) -> None:
        """``inputs``, ``outputs``: as the graph declares them. ``run``: gives an output of some inputs, or raises
        ``refused``."""
        self._inputs = inputs
        self._outputs = outputs
        self._run = run
        self._refused = refused

    def inspect(self, name: str) -> Inspected:
        """Infer its kind and layout. ``name``: for its card. Raises ``CardError`` for sizes that no card may have."""
        if len(self._inputs) != 1 or self._inputs[0].type not in TYPES:
            return Inspected()
        if is_image_port(self._inputs[0]):
            if not any(is_image_port(port) for port in self._outputs):
                return Inspected(inferred_card("encoder", name))
            images = self._images()
            return Inspected(inferred_card("translator", name, layout=images), image_layout=images)
        latent = latent_layout(self._inputs[0])
        for port in self._outputs if latent is not None else ():
            layout = None if latent is None else self._generator(latent, port)
            if layout is not None:
                height, width, channels = layout.sides
                size = math.prod(layout.latent_shape)
                return Inspected(inferred_card("generator", name, size, (height, width), channels), layout)
        return Inspected()

    def _generator(self, latent: Layout, port: Any) -> Layout | None:
        """Run a few latents through the graph and infer the layout of the images from the output."""
        layout = replace(latent, output=port.name)
        probes = draw_many(Latent(size=math.prod(layout.latent_shape)), 0, range(_PROBES))
        output = self._of_latents(layout, probes[:1])
        if output.dtype.type not in TYPES.values():
            return None
        if not layout.batched_input or output.ndim < 2:
            batched = False
        elif layout.batch is None:
            two = self._of_two(layout, probes[:2])
            batched = len(output) == 1 and two is not None and two.shape == (2, *output.shape[1:])
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
            values.append(self._of_latents(layout, probes[len(values) :][:1]))
        return replace(layout, value_range=find_value_range(np.stack(values)))

    def _of_latents(self, layout: Layout, latents: Latents) -> NDArray[Any]:
        return self._run({self._inputs[0].name: latent_array(layout, latents)}, layout.output)

    def _of_two(self, layout: Layout, latents: Latents) -> NDArray[Any] | None:
        """A batch of two; ``None`` where a graph that declares any batch size cannot run it."""
        try:
            return self._of_latents(layout, latents)
        except self._refused:
            return None

    def _images(self) -> ImageLayout | None:
        """Run an image of waves through a translator without a card and infer its layout from the output.

        Floats are taken to be of the same range in and out, which is found by what becomes of 0..1. A side that does
        not come out as long as it went in, or several times that, is one that the network cannot take.
        """
        layout = image_input(self._inputs[0])
        if layout is None:
            return None
        for side, multiple in _PROBED_SIDES.items():
            height, width = (side if fixed is None else fixed for fixed in layout.sides)
            y, x = np.mgrid[0:height, 0:width] / 16
            wave = (np.rint(127.5 + 127.5 * np.sin(x + 2 * y))[..., None] * np.ones(layout.channels)).astype(np.uint8)
            known = replace(layout, multiple=1 if None not in layout.sides else multiple)
            if np.issubdtype(layout.input_type, np.floating):
                known = replace(known, input_range=(0.0, 1.0))
            for port in self._outputs:
                found = self._image(replace(known, output=port.name), wave)
                if found is not None:
                    return found
            if None not in layout.sides:
                break
        return None

    def _image(self, layout: ImageLayout, image: NDArray[np.uint8]) -> ImageLayout | None:
        """The layout completed from one output; ``None`` where that is no image, or the run fails."""
        try:
            output = self._run({self._inputs[0].name: image_array(layout, image)}, layout.output)
        except self._refused:
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
