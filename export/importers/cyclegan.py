"""Generators of residual blocks between halvings and doublings (Zhu et al. 2017, "Unpaired Image-to-Image Translation",
section 7.1.1), as the reference code of CycleGAN and pix2pix saves them (latest_net_G.pth), and PyTorch-GAN's.

The reference code normalises by instance, or, for pix2pix, by batch, and translates in train mode: batches of one
image, whose own statistics are used, with dropout. Here dropout is off, so that an image is always translated alike.
Its convolutions have a bias where they are followed by instance normalisation.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from export.importers._fitting import fitted
from export.importers.base import Imported
from export.weights import Weights
from trainer.blocks import Norm
from trainer.family import CardFields, DataSpec, Exportable
from trainer.parts.pix2pix_unet import NORMS

NAME: Final = "cyclegan"
READS: Final = (
    "CycleGAN's and pix2pix's generators of residual blocks (model.1.weight, model.10.conv_block.1.weight ...)"
)
NEEDS: Final = ""
USES: Final = ("image_size", "statistics")
BLOCK = re.compile(r"(?:model\.)?(\d+)\.(conv_block|block)\.(\d+)\.weight")
FIRST_BLOCK = 10  # place of it: after the first convolution and two halvings, each with norm and activation
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
MOST_BLOCKS = 64


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What keys and shapes say."""

    inputs: int
    outputs: int
    width: int
    blocks: int
    name: str  # of a block's layers: conv_block, or PyTorch-GAN's block
    norm: str  # batch or instance
    bias: bool  # of convolutions that are followed by a norm
    last_bias: bool
    dropout: bool  # a place is kept for it in each block
    resized: bool  # doubled by upsampling and a convolution, not by a transposed one

    @property
    def last(self) -> int:
        """Place of the last convolution."""
        return FIRST_BLOCK + self.blocks + (9 if self.resized else 7)


def claims(weights: Weights) -> bool:
    """Whether there are residual blocks from the tenth layer on, after a 7x7 convolution."""
    state = _plain(weights.state)
    first = state.get("1.weight")
    return first is not None and first.ndim == 4 and first.shape[2:] == (7, 7) and bool(_blocks(state))


def read(weights: Weights) -> Imported:
    """The generator. It takes images of any size; sides that are no multiples of 4 are fitted by the viewer."""
    state, given = _plain(weights.state), weights.given
    layout = layout_of(state)
    remarks = []
    if layout.norm == "instance":  # statistics that old versions of torch stored, and that nothing uses
        state = {key: value for key, value in state.items() if key.rpartition(".")[2] not in STATISTICS}
    elif given.statistics != "stored":
        state = {key: value for key, value in state.items() if key.rpartition(".")[2] not in STATISTICS}
        remarks.append(
            "batch normalisation uses each image's own statistics, as the reference code (--statistics stored)"
        )
    if layout.dropout:
        remarks.append("dropout is off: each image is always translated alike")
    norm = NORMS["batch" if given.statistics == "stored" and layout.norm == "batch" else "image"]
    norm = NORMS["instance"] if layout.norm == "instance" else norm
    names = {key.removeprefix("model."): key for key in (name.rpartition(".")[0] for name in weights.state)}
    net = fitted(lambda: ResidualTranslator(layout, norm), state, "a generator of residual blocks", names)
    size = given.image_size or (256, 256)
    example = torch.rand(2, layout.inputs, 32, 40, generator=torch.Generator().manual_seed(0))
    card = CardFields(
        any_size=True, multiple=4, channels=layout.outputs, input_channels=layout.inputs,
        condition={"kind": "given"}, training={"normalisation": layout.norm, "dropout": "none in use"},
    )  # fmt: skip
    file = Exportable(kind="translator", module=net, inputs={"image": example}, card=card)
    spec = DataSpec(image_size=size, channels=layout.outputs, condition_channels=layout.inputs)
    return Imported(exportables=[file], spec=spec, family=NAME, remarks=tuple(remarks))


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix("model."): value for key, value in state.items()}


def _blocks(state: Mapping[str, Tensor]) -> dict[int, tuple[str, set[int]]]:
    """Name of the layers and places of the convolutions, of each residual block by its place."""
    found: dict[int, tuple[str, set[int]]] = {}
    for key, value in state.items():
        match = BLOCK.fullmatch(key)
        if match and value.ndim == 4 and len(match[1]) < 4 and len(match[3]) < 3:
            found.setdefault(int(match[1]), (match[2], set()))[1].add(int(match[3]))
    places = sorted(found)
    whole = places == list(range(FIRST_BLOCK, FIRST_BLOCK + len(places))) and len(places) <= MOST_BLOCKS
    return found if whole else {}


def layout_of(state: Mapping[str, Tensor]) -> Layout:
    """Read the layout from keys without their ``model.``. Raises ``ValueError``."""
    blocks = _blocks(state)
    first = state.get("1.weight")
    if not blocks or first is None or first.ndim != 4:
        raise ValueError(f"no residual blocks from layer {FIRST_BLOCK} on")
    name, places = blocks[FIRST_BLOCK]
    if places not in ({1, 5}, {1, 6}):
        raise ValueError(
            f"layer {FIRST_BLOCK} has convolutions at {sorted(places)}, expected 1 and 5, or 1 and 6 with dropout"
        )
    after = FIRST_BLOCK + len(blocks)
    resized = f"{after}.weight" not in state
    last = state.get(f"{after + (9 if resized else 7)}.weight")
    if last is None or last.ndim != 4:
        raise ValueError(f"there is no last convolution at layer {after + (9 if resized else 7)}")
    layout = Layout(
        inputs=first.shape[1], outputs=len(last), width=len(first), blocks=len(blocks), name=name,
        norm="batch" if "2.weight" in state else "instance", bias="1.bias" in state,
        last_bias=f"{after + (9 if resized else 7)}.bias" in state, dropout=6 in places, resized=resized,
    )  # fmt: skip
    for what, channels in (("takes", layout.inputs), ("gives", layout.outputs)):
        if channels not in (1, 3):
            raise ValueError(f"{what} images of {channels} channels, expected 1 or 3")
    return layout


class ResidualTranslator(nn.Module):
    """Images [n, c, h, w] in 0..1 → [n, c', h, w] in 0..1; inside, -1..1. Parameters have the names of the file."""

    def __init__(self, layout: Layout, norm: Norm) -> None:
        super().__init__()
        self.layout = layout
        width, bias = layout.width, layout.bias

        def put(place: int, *layers: nn.Module) -> None:
            for index, layer in enumerate(layers):
                self.add_module(str(place + index), layer)

        put(1, nn.Conv2d(layout.inputs, width, 7, bias=bias), norm(width))
        put(4, nn.Conv2d(width, 2 * width, 3, 2, padding=1, bias=bias), norm(2 * width))
        put(7, nn.Conv2d(2 * width, 4 * width, 3, 2, padding=1, bias=bias), norm(4 * width))
        for index in range(layout.blocks):
            put(FIRST_BLOCK + index, _Block(layout, norm))
        after = FIRST_BLOCK + layout.blocks
        self.up: list[int] = []
        for index, inputs in enumerate((4 * width, 2 * width)):
            place = after + (4 * index + 1 if layout.resized else 3 * index)
            if layout.resized:
                put(place, nn.Conv2d(inputs, inputs // 2, 3, padding=1, bias=bias))
            else:
                put(place, nn.ConvTranspose2d(inputs, inputs // 2, 3, 2, padding=1, output_padding=1, bias=bias))
            put(place + 1, norm(inputs // 2))
            self.up.append(place)
        put(layout.last, nn.Conv2d(width, layout.outputs, 7, bias=layout.last_bias))

    def layer(self, place: int, value: Tensor) -> Tensor:
        """A convolution, its norm and ReLU."""
        return torch.relu(self.get_submodule(str(place + 1))(self.get_submodule(str(place))(value)))

    def forward(self, image: Tensor) -> Tensor:
        value = self.layer(1, nn.functional.pad(image * 2 - 1, (3, 3, 3, 3), "reflect"))
        value = self.layer(7, self.layer(4, value))
        for index in range(self.layout.blocks):
            value = self.get_submodule(str(FIRST_BLOCK + index))(value)
        for place in self.up:
            if self.layout.resized:
                value = nn.functional.interpolate(value, scale_factor=2.0)
            value = self.layer(place, value)
        value = self.get_submodule(str(self.layout.last))(nn.functional.pad(value, (3, 3, 3, 3), "reflect"))
        return torch.tanh(value) * 0.5 + 0.5


class _Block(nn.Module):
    """Two 3x3 convolutions with reflected borders, and what went in."""

    def __init__(self, layout: Layout, norm: Norm) -> None:
        super().__init__()
        width, second = 4 * layout.width, 6 if layout.dropout else 5
        layers: dict[str, nn.Module] = {}
        for place in (1, second):
            layers[str(place)] = nn.Conv2d(width, width, 3, bias=layout.bias)
            layers[str(place + 1)] = norm(width)
        self.name, self.second = layout.name, second
        self.add_module(layout.name, nn.ModuleDict(layers))

    def forward(self, value: Tensor) -> Tensor:
        layers = getattr(self, self.name)
        inner = torch.relu(layers["2"](layers["1"](nn.functional.pad(value, (1, 1, 1, 1), "reflect"))))
        inner = nn.functional.pad(inner, (1, 1, 1, 1), "reflect")
        return value + layers[str(self.second + 1)](layers[str(self.second)](inner))
