"""A graph of another program within one that has ports of ours: nodes are put before and after it."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.card import Port

_OLDEST_OPSET: Final = 9  # the first with Where, OneHot and IsNaN
_SINCE_INPUTS: Final = {"Slice": 10, "Clip": 11, "Pad": 11, "Unsqueeze": 13}  # opset in which attributes became inputs
_IR_VERSION: Final = 8  # at least: the first of files with functions; weights need not be inputs, too
_PREFIX: Final = "utsuroi"
_TYPES: Final[Mapping[str, int]] = {"f32": TensorProto.FLOAT, "i64": TensorProto.INT64, "u8": TensorProto.UINT8}
_WHOLE: Final = int(TensorProto.INT64)
_END: Final = np.iinfo(np.int64).max  # of an axis


class Unfit(ValueError):
    """A model that cannot be written anew; the message says why, without the file's name."""


class Wrapping:
    """A model that is being wrapped: nodes are added in the order in which they are asked for."""

    def __init__(
        self, model: onnx.ModelProto, reserved: Iterable[str], unbatched: Container[str] = frozenset()
    ) -> None:
        """``model``: whole, and changed by this. ``reserved``: names of the new ports. ``unbatched``: names of its own
        that lack a batch axis. Raises ``Unfit``."""
        self._model, self._unbatched = model, unbatched
        self._graph = model.graph
        self._opset = max((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), default=1)
        if self._opset < _OLDEST_OPSET:
            raise Unfit(f"its operators are of opset {self._opset}, expected {_OLDEST_OPSET} or newer: export it "
                            "again with a higher opset_version")  # fmt: skip
        taken = set(_names(self._graph))
        while any(name.startswith(_PREFIX) for name in taken):
            _rename(self._graph, {name: f"own/{name}" for name in taken if name.startswith(_PREFIX)})
            taken = set(_names(self._graph))
        self._renamed = {name: f"own/{name}" for name in reserved if name in taken}
        while any(new in taken for new in self._renamed.values()):
            self._renamed = {name: f"own/{new}" for name, new in self._renamed.items()}
        self.outputs = [port.name for port in self._graph.output]  # as they were called
        _rename(self._graph, self._renamed)
        self._inner = [*self._graph.node]
        self._nodes: list[onnx.NodeProto] = []
        self._count = 0

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; returns the name of its output."""
        name = f"{_PREFIX}/{self._count}"
        self._count += 1
        self._nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, value: Any) -> str:
        """Add a constant array; returns its name."""
        name = f"{_PREFIX}/{self._count}"
        self._count += 1
        self._graph.initializer.append(
            numpy_helper.from_array(np.ascontiguousarray(value).reshape(np.shape(value)), name)
        )
        return name

    def run(self, feeds: Mapping[str, str], output: str) -> str:
        """Put the graph itself here. ``feeds``: arrays by names of its inputs; returns the name of an output."""
        for name, source in feeds.items():
            own = self._renamed.get(name, name)
            alone = name in self._unbatched
            array = self.node("Gather", source, self.constant(np.int64(0)), axis=0) if alone else source
            self._nodes.append(helper.make_node("Identity", [array], [own], name=f"{_PREFIX}/in/{own}"))
        self._nodes += self._inner
        result = self._renamed.get(output, output)
        return self._with_batch(result) if output in self._unbatched else result

    def _with_batch(self, array: str) -> str:
        if self._opset < _SINCE_INPUTS["Unsqueeze"]:
            return self.node("Unsqueeze", array, axes=[0])
        return self.node("Unsqueeze", array, self.constant(np.array([0], np.int64)))

    def cast(self, array: str, kind: Any) -> str:
        """To a type of NumPy."""
        return self.node("Cast", array, to=int(helper.np_dtype_to_tensor_dtype(np.dtype(kind))))

    def reshape(self, array: str, shape: Sequence[int]) -> str:
        """To a shape, in which -1 is what is left, and 0 the length that an axis has."""
        return self.node("Reshape", array, self.constant(np.array(shape, np.int64)))

    def transpose(self, array: str, order: Sequence[int]) -> str:
        """Axes in another order."""
        return self.node("Transpose", array, perm=order)

    def take(self, array: str, axis: int, places: Sequence[int] | int) -> str:
        """These places along an axis; one alone, without that axis."""
        return self.node("Gather", array, self.constant(np.array(places, np.int64)), axis=axis)

    def cut(self, array: str, axes: Sequence[int], begins: Sequence[int], ends: Sequence[int | None]) -> str:
        """A part along some axes; negative ends count from the last one, ``None`` is all of them."""
        until = [_END if end is None else end for end in ends]
        if self._opset < _SINCE_INPUTS["Slice"]:
            return self.node("Slice", array, axes=axes, starts=begins, ends=until)
        return self.node("Slice", array, *(self.constant(np.array(row, np.int64)) for row in (begins, until, axes)))

    def mirrored(self, array: str, before: int, after: int) -> str:
        """Images f32 [n, h, w, c] grown by their own reflection above and to the left, below and to the right; small
        ones are reflected again and again."""
        if self._opset < _SINCE_INPUTS["Pad"]:  # which is for large ones
            return self.node("Pad", array, mode="reflect", pads=[0, before, before, 0, 0, after, after, 0])
        zero, one, two = (self.constant(np.int64(number)) for number in range(3))
        for axis in (1, 2):
            length = self.take(self.node("Shape", array), 0, axis)
            last = self.node("Sub", length, one)
            end = self.node("Add", length, self.constant(np.int64(after)))
            place = self.node("Range", self.constant(np.int64(-before)), end, one)
            period = self.node(
                "Add", self.node("Mul", last, two), self.node("Cast", self.node("Equal", last, zero), to=_WHOLE)
            )
            place = self.node("Mod", place, period)  # 0, 1 .. last .. 1 of each period; of one pixel always 0
            place = self.node("Sub", last, self.node("Abs", self.node("Sub", place, last)))
            array = self.node("Gather", array, place, axis=axis)
        return array

    def clipped(self, array: str, low: float, high: float) -> str:
        """Floats f32 within bounds; what is no number becomes 0."""
        array = self.node("Where", self.node("IsNaN", array), self.constant(np.float32(0)), array)
        if self._opset < _SINCE_INPUTS["Clip"]:
            return self.node("Clip", array, min=low, max=high)
        return self.node("Clip", array, self.constant(np.float32(low)), self.constant(np.float32(high)))

    def rounded(self, array: str) -> str:
        """Floats f32 to the nearest whole ones."""
        if self._opset >= 11:
            return self.node("Round", array)
        return self.node("Floor", self.node("Add", array, self.constant(np.float32(0.5))))

    def lengths(self, array: str, axes: Sequence[int]) -> str:
        """Of some axes of an array, i64 [k]."""
        return self.take(self.node("Shape", array), 0, axes)

    def joined(self, arrays: Sequence[str], axis: int) -> str:
        """Arrays after one another."""
        return self.node("Concat", *arrays, axis=axis)

    def finish(self, inputs: Sequence[Port], output: Port, result: str) -> onnx.ModelProto:
        """The whole model. ``result``: the array that becomes the output."""
        self._nodes.append(helper.make_node("Identity", [result], [output.name], name=f"{_PREFIX}/out"))
        graph = self._graph
        for part, values in (("node", self._nodes), ("input", map(_declared, inputs)), ("output", [_declared(output)])):
            kept = [*values]
            del getattr(graph, part)[:]
            getattr(graph, part).extend(kept)
        del graph.value_info[:]  # of other sizes, perhaps
        self._model.ir_version = max(self._model.ir_version, _IR_VERSION)
        return self._model


def _declared(port: Port) -> onnx.ValueInfoProto:
    sizes = [f"{port.name}_{axis}" if size is None and axis else "n" if size is None else size
             for axis, size in enumerate(port.shape)]  # fmt: skip
    return helper.make_tensor_value_info(port.name, _TYPES[port.dtype], sizes)


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and those within it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _graphs(inner)


def _names(graph: onnx.GraphProto) -> Iterator[str]:
    """All names of arrays."""
    for one in _graphs(graph):
        for part in (one.input, one.output, one.initializer, one.value_info):
            yield from (item.name for item in part)
        yield from (item.values.name for item in one.sparse_initializer)
        for node in one.node:
            yield from (*node.input, *node.output)


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Give arrays other names, wherever they are used."""
    if not names:
        return
    for one in _graphs(graph):
        for part in (one.input, one.output, one.initializer, one.value_info):
            for item in part:
                item.name = names.get(item.name, item.name)
        for item in one.sparse_initializer:
            item.values.name = names.get(item.values.name, item.values.name)
        del one.quantization_annotation[:]
        for node in one.node:
            for ends in (node.input, node.output):
                for place, name in enumerate(ends):
                    ends[place] = names.get(name, name)
