"""Small ONNX files without a card that take more than one input or give more than one output."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from small_models import constant, make_graph, write

Port = tuple[str, str, Sequence[int | str]]
SIDE = 16
PIXELS = 3 * SIDE * SIDE


def node(operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
    return helper.make_node(operator, list(inputs), [output], **attributes)


def generator(
    path: Path,
    extras: Sequence[Port] = (),
    nodes: Sequence[Any] = (),
    constants: Sequence[Any] = (),
    *,
    shape: Sequence[int | str] = ("n", 4),
    outputs: Sequence[Port] = (("image", "f32", ("n", 3, SIDE, SIDE)),),
    after: Sequence[Any] = (),
    **properties: str,
) -> Path:
    """A generator of ``z`` with ``extras``: ``nodes`` make of them ``more``, f32 [n, 768] or broadcast to it, which is
    added before the Sigmoid. ``after``: nodes of ``image``."""
    size = int(np.prod([side for side in shape[1:] if isinstance(side, int)]))
    weights = np.random.default_rng(0).standard_normal((size, PIXELS)).astype(np.float32)
    start = [node("Reshape", ["z", "flat"], "rows"), node("MatMul", ["rows", "weights"], "plain")]
    add = [*nodes, node("Add", ["plain", "more"], "sum")] if nodes else [node("Identity", ["plain"], "sum")]
    end = [node("Sigmoid", ["sum"], "unit"), node("Reshape", ["unit", "image_shape"], "image"), *after]
    own = [constant("weights", weights), constant("flat", np.array([-1, size])),
           constant("image_shape", np.array([-1, 3, SIDE, SIDE]))]  # fmt: skip
    model = make_graph([*start, *add, *end], [("z", "f32", shape), *extras], outputs, [*own, *constants])
    if properties:
        helper.set_model_props(model, properties)
    return write(path, model)


def table(rows: int) -> Any:
    """Brighter from row to row, f32 [rows, 768]."""
    return constant("table", np.linspace(-3, 3, rows, dtype=np.float32)[:, None] * np.ones((1, PIXELS), np.float32))


def labelled(path: Path, rows: int = 5, shape: Sequence[int | str] = ("n",), kind: str = "i64", **more: Any) -> Path:
    """A generator of a class that is looked up: the images of each are brighter than those of the one before."""
    nodes = [node("Reshape", ["y", "line"], "label"), node("Gather", ["table", "label"], "more", axis=0)]
    constants = [table(rows), constant("line", np.array([-1]))]
    return generator(path, [("y", kind, shape)], nodes, constants, **more)


def one_hot(path: Path, name: str = "y", count: int = 5) -> Path:
    """The same of a one-hot row."""
    return generator(path, [(name, "f32", ("n", count))], [node("MatMul", [name, "table"], "more")], [table(count)],
                     shape=("n", 8))  # fmt: skip


def scaled(path: Path, name: str = "psi", shape: Sequence[int | str] = (), kind: str = "f32") -> Path:
    """A generator of a number that all is shifted by."""
    nodes = [node("Cast", [name], "number", to=TensorProto.FLOAT), node("Reshape", ["number", "column"], "more")]
    return generator(path, [(name, kind, shape)], nodes, [constant("column", np.array([-1, 1]))])


def denoiser(
    path: Path,
    *,
    channels: int = 3,
    gives: int = 0,
    sides: Sequence[int | str] = ("h", "w"),
    batch: int | str = "n",
    step: str = "i64",
    step_shape: Sequence[int | str] = ("n",),
    classes: int = 0,
    share: float = 0.5,
) -> Path:
    """A denoiser without a card: sample and timestep (and a class) to as many channels, or to ``gives``. ``share``: of
    the sample, that it predicts."""
    shape = [batch, channels, *sides]
    kernel = np.zeros((gives or channels, channels, 3, 3), np.float32)
    for channel in range(len(kernel)):
        kernel[channel, channel % channels, 1, 1] = share
    nodes = [
        node("Cast", ["timestep"], "number", to=TensorProto.FLOAT),
        node("Reshape", ["number", "corner"], "corners"),
        node("Mul", ["corners", "small"], "shift"),
        node("Conv", ["sample", "kernel"], "made", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Add", ["made", "shift"], "out" if classes else "out_sample"),
    ]
    constants = [constant("kernel", kernel), constant("corner", np.array([-1, 1, 1, 1])),
                 constant("small", np.float32([1e-4]))]  # fmt: skip
    inputs: list[Port] = [("sample", "f32", shape), ("timestep", step, step_shape)]
    if classes:
        nodes += [
            node("Gather", ["levels", "class_labels"], "level", axis=0),
            node("Reshape", ["level", "corner"], "light"),
            node("Add", ["out", "light"], "out_sample"),
        ]
        constants.append(constant("levels", np.linspace(-1, 1, classes, dtype=np.float32)[:, None]))
        inputs.append(("class_labels", "i64", [batch]))
    output = ("out_sample", "f32", [batch, gives or channels, *sides])
    return write(path, make_graph(nodes, inputs, [output], constants))


def restorer(path: Path, name: str, shape: Sequence[int | str], kind: str = "f32") -> Path:
    """An image in 0..1 multiplied by a further input."""
    nodes = [node("Cast", [name], "number", to=TensorProto.FLOAT), node("Mul", ["x", "number"], "y")]
    image = ("n", 3, "h", "w")
    return write(path, make_graph(nodes, [("x", "f32", image), (name, kind, shape)], [("y", "f32", image)], []))
