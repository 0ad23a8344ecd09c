"""What a graph declares, compared with what its card says."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from export.card import Card
from export.kinds import KINDS
from trainer.contract.text import printable
from viewer.graph.layout import CHANNELS, ImageLayout, Layout
from viewer.graph.screening import ScreeningError

FEW: Final = 8  # ports that messages name
SMALLEST_SIDE_PX: Final = 8  # below this a square of numbers is no image
LARGEST_ARRAY: Final = 2**28  # numbers an input or output may declare for one image
LARGEST_FIXED_BATCH: Final = 4096
_CARD_TYPES: Final = {"f32": "tensor(float)", "i64": "tensor(int64)", "u8": "tensor(uint8)"}


def describe(ports: Sequence[Any]) -> str:
    """Names, types and shapes."""
    more = f" and {len(ports) - FEW} more" if len(ports) > FEW else ""
    return ", ".join(_describe(port) for port in ports[:FEW]) + more


def _describe(port: Any) -> str:
    shape = ", ".join("?" if size is None else str(size) for size in port.shape)
    return printable(f"{port.name} {port.type.removeprefix('tensor(').removesuffix(')')} [{shape}]", 120)


def check_size(port: Any) -> None:
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
        check_size(graph)
        if len(graph.shape) != len(said.shape) or _differ(graph.shape, said.shape):
            raise ScreeningError(f"{_describe(graph)} in the graph, its card says {said.shape}")
    kind = KINDS[card.kind]
    batch = _batch_of(card, found)
    if kind.translates:
        return _image_layout(card, found["image"], output, batch)
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
    shape = (height, width, 3)
    return Layout((card.latent.size,), np.float32, batch=batch, output=output.name, image_shape=shape)


def _batch_of(card: Card, found: Mapping[str, Any]) -> int | None:
    """Images that every run takes; ``None``: any number. Raises ``ScreeningError`` where inputs disagree."""
    sizes = {port.shape[0] if port.shape and isinstance(port.shape[0], int) else None for port in found.values()}
    if len(sizes) > 1 or not all(size is None or 1 <= size <= LARGEST_FIXED_BATCH for size in sizes):
        raise ScreeningError(f"its inputs take {describe([*found.values()])}, expected as many images each")
    return next(iter(sizes), None)


def _differ(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two shapes disagree in a size that both of them fix."""
    pairs = zip(one, other, strict=True)
    return any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in pairs)


def _image_layout(card: Card, graph: Any, output: Any, batch: int | None) -> ImageLayout:
    channels = card.input_channels or card.channels
    if len(graph.shape) != 4 or _differ(graph.shape[3:], [channels]):
        raise ScreeningError(f"{_describe(graph)} in the graph, its card says {channels} channels")
    if channels not in CHANNELS:
        raise ScreeningError(f"takes images of {channels} channels, expected 1, 3 or 4")
    gives = output.shape[3] if len(output.shape) == 4 and output.shape[3] == 4 else 3
    height, width = (side if isinstance(side, int) else None for side in graph.shape[1:3])
    return ImageLayout(
        channels=channels,
        size=(height, width),
        output=card.output.name,
        output_channels=gives,
        scale=card.scale,
        multiple=card.multiple if height is None else 1,
        batch=batch or 1,
    )
