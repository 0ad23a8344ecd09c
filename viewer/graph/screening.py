"""Check the bytes of an ONNX file before onnxruntime reads it, and refuse what no honest model needs.

Refused are: anything but a whole protocol buffer; weights in other files; sizes that the file has no data for, and
sparse weights that would become huge; operators of unknown domains; branches nested too deep; functions that call
themselves, or grow too large when they are written out. What a graph computes cannot be seen in its bytes:
``viewer.graph.limits`` bounds that.

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
The wire format: https://protobuf.dev/programming-guides/encoding
"""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Final

from trainer.contract.recognise import recognise_bytes
from trainer.contract.text import printable

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # how a field is written
_LONGEST_VARINT: Final = 10  # bytes of a number of 64 bits
MOST_FIELDS: Final = 1_000_000  # that are read of a file; a large network has some ten thousand
_MOST_NODES: Final = 500_000  # once functions are written out
DEEPEST: Final = 24  # branches and loops within each other
MOST_AXES: Final = 64
_LARGEST_SPARSE: Final = 2**26  # numbers that a sparse tensor stands for
_VALUES_A_BYTE: Final = 8  # at most: no type of number is smaller than a bit
_DOMAINS: Final = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc")
_STRANGERS: Final = ("EPContext", "PythonOp")  # of com.microsoft: read files, or run code, where anything can run them

Span = tuple[int, int]  # start and end of a message within the file
Called = tuple[str, str, str]  # of a function or operator: domain, name, overload
_Calls = Counter[Called]  # what a graph or a function calls, branches included

_GRAPH, _FUNCTIONS, _TRAINING = 7, 25, 20  # of ModelProto
_GRAPH_NODES, _WEIGHTS, _SPARSE_WEIGHTS = 1, 5, 15  # of GraphProto
_TRAINING_GRAPHS = (1, 2)  # of TrainingInfoProto
_FUNCTION_CALLED, _FUNCTION_NODES, _FUNCTION_ATTRIBUTES = (10, 1, 13), 7, 11  # of FunctionProto
_CALLED, _ATTRIBUTES = (7, 4, 8), 5  # of NodeProto
_TENSOR, _SUBGRAPH, _TENSORS, _SUBGRAPHS, _SPARSE, _SPARSES = 5, 6, 10, 11, 22, 23  # of AttributeProto
_DIMS, _TEXTS, _NAME, _ELSEWHERE, _LOCATION = 1, 6, 8, 13, 14  # of TensorProto
_VALUES = (4, 5, 6, 7, 9, 10, 11)  # one of which has its numbers
_SPARSE_VALUES, _SPARSE_PLACES, _SPARSE_DIMS = 1, 2, 3  # of SparseTensorProto


class WireError(ValueError):
    """Bytes that are no protocol buffer; the message says why, in a few words."""


class Reader:
    """Walks the messages within some bytes: nothing is copied or built, so that no file makes it slow, deep or large.

    ``budget``: fields that it reads at most, in all.
    """

    def __init__(self, data: bytes, budget: int) -> None:
        self.data = data
        self._left = budget

    def fields(self, start: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
        """The fields of the message in data[start:end], in order: number, kind, value, start, end.

        ``kind`` is VARINT, with the ``value``; or BYTES, FIXED32 or FIXED64, with where the content begins and ends.
        Raises ``WireError``.
        """
        data, position = self.data, start
        while position < end:
            self._spend()
            key, position = self._varint(position, end)
            number, kind = key >> 3, key & 7
            if number == 0:
                raise WireError(f"no field at byte {position}")
            if kind == VARINT:
                value, position = self._varint(position, end)
                yield number, kind, value, position, position
                continue
            if kind == BYTES:
                size, position = self._varint(position, end)
            elif kind in (FIXED32, FIXED64):
                size = 4 if kind == FIXED32 else 8
            else:
                raise WireError(f"no field at byte {position}")
            if size > end - position:
                early = f"it ends early: {size} bytes are missing from byte {position} on"
                raise WireError(early if end == len(data) else f"no field at byte {position}")
            yield number, kind, 0, position, position + size
            position += size

    def varints(self, start: int, end: int) -> Iterator[int]:
        """The numbers of a packed field, data[start:end]. Raises ``WireError``."""
        while start < end:
            self._spend()
            value, start = self._varint(start, end)
            yield value

    def _spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise WireError("more parts than any model has")

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        """A number of at most 64 bits, and where what follows it begins."""
        data, value, shift = self.data, 0, 0
        last = min(end, position + _LONGEST_VARINT)
        while position < last:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, position
            shift += 7
        raise WireError(f"no number before byte {position}")


class ScreeningError(ValueError):
    """A file that is not to be opened; the message says what was found and what was expected."""


class ElsewhereError(ScreeningError):
    """Weights in another file."""

    def __init__(self, name: str, place: str) -> None:
        self.place = place
        where = place and f" {shown(place)}"
        super().__init__(f"weights {shown(name)} are in another file{where}, expected all in one")


def screen(data: bytes) -> int:
    """Look over the bytes of an ONNX file, and count its nodes. Raises ``ScreeningError``."""
    try:
        return _Screening(data, MOST_FIELDS).model()
    except WireError as error:
        raise damaged(data, error) from None


def damaged(data: bytes, error: WireError) -> ScreeningError:
    """What to say of bytes that cannot be walked through."""
    found = recognise_bytes(data)
    if found is None or found.kind != "model":
        return ScreeningError(f"not an ONNX model, or not a whole one: {error}; copy or download it again")
    return ScreeningError(f"an ONNX model that is cut short or damaged: {error}; copy or download it again")


class _Screening(Reader):
    def model(self) -> int:
        graphs, calls, functions = 0, _Calls(), {}
        for number, span in self._messages((0, len(self.data))):
            if number == _GRAPH:
                graphs += 1
                self._graph(span, calls, 0)
            elif number == _FUNCTIONS:
                own = _Calls()
                name = self._called(span, _FUNCTION_CALLED, _FUNCTION_ATTRIBUTES, own, 0, _FUNCTION_NODES)
                if name in functions:
                    raise ScreeningError(f"function {_words(name)} is there twice, expected once")
                functions[name] = own
            elif number == _TRAINING:
                for part, graph in self._messages(span):
                    if part in _TRAINING_GRAPHS:
                        self._graph(graph, calls, 0)
        if graphs != 1:
            cut = "; it may be cut short: copy or download it again" if graphs == 0 else ""
            raise ScreeningError(f"not an ONNX model: found {graphs} graphs, expected one{cut}")
        self._check_calls(calls, functions)
        return sum(each.total() for each in (calls, *functions.values()))

    def _messages(self, span: Span) -> Iterator[tuple[int, Span]]:
        """The messages and texts among the fields of a message, by the numbers of the fields."""
        for number, kind, _, start, end in self.fields(*span):
            if kind == BYTES:
                yield number, (start, end)

    def _graph(self, span: Span, calls: _Calls, depth: int) -> None:
        if depth > DEEPEST:
            raise ScreeningError(f"branches nested more than {DEEPEST} deep, expected fewer")
        for number, part in self._messages(span):
            if number == _GRAPH_NODES:
                calls[self._called(part, _CALLED, _ATTRIBUTES, calls, depth)] += 1
            elif number == _WEIGHTS:
                self._tensor(part)
            elif number == _SPARSE_WEIGHTS:
                self._sparse(part)

    def _called(
        self, span: Span, words: tuple[int, ...], attributes: int, calls: _Calls, depth: int, nodes: int = 0
    ) -> Called:
        """What a node or a function is called; what is called within it is added to ``calls``. By numbers of fields."""
        found = dict.fromkeys(words, "")
        for number, part in self._messages(span):
            if number in found:
                found[number] = self._text(*part)
            elif number == attributes:
                self._attribute(part, calls, depth)
            elif number == nodes:
                calls[self._called(part, _CALLED, _ATTRIBUTES, calls, depth)] += 1
        domain, name, overload = found.values()
        return domain, name, overload

    def _attribute(self, span: Span, calls: _Calls, depth: int) -> None:
        once: Counter[int] = Counter()
        for number, part in self._messages(span):
            once[number] += 1
            if number in (_TENSOR, _SUBGRAPH, _SPARSE) and once[number] > 1:
                raise ScreeningError("an attribute is there twice, expected once")  # readers would join the two
            if number in (_TENSOR, _TENSORS):
                self._tensor(part)
            elif number in (_SUBGRAPH, _SUBGRAPHS):
                self._graph(part, calls, depth + 1)
            elif number in (_SPARSE, _SPARSES):
                self._sparse(part)

    def _sparse(self, span: Span) -> None:
        dims: list[int] = []
        for number, kind, value, start, end in self.fields(*span):
            if number == _SPARSE_DIMS:
                dims += [value] if kind == VARINT else self.varints(start, end)
            elif kind == BYTES and number in (_SPARSE_VALUES, _SPARSE_PLACES):
                self._tensor((start, end))
        if math.prod(dims[:MOST_AXES]) > _LARGEST_SPARSE or len(dims) > MOST_AXES:
            raise ScreeningError(f"sparse weights of {_shape(dims)} numbers, expected at most {_LARGEST_SPARSE}")

    def _tensor(self, span: Span) -> None:
        """Weights: here, and as many as they say."""
        dims: list[int] = []
        name, place, elsewhere, size, texts = "", "", False, 0, 0
        for number, kind, value, start, end in self.fields(*span):
            if number == _DIMS:
                dims += [value] if kind == VARINT else self.varints(start, end)
            elif number == _LOCATION:
                elsewhere = elsewhere or value != 0
            elif number == _ELSEWHERE:
                elsewhere, place = True, place or self._place(start, end)
            elif number == _NAME and kind == BYTES:
                name = self._text(start, end)
            elif number == _TEXTS:
                texts += 1
            elif number in _VALUES:
                size += {VARINT: 1, FIXED32: 4, FIXED64: 8}.get(kind, end - start)
        if elsewhere:
            raise ElsewhereError(name, place)
        count = math.prod(dims[:MOST_AXES])
        if len(dims) > MOST_AXES or count > max(size * _VALUES_A_BYTE, texts):
            raise ScreeningError(f"weights {shown(name)} of {_shape(dims)} numbers, found {size} bytes of them")

    def _place(self, start: int, end: int) -> str:
        """The file that an entry of a tensor's ``external_data`` names; empty where it tells something else."""
        entry = {number: self._text(*part) for number, part in self._messages((start, end))}
        return entry.get(2, "") if entry.get(1) == "location" else ""

    def _text(self, start: int, end: int) -> str:
        return self.data[start : min(end, start + 1000)].decode("utf-8", "replace")

    def _check_calls(self, calls: _Calls, functions: dict[Called, _Calls]) -> None:
        """Every operator has to be one that onnxruntime brings, or a function of the file that ends somewhere."""
        for each in (calls, *functions.values()):
            for called in each:
                domain, operator, _ = called
                if called not in functions and (domain not in _DOMAINS or operator in _STRANGERS):
                    raise ScreeningError(
                        f"operator {_words(called)} is unknown, expected those of ONNX and onnxruntime: it belongs to "
                        "the program that wrote the file; export the model without it"
                    )
        sizes: dict[Called, int] = {}

        def written_out(own: _Calls, path: tuple[Called, ...]) -> int:
            """Nodes, once all functions are replaced by what they do."""
            total = 0
            for called, count in own.items():
                if called not in functions:
                    total += count
                    continue
                if called in path or len(path) > DEEPEST * 4:
                    raise ScreeningError(f"function {_words(called)} calls itself, or others too deep, expected an end")
                if called not in sizes:
                    sizes[called] = written_out(functions[called], (*path, called))
                total += count * sizes[called]
            if total > _MOST_NODES:
                raise ScreeningError(f"more than {_MOST_NODES} nodes once functions are written out, expected fewer")
            return total

        written_out(calls, ())
        for called, own in functions.items():
            written_out(own, (called,))


def _shape(dims: list[int]) -> str:
    shown = [str(size - 2**64 if size >= 2**63 else size) for size in dims[:8]]
    return "x".join(shown) + ("x…" if len(dims) > 8 else "")


def shown(text: str) -> str:
    """A text of a file, short and in quotes."""
    return repr(printable(text, 60))


def _words(called: Called) -> str:
    return shown(".".join(part for part in called if part))
