"""What all plain implementations have: networks, a step, and what is measured of them; DCGAN's layers."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from trainer.family import Batch, DataSpec

Settings = dict[str, Any]


class Plain(ABC):
    """A plain implementation. Subclasses offer what is measured of their family: ``reconstruct``, ``log_weights``,
    ``sample`` or ``translate``, of images in 0..1."""

    VARIANTS: ClassVar[dict[str, Settings]]
    image_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)  # of the batches of ``step``
    batch_size: int

    @abstractmethod
    def step(self, batches: Iterator[Batch]) -> None:
        """One training step."""

    def networks(self) -> list[nn.Module]:
        return [value for value in vars(self).values() if isinstance(value, nn.Module)]

    def train(self, training: bool) -> None:
        """Set the mode of all networks."""
        for network in self.networks():
            network.train(training)

    def reconstruct(self, image: Tensor) -> Tensor:
        raise NotImplementedError

    def log_weights(self, image: Tensor, count: int) -> Tensor:
        """log p(x, z) - log q(z|x) in nats at ``count`` samples z, f32 [count, n]."""
        raise NotImplementedError

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw images, of every class as many where there are classes."""
        raise NotImplementedError

    def translate(self, condition: Tensor) -> Tensor:
        raise NotImplementedError


class LatentSampler(Plain):
    """Those whose ``generator`` draws images in -1..1 from a normal latent."""

    generator: nn.Module
    latent_size: int = 100

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        latent = torch.randn(count, self.latent_size, generator=generator)
        return self.generator(latent) * 0.5 + 0.5


def turn(network: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """Minimise a loss by a step of one network alone."""
    optimizer.zero_grad()
    loss.backward(inputs=list(network.parameters()))
    optimizer.step()


def small_normal(layer: nn.Module) -> None:
    """DCGAN's initialisation (Radford et al. 2016, section 4)."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(layer.weight, 0.0, 0.02)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)


def widths_of(spec: DataSpec, width: int) -> list[int]:
    """Channels from 4 px up to half the image, coarse to fine: ``width`` at the finest."""
    levels = (spec.image_size[0] // 4).bit_length() - 1
    assert 4 << levels == spec.image_size[0] == spec.image_size[1], "squares of 4 px times a power of two"
    return [width << level for level in reversed(range(levels))]


def dcgan_generator(spec: DataSpec, latent: int, width: int) -> nn.Sequential:
    """Latents [n, d] → images in -1..1, by transposed 4x4 convolutions from 4 px up."""
    widths = widths_of(spec, width)
    layers: list[nn.Module] = [nn.Unflatten(1, (latent, 1, 1)), nn.ConvTranspose2d(latent, widths[0], 4, bias=False)]
    for inputs, outputs in pairwise(widths):
        normed = [nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)]
        layers += [*normed, nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)]
    last = nn.ConvTranspose2d(widths[-1], spec.channels, 4, 2, 1)
    return nn.Sequential(*layers, nn.BatchNorm2d(widths[-1]), nn.ReLU(inplace=True), last, nn.Tanh()).apply(
        small_normal
    )


def dcgan_discriminator(
    spec: DataSpec, width: int, outputs: int = 1, normed: bool = True, more_channels: int = 0
) -> nn.Sequential:
    """Images → [n, outputs], [n] for one, by strided 4x4 convolutions down to 4 px."""
    widths = widths_of(spec, width)[::-1]
    layers: list[nn.Module] = [
        nn.Conv2d(spec.channels + more_channels, widths[0], 4, 2, 1),
        nn.LeakyReLU(0.2, inplace=True),
    ]
    for inputs, out in pairwise(widths):
        norm = [nn.BatchNorm2d(out)] if normed else []
        layers += [nn.Conv2d(inputs, out, 4, 2, 1, bias=not normed), *norm, nn.LeakyReLU(0.2, inplace=True)]
    flatten = nn.Flatten(0) if outputs == 1 else nn.Flatten()
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], outputs, 4), flatten).apply(small_normal)
