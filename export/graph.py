"""A family's module → one ONNX graph that takes and gives what people have: u8 images, RGB, [n, h, w, c]."""

import contextlib
import logging
import warnings
from collections.abc import Iterator

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from export.card import KINDS
from export.rewrite import speed_up
from trainer.family import Exportable

OPSET = 18  # read by every onnxruntime since 1.14; its InstanceNormalization outruns 21's GroupNormalization by 15 %
FLOATS = "floats"  # the tensor that becomes the u8 image, or is the output itself: what parity is measured on
IMAGES = ("image", "translated", "detail")  # outputs that are [n, h, w, 3]
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
_TYPES = {"f32": onnx.TensorProto.FLOAT, "i64": onnx.TensorProto.INT64, "u8": onnx.TensorProto.UINT8}


class ExportError(Exception):
    """A network that cannot be exported as it should be; the message is one line."""


class Whole(nn.Module):
    """A family's module between the inputs that the card promises and a float output.

    Its inputs are those of the kind in ``export.card.KINDS``, in the order of ``Exportable.inputs``. Images leave
    as f32 [n, h, w, c], not yet limited to 0..1: ``trace`` adds the cast to u8. Raises ``ExportError``.
    """

    luma: Tensor  # [3]

    def __init__(self, item: Exportable) -> None:
        super().__init__()
        needed, optional, self.output, self.output_type = KINDS[item.kind]
        types = {**needed, **optional}
        if not needed.keys() <= item.inputs.keys() <= types.keys():
            raise ExportError(f"{item.kind} has inputs {list(item.inputs)}, expected {list(types)}")
        parts = dict(item.module.named_modules())
        if len(parts) > 1:
            del parts[""]  # often a thin adapter made for the export, which no mode concerns
        training = [name or type(part).__name__ for name, part in parts.items() if part.training]
        if training:
            raise ExportError(f"{item.kind} is in train mode ({training[0]}), expected eval mode")
        self.kind = item.kind
        self.module = item.module
        self.examples = {name: value.detach() for name, value in item.inputs.items()}
        self.types = {name: types[name] for name in item.inputs}
        self.facts = item.facts
        self.dynamic = bool(item.facts.get("dynamic_size"))
        self.from_grey = item.kind == "encoder" and item.inputs["image"].shape[1] == 1
        self.register_buffer("luma", torch.tensor(_LUMA))
        self.training = False  # not eval(): the family's module stays untouched

    def forward(self, *values: Tensor) -> Tensor:
        floats = [
            self.floats(value) if name == "image" else value for name, value in zip(self.types, values, strict=True)
        ]
        result = self.module(*floats)
        if self.output == "detail":  # floats leave the file as they are, where levels become three alike at its end
            result = result.expand(-1, 3, -1, -1)
        return result.permute(0, 2, 3, 1) if self.output in IMAGES else result

    def floats(self, image: Tensor) -> Tensor:
        """u8 [n, h, w, c] → f32 0..1 [n, c, h, w]; an encoder of grey images takes RGB like any other."""
        value = image.float() / 255
        if self.from_grey:
            value = (value * self.luma).sum(3, keepdim=True)
        return value.permute(0, 3, 1, 2)

    def draw(self, count: int, seed: int, taller: int = 1) -> tuple[Tensor, ...]:
        """Random inputs for checks and calibration, [count, ...], images ``taller`` times as high as the examples."""
        generator = torch.Generator().manual_seed(seed)
        if self.kind == "denoiser":
            return self.draw_noisy(count, generator, taller)
        drawn = []
        for name, example in self.examples.items():
            shape = [count, *example.shape[1:]]
            if self.types[name] == "i64":
                value = torch.randint(0, self.limit(name), shape, generator=generator)
            elif name == "image":
                value = self.images(count, generator).repeat(1, 1, taller, 1)
            elif self.facts.get("latent", {}).get("prior") == "uniform":
                value = torch.rand(shape, generator=generator) * 2 - 1
            else:
                value = torch.randn(shape, generator=generator)
            drawn.append(self.taken(name, value))
        return tuple(drawn)

    def images(self, count: int, generator: torch.Generator) -> Tensor:
        """The example images, shifted, dimmed and with noise, f32 [count, c, h, w]."""
        example = self.examples["image"].float()
        picked = [
            example[index % len(example)].roll(int(torch.randint(example.shape[3], (), generator=generator)), 2)
            for index in range(count)
        ]
        light, noise = torch.rand(2, count, 1, 1, 1, generator=generator)
        images = torch.stack(picked)
        return images * (0.5 + light) + 0.2 * noise * torch.randn(images.shape, generator=generator)

    def draw_noisy(self, count: int, generator: torch.Generator, taller: int) -> tuple[Tensor, ...]:
        """Examples with the step and the label that they belong to, shifted: noise alone is not what a network sees."""
        chosen = torch.randint(len(self.examples["noisy"]), (count,), generator=generator).tolist()
        shifts = torch.randint(self.examples["noisy"].shape[3], (count,), generator=generator).tolist()
        drawn = []
        for name, example in self.examples.items():
            if name == "noisy":
                rolled = [example[row].roll(shift, 2) for row, shift in zip(chosen, shifts, strict=True)]
                drawn.append(self.taken(name, torch.stack(rolled).repeat(1, 1, taller, 1)))
            else:
                drawn.append(self.taken(name, example[chosen]))
        return tuple(drawn)

    def taken(self, name: str, value: Tensor) -> Tensor:
        """A family's example of an input as the graph takes it."""
        if name != "image":
            return value.to(torch.int64 if self.types[name] == "i64" else torch.float32)
        image = (value.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        return image.expand(-1, -1, -1, 3).contiguous() if self.from_grey else image.contiguous()

    def limit(self, name: str) -> int:
        """One more than the largest whole number that an input may hold."""
        if name == "label" and self.facts.get("classes"):
            return len(self.facts["classes"])
        return int(self.examples[name].max()) + 1


def trace(network: Whole) -> onnx.ModelProto:
    """The graph, with any batch size (and height and width where the network is dynamic). Raises ``ExportError``."""
    examples = tuple(network.taken(name, value) for name, value in network.examples.items())
    axes = tuple(_axes(network, name, value) for name, value in zip(network.types, examples, strict=True))
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                network,
                examples,
                dynamo=True,  # the older exporter can bake the batch size in without a word
                opset_version=OPSET,
                input_names=list(network.types),
                output_names=[FLOATS],
                dynamic_shapes=(axes,),
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # torch raises dozens of kinds here
        lines = [
            line for text in (str(error), str(error.__cause__ or "")) for line in text.splitlines() if line.strip()
        ]
        raise ExportError(f"{network.kind} cannot be traced by torch: {' '.join(lines[:2])[:300]}") from error
    if program is None:
        raise ExportError(f"{network.kind} cannot be traced by torch")
    model = program.model_proto
    speed_up(model)
    tidy(model)
    _finish(model, network)
    onnx.checker.check_model(model, full_check=True)
    return model


def _axes(network: Whole, name: str, value: Tensor) -> dict[int, object]:
    axes: dict[int, object] = {0: torch.export.Dim.DYNAMIC}
    if network.dynamic and value.ndim == 4:
        first = 1 if name == "image" else 2  # [n, h, w, c] or [n, c, h, w]
        axes |= {first: torch.export.Dim.DYNAMIC, first + 1: torch.export.Dim.DYNAMIC}
    return axes


def tidy(model: onnx.ModelProto) -> None:
    """Drop what only the machine that exported knows: stack traces, file names, intermediate shapes."""
    graph = model.graph
    model.producer_name, model.producer_version, model.doc_string, graph.name = "utsuroi", "", "", "network"
    graph.doc_string = ""
    del graph.value_info[:], model.metadata_props[:], graph.metadata_props[:]
    for item in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        item.doc_string = ""
        del item.metadata_props[:]
    for function in model.functions:
        raise ExportError(f"the graph calls a function, {function.name}, expected plain operators")


def _finish(model: onnx.ModelProto, network: Whole) -> None:
    """Name the free sizes of the ports; turn the floats of an image into u8 RGB."""
    graph = model.graph
    for name, port in zip(network.types, graph.input, strict=True):
        _name_sizes(port, ("n", "h", "w", "") if name == "image" else ("n", "", "h", "w"))
    floats = graph.output[0]
    _name_sizes(floats, ("n", "h", "w", "") if network.output in IMAGES else ("n", "", "h", "w"))
    if network.output not in IMAGES:
        _rename(graph, FLOATS, network.output)
        return
    shape = [size.dim_param or size.dim_value for size in floats.type.tensor_type.shape.dim]
    last = FLOATS
    if network.output_type == "u8":
        # limits to 0..1, times 255, rounds and casts, all in one pass over memory
        graph.initializer.append(numpy_helper.from_array(np.array(1 / 255, np.float32), "level"))
        graph.initializer.append(numpy_helper.from_array(np.array(0, np.uint8), "black"))
        graph.node.append(helper.make_node("QuantizeLinear", [FLOATS, "level", "black"], ["levels"]))
        last = "levels"
    if shape[3] == 1:
        graph.node.append(helper.make_node("Concat", [last] * 3, ["grey_as_rgb"], axis=3))
        last, shape[3] = "grey_as_rgb", 3
    if shape[3] != 3:
        raise ExportError(f"{network.kind} gives {shape[3]} channels, expected 1 or 3")
    _rename(graph, last, network.output)
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(network.output, _TYPES[network.output_type], shape))


def _name_sizes(port: onnx.ValueInfoProto, names: tuple[str, str, str, str]) -> None:
    for name, size in zip(names, port.type.tensor_type.shape.dim, strict=False):
        if size.HasField("dim_param"):
            size.dim_param = name


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]
    for port in graph.output:
        port.name = new if port.name == old else port.name


def float_output(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a traced graph that gives the floats, before the cast to u8, as a second output."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if any(FLOATS in node.output for node in copy.graph.node):
        copy.graph.output.append(helper.make_tensor_value_info(FLOATS, onnx.TensorProto.FLOAT, None))
    return copy


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the chatter of exporters and quantisers: what matters is checked, and said in one line."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
