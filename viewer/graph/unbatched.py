"""Graphs whose images have no batch axis, [3, h, w] or [h, w, 3], seen as graphs of batches of one image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from viewer.graph.declared import SMALLEST_SIDE_PX
from viewer.graph.foreign import Run


@dataclass(frozen=True)
class _Port:
    """An input or output as it is seen."""

    name: str
    type: str
    shape: tuple[int | str | None, ...]


def without_batch(inputs: Sequence[Any], outputs: Sequence[Any]) -> frozenset[str]:
    """The names of the ports that lack a batch axis: of a graph that makes one image of one image."""
    if len(inputs) != 1:
        return frozenset()
    source = inputs[0]
    lacking = frozenset(port.name for port in outputs if _is_image(port.shape))
    if _is_image(source.shape):
        return lacking | {source.name} if lacking else lacking
    return lacking if len(source.shape) == 4 and source.shape[0] == 1 and _is_image(source.shape[1:]) else frozenset()


def _is_image(shape: Sequence[Any]) -> bool:
    """Whether a declared shape is one of an image in colours; with fixed sides [1, h, w] could be latents, or a batch
    of grey ones."""
    if len(shape) != 3:
        return False
    for channels, sides in ((shape[0], shape[1:]), (shape[2], shape[:2])):
        free = not any(isinstance(side, int) for side in sides)
        if channels in ((1, 3, 4) if free else (3, 4)) and not isinstance(channels, str):
            return all(not isinstance(side, int) or side >= SMALLEST_SIDE_PX for side in sides)
    return False


def batched(ports: Sequence[Any], lacking: frozenset[str]) -> list[Any]:
    """Ports with a batch axis of one image."""
    return [_Port(port.name, port.type, (1, *port.shape)) if port.name in lacking else port for port in ports]


def running(run: Run, lacking: frozenset[str]) -> Run:
    """A run of arrays with a batch axis."""

    def adapted(feeds: Mapping[str, NDArray[Any]], output: str) -> NDArray[Any]:
        found = run({name: array[0] if name in lacking else array for name, array in feeds.items()}, output)
        return found[None] if output in lacking else found

    return adapted
