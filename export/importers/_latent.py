"""Generators from latents: what readers of GANs and VAEs share."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.given import Given
from export.importers.base import Imported
from trainer.blocks import Call
from trainer.family import DataSpec, Latent
from trainer.parts.latent_generator import latent_files

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "leaky_relu": lambda value: F.leaky_relu(value, 0.2),
    "leaky_relu_0.01": lambda value: F.leaky_relu(value, 0.01),  # torch's default
    "elu": F.elu,
    "silu": F.silu,
    "gelu": F.gelu,
    "tanh": torch.tanh,
}


class InRange(nn.Module):
    """A generator whose images go through a last activation, and leave in 0..1."""

    def __init__(self, generator: nn.Module, last: str) -> None:
        super().__init__()
        self.generator, self.last = generator, last
        self.training = generator.training

    def forward(self, *inputs: Tensor) -> Tensor:
        image = self.generator(*inputs)
        if self.last == "tanh":
            return torch.tanh(image) * 0.5 + 0.5
        return torch.sigmoid(image) if self.last == "sigmoid" else image


def gan_files(
    generator: nn.Module,
    given: Given,
    family: str,
    *,
    latent: int,
    image: tuple[int, int, int],
    classes: int = 0,
    remarks: tuple[str, ...] = (),
) -> Imported:
    """The file of a GAN's generator; ``image``: channels, height and width. Without ``last_activation`` it ends in
    tanh, as DCGAN and nearly all after it."""
    if not 1 <= latent <= 1 << 16:
        raise ValueError(f"takes latents of {latent} numbers, expected 1 to {1 << 16}")
    channels, *size = image
    names = tuple(map(str, range(classes)))
    spec = DataSpec(image_size=(size[0], size[1]), channels=channels, classes=names)
    (file,) = latent_files(Latent(size=latent), InRange(generator, given.last_activation or "tanh"))
    if classes:
        file = replace(file, inputs={**file.inputs, "label": torch.tensor([0, classes - 1])})
    return Imported(exportables=[file], spec=spec, family=family, remarks=remarks)


def vae_files(
    network: nn.Module, family: str, *, latent: int, image: tuple[int, int, int], remarks: tuple[str, ...] = ()
) -> Imported:
    """The files of a VAE with methods ``encode``, of images in 0..1, and ``decode``; ``image``: channels, height and
    width. Its prior is standard normal."""
    if not 1 <= latent <= 1 << 16:
        raise ValueError(f"has latents of {latent} numbers, expected 1 to {1 << 16}")
    files = latent_files(Latent(size=latent), Call(network, "decode"), Call(network, "encode"))
    channels, height, width = image
    return Imported(
        exportables=files, spec=DataSpec(image_size=(height, width), channels=channels), family=family, remarks=remarks
    )
