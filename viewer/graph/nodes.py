"""The nodes and small constants of an ONNX file, read from its bytes: what onnxruntime does not tell of a graph.

Only the main graph is read; names of operators stand without their domain. The bytes have to be screened before
(``viewer.graph.screening``): that bounds how much there is to read.

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from viewer.graph.screening import BYTES, FIXED32, FIXED64, VARINT, Reader, Span, WireError

_MOST_FIELDS: Final = 1_000_000
_MOST_NUMBERS: Final = 16  # of a constant whose numbers are read
_GRAPH: Final = 7  # of ModelProto
_NODE, _WEIGHTS = 1, 5  # of GraphProto
_INPUT, _OUTPUT, _OPERATOR, _ATTRIBUTE = 1, 2, 4, 5  # of NodeProto
_ATTRIBUTE_NAME, _FLOAT, _INT, _TENSOR = 1, 2, 3, 5  # of AttributeProto
_DIMS, _TYPE, _FLOATS, _INT32S, _INT64S, _NAME, _RAW, _DOUBLES = 1, 2, 4, 5, 7, 8, 9, 10  # of TensorProto
_RAW_CODES: Final[Mapping[int, str]] = {1: "f", 2: "B", 3: "b", 6: "i", 7: "q", 9: "?", 10: "e", 11: "d"}


@dataclass(frozen=True)
class Node:
    """An operator of a graph."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, float] = field(default_factory=dict)  # those that are a number


@dataclass(frozen=True)
class Constant:
    """A weight or another constant."""

    shape: tuple[int, ...]
    numbers: tuple[float, ...] = ()  # all of them, where they are few


@dataclass(frozen=True)
class Graph:
    """Nodes in the order of the file, and constants by name."""

    nodes: Sequence[Node] = ()
    constants: Mapping[str, Constant] = field(default_factory=dict)

    def users(self, name: str) -> list[Node]:
        """The nodes that take an array."""
        return [node for node in self.nodes if name in node.inputs]

    def maker(self, name: str) -> Node | None:
        """The node that gives an array; ``None`` for inputs and constants."""
        return next((node for node in self.nodes if name in node.outputs), None)


def read_graph(data: bytes) -> Graph:
    """The graph of an ONNX file; as much of it as can be read."""
    nodes: list[Node] = []
    constants: dict[str, Constant] = {}
    reader = _GraphReader(data, _MOST_FIELDS)
    try:
        for number, span in reader.messages((0, len(data))):
            if number == _GRAPH:
                reader.graph(span, nodes, constants)
    except (WireError, struct.error):
        pass
    return Graph(nodes, constants)


class _GraphReader(Reader):
    def messages(self, span: Span) -> Iterator[tuple[int, Span]]:
        for number, kind, _, start, end in self.fields(*span):
            if kind == BYTES:
                yield number, (start, end)

    def graph(self, span: Span, nodes: list[Node], constants: dict[str, Constant]) -> None:
        for number, part in self.messages(span):
            if number == _NODE:
                self._node(part, nodes, constants)
            elif number == _WEIGHTS:
                name, constant = self._tensor(part)
                constants[name] = constant

    def _node(self, span: Span, nodes: list[Node], constants: dict[str, Constant]) -> None:
        names: dict[int, list[str]] = {_INPUT: [], _OUTPUT: [], _OPERATOR: []}
        attributes: dict[str, float] = {}
        own: Constant | None = None
        for number, part in self.messages(span):
            if number in names:
                names[number].append(self._text(part))
            elif number == _ATTRIBUTE:
                name, value, tensor = self._attribute(part)
                if value is not None:
                    attributes[name] = value
                own = tensor or own
        operator = "".join(names[_OPERATOR])
        if operator == "Constant":
            for name in names[_OUTPUT]:
                constants[name] = own or Constant((), tuple(attributes.values())[:1])
            return
        nodes.append(Node(operator, tuple(names[_INPUT]), tuple(names[_OUTPUT]), attributes))

    def _attribute(self, span: Span) -> tuple[str, float | None, Constant | None]:
        name, value, tensor = "", None, None
        for number, kind, whole, start, end in self.fields(*span):
            if number == _ATTRIBUTE_NAME and kind == BYTES:
                name = self._text((start, end))
            elif number == _INT and kind == VARINT:
                value = float(_signed(whole))
            elif number == _FLOAT and kind == FIXED32:
                value = float(struct.unpack("<f", self.data[start:end])[0])
            elif number == _TENSOR and kind == BYTES:
                tensor = self._tensor((start, end))[1]
        return name, value, tensor

    def _tensor(self, span: Span) -> tuple[str, Constant]:
        name, shape, code, raw = "", list[int](), "", b""
        numbers: list[float] = []
        for number, kind, value, start, end in self.fields(*span):
            if number == _DIMS:
                shape += [_signed(value)] if kind == VARINT else map(_signed, self.varints(start, end))
            elif number == _TYPE and kind == VARINT:
                code = _RAW_CODES.get(value, "")
            elif number == _NAME and kind == BYTES:
                name = self._text((start, end))
            elif number == _RAW and kind == BYTES and end - start <= 8 * _MOST_NUMBERS:
                raw = self.data[start:end]
            elif number in (_INT32S, _INT64S) and len(numbers) <= _MOST_NUMBERS:
                few = [value] if kind == VARINT else self.varints(start, min(end, start + 10 * _MOST_NUMBERS))
                numbers += map(_signed, few)
            elif number in (_FLOATS, _DOUBLES):
                width, letter = (4, "f") if number == _FLOATS else (8, "d")
                count = (end - start) // width if kind in (BYTES, FIXED32, FIXED64) else 0
                if count <= _MOST_NUMBERS:
                    numbers += struct.unpack(f"<{count}{letter}", self.data[start : start + count * width])
        if raw and code:
            count = len(raw) // struct.calcsize(f"<{code}")
            numbers = list(struct.unpack(f"<{count}{code}", raw[: count * struct.calcsize(f"<{code}")]))
        return name, Constant(tuple(shape), tuple(map(float, numbers)) if len(numbers) <= _MOST_NUMBERS else ())

    def _text(self, span: Span) -> str:
        start, end = span
        return self.data[start : min(end, start + 1000)].decode("utf-8", "replace")


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
