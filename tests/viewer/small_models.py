"""Small ONNX files, with a card and without, and a display with a scripted person: what the viewer tests need."""

import resource
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.card import BLANK_SEAL, SEAL_KEY, Card, Latent, Port, seal
from viewer.keys import Event
from viewer.labels import painted
from viewer.room import Room, Tiling
from viewer.sheet import Sheet
from viewer.text import Text, line_of

ONNX_TYPES = {"f32": TensorProto.FLOAT, "f64": TensorProto.DOUBLE, "u8": TensorProto.UINT8, "i64": TensorProto.INT64,
              "i32": TensorProto.INT32, "bool": TensorProto.BOOL}  # fmt: skip


def fitting_sheet(
    rows: int, columns: int, height: int, width: int, scale: float, gap: int = 2, across: int = 1
) -> Sheet:
    """A sheet of images of this size at a scale, ``across`` beside each other in a cell."""
    return Tiling(height, width, rows, columns, scale=scale, gap=gap, across=across).sheet()


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
    waves = generator.normal(size=(hidden, 3, 3))  # smooth images, a different one for each latent
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
    **fields: Any,
) -> Path:
    """A generator as the export writes it: latent [n, d] (, label [n]) to image u8 [n, h, w, 3].

    ``labels``: how many classes it draws; the images of each are brighter than those of the one before.
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
        fields = {"inputs": ports, "classes": tuple(f"class-{label}" for label in range(labels)), **fields}
    shape = ["n", height, width, 3]
    model = make_graph(nodes, inputs, [("image", "u8", shape)], constants)
    return write(path, model, generator_card(path.stem, size, height, width, **fields) if card else None)


def generator_card(stem: str, size: int, height: int, width: int, **fields: Any) -> Card:
    return Card(
        **{
            "kind": "generator",
            "family": "vae",
            "name": stem,
            "inputs": (Port(name="latent", dtype="f32", shape=(None, size)),),
            "output": Port(name="image", dtype="u8", shape=(None, height, width, 3)),
            "image_size": (height, width),
            "latent": Latent(size=size),
            **fields,
        }
    )


def make_encoder(path: Path, size: int = 4, height: int = 16, width: int = 16, **fields: Any) -> Path:
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
        **fields,
    )
    return write(path, model, card)


def make_detail(path: Path, size: int = 4, height: int = 16, width: int = 16, **fields: Any) -> Path:
    """A detail network as the export writes it: latent [n, d] to detail f32 [n, h, w, 3], about -0.1..0.1."""
    nodes, constants = generator_nodes(size, height, width, hidden=5)
    nodes += [
        helper.make_node("Sub", ["unit", "half"], ["signed"]),
        helper.make_node("Mul", ["signed", "fifth"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["detail"]),
    ]
    constants += [constant("half", np.float32(0.5)), constant("fifth", np.float32(0.2)),
                  constant("shape", np.array([-1, height, width, 3]))]  # fmt: skip
    shape = (None, height, width, 3)
    model = make_graph(nodes, [("latent", "f32", ["n", size])], [("detail", "f32", ["n", *shape[1:]])], constants)
    output = Port(name="detail", dtype="f32", shape=shape)
    card = generator_card(path.stem, size, height, width, **{"kind": "detail", "output": output, **fields})
    return write(path, model, card)


def photo_like(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth shapes with edges, u8 [h, w, 3]."""
    noise = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    smooth = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.where(smooth > 128, smooth // 2 + 100, smooth // 3), np.uint8)


def make_translator(
    path: Path, scale: int = 1, channels: int = 3, latent: int = 0, multiple: int = 1, card: bool = True, **fields: Any
) -> Path:
    """A translator as the export writes it: image u8 [n, h, w, c] to translated u8 [n, h * scale, w * scale, 3].

    Two 5x5 convolutions, so that it looks 4 pixels far. ``latent``: its first number makes the image brighter.
    ``multiple``: the image is averaged over squares of this many pixels, within.
    """
    generator = np.random.default_rng(7)
    inner, outer = 6, 3 * scale * scale
    first = (generator.normal(size=(inner, channels, 5, 5)) / np.sqrt(25 * channels)).astype(np.float32)
    second = (generator.normal(size=(outer, inner, 5, 5)) / np.sqrt(25 * inner) * 4).astype(np.float32)
    conv = {"kernel_shape": [5, 5], "pads": [2, 2, 2, 2]}
    nodes = [
        helper.make_node("Cast", ["image"], ["levels_in"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["levels_in", "levels"], ["unit_in"]),
        helper.make_node("Transpose", ["unit_in"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "first"], ["inner"], **conv),
        helper.make_node("Relu", ["inner"], ["active"]),
        helper.make_node("Conv", ["active", "second"], ["outer"], **conv),
        helper.make_node("DepthToSpace", ["outer"], ["large"], blocksize=scale, mode="CRD"),
        helper.make_node("Sigmoid", ["large"], ["unit"]),
        helper.make_node("Transpose", ["unit"], ["pixels"], perm=[0, 2, 3, 1]),
        helper.make_node("Mul", ["pixels", "levels"], ["scaled"]),
        helper.make_node("Clip", ["scaled", "black", "levels"], ["limited"]),
        helper.make_node("Round", ["limited"], ["rounded"]),
        helper.make_node("Cast", ["rounded"], ["translated"], to=TensorProto.UINT8),
    ]
    constants = [constant("first", first), constant("second", second), constant("levels", np.float32(255)),
                 constant("black", np.float32(0))]  # fmt: skip
    if multiple > 1:
        window = {"kernel_shape": [multiple, multiple], "strides": [multiple, multiple]}
        constants.append(constant("growth", np.array([1, 1, multiple, multiple], np.float32)))
        nodes[3:3] = [
            helper.make_node("AveragePool", ["planes"], ["few"], **window),
            helper.make_node("Resize", ["few", "", "growth"], ["blocks"], mode="nearest"),
        ]
        nodes[5].input[0] = "blocks"
    inputs: list[tuple[str, str, list[int | str]]] = [("image", "u8", ["n", "h", "w", channels])]
    if latent:
        take = np.zeros((latent, 1), np.float32)
        take[0] = 40
        constants += [constant("take", take), constant("one_pixel", np.array([-1, 1, 1, 1]))]
        clip = next(node for node in nodes if node.op_type == "Clip")
        clip.input[0] = "lit"
        nodes[nodes.index(clip) : nodes.index(clip)] = [
            helper.make_node("MatMul", ["latent", "take"], ["number"]),
            helper.make_node("Reshape", ["number", "one_pixel"], ["light"]),
            helper.make_node("Add", ["scaled", "light"], ["lit"]),
        ]
        inputs.append(("latent", "f32", ["n", latent]))
    model = make_graph(nodes, inputs, [("translated", "u8", ["n", "h2", "w2", 3])], constants)
    if not card:
        return write(path, model)
    ports = [Port(name="image", dtype="u8", shape=(None, None, None, channels))]
    ports += [Port(name="latent", dtype="f32", shape=(None, latent))] * bool(latent)
    known = {
        "kind": "translator",
        "family": "small",
        "name": path.stem,
        "inputs": tuple(ports),
        "output": Port(name="translated", dtype="u8", shape=(None, None, None, 3)),
        "input_channels": channels,
        "scale": scale,
        "multiple": multiple,
        "latent": Latent(size=latent) if latent else None,
    }
    return write(path, model, Card(**{**known, **fields}))


class FakeDisplay:
    """A display with a person who presses these keys at these gaps and then waits; records what is shown."""

    def __init__(
        self,
        events: Sequence[Event],
        interactive: bool = True,
        wait: Callable[[float], None] | None = None,
        coarse: bool = False,
    ) -> None:
        self.interactive = interactive
        self.room: Room | None = None
        self.coarse = coarse
        self.frames: list[NDArray[np.uint8]] = []
        self.titles: list[str] = []
        self.polls = 0
        self._events = deque(events)
        self._wait = wait

    def show(self, frame: NDArray[np.uint8], title: str, text: Text | None = None) -> None:
        assert frame.dtype == np.uint8
        assert frame.ndim == 3
        assert frame.flags["C_CONTIGUOUS"]
        self.frames.append(painted(frame).copy())
        self.titles.append(line_of(text.status, text.hints, 400) if self.coarse and text else title)

    def poll(self, seconds: float) -> Event | None:
        assert seconds >= 0
        self.polls += 1
        if self._wait is not None:
            self._wait(seconds)
        return self._events.popleft() if self._events else None

    def close(self) -> None:
        """Nothing to give back."""


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """Files of this process cannot grow beyond ``limit`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
