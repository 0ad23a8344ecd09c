"""DCGAN generators (Radford et al. 2016): chains of transposed convolutions from a latent of one pixel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from torch import Tensor, nn

from export.given import Given
from export.importers._chain import Layer, chained, layers_of, place, unseen
from export.importers._fitting import fitted
from export.importers._latent import ACTIVATIONS, gan_files
from export.importers.base import Imported
from export.weights import Weights

NAME: Final = "dcgan"
READS: Final = (
    "DCGAN generators of any size, grey or colour (main.0.weight ... of the PyTorch tutorial), and other chains of "
    "transposed convolutions"
)
NEEDS: Final = ""
USES: Final = ("image_size", "activation", "last_activation")

# kernel → stride, padding and output padding that are used with it, the likeliest first
GEOMETRY: Mapping[int, Sequence[tuple[int, int, int]]] = {
    1: ((1, 0, 0),),
    2: ((2, 0, 0),),
    3: ((2, 1, 1), (1, 1, 0), (2, 1, 0)),
    4: ((2, 1, 0), (1, 0, 0)),
    5: ((2, 2, 1), (1, 2, 0)),
    6: ((2, 2, 0),),
}
MOST_PX = 4096


@dataclass(frozen=True, kw_only=True)
class Step:
    """A transposed convolution, as an ``nn.ConvTranspose2d`` takes it, and what follows it."""

    layer: Layer
    norm: Layer | None
    geometry: tuple[int, int, int]


def claims(weights: Weights) -> bool:
    """Whether the layers are such a chain, and its last gives 1 or 3 channels."""
    return _pairs(weights.state) is not None


def read(weights: Weights) -> Imported:
    """The generator. Strides follow from kernels, see ``_steps``."""
    pairs, given = _pairs(weights.state), weights.given
    if pairs is None:
        raise ValueError("no chain of transposed convolutions from a latent to an image of 1 or 3 channels")
    steps, side, sure = _steps(pairs, given)
    latent, channels = pairs[0][0].shape[0], pairs[-1][0].shape[1]
    net = fitted(lambda: Chain(steps, given.activation or "relu"), weights.state, "a DCGAN generator")
    remarks = [] if sure else [f"images are taken to be {side} px: kernels of 3 or 5 do not say it (--image-size)"]
    if not given.activation and not steps[0].layer.name.startswith("main."):
        remarks.append("ReLU between layers is assumed (--activation leaky_relu, ...)")
    remarks += unseen(pairs)
    image = (channels, side, side)
    return gan_files(net, given, NAME, latent=latent, image=image, remarks=tuple(remarks))


def _pairs(state: Mapping[str, Tensor]) -> list[tuple[Layer, Layer | None]] | None:
    """The layers, each with its normalisation, of a chain that ends in an image."""
    pairs = chained(layers_of(state))
    if pairs is None or len(pairs) < 2 or pairs[-1][0].shape[1:2] not in ((1,), (3,)) or pairs[-1][1] is not None:
        return None
    channels = pairs[0][0].shape[0]
    for layer, norm in pairs:
        if layer.kind != "conv" or layer.shape[0] != channels or layer.kernel not in range(1, 17):
            return None
        channels = layer.shape[1]
        if norm is not None and norm.shape[0] != channels:
            return None
    return pairs


def _steps(pairs: Sequence[tuple[Layer, Layer | None]], given: Given) -> tuple[list[Step], int, bool]:
    """The layers with their strides, the side of the images, and whether nothing of it was a guess.

    A kernel of 4 or 2 doubles the size in all code that is known; one of 3 or 5 may also keep it, which the size that
    the user gives decides. All layers of one kernel are taken alike.
    """
    (first, norm), *others = pairs
    kernels = sorted({layer.kernel for layer, _ in others})
    if odd := next((layer for layer, _ in others if layer.kernel not in GEOMETRY), None):
        raise ValueError(f"{odd.name}.weight has a kernel of {odd.kernel}, expected {', '.join(map(str, GEOMETRY))}")
    sides = []
    for choice in product(*(GEOMETRY[kernel] for kernel in kernels)):
        of = dict(zip(kernels, choice, strict=True))
        side = first.kernel
        for layer, _ in others:
            stride, padding, extra = of[layer.kernel]
            side = min((side - 1) * stride - 2 * padding + layer.kernel + extra, 2 * MOST_PX)
        sides.append(side)
        if side > MOST_PX or side < 2 or (given.image_size and given.image_size != (side, side)):
            continue
        steps = [Step(layer=first, norm=norm, geometry=(1, 0, 0))]
        steps += [Step(layer=layer, norm=after, geometry=of[layer.kernel]) for layer, after in others]
        return steps, side, bool(given.image_size) or not {3, 5} & set(kernels)
    wanted = f"{given.image_size[1]}x{given.image_size[0]}" if given.image_size else f"at most {MOST_PX}"
    possible = ", ".join(str(side) for side in dict.fromkeys(sides) if 2 <= side <= MOST_PX)
    raise ValueError(f"its layers make square images of {possible or 'no'} px, asked for {wanted}")


class Chain(nn.Module):
    """Latents [n, d] → images [n, c, h, w], before the last activation. Parameters have the names of the file."""

    def __init__(self, steps: Sequence[Step], activation: str) -> None:
        super().__init__()
        self.names: list[tuple[str, str]] = []
        for step in steps:
            inputs, outputs, kernel, _ = step.layer.shape
            stride, padding, extra = step.geometry
            place(
                self,
                step.layer.name,
                nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding, extra, bias=step.layer.bias),
            )
            if step.norm is not None:
                place(self, step.norm.name, nn.BatchNorm2d(outputs))
            self.names.append((step.layer.name, step.norm.name if step.norm else ""))
        self.activation = ACTIVATIONS[activation]

    def forward(self, latent: Tensor) -> Tensor:
        value = latent[:, :, None, None]
        for index, (name, norm) in enumerate(self.names):
            value = self.get_submodule(name)(value)
            if norm:
                value = self.get_submodule(norm)(value)
            if index + 1 < len(self.names):
                value = self.activation(value)
        return value
