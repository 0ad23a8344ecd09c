"""The inputs of a foreign graph beside the first: what ``viewer.graph.ports`` gives them, as nodes of a graph."""

import math
from typing import Any

import numpy as np

from export.foreign.wrapping import Unfit, Wrapping
from viewer.graph.ports import Extra, Ports, whole_shape
from viewer.latents import normal


def fed(
    graph: Wrapping,
    ports: Ports,
    array: str,
    *,
    label: str = "",
    latent: str = "",
    first: int = 0,
    t: str = "",
) -> dict[str, str]:
    """The arrays of a run by names of inputs. ``array``: of the first input. ``label``, ``t``: i64 [n]; without, 0.
    ``latent``: f32 [n, d], of which the numbers from ``first`` on go into inputs beside the first; without, zeros.
    Raises ``Unfit``."""
    found = {ports.source: array}
    for extra in ports.extras:
        shape = _Shape(graph, ports, extra, array)
        match extra.role:
            case "label" | "step":
                one_each = label if extra.role == "label" else t
                found[extra.name] = shape.filled(0.0) if not one_each else shape.of(one_each)
            case "onehot":
                if not label:
                    raise Unfit(f"input {extra.name!r} is a class, expected a kind with classes")
                count = whole_shape((None, *extra.shape))[-1]
                row = graph.reshape(label, (-1, 1))
                hot = graph.node("Equal", row, graph.constant(np.arange(count, dtype=np.int64)[None]))
                found[extra.name] = shape.of(hot)
            case "latent":
                size = math.prod(whole_shape(extra.shape))
                part = graph.cut(latent, (1,), (first,), (first + size,)) if latent else ""
                found[extra.name] = shape.of(part) if part else shape.filled(0.0)
                first += size
            case "noise":
                own = (1, *whole_shape(extra.shape)) if extra.batched else whole_shape((None, *extra.shape))
                if len(own) != len(extra.shape):
                    raise Unfit(f"input {extra.name!r} is noise of a size that varies, expected a fixed one: "
                                    f"--set {extra.name}=0 fills it with a number")  # fmt: skip
                drawn = normal(f"noise {extra.name}", math.prod(own)).reshape(own)
                found[extra.name] = shape.spread(drawn)
            case "image":
                found[extra.name] = graph.cast(array, extra.type)
            case _:
                found[extra.name] = shape.filled(extra.value)
    return found


class _Shape:
    """The shape of an input in a run: numbers, and lengths of the first input's array."""

    def __init__(self, graph: Wrapping, ports: Ports, extra: Extra, array: str) -> None:
        self._graph, self._extra, self._array = graph, extra, array
        named = {name: axis for axis, name in enumerate(ports.shape) if isinstance(name, str)}
        like_source = len(extra.shape) == len(ports.shape)
        self.sizes: list[tuple[bool, int]] = []  # whether it is an axis of the first input, and that, or the number
        for axis, size in enumerate(extra.shape):
            if isinstance(size, int):
                self.sizes.append((False, size))
            elif axis == 0:
                self.sizes.append((bool(ports.shape), 0 if ports.shape else 1))
            elif isinstance(size, str) and size in named:
                self.sizes.append((True, named[size]))
            else:
                self.sizes.append((like_source, axis if like_source else 1))

    def _vector(self) -> str:
        """i64 [rank]."""
        graph = self._graph
        if not any(varies for varies, _ in self.sizes):
            return graph.constant(np.array([size for _, size in self.sizes], np.int64))
        parts = [
            graph.lengths(self._array, (size,)) if varies else graph.constant(np.array([size], np.int64))
            for varies, size in self.sizes
        ]
        return graph.joined(parts, 0)

    def of(self, array: str) -> str:
        """An array of as many numbers in this shape and type."""
        if not self._extra.batched:  # one run is of one image, or all its images are of one class
            array = self._graph.cut(array, (0,), (0,), (1,))
        return self._graph.node("Reshape", self._graph.cast(array, self._extra.type), self._vector())

    def spread(self, values: Any) -> str:
        """The same numbers for every image."""
        return self._graph.node("Expand", self._graph.constant(np.asarray(values, self._extra.type)), self._vector())

    def filled(self, value: float) -> str:
        """One number everywhere."""
        return self.spread(np.full([1] * len(self.sizes), value))
