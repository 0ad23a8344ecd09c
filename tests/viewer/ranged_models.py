"""Networks that take and give images of floats, in known ranges: every combination of what such files are like.

A network brings its input to 0..1, by operators of its own or folded into its first weights, makes something of it, and
brings that to the range that it gives, folded or by its last operators. Weights are random about what it does.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import onnx
from onnx import helper, numpy_helper
from small_models import make_graph

from viewer.graph.reading import Range
from viewer.graph.trails import RANGES

FEATURES: Final = 9  # beside the colours that pass through
MEAN: Final = np.array([0.485, 0.456, 0.406])  # of ImageNet, in 0..1
DEVIATION: Final = np.array([0.229, 0.224, 0.225])
SWAP: Final = np.array([[0.2, 0.7, 0.1], [0.1, 0.2, 0.7], [0.7, 0.1, 0.2]])
WORKS: Final = {  # what becomes of the colours z: matrix · z + offset
    "near": (np.eye(3), 0.0),
    "negative": (-np.eye(3), 1.0),
    "colours": (SWAP, 0.0),
    "paler": (0.85 * np.eye(3), 0.15),
    "darker": (0.85 * np.eye(3), 0.0),
}


@dataclass(frozen=True)
class Ranged:
    """What a network is like."""

    takes: Range
    gives: Range
    start: str  # folded; shown: as operators; imagenet: its means and deviations, shown
    work: str  # one of WORKS; random: nothing of the image is kept
    end: str  # folded, shown, clip, tanh, sigmoid; skip: what is added to the image
    layout: str
    padding: str  # zeros, reflect, valid
    scale: int
    seed: int = 0

    @property
    def name(self) -> str:
        ranges = ["{:g}..{:g}".format(*one) for one in (self.takes, self.gives)]
        words = (*ranges, self.start, self.work, self.end, self.layout, self.padding, self.scale, self.seed)
        return "_".join(map(str, words))


def family(count: int) -> list[Ranged]:
    """So many of all combinations, chosen at random but evenly: every pair of ranges as often as any other."""
    chance, found = np.random.default_rng(5), []
    pairs = itertools.cycle(itertools.product(RANGES, RANGES))
    options: dict[str, list[Any]] = {
        "start": ["folded", "shown", "imagenet"],
        "work": [*["near"] * 4, *WORKS, "random"],
        "end": ["folded", "shown", "clip", "tanh", "sigmoid", "skip"],
        "layout": ["chw", "hwc"],
        "padding": ["zeros", "reflect", "valid"],
        "scale": [1, 2, 3, 4],
    }
    while len(found) < count:
        takes, gives = next(pairs)
        words = {name: values[chance.integers(len(values))] for name, values in options.items()}
        if words["work"] != "near" and words["end"] == "skip":
            words["end"] = "folded"
        if words["work"] == "random":  # of which nothing but its operators can tell what it is about
            words |= {"start": "imagenet", "end": ("clip", "tanh", "sigmoid")[len(found) % 3]}
        found.append(Ranged(takes, gives, **words, seed=len(found)))
    return found


def blind(count: int) -> Iterator[Ranged]:
    """Networks that keep nothing of the image, and have no operator that tells what they take."""
    for number in range(count):
        takes, gives = RANGES[number % 3], RANGES[number // 3 % 3]
        end = ("tanh", "sigmoid")[number % 2]
        yield Ranged(takes, gives, "folded", "random", end, "chw", "zeros", 1 + number % 2, seed=number)


def make(one: Ranged) -> onnx.ModelProto:
    chance = np.random.default_rng([7, one.seed])
    nodes: list[Any] = []
    constants: list[Any] = []

    def constant(value: Any, kind: Any = np.float32) -> str:
        name = f"c{len(constants)}"
        constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def add(operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"n{len(nodes)}"
        nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    colours = np.array([1.0, 1.0, 1.0])
    low, high = one.takes
    here = add("Transpose", "x", perm=[0, 3, 1, 2]) if one.layout == "hwc" else "x"
    per_channel = (1, 3, 1, 1)
    scale_in, offset_in = colours / (high - low), -low * colours / (high - low)  # z = scale · here + offset
    if one.start == "shown":
        if low:
            here = add("Sub", here, constant(low))
        if high - low != 1:
            here = add("Div", here, constant(high - low))
        scale_in, offset_in = colours, 0 * colours
    elif one.start == "imagenet":
        mean, deviation = MEAN * (high - low) + low, DEVIATION * (high - low)
        here = add("Sub", here, constant(mean.reshape(per_channel)))
        here = add("Div", here, constant(deviation.reshape(per_channel)))
        scale_in, offset_in = DEVIATION, MEAN
    if one.scale > 1:
        here = add("Resize", here, "", constant([1, 1, one.scale, one.scale]), mode="linear")
    plain = here  # of which z is scale · plain + offset

    def conv(name: str, weights: Any, bias: Any) -> str:
        side = weights.shape[2] // 2
        if one.padding == "reflect":
            name = add("Pad", name, constant([0, 0, side, side] * 2, np.int64), mode="reflect")
        pads = [side] * 4 if one.padding == "zeros" else [0] * 4
        return add("Conv", name, constant(weights), constant(bias), pads=pads)

    first = chance.normal(0, 0.3, (3 + FEATURES, 3, 3, 3))
    bias = chance.normal(0, 0.1, 3 + FEATURES)
    second = chance.normal(0, 0.004, (3, 3 + FEATURES, 3, 3))
    if one.work == "random":
        second, middle = chance.normal(0, 0.4, second.shape), chance.normal(0, 0.1, 3)
    else:
        matrix, offset = WORKS[one.work]
        first[:3] = chance.normal(0, 0.005, first[:3].shape)
        first[range(3), range(3), 1, 1] = 1.0
        bias[:3] = 1.0  # so that what passes through stays above zero
        second[:, :3] = 0
        second[:, :3, 1, 1] = matrix
        middle = offset - second[:, :3].sum((1, 2, 3)) + chance.normal(0, 0.01, 3)
    # the first weights take z; folded, they take what z is made of
    bias = bias + np.einsum("oihw,i->o", first, offset_in)
    first = first * scale_in[None, :, None, None]
    low, high = one.gives
    factor, term = high - low, low
    if one.end == "skip":
        second[:, :3] = 0
        middle = chance.normal(0, 0.01, 3)
        factor, term = high - low, 0.0
    elif one.end in ("tanh", "sigmoid"):  # which bend 0..1 to less than that
        factor, term = (2.4, -1.2) if one.end == "tanh" else (4.8, -2.4)
    elif one.end == "shown":
        factor, term = 1.0, 0.0
    second, middle = second * factor, middle * factor + term
    here = conv(add("LeakyRelu", conv(here, first, bias), alpha=0.2), second, middle)
    if one.end == "skip":
        gain = constant((scale_in * (high - low)).reshape(per_channel))
        added = constant((offset_in * (high - low) + low).reshape(per_channel))
        if one.padding == "valid":
            plain = add("Slice", plain, constant([2, 2], np.int64), constant([-2, -2], np.int64),
                        constant([2, 3], np.int64))  # fmt: skip
        here = add("Add", add("Add", add("Mul", plain, gain), added), here)
    elif one.end == "clip":
        here = add("Clip", here, constant(low), constant(high))
    elif one.end in ("tanh", "sigmoid"):
        here = add(one.end.capitalize(), here)
        bounds = (-1.0, 1.0) if one.end == "tanh" else (0.0, 1.0)
        here = _brought(add, constant, here, bounds, one.gives)
    elif one.end == "shown":
        here = _brought(add, constant, here, (0.0, 1.0), one.gives)
    if one.layout == "hwc":
        here = add("Transpose", here, perm=[0, 2, 3, 1])
    nodes.append(helper.make_node("Identity", [here], ["y"]))
    shapes = ([1, 3, "h", "w"], [1, 3, "H", "W"]) if one.layout == "chw" else ([1, "h", "w", 3], [1, "H", "W", 3])
    return make_graph(nodes, [("x", "f32", shapes[0])], [("y", "f32", shapes[1])], constants)


def _brought(add: Any, constant: Any, name: str, source: Range, target: Range) -> str:
    """From one range to another, by a multiplication and an addition where these are needed."""
    factor = (target[1] - target[0]) / (source[1] - source[0])
    term = target[0] - factor * source[0]
    if factor != 1:
        name = add("Mul", name, constant(factor))
    return add("Add", name, constant(term)) if term else name


def truth(one: Ranged) -> dict[str, Range]:
    return {"input_range": one.takes, "output_range": one.gives}


__all__ = ["Ranged", "blind", "family", "make", "replace", "truth"]
