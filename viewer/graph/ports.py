"""Describe the inputs and outputs that a graph declares, and compare them with its card."""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from export.card import Card
from export.kinds import KINDS
from trainer.contract.text import printable
from viewer.graph.layout import ImageLayout, Layout

LARGEST_ARRAY: Final = 2**28  # numbers an input or output may declare for one image
_TYPES: Final = {"f32": "tensor(float)", "i64": "tensor(int64)", "u8": "tensor(uint8)"}


class PortError(ValueError):
    """A graph that cannot be used as its card says; the message says what was found and what was expected."""


def describe(ports: Sequence[Any]) -> str:
    """Names, types and shapes."""
    return ", ".join(_describe(port) for port in ports)


def _describe(port: Any) -> str:
    shape = ", ".join("?" if size is None else str(size) for size in port.shape)
    return printable(f"{port.name} {port.type.removeprefix('tensor(').removesuffix(')')} [{shape}]", 120)


def check_size(port: Any) -> None:
    """Raises ``PortError`` where an array for one image would be too large for any model."""
    if math.prod(size for size in port.shape[1:] if isinstance(size, int)) > LARGEST_ARRAY:
        raise PortError(f"{_describe(port)} is too large, expected at most {LARGEST_ARRAY} numbers")


def check_card(card: Card, inputs: Sequence[Any], outputs: Sequence[Any]) -> tuple[Layout | None, ImageLayout | None]:
    """Compare a card with the graph that it describes.

    Returns how images are arranged: in the output of a graph that generates them from latents, or in a graph that
    takes and gives images; ``None`` twice for other kinds. Raises ``PortError``.
    """
    found = {port.name: port for port in inputs}
    output = next((port for port in outputs if port.name == card.output.name), None)
    if found.keys() != {port.name for port in card.inputs} or output is None:
        names = ", ".join(port.name for port in card.inputs)
        raise PortError(
            f"the graph has {describe(inputs)} → {describe(outputs)}, its card says {names} → {card.output.name}"
        )
    for said, graph in (*((port, found[port.name]) for port in card.inputs), (card.output, output)):
        if graph.type != _TYPES[said.dtype]:
            raise PortError(f"{_describe(graph)} in the graph, its card says {said.dtype}")
        check_size(graph)
        if len(graph.shape) != len(said.shape) or _differ(graph.shape, said.shape):
            raise PortError(f"{_describe(graph)} in the graph, its card says {said.shape}")
    kind = KINDS[card.kind]
    if kind.translates:
        return None, _image_layout(card, found["image"])
    if not kind.output.is_image:
        return None, None
    if card.image_size is None:
        raise PortError("its card gives no image_size, expected height and width")
    height, width = card.image_size
    if height * width * 3 > LARGEST_ARRAY:
        raise PortError(f"images of {width}x{height}, expected at most {LARGEST_ARRAY // 3} pixels")
    if len(output.shape) != 4 or _differ(output.shape[1:], (height, width, 3)):
        raise PortError(f"images of {output.shape[1:]} in the graph, its card says {height}x{width} pixels")
    if kind.output.dtype != "u8" or card.latent is None:
        return None, None
    return Layout((card.latent.size,), np.float32, output=output.name, image_shape=(height, width, 3)), None


def _differ(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two shapes disagree in a size that both of them fix."""
    pairs = zip(one, other, strict=True)
    return any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in pairs)


def _image_layout(card: Card, graph: Any) -> ImageLayout:
    channels = card.input_channels or card.channels
    if len(graph.shape) != 4 or _differ(graph.shape[3:], [channels]):
        raise PortError(f"{_describe(graph)} in the graph, its card says {channels} channels")
    if channels not in (1, 3):
        raise PortError(f"takes images of {channels} channels, expected 1 or 3")
    height, width = (side if isinstance(side, int) else None for side in graph.shape[1:3])
    return ImageLayout(
        channels=channels,
        size=(height, width),
        output=card.output.name,
        scale=card.scale,
        multiple=card.multiple if height is None else 1,
    )
