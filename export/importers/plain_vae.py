"""Variational autoencoders (Kingma & Welling 2014) whose halves are plain chains of linear or convolutional layers.

PyTorch's example (fc1, fc21, fc22, fc3, fc4) and PyTorch-VAE's VanillaVAE are known to the activation; of others, names
and shapes tell the encoder, the mean of the latent and the decoder. Images are encoded to the mean. Convolutions of an
encoder halve the size; those of a decoder double it where that leads back to the encoder's size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from torch import Tensor, nn

from export.given import Given
from export.importers._chain import Layer, image_of, place, square
from export.importers._fitting import fitted
from export.importers._halves import Halves, Pair, halves_of
from export.importers._latent import ACTIVATIONS, vae_files
from export.importers.base import Imported
from export.weights import Weights

NAME: Final = "plain_vae"
READS: Final = (
    "variational autoencoders of plain chains: PyTorch's example (fc1, fc21 ...), PyTorch-VAE's, others of linear or "
    "convolutional layers"
)
NEEDS: Final = ""
USES: Final = ("image_size", "activation", "last_activation", "before_maps")
EXAMPLE: Final = frozenset(("fc1", "fc21", "fc22", "fc3", "fc4"))
VANILLA: Final = frozenset(("encoder", "decoder", "fc_mu", "fc_var", "decoder_input", "final_layer"))
HALVES: Final[Mapping[int, tuple[int, int]]] = {2: (2, 0), 3: (2, 1), 4: (2, 1), 5: (2, 2)}  # kernel: stride, padding
DOUBLES: Final[Mapping[int, tuple[int, int, int]]] = {2: (2, 0, 0), 3: (2, 1, 1), 4: (2, 1, 0), 5: (2, 2, 1)}
MOST_PX: Final = 4096
MOST_MAPS: Final = 10  # convolutions of a decoder: each may double the size or keep it


@dataclass(frozen=True, kw_only=True)
class Step:
    """A layer with what follows it. ``doubles``: a transposed convolution."""

    layer: Layer
    norm: Layer | None
    doubles: bool = False
    encodes: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The whole network. ``base``: channels and sides of the maps that a decoder's convolutions begin with."""

    halves: Halves
    encoder: Sequence[Step]
    decoder: Sequence[Step]
    image: tuple[int, int, int]
    base: tuple[int, int, int] | None


def claims(weights: Weights) -> bool:
    """Whether layers lead from an image to a latent, and back to an image of the same size."""
    try:
        return _plan(weights) is not None
    except ValueError:
        return False


def read(weights: Weights) -> Imported:
    """Generator and encoder."""
    plan, given = _plan(weights), weights.given
    if plan is None:
        raise ValueError("layers do not tell an encoder, the mean of a latent and a decoder")
    parts = {key.split(".")[0] for key in weights.state}
    known = parts in (EXAMPLE, VANILLA)
    activation = given.activation or ("leaky_relu_0.01" if parts == VANILLA else "relu")
    last = given.last_activation or ("tanh" if parts == VANILLA else "sigmoid")
    before = given.before_maps == "activation" or (not given.before_maps and _activated(plan))
    network = fitted(lambda: PlainVAE(plan, activation, last, before), weights.state, "a plain VAE")
    remarks = []
    if plan.base is not None and not (given.before_maps or known):
        said = "an activation" if before else "none"
        remarks.append(
            f"between the linear layers and the convolutions of the decoder {said} is assumed (--before-maps)"
        )
    if not (given.activation or known):
        remarks.append("ReLU between layers is assumed (--activation leaky_relu, ...)")
    if not (given.last_activation or known):
        remarks.append("images are taken to end in a sigmoid, 0..1 (--last-activation tanh)")
    return vae_files(network, NAME, latent=plan.halves.latent, image=plan.image, remarks=tuple(remarks))


def _plan(weights: Weights) -> Plan | None:
    """How the layers are run. Raises ``ValueError`` where a size does not fit."""
    halves, given = halves_of(weights.state), weights.given
    if halves is None:
        return None
    if {layer.kind for layer, _ in (*halves.encoder, *halves.decoder)} == {"linear"}:
        numbers = halves.decoder[-1][0].shape[0]
        fits = halves.decoder[-1][1] is None and halves.encoder[0][0].shape[1] == numbers
        if not fits or (given.image_size is None and square(numbers) is None):
            return None
        image = image_of(numbers, given.image_size)
        encoder = [Step(layer=layer, norm=norm, encodes=True) for layer, norm in halves.encoder]
        decoder = [Step(layer=layer, norm=norm) for layer, norm in halves.decoder]
        return Plan(halves=halves, encoder=encoder, decoder=decoder, image=image, base=None)
    return _convolutional(halves, given)


def _convolutional(halves: Halves, given: Given) -> Plan | None:
    """The same where either half has convolutions: sides follow from the numbers that linear layers take and give."""
    convolutions = [layer for layer, _ in halves.encoder if layer.kind == "conv"]
    if halves.decoder[-1][0].kind != "conv" or halves.decoder[-1][1] is not None or not convolutions:
        return None
    if any(layer.kernel not in HALVES for layer in convolutions) or convolutions[0].shape[1] not in (1, 3):
        return None
    first = next((layer for layer, _ in halves.encoder if layer.kind == "linear"), halves.mean)
    small = _side(first.shape[1], convolutions[-1].shape[0])
    side = small << len(convolutions)
    linear = [layer for layer, _ in halves.decoder if layer.kind == "linear"]
    maps = [pair for pair in halves.decoder if pair[0].kind == "conv"]
    if not small or not linear or side > MOST_PX:
        return None
    if given.image_size and given.image_size != (side, side):
        raise ValueError(f"its layers encode images of {side}x{side} px")
    found = []
    for doubles in product(*(_ways(layer) for layer, _ in maps)) if len(maps) <= MOST_MAPS else ():
        channels = maps[0][0].shape[0 if doubles[0] else 1]
        start = _side(linear[-1].shape[0], channels)
        if start and start << sum(doubles) == side and _gives(maps, doubles, channels) == convolutions[0].shape[1]:
            found.append((doubles, (channels, start, start)))
    if len(found) != 1:
        return None
    doubles, base = found[0]
    chosen = iter(doubles)
    return Plan(
        halves=halves,
        encoder=[Step(layer=layer, norm=norm, encodes=True) for layer, norm in halves.encoder],
        decoder=[
            Step(layer=one, norm=norm, doubles=one.kind == "conv" and next(chosen)) for one, norm in halves.decoder
        ],
        image=(convolutions[0].shape[1], side, side),
        base=base,
    )


def _activated(plan: Plan) -> bool:
    """Whether numbers of layers leave a place for an activation, besides one for a change of shape, between the last
    linear layer of a decoder and its first convolution."""
    if plan.base is None:
        return False
    linear = [step.layer.name for step in plan.decoder if step.layer.kind == "linear"][-1]
    first = next(step.layer.name for step in plan.decoder if step.layer.kind == "conv")
    (part, _, place_), (other, _, after) = linear.rpartition("."), first.rpartition(".")
    return part == other and place_.isdecimal() and after.isdecimal() and int(after[:6]) - int(place_[:6]) > 2


def _made(step: Step) -> nn.Module:
    """The layer, without weights."""
    layer = step.layer
    if layer.kind == "linear":
        return nn.Linear(layer.shape[1], layer.shape[0], bias=layer.bias)
    if step.doubles:
        stride, padding, extra = DOUBLES[layer.kernel]
        inputs, outputs, kernel, _ = layer.shape
        return nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding, extra, bias=layer.bias)
    stride, padding = HALVES[layer.kernel] if step.encodes else (1, layer.kernel // 2)
    return nn.Conv2d(layer.shape[1], layer.shape[0], layer.kernel, stride, padding, bias=layer.bias)


def _ways(layer: Layer) -> list[bool]:
    """Whether a decoder's convolution may be transposed and double the size, or an ordinary one that keeps it."""
    return [*([True] if layer.kernel in DOUBLES else []), *([False] if layer.kernel % 2 else [])]


def _side(numbers: int, channels: int) -> int:
    """Side of square maps of so many numbers in all; 0: they are none."""
    side = round((numbers / channels) ** 0.5) if channels else 0
    return side if side * side * channels == numbers else 0


def _gives(maps: Sequence[Pair], doubles: Sequence[bool], channels: int) -> int:
    """Channels of the image, 0 where a layer does not take what the one before gives."""
    for (layer, _), transposed in zip(maps, doubles, strict=True):
        takes, gives = layer.shape[:2] if transposed else (layer.shape[1], layer.shape[0])
        if takes != channels:
            return 0
        channels = gives
    return channels


class PlainVAE(nn.Module):
    """Images [n, c, h, w] in 0..1 to latents [n, d] and back. Parameters have the names of the file."""

    def __init__(self, plan: Plan, activation: str, last: str, before_maps: bool) -> None:
        super().__init__()
        self.plan, self.last, self.activation = plan, last, ACTIVATIONS[activation]
        self.before_maps = before_maps
        heads = [
            Step(layer=layer, norm=None, encodes=True) for layer in (plan.halves.mean, plan.halves.spread) if layer
        ]
        for step in (*plan.encoder, *heads, *plan.decoder):
            place(self, step.layer.name, _made(step))
            if step.norm is not None:
                sizes = nn.BatchNorm1d if step.layer.kind == "linear" else nn.BatchNorm2d
                place(self, step.norm.name, sizes(step.norm.shape[0]))

    def run(self, step: Step, value: Tensor) -> Tensor:
        """A layer and its normalisation."""
        if step.layer.kind == "linear":
            value = value.flatten(1)
        elif value.ndim == 2 and self.plan.base is not None:
            value = value.unflatten(1, self.plan.base)
        value = self.get_submodule(step.layer.name)(value)
        return value if step.norm is None else self.get_submodule(step.norm.name)(value)

    def encode(self, image: Tensor) -> Tensor:
        """The mean of the latent."""
        value = image * 2 - 1 if self.last == "tanh" else image
        for step in self.plan.encoder:
            value = self.activation(self.run(step, value))
        return self.get_submodule(self.plan.halves.mean.name)(value.flatten(1))[:, : self.plan.halves.latent]

    def decode(self, latent: Tensor) -> Tensor:
        """Images in 0..1."""
        value = latent
        for index, step in enumerate(self.plan.decoder):
            value = self.run(step, value)
            following = self.plan.decoder[index + 1].layer.kind if index + 1 < len(self.plan.decoder) else ""
            if following == step.layer.kind or (following and self.before_maps):
                value = self.activation(value)
        value = value if value.ndim == 4 else value.unflatten(1, self.plan.image)
        if self.last == "tanh":
            return value.tanh() * 0.5 + 0.5
        return value.sigmoid() if self.last == "sigmoid" else value
