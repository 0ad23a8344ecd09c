"""Trace a family's module to an ONNX graph that takes and gives u8 images, RGB, [n, h, w, c]."""

import contextlib
import copy
import logging
import warnings
from collections.abc import Iterator

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from export.kinds import KINDS
from export.one_by_one import for_each
from export.rewrite import speed_up
from trainer.family import Exportable

OPSET = 18  # read by every onnxruntime since 1.14; its InstanceNormalization outruns 21's GroupNormalization by 15 %
FLOATS = "floats"  # the tensor that becomes the u8 image, or is the output itself: what parity is measured on
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
TYPES = {"f32": onnx.TensorProto.FLOAT, "i64": onnx.TensorProto.INT64, "u8": onnx.TensorProto.UINT8}


class ExportError(Exception):
    """A network that cannot be exported; the message is one line."""


class Whole(nn.Module):
    """A family's module with the inputs of its kind and a float output.

    Its inputs are those of the kind in ``export.kinds``, in the order of ``Exportable.inputs``. Images leave as f32
    [n, h, w, c], not yet clamped to 0..1: ``trace`` adds the cast to u8. Raises ``ExportError``.
    """

    luma: Tensor  # [3]

    def __init__(self, item: Exportable) -> None:
        super().__init__()
        self.kind = KINDS[item.kind]
        ports = {port.name: port for port in self.kind.inputs}
        needed = {port.name for port in self.kind.inputs if not port.optional}
        if not needed <= item.inputs.keys() <= ports.keys():
            raise ExportError(f"{item.kind} has inputs {list(item.inputs)}, expected {list(ports)}")
        parts = dict(item.module.named_modules())
        if len(parts) > 1:
            del parts[""]  # often a thin adapter made for the export, where the mode has no effect
        training = [name or type(part).__name__ for name, part in parts.items() if part.training]
        if training:
            raise ExportError(f"{item.kind} is in train mode ({training[0]}), expected eval mode")
        self.name = item.kind
        self.module = item.module
        self.examples = {name: value.detach() for name, value in item.inputs.items()}
        self.ports = {name: ports[name] for name in item.inputs}
        self.card = item.card
        self.one_by_one = item.one_by_one
        self.to_grey = {name for name, port in self.ports.items() if port.rgb and item.inputs[name].shape[1] == 1}
        self.register_buffer("luma", torch.tensor(_LUMA))
        self.training = False  # not eval(): the family's module stays untouched

    def forward(self, *values: Tensor) -> Tensor:
        if self.one_by_one and len(values[0]) > 1:
            return torch.cat([self(*each) for each in zip(*(value.split(1) for value in values), strict=True)])
        floats = [self.floats(name, value) for name, value in zip(self.ports, values, strict=True)]
        result = self.module(*floats)
        if not self.kind.output.is_image:
            return result
        if self.kind.output.dtype == "f32":  # grey becomes RGB here; of u8 images only after the cast
            result = result.expand(-1, 3, -1, -1)
        return result.permute(0, 2, 3, 1)

    def floats(self, name: str, value: Tensor) -> Tensor:
        """An input as the module takes it: images u8 [n, h, w, c] → f32 0..1 [n, c, h, w], grey where it wants grey."""
        if not self.ports[name].is_image:
            return value
        value = value.float() / 255
        if name in self.to_grey:
            value = (value * self.luma).sum(3, keepdim=True)
        return value.permute(0, 3, 1, 2)

    def draw(self, count: int, seed: int, steps: int = 0) -> tuple[Tensor, ...]:
        """Random inputs for checks and calibration, [count, ...], images higher than the examples by so many steps, of
        which sides are multiples, and more than twice as wide: no code that counts in pixels, or brings images to
        multiples of its own, can be right by chance."""
        generator = torch.Generator().manual_seed(seed)
        draw = self.draw_examples if self.kind.inputs_correlate else self.draw_inputs
        return tuple(
            self.to_graph(name, self._grown(value, steps) if value.ndim == 4 else value)
            for name, value in zip(self.ports, draw(count, generator), strict=True)
        )

    def _grown(self, images: Tensor, steps: int) -> Tensor:
        height, width = images.shape[2] + steps * self.card.multiple, images.shape[3]
        width += steps * (width + 2 * self.card.multiple)
        times = (-(-height // images.shape[2]), -(-width // images.shape[3]))
        return images.repeat(1, 1, *times)[:, :, :height, :width]

    def draw_inputs(self, count: int, generator: torch.Generator) -> Iterator[Tensor]:
        """Each input at random."""
        for name, example in self.examples.items():
            shape = [count, *example.shape[1:]]
            if self.ports[name].dtype == "i64":
                yield torch.randint(0, int(example.max()) + 1, shape, generator=generator)
            elif self.ports[name].is_image:
                yield augment(example.float(), count, generator)
            elif self.card.latent is not None and self.card.latent.prior == "uniform":
                yield torch.rand(shape, generator=generator) * 2 - 1
            else:
                yield torch.randn(shape, generator=generator)

    def draw_examples(self, count: int, generator: torch.Generator) -> Iterator[Tensor]:
        """Random examples, images among them shifted sideways, all else as it is."""
        first = next(value for value in self.examples.values() if value.ndim == 4)
        chosen = torch.randint(len(first), (count,), generator=generator).tolist()
        shifts = torch.randint(first.shape[3], (count,), generator=generator).tolist()
        for example in self.examples.values():
            rows = example[chosen]
            if example.ndim == 4:
                rows = torch.stack([row.roll(shift, 2) for row, shift in zip(rows, shifts, strict=True)])
            yield rows

    def to_graph(self, name: str, value: Tensor) -> Tensor:
        """An input of the family's module as the graph takes it."""
        port = self.ports[name]
        if not port.is_image:
            return value.to(torch.int64 if port.dtype == "i64" else torch.float32)
        image = (value.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        return image.expand(-1, -1, -1, 3).contiguous() if name in self.to_grey else image.contiguous()


def augment(example: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Images shifted sideways, made lighter or darker, and with noise, f32 [count, c, h, w]."""
    picked = [
        example[index % len(example)].roll(int(torch.randint(example.shape[3], (), generator=generator)), 2)
        for index in range(count)
    ]
    light, noise = torch.rand(2, count, 1, 1, 1, generator=generator)
    images = torch.stack(picked)
    return images * (0.5 + light) + 0.2 * noise * torch.randn(images.shape, generator=generator)


def trace(network: Whole) -> onnx.ModelProto:
    """The graph, with any batch size (and any height and width where the card says so). Raises ``ExportError``."""
    count = 1 if network.one_by_one else None
    examples = tuple(network.to_graph(name, value[:count]) for name, value in network.examples.items())
    free = ("" if network.one_by_one else "n") + ("hw" if network.card.any_size else "")
    axes = tuple(
        {axis: torch.export.Dim.DYNAMIC for axis, letter in enumerate(port.axes) if letter in free}
        for port in network.ports.values()
    )
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                network,
                examples,
                dynamo=True,  # the older exporter may fix the batch size silently
                opset_version=OPSET,
                input_names=list(network.ports),
                output_names=[FLOATS],
                dynamic_shapes=(axes,),
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # torch raises dozens of kinds here
        cause: BaseException = error
        while cause.__cause__ is not None:  # torch's own words come round the one that tells
            cause = cause.__cause__
        lines = [line.strip() for line in f"{type(cause).__name__}: {cause}".splitlines() if line.strip()]
        raise ExportError(f"{network.name} cannot be traced by torch: {' '.join(lines[:2])[:300]}") from error
    assert program is not None, "dynamo gives a program"
    model = program.model_proto
    speed_up(model)
    tidy(model)
    if network.one_by_one:
        for_each(model)
    _finish(model, network)
    onnx.checker.check_model(model, full_check=True)
    return model


def tidy(model: onnx.ModelProto) -> None:
    """Delete stack traces, file names and intermediate shapes from a graph. Raises ``ExportError`` for functions."""
    graph = model.graph
    model.producer_name, model.producer_version, graph.name = "utsuroi", "", "network"
    model.doc_string = graph.doc_string = ""
    del graph.value_info[:], model.metadata_props[:], graph.metadata_props[:]
    for item in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        item.doc_string = ""
        del item.metadata_props[:]
    for function in model.functions:
        raise ExportError(f"the graph calls a function, {function.name}, expected plain operators")


def _finish(model: onnx.ModelProto, network: Whole) -> None:
    """Name the dynamic axes; convert the floats of an image to u8 RGB."""
    graph, output = model.graph, network.kind.output
    floats = graph.output[0]
    for port, declared in zip((*network.ports.values(), output), (*graph.input, floats), strict=True):
        for letter, size in zip(port.axes, declared.type.tensor_type.shape.dim, strict=False):
            if size.HasField("dim_param"):
                size.dim_param = letter if letter in "nhw" else ""
    if not output.is_image:
        _rename(graph, FLOATS, output.name)
        return
    shape = [size.dim_param or size.dim_value for size in floats.type.tensor_type.shape.dim]
    last = FLOATS
    if output.dtype == "u8":
        # clamps to 0..1, scales by 255, rounds and casts, all in one pass over memory
        graph.initializer.append(numpy_helper.from_array(np.array(1 / 255, np.float32), "level"))
        graph.initializer.append(numpy_helper.from_array(np.array(0, np.uint8), "black"))
        graph.node.append(helper.make_node("QuantizeLinear", [FLOATS, "level", "black"], ["levels"]))
        last = "levels"
    if shape[3] == 1:
        graph.node.append(helper.make_node("Concat", [last] * 3, ["grey_as_rgb"], axis=3))
        last, shape[3] = "grey_as_rgb", 3
    if shape[3] != 3:
        raise ExportError(f"{network.name} gives {shape[3]} channels, expected 1 or 3")
    _rename(graph, last, output.name)
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(output.name, TYPES[output.dtype], shape))


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]
    for port in graph.output:
        port.name = new if port.name == old else port.name


def float_output(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a traced graph that gives the floats, before the cast to u8, as a second output."""
    model = copy.deepcopy(model)
    if any(FLOATS in node.output for node in model.graph.node):
        model.graph.output.append(helper.make_tensor_value_info(FLOATS, onnx.TensorProto.FLOAT, None))
    return model


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress warnings and log messages of exporters and quantisers."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
