"""Generators of linear layers, as the first GANs had them (Goodfellow et al. 2014), with classes or without.

PyTorch-GAN's (``model.0.weight`` ...) have normalisations with an epsilon of 0.8. With classes (CGAN), the class's
embedding, of as many numbers as classes, is put before the latent.
"""

from typing import Final

import torch
from torch import Tensor, nn

from export.importers._chain import Layer, chained, image_of, layers_of, place, square, unseen
from export.importers._fitting import fitted
from export.importers._latent import ACTIVATIONS, gan_files
from export.importers.base import Imported
from export.weights import Weights

NAME: Final = "mlp_gan"
READS: Final = "GAN generators of linear layers (model.0.weight ...), with classes (label_emb.weight) or without"
NEEDS: Final = ""
USES: Final = ("image_size", "activation", "last_activation")
EMBEDDING = "label_emb"
EPSILON = 0.8
LEAST_NUMBERS = 64  # of an image: fewer are scores or classes
LEAST_GROWN = 256  # of one that only the shapes tell
Pairs = list[tuple[Layer, Layer | None]]


def claims(weights: Weights) -> bool:
    """Whether the layers are a chain of linear ones from few numbers to those of an image, and something tells that
    these are an image: classes, PyTorch-GAN's layout, the size that the user gives, or three layers or more that grow.
    """
    pairs = _pairs(weights)
    if pairs is None or not possible(weights):
        return False
    widths = [pairs[0][0].shape[1], *(layer.shape[0] for layer, _ in pairs)]
    grown = len(pairs) > 2 and widths == sorted(widths) and widths[-2] < widths[-1] >= LEAST_GROWN
    return f"{EMBEDDING}.weight" in weights.state or _theirs(pairs) or weights.given.image_size is not None or grown


def possible(weights: Weights) -> bool:
    """Whether it may be a generator, and as well a network that gives so many numbers of something else."""
    pairs = _pairs(weights)
    if pairs is None or (weights.given.image_size is None and square(_numbers(pairs)) is None):
        return False
    return _numbers(pairs) >= LEAST_NUMBERS and _numbers(pairs) > pairs[0][0].shape[1]


def read(weights: Weights) -> Imported:
    """The generator. The last layer's numbers are those of a square image, grey or in colour, or of the size given."""
    pairs, given, state = _pairs(weights), weights.given, weights.state
    if pairs is None:
        raise ValueError("no chain of linear layers")
    embedding = state.get(f"{EMBEDDING}.weight")
    classes, label = embedding.shape if embedding is not None else (0, 0)
    latent = pairs[0][0].shape[1] - label
    image = image_of(_numbers(pairs), given.image_size)
    theirs = _theirs(pairs)
    made = fitted(
        lambda: Linears(pairs, given.activation or "leaky_relu", (classes, label), EPSILON if theirs else 1e-5),
        state, "a generator of linear layers",
    )  # fmt: skip
    remarks = []
    if theirs:
        remarks.append("normalisations have an epsilon of 0.8, as PyTorch-GAN's")
    elif not given.activation:
        remarks.append("leaky ReLU of slope 0.2 between layers is assumed (--activation relu, ...)")
    if not given.last_activation:
        remarks.append("the last layer's tanh is assumed: images in -1..1 (--last-activation sigmoid)")
    remarks += unseen(pairs)
    network = Shaped(made, image)
    return gan_files(network, given, NAME, latent=latent, image=image, classes=classes, remarks=tuple(remarks))


def _theirs(pairs: Pairs) -> bool:
    """Whether it is PyTorch-GAN's layout."""
    return any(norm for _, norm in pairs) and pairs[0][0].name.startswith("model.")


def _numbers(pairs: Pairs) -> int:
    return pairs[-1][0].shape[0]


def _pairs(weights: Weights) -> Pairs | None:
    """The linear layers, each with its normalisation, where they are a chain."""
    embedding = weights.state.get(f"{EMBEDDING}.weight")
    if embedding is not None and (embedding.ndim != 2 or embedding.shape[0] != embedding.shape[1]):
        return None
    pairs = chained([layer for layer in layers_of(weights.state) if layer.name != EMBEDDING])
    if not pairs or len(pairs) < 2 or pairs[-1][1] is not None:
        return None
    numbers = pairs[0][0].shape[1]
    if embedding is not None and numbers <= embedding.shape[1]:
        return None
    for layer, norm in pairs:
        if layer.kind != "linear" or layer.shape[1] != numbers or (norm is not None and norm.shape != layer.shape[:1]):
            return None
        numbers = layer.shape[0]
    return pairs


class Linears(nn.Module):
    """[n, d], and labels i64 [n] where there are classes → [n, k], before the last activation. Parameters have the
    names of the file. ``labels``: classes, and numbers of each one's embedding."""

    def __init__(self, pairs: Pairs, activation: str, labels: tuple[int, int] = (0, 0), epsilon: float = 1e-5) -> None:
        super().__init__()
        if labels[0]:
            self.label_emb = nn.Embedding(*labels)
        for layer, norm in pairs:
            place(self, layer.name, nn.Linear(layer.shape[1], layer.shape[0], bias=layer.bias))
            if norm is not None:
                place(self, norm.name, nn.BatchNorm1d(layer.shape[0], epsilon))
        self.names = [(layer.name, norm.name if norm else "") for layer, norm in pairs]
        self.activation = ACTIVATIONS[activation]

    def forward(self, value: Tensor, label: Tensor | None = None) -> Tensor:
        if label is not None:
            value = torch.cat((self.label_emb(label), value), 1)
        for index, (name, norm) in enumerate(self.names):
            if index:
                value = self.activation(value)
            value = self.get_submodule(name)(value)
            if norm:
                value = self.get_submodule(norm)(value)
        return value


class Shaped(nn.Module):
    """A network whose numbers are those of images, c·h·w."""

    def __init__(self, network: nn.Module, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.network, self.shape = network, shape
        self.training = network.training

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.network(*inputs).unflatten(1, self.shape)
