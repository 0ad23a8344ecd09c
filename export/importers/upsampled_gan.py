"""Generators that enlarge by nearest-neighbour upsampling and convolutions, as PyTorch-GAN's DCGAN and its kin.

From a linear layer at a quarter of the size: norm, then twice upsampling, a 3x3 convolution, a norm and leaky ReLU,
and a last convolution. The second and third norm have an epsilon of 0.8: what was meant for the momentum stands at its
place. With classes (ACGAN), the latent is multiplied by the class's embedding.
"""

from itertools import pairwise
from typing import Final

from torch import Tensor, nn
from torch.nn import functional as F

from export.importers._fitting import fitted
from export.importers._latent import ACTIVATIONS, gan_files
from export.importers.base import Imported
from export.weights import Weights

NAME: Final = "upsampled_gan"
READS: Final = "PyTorch-GAN's convolutional generators (l1.0.weight, conv_blocks.0.weight ...), with classes or without"
NEEDS: Final = ""
USES: Final = ("activation", "last_activation")
KEYS = (
    "l1.0.weight",
    "conv_blocks.0.running_mean",
    "conv_blocks.2.weight",
    "conv_blocks.6.weight",
    "conv_blocks.9.weight",
)
EPSILON = 0.8


def claims(weights: Weights) -> bool:
    """Whether all layers of this layout are there."""
    return all(key in weights.state for key in KEYS)


def read(weights: Weights) -> Imported:
    """The generator. The size follows from the linear layer."""
    state, given = weights.state, weights.given
    linear, norm, *convolutions = (state[key] for key in KEYS)
    if linear.ndim != 2 or norm.ndim != 1 or any(weight.ndim != 4 for weight in convolutions):
        raise ValueError("layers are not those of PyTorch-GAN's generator")
    width = len(norm)
    side = round((len(linear) / width) ** 0.5) if width else 0
    if side < 1 or side * side * width != len(linear):
        raise ValueError(f"l1.0.weight gives {len(linear)} numbers, expected a square times {width} channels")
    widths = [width, *(len(weight) for weight in convolutions)]
    classes = len(state["label_emb.weight"]) if "label_emb.weight" in state else 0
    if widths[-1] not in (1, 3):
        raise ValueError(f"conv_blocks.9.weight gives {widths[-1]} channels, expected 1 or 3")
    latent = linear.shape[1]
    net = fitted(
        lambda: Upsampled(latent, side, widths, classes, given.activation or "leaky_relu"),
        state,
        "PyTorch-GAN's generator",
    )
    image = (widths[-1], 4 * side, 4 * side)
    return gan_files(net, given, NAME, latent=latent, image=image, classes=classes)


class Upsampled(nn.Module):
    """Latents [n, d], and labels i64 [n] where there are classes → images before the last activation."""

    def __init__(self, latent: int, side: int, widths: list[int], classes: int, activation: str) -> None:
        super().__init__()
        if classes:
            self.label_emb = nn.Embedding(classes, latent)
        self.l1 = nn.Sequential(nn.Linear(latent, widths[0] * side * side))
        self.conv_blocks = nn.ModuleDict({"0": nn.BatchNorm2d(widths[0])})
        for place, (inputs, outputs) in zip((2, 6, 9), pairwise(widths), strict=True):
            self.conv_blocks[str(place)] = nn.Conv2d(inputs, outputs, 3, padding=1)
            if place != 9:
                self.conv_blocks[str(place + 1)] = nn.BatchNorm2d(outputs, EPSILON)
        self.shape = (widths[0], side, side)
        self.activation = ACTIVATIONS[activation]

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        blocks = self.conv_blocks
        if label is not None:
            latent = self.label_emb(label) * latent
        value = blocks["0"](self.l1(latent).unflatten(1, self.shape))
        for place in (2, 6):
            value = blocks[str(place)](F.interpolate(value, scale_factor=2.0))
            value = self.activation(blocks[str(place + 1)](value))
        return blocks["9"](value)
