"""SRResNet and SRGAN generators (Ledig et al. 2017, figure 4) under the names of the usual programs.

A wide convolution, residual blocks round which a second path leads, sub-pixel convolutions and a last wide one.
Programs differ in names, in normalisation, and in the range of what goes in and comes out, see ``LAYOUTS``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.importers._fitting import fitted
from export.importers.base import Imported
from export.weights import Weights
from trainer.family import CardFields, DataSpec, Exportable
from trainer.parts.superresolution import drawn_images, receptive_radius

NAME: Final = "srresnet"
READS: Final = "SRGAN and SRResNet as leftthomas, Lornatang, twtygqyy and PyTorch-GAN save them"
NEEDS: Final = ""
MOST_BLOCKS = 128
MOST_TENSORS = 12 * MOST_BLOCKS + 100
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and std of colours


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A program's names, as patterns and what they stand for here, and how it computes."""

    program: str
    names: Sequence[tuple[str, str]]
    epsilon: float = 1e-5  # of normalisations within and after the residual blocks
    leaky: bool = False  # leaky ReLU of slope 0.2 in place of PReLU
    instance: bool = False  # normalisation by each image's own statistics
    gives: str = "0..1"  # or tanh, or imagenet: tanh of normalised colours, which go in, too


LAYOUTS = (
    Layout(
        program="leftthomas's SRGAN",
        names=(
            (r"block1\.0", "head.conv"), (r"block1\.1", "head.slope"),
            (r"block([2-6])\.(conv1|conv2)", r"body.{-2}.\2"), (r"block([2-6])\.bn([12])", r"body.{-2}.norm\2"),
            (r"block([2-6])\.prelu", "body.{-2}.slope"),
            (r"block7\.0", "mid.conv"), (r"block7\.1", "mid.norm"),
            (r"block8\.(\d+)\.conv", r"up.\1.conv"), (r"block8\.(\d+)\.prelu", r"up.\1.slope"),
            (r"block8\.\d+", "tail"),
        ),
        gives="tanh",
    ),
    Layout(
        program="Lornatang's SRGAN",
        names=(
            (r"conv(?:_block)?1\.0", "head.conv"), (r"conv(?:_block)?1\.1", "head.slope"),
            (r"trunk\.(\d+)\.rcb\.0", r"body.\1.conv1"), (r"trunk\.(\d+)\.rcb\.1", r"body.\1.norm1"),
            (r"trunk\.(\d+)\.rcb\.2", r"body.\1.slope"),
            (r"trunk\.(\d+)\.rcb\.3", r"body.\1.conv2"), (r"trunk\.(\d+)\.rcb\.4", r"body.\1.norm2"),
            (r"conv(?:_block)?2\.0", "mid.conv"), (r"conv(?:_block)?2\.1", "mid.norm"),
            (r"upsampling\.(\d+)\.upsample_block\.0", r"up.\1.conv"),
            (r"upsampling\.(\d+)\.upsample_block\.2", r"up.\1.slope"),
            (r"upsampling\.0", "up.0.conv"), (r"upsampling\.2", "up.0.slope"),
            (r"upsampling\.3", "up.1.conv"), (r"upsampling\.5", "up.1.slope"),
            (r"conv(?:_block)?3", "tail"),
        ),
    ),
    Layout(
        program="twtygqyy's SRResNet",
        names=(
            (r"conv_input", "head.conv"),
            (r"residual\.(\d+)\.(conv[12])", r"body.\1.\2"), (r"residual\.(\d+)\.in([12])", r"body.\1.norm\2"),
            (r"conv_mid", "mid.conv"), (r"bn_mid", "mid.norm"),
            (r"upscale4x\.0", "up.0.conv"), (r"upscale4x\.3", "up.1.conv"), (r"conv_output", "tail"),
        ),
        leaky=True, instance=True,
    ),
    Layout(
        program="PyTorch-GAN's SRGAN",
        names=(
            (r"conv1\.0", "head.conv"), (r"conv1\.1", "head.slope"),
            (r"res_blocks\.(\d+)\.conv_block\.0", r"body.\1.conv1"),
            (r"res_blocks\.(\d+)\.conv_block\.1", r"body.\1.norm1"),
            (r"res_blocks\.(\d+)\.conv_block\.2", r"body.\1.slope"),
            (r"res_blocks\.(\d+)\.conv_block\.3", r"body.\1.conv2"),
            (r"res_blocks\.(\d+)\.conv_block\.4", r"body.\1.norm2"),
            (r"conv2\.0", "mid.conv"), (r"conv2\.1", "mid.norm"),
            (r"upsampling\.0", "up.0.conv"), (r"upsampling\.1", "up.0.norm"), (r"upsampling\.3", "up.0.slope"),
            (r"upsampling\.4", "up.1.conv"), (r"upsampling\.5", "up.1.norm"), (r"upsampling\.7", "up.1.slope"),
            (r"conv3\.0", "tail"),
        ),
        epsilon=0.8, gives="imagenet",
    ),
)  # fmt: skip


def claims(weights: Weights) -> bool:
    """Whether first, middle and last layers, a residual block and a doubling are there, under one program's names."""
    return _layout(weights.state) is not None


def read(weights: Weights) -> Imported:
    """The generator. It takes images of any size."""
    layout = _layout(weights.state)
    if layout is None:
        raise ValueError("no residual network for super-resolution under names that are known")
    state = renamed(weights.state, layout)
    head, tail = state["head.conv.weight"], state["tail.weight"]
    blocks, ups = (len({key.split(".")[1] for key in state if key.startswith(f"{part}.")}) for part in ("body", "up"))
    width, inputs = head.shape[:2]
    outputs = len(tail)
    if layout.gives == "imagenet" and inputs != 3:
        raise ValueError(f"takes {inputs} channels, expected 3, as the colours that it normalises")
    if inputs != outputs or inputs not in (1, 3) or blocks > MOST_BLOCKS or ups > 3:
        raise ValueError(
            f"takes {inputs} channels, gives {outputs}, and doubles {ups} times: expected 1 or 3, at most 3 times"
        )
    names = {own.rpartition(".")[0]: key.rpartition(".")[0] for own, key in zip(state, weights.state, strict=True)}
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    net = fitted(lambda: SRResNet(layout, shapes, blocks, ups), state, f"{layout.program} of {width} channels", names)
    scale = net.factor**ups
    context = 0 if layout.instance else receptive_radius(net)
    card = CardFields(any_size=True, scale=scale, channels=outputs, context=context)
    file = Exportable(kind="translator", module=net, inputs={"image": drawn_images(2, inputs, 24)}, card=card)
    remarks: tuple[str, ...] = ()
    if layout.gives == "imagenet":
        remarks = ("colours were normalised as ImageNet's and end in tanh: the darkest and lightest cannot be reached",)
    spec = DataSpec(image_size=(24, 24), channels=outputs, condition_channels=inputs)
    return Imported(exportables=[file], spec=spec, family=NAME, remarks=remarks)


def _layout(state: Mapping[str, Tensor]) -> Layout | None:
    if len(state) > MOST_TENSORS:
        return None
    needed = {"head.conv.weight", "tail.weight", "mid.conv.weight", "body.0.conv1.weight", "up.0.conv.weight"}
    for layout in LAYOUTS:
        names = renamed(state, layout)
        if needed <= names.keys() and all(names[key].ndim == 4 for key in needed):
            return layout
    return None


def renamed(state: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """The same tensors under the names of ``SRResNet``; those without a place keep theirs."""
    own = {}
    for key, value in state.items():
        name, _, last = key.rpartition(".")
        for pattern, place in layout.names:
            if match := re.fullmatch(pattern, name):
                number = match[1] if match.lastindex else "0"
                name = match.expand(place.replace("{-2}", str(int(number[:6]) - 2) if number.isdecimal() else ""))
                break
        own[f"{name}.{last}"] = value
    return own


class SRResNet(nn.Module):
    """Images [n, c, h, w] in 0..1 → [n, c, h·scale, w·scale] in 0..1. ``shapes``: of its tensors by name, which say
    where there is a bias, a normalisation or a slope."""

    def __init__(self, layout: Layout, shapes: Mapping[str, tuple[int, ...]], blocks: int, ups: int) -> None:
        super().__init__()
        self.layout, self.ups = layout, ups
        width = shapes["head.conv.weight"][0]
        outputs, _, _, _ = shapes.get("up.0.conv.weight", (0, 0, 0, 0))
        self.factor = 3 if outputs == 9 * width else 2

        def part(name: str) -> nn.ModuleDict:
            made: dict[str, nn.Module] = {}
            for key in ("conv1", "norm1", "slope", "conv2", "norm2", "conv", "norm"):
                shape = shapes.get(f"{name}.{key}.weight")
                if shape is None:
                    continue
                if key.startswith("conv"):
                    made[key] = self.convolution(shape, f"{name}.{key}.bias" in shapes)
                elif key == "slope":
                    made[key] = nn.PReLU(shape[0])
                else:
                    epsilon = layout.epsilon if name.split(".", maxsplit=1)[0] != "up" else 1e-5
                    made[key] = (
                        nn.InstanceNorm2d(shape[0], affine=True)
                        if layout.instance
                        else nn.BatchNorm2d(shape[0], epsilon)
                    )
            if name.startswith("up."):
                made["shuffle"] = nn.PixelShuffle(self.factor)
            return nn.ModuleDict(made)

        self.head = part("head")
        self.body = nn.ModuleList(part(f"body.{index}") for index in range(blocks))
        self.mid = part("mid")
        self.up = nn.ModuleList(part(f"up.{index}") for index in range(ups))
        self.tail = self.convolution(shapes["tail.weight"], "tail.bias" in shapes)

    @staticmethod
    def convolution(shape: tuple[int, ...], bias: bool) -> nn.Conv2d:
        outputs, inputs, kernel, _ = shape
        return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)

    def activation(self, part: nn.ModuleDict, value: Tensor) -> Tensor:
        if "slope" in part:
            return part["slope"](value)
        return F.leaky_relu(value, 0.2) if self.layout.leaky else value

    def forward(self, image: Tensor) -> Tensor:
        imagenet = self.layout.gives == "imagenet"
        mean, std = (torch.tensor(values, device=image.device).view(1, 3, 1, 1) for values in IMAGENET)
        value = self.activation(self.head, self.head["conv"]((image - mean) / std if imagenet else image))
        first = value
        for block in cast(Iterable[nn.ModuleDict], self.body):
            inner = block["norm1"](block["conv1"](value)) if "norm1" in block else block["conv1"](value)
            inner = block["conv2"](self.activation(block, inner))
            value = value + (block["norm2"](inner) if "norm2" in block else inner)
        value = self.mid["conv"](value)
        value = first + (self.mid["norm"](value) if "norm" in self.mid else value)
        for up in cast(Iterable[nn.ModuleDict], self.up):
            value = up["conv"](value)
            value = self.activation(up, up["shuffle"](up["norm"](value) if "norm" in up else value))
        value = self.tail(value)
        if imagenet:
            return torch.tanh(value) * std + mean
        return torch.tanh(value) * 0.5 + 0.5 if self.layout.gives == "tanh" else value
