"""What the operators at both ends of a graph say about the ranges of its images.

Backwards from an output: a Tanh, Sigmoid or Clip bounds it, and a multiplication after that scales the bounds. Forwards
from an input: what is subtracted and divided by at first is there to bring the input's own range to another, which is
known when it lands at 0..1, -1..1, 0..255, or about zero with a deviation near one (as the means and deviations of
ImageNet do).

Properties of a file that name a range: ``Image.NominalPixelRange`` and ``Image.BitmapPixelFormat`` of
https://github.com/onnx/onnx/blob/main/docs/MetadataProps.md
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Final

from viewer.graph.nodes import Graph, Node
from viewer.graph.reading import Range

RANGES: Final[tuple[Range, ...]] = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))  # that images are in, the usual one first
_PASSING: Final = frozenset((
    "Identity", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Cast", "DepthToSpace",
    "SpaceToDepth", "Resize", "Upsample", "Pad", "Gather", "Split", "Dropout", "Expand", "Tile", "ReflectionPad",
    "Crop", "CastLike",
))  # fmt: skip
_ROUNDING: Final = frozenset(("Round", "Floor", "Ceil"))
_BOUNDED: Final[Mapping[str, Range]] = {
    "Tanh": (-1.0, 1.0),
    "Softsign": (-1.0, 1.0),
    "Sin": (-1.0, 1.0),
    "Sigmoid": (0.0, 1.0),
    "HardSigmoid": (0.0, 1.0),
    "Softmax": (0.0, 1.0),
    "Relu": (0.0, math.inf),
}
_NEAR: Final = 0.03  # of a range's width: how far bounds may be from it
_CENTRED: Final = 0.4  # of half the width: how far from zero the middle of a normalised range may be
_UNIT: Final = (0.3, 3.0)  # half the width of a range that was normalised
_LONGEST: Final = 64  # operators from an end
_MOST_STEPS: Final = 2000  # in all
_LARGEST: Final = 1e30  # of a constant that can be reckoned with
_PIXEL_RANGES: Final[Mapping[str, Range]] = {
    "nominalrange_0_255": (0.0, 255.0),
    "normalized_0_1": (0.0, 1.0),
    "normalized_1_1": (-1.0, 1.0),
}


class Trails:
    """The ends of a graph. All that it says is evidence and no proof."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._makers = {name: node for node in graph.nodes for name in node.outputs}
        self._users: dict[str, list[Node]] = {}
        for node in graph.nodes:
            for name in dict.fromkeys(node.inputs):
                self._users.setdefault(name, []).append(node)
        self._steps = _MOST_STEPS

    def bounds(self, output: str) -> Range | None:
        """Between what an output lies, by its last operators; ``None`` where they do not tell."""
        found = self._back(output, _LONGEST)
        return None if found is None or found == (-math.inf, math.inf) else found

    def last_word(self, output: str) -> str:
        """The operator that bounds an output."""
        node = self._makers.get(output)
        while node is not None and node.operator not in ("Clip", "Min", "Max", *_BOUNDED):
            node = next((self._makers[name] for name in node.inputs if name in self._makers), None)
        return "" if node is None else node.operator

    def scaled_to(self, output: str) -> Range | None:
        """The range that the last operators bring an output to, which nothing bounds: by scale and offset of what is
        about -1..1 or 0..1, or by rounding."""
        scale, offset, name, before = 1.0, 0.0, output, None
        for _ in range(_LONGEST):
            node = self._makers.get(name)
            if node is None or not node.inputs:
                break
            if node.operator in _ROUNDING:
                return 0.0, 255.0
            step = self._affine(node)
            if step is None:
                if node.operator not in _PASSING:
                    break
                name = node.inputs[0]
                continue
            name, (factor, term) = step
            offset, scale = offset + scale * term, scale * factor
        if (scale, offset) == (1.0, 0.0):
            return None
        for low, high in ((-1.0, 1.0), (0.0, 1.0)):
            before = nearest_range((scale * low + offset, scale * high + offset))
            if before is not None:
                return before
        return (0.0, 255.0) if abs(scale) > 32 else None

    def _back(self, name: str, left: int) -> Range | None:
        self._steps -= 1
        node = self._makers.get(name)
        if node is None or not node.inputs or left <= 0 or self._steps <= 0:
            return None
        if node.operator in ("Clip", "Min", "Max"):
            return self._clipped(node, left)
        if node.operator in _BOUNDED:
            return _BOUNDED[node.operator]
        if node.operator == "Concat":
            parts = [self._back(one, left - 1) for one in node.inputs]
            known = [part for part in parts if part is not None]
            return (min(low for low, _ in known), max(high for _, high in known)) if len(known) == len(parts) else None
        if node.operator in _PASSING | _ROUNDING:
            return self._back(node.inputs[0], left - 1)
        step = self._affine(node)
        if step is None:
            return None
        source, (factor, term) = step
        bounds = self._back(source, left - 1)
        if bounds is None:
            return None
        low, high = sorted((factor * bounds[0] + term, factor * bounds[1] + term))
        return low, high

    def _clipped(self, node: Node, left: int) -> Range | None:
        """Bounds of a Clip, by its attributes or its inputs, or of a Min or Max with a constant."""
        low, high = node.attributes.get("min", -math.inf), node.attributes.get("max", math.inf)
        if node.operator == "Clip":
            for place, name in enumerate(node.inputs[1:3]):
                value = self._number(name)
                if name and value is None:
                    return None
                if value is not None:
                    low, high = (value, high) if place == 0 else (low, value)
            source = node.inputs[0]
        else:
            others = [name for name in node.inputs if self._number(name) is None]
            values = [value for name in node.inputs if (value := self._number(name)) is not None]
            if len(others) != 1 or not values:
                return None
            (source,) = others
            low, high = (max(values), math.inf) if node.operator == "Max" else (-math.inf, min(values))
        before = self._back(source, left - 1) or (-math.inf, math.inf)
        return max(low, before[0]), min(high, before[1])

    def input_range(self, name: str) -> Range | None:
        """The range of an input, by what is subtracted and divided by at first; ``None`` where that does not tell."""
        found = {known for scale, offset in self._forward(name) if (known := _before(scale, offset)) is not None}
        return found.pop() if len(found) == 1 else None

    def _forward(self, name: str) -> Iterator[tuple[float, float]]:
        """Scale and offset with which an input goes into its first operators that are more than that."""
        waiting, seen = [(name, 1.0, 0.0)], {name}
        while waiting and self._steps > 0:
            name, scale, offset = waiting.pop()
            for node in self._users.get(name, ()):  # which have an input
                self._steps -= 1
                step = self._affine(node)
                factor, term = (1.0, 0.0) if step is None else step[1]
                if step is None and node.operator not in _PASSING:
                    if node.operator == "Clip" and (scale, offset) == (1.0, 0.0):
                        known = nearest_range(self._clipped(node, 0) or (0.0, 0.0))
                        if known is not None:  # as if it were brought to 0..1
                            yield 1 / (known[1] - known[0]), -known[0] / (known[1] - known[0])
                            continue
                    yield scale, offset
                    continue
                for made in node.outputs:
                    if made and made not in seen:
                        seen.add(made)
                        waiting.append((made, scale * factor, offset * factor + term))

    def _affine(self, node: Node) -> tuple[str, tuple[float, float]] | None:
        """What a node multiplies and adds to: its name, and the mean of both over channels."""
        if node.operator == "BatchNormalization" and len(node.inputs) == 5:
            gamma, beta, mean, variance = (self._number(name) for name in node.inputs[1:])
            if gamma is None or beta is None or mean is None or variance is None:
                return None
            variance += node.attributes.get("epsilon", 1e-5)
            if not variance > 0:
                return None
            factor = gamma / math.sqrt(variance)
            return node.inputs[0], (factor, beta - factor * mean)
        if node.operator == "Neg" and node.inputs:
            return node.inputs[0], (-1.0, 0.0)
        if node.operator not in ("Add", "Sub", "Mul", "Div") or len(node.inputs) != 2:
            return None
        first, second = (self._number(name) for name in node.inputs)
        if (first is None) == (second is None):
            return None
        source, number = (node.inputs[0], second) if first is None else (node.inputs[1], first)
        assert number is not None
        if node.operator == "Add":
            return source, (1.0, number)
        if node.operator == "Sub":
            return source, (1.0, -number) if first is None else (-1.0, number)
        if node.operator == "Mul":
            return source, (number, 0.0)
        return (source, (1 / number, 0.0)) if first is None and number else None

    def _number(self, name: str) -> float | None:
        """A constant: one number, or the mean of a few."""
        constant = self._graph.constants.get(name)
        node = self._makers.get(name)
        if constant is None and node is not None and node.operator in _PASSING and node.inputs:
            constant = self._graph.constants.get(node.inputs[0])  # a mean that is reshaped to [1, 3, 1, 1]
        if constant is None or not constant.numbers or not all(abs(one) < _LARGEST for one in constant.numbers):
            return None
        return math.fsum(constant.numbers) / len(constant.numbers)


def nearest_range(bounds: Range, near: float = _NEAR) -> Range | None:
    """The usual range that bounds are about."""
    for low, high in RANGES:
        if max(abs(bounds[0] - low), abs(bounds[1] - high)) <= near * (high - low):
            return low, high
    return None


def _before(scale: float, offset: float) -> Range | None:
    """The one usual range that such a scale and offset bring to another, or normalise; ``None``: none, or several."""
    if (scale, offset) == (1.0, 0.0):
        return None
    fitting = []
    for one in RANGES:
        low, high = sorted((scale * one[0] + offset, scale * one[1] + offset))
        half, middle = (high - low) / 2, (high + low) / 2
        centred = abs(middle) <= _CENTRED * half
        normalised = offset and centred and (_UNIT[0] <= half <= _UNIT[1] or (scale != 1.0 and 120 < half < 135))
        shifted = scale == 1.0 and abs(middle) <= _CENTRED * half / 2  # only the mean is taken off
        if nearest_range((low, high)) not in (None, one) or normalised or shifted:
            fitting.append(one)
    return fitting[0] if len(fitting) == 1 else None


def said_range(properties: Mapping[str, str], end: str) -> Range | None:
    """The range that a file's own properties name. ``end``: input or output."""
    words = {re.sub(r"[^a-z0-9]", "", key.lower()): text for key, text in properties.items()}
    nominal = words.get("imagenominalpixelrange", "").strip().lower()
    if end == "input" and nominal in _PIXEL_RANGES:
        return _PIXEL_RANGES[nominal]
    for key in (f"{end}range", f"{end}valuerange", f"{end}pixelrange", f"range{end}", "pixelrange", "valuerange"):
        numbers = re.findall(r"-?\d+(?:\.\d+)?", words.get(key, "")[:100].replace("..", " "))
        if len(numbers) == 2 and (found := nearest_range((float(numbers[0]), float(numbers[1])))) is not None:
            return found
    return None


def said_bgr(properties: Mapping[str, str]) -> bool:
    """Whether a file's own properties say that its colours are in the order BGR."""
    words = {re.sub(r"[^a-z0-9]", "", key.lower()): text for key, text in properties.items()}
    return words.get("imagebitmappixelformat", "").strip().lower() in ("bgr8", "bgra8")
