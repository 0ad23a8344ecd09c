"""Small ONNX files, with a card and without, and a display with a scripted person: what the viewer tests need."""

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.card import BLANK_SEAL, SEAL_KEY, Card, Latent, Port, seal
from viewer.keys import Event

ONNX_TYPES = {"f32": TensorProto.FLOAT, "f64": TensorProto.DOUBLE, "u8": TensorProto.UINT8, "i64": TensorProto.INT64}


def constant(name: str, value: Any) -> Any:
    return numpy_helper.from_array(np.ascontiguousarray(value), name)


def make_graph(
    nodes: Sequence[Any],
    inputs: Sequence[tuple[str, str, Sequence[int | str]]],
    outputs: Sequence[tuple[str, str, Sequence[int | str]]],
    constants: Sequence[Any],
) -> onnx.ModelProto:
    """An ONNX model of nodes; ports are (name, type, shape)."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(name, ONNX_TYPES[kind], shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(name, ONNX_TYPES[kind], shape) for name, kind, shape in outputs],
        list(constants),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def write(path: Path, model: onnx.ModelProto, card: Card | None = None, **more: str) -> Path:
    """Write a model; with a card it is sealed as the export seals. ``more``: further metadata, or other values."""
    if card is not None:
        properties = {**card.to_props(), SEAL_KEY: BLANK_SEAL, **more}
        helper.set_model_props(model, properties)
        path.write_bytes(seal(model.SerializeToString()))
    else:
        path.write_bytes(model.SerializeToString())
    return path


def weights(size: int, height: int, width: int, hidden: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    generator = np.random.default_rng(0)
    first = generator.normal(size=(size, hidden)).astype(np.float32)
    waves = generator.normal(size=(hidden, 3, 3))  # smooth pictures, a different one for each latent
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    down, along, phase = waves[:, 0], waves[:, 1], waves[:, 2]
    second = np.sin(
        6 * (down[:, None, None] * y[None, ..., None] + along[:, None, None] * x[None, ..., None])
        + phase[:, None, None]
    )
    return first, (second.reshape(hidden, -1) / np.sqrt(hidden) * 2).astype(np.float32)


def generator_nodes(size: int, height: int, width: int, hidden: int) -> tuple[list[Any], list[Any]]:
    """Nodes and constants from ``latent`` to ``unit``, f32 [n, h * w * 3] in 0..1."""
    first, second = weights(size, height, width, hidden)
    nodes = [
        helper.make_node("MatMul", ["latent", "first"], ["inner"]),
        helper.make_node("Relu", ["inner"], ["active"]),
        helper.make_node("MatMul", ["active", "second"], ["outer"]),
        helper.make_node("Sigmoid", ["outer"], ["unit"]),
    ]
    return nodes, [constant("first", first), constant("second", second)]


def make_generator(
    path: Path,
    size: int = 4,
    height: int = 16,
    width: int = 16,
    hidden: int = 8,
    card: bool = True,
    labels: int = 0,
    **facts: Any,
) -> Path:
    """A generator as the export writes it: latent [n, d] (, label [n]) to image u8 [n, h, w, 3].

    ``labels``: how many classes it draws; the pictures of each are brighter than those of the one before.
    """
    nodes, constants = generator_nodes(size, height, width, hidden)
    nodes += [
        helper.make_node("Mul", ["unit", "levels"], ["scaled"]),
        helper.make_node("Round", ["scaled"], ["rounded"]),
        helper.make_node("Cast", ["rounded"], ["flat"], to=TensorProto.UINT8),
        helper.make_node("Reshape", ["flat", "shape"], ["image"]),
    ]
    constants += [constant("levels", np.float32(255)), constant("shape", np.array([-1, height, width, 3]))]
    inputs = [("latent", "f32", ["n", size])]
    if labels:
        brightness = np.linspace(0.2, 1.0, labels, dtype=np.float32)[:, None]
        constants.append(constant("brightness", brightness))
        nodes[4:5] = [
            helper.make_node("Gather", ["brightness", "label"], ["bright"]),
            helper.make_node("Mul", ["unit", "levels"], ["full"]),
            helper.make_node("Mul", ["full", "bright"], ["scaled"]),
        ]
        inputs.append(("label", "i64", ["n"]))
        ports = Port(name="latent", dtype="f32", shape=(None, size)), Port(name="label", dtype="i64", shape=(None,))
        facts = {"inputs": ports, "classes": tuple(f"class-{label}" for label in range(labels)), **facts}
    shape = ["n", height, width, 3]
    model = make_graph(nodes, inputs, [("image", "u8", shape)], constants)
    return write(path, model, generator_card(path.stem, size, height, width, **facts) if card else None)


def generator_card(stem: str, size: int, height: int, width: int, **facts: Any) -> Card:
    return Card(
        **{
            "kind": "generator",
            "family": "vae",
            "name": stem,
            "inputs": (Port(name="latent", dtype="f32", shape=(None, size)),),
            "output": Port(name="image", dtype="u8", shape=(None, height, width, 3)),
            "image_size": (height, width),
            "latent": Latent(size=size),
            **facts,
        }
    )


def make_encoder(path: Path, size: int = 4, height: int = 16, width: int = 16) -> Path:
    """An encoder whose latent is the mean of red, green, blue (0..1), then zeros."""
    take = np.zeros((3, size), np.float32)
    take[:, :3] = np.eye(3)[:, : min(size, 3)]
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Div", ["mean", "levels"], ["unit"]),
        helper.make_node("MatMul", ["unit", "take"], ["latent"]),
    ]
    model = make_graph(
        nodes,
        [("image", "u8", ["n", height, width, 3])],
        [("latent", "f32", ["n", size])],
        [constant("levels", np.float32(255)), constant("take", take)],
    )
    card = Card(
        kind="encoder",
        family="vae",
        name=path.stem,
        inputs=(Port(name="image", dtype="u8", shape=(None, height, width, 3)),),
        output=Port(name="latent", dtype="f32", shape=(None, size)),
        image_size=(height, width),
        latent=Latent(size=size),
    )
    return write(path, model, card)


class FakeDisplay:
    """A display with a person who presses given keys at given gaps and then waits; records what is shown."""

    def __init__(
        self,
        events: Sequence[Event],
        interactive: bool = True,
        wait: Callable[[float], None] | None = None,
        coarse: bool = False,
    ) -> None:
        self.interactive = interactive
        self.coarse = coarse
        self.frames: list[NDArray[np.uint8]] = []
        self.titles: list[str] = []
        self.polls = 0
        self._events = deque(events)
        self._wait = wait

    def show(self, frame: NDArray[np.uint8], title: str) -> None:
        assert frame.dtype == np.uint8
        assert frame.ndim == 3
        assert frame.flags["C_CONTIGUOUS"]
        self.frames.append(frame.copy())
        self.titles.append(title)

    def poll(self, seconds: float) -> Event | None:
        assert seconds >= 0
        self.polls += 1
        if self._wait is not None:
            self._wait(seconds)
        return self._events.popleft() if self._events else None

    def close(self) -> None:
        """Nothing to give back."""
