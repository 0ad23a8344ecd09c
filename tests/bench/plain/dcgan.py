"""Radford et al. 2016, "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks"."""

from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plain.base import LatentSampler, Settings, dcgan_discriminator, dcgan_generator, small_normal, turn, widths_of
from trainer.family import Batch, DataSpec


def five_by_five(spec: DataSpec, width: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Figure 1: 5x5 kernels from 4 px up; the discriminator has half the channels, as in the authors' code."""
    widths = widths_of(spec, width)
    up: list[nn.Module] = [nn.Linear(100, widths[0] * 16), nn.Unflatten(1, (widths[0], 4, 4))]
    for inputs, outputs in pairwise((*widths, spec.channels)):
        grown = nn.ConvTranspose2d(inputs, outputs, 5, 2, 2, output_padding=1)
        up += [nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), grown]
    finest, *coarser = [width // 2 for width in widths[::-1]]
    down: list[nn.Module] = [nn.Conv2d(spec.channels, finest, 5, 2, 2), nn.LeakyReLU(0.2, inplace=True)]
    for inputs, outputs in pairwise((finest, *coarser)):
        down += [nn.Conv2d(inputs, outputs, 5, 2, 2), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2, inplace=True)]
    last = [nn.Flatten(), nn.Linear(widths[0] // 2 * 16, 1), nn.Flatten(0)]
    return nn.Sequential(*up, nn.Tanh()).apply(small_normal), nn.Sequential(*down, *last).apply(small_normal)


class DCGAN(LatentSampler):
    """``published``: 5x5 kernels, 128 channels at half the size, uniform latents, batches of 128. ``tutorial``: the 4x4
    kernels of most programs, normal latents, 64 channels. ``narrow``: 32 channels and batches of 64, as ours. All: Adam
    at 2e-4, β₁ 0.5."""

    VARIANTS: ClassVar[dict[str, Settings]] = {
        "published": {"width": 128, "kernel": 5, "batch_size": 128},
        "tutorial": {"width": 64, "kernel": 4, "batch_size": 128},
        "narrow": {"width": 32, "kernel": 4, "batch_size": 64},
    }

    def __init__(self, spec: DataSpec, width: int, kernel: int, batch_size: int) -> None:
        self.batch_size, self.uniform = batch_size, kernel == 5
        if kernel == 5:
            self.generator, self.discriminator = five_by_five(spec, width)
        else:
            self.generator = dcgan_generator(spec, 100, width)
            self.discriminator = dcgan_discriminator(spec, width)
        adam = {"lr": 2e-4, "betas": (0.5, 0.999)}
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), **adam)
        self.discriminator_optimizer = torch.optim.Adam(self.discriminator.parameters(), **adam)

    def latent(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        if self.uniform:
            return torch.rand(count, 100, generator=generator) * 2 - 1
        return torch.randn(count, 100, generator=generator)

    def step(self, batches: Iterator[Batch]) -> None:
        real = next(batches).image
        fake = self.generator(self.latent(len(real)))
        ones, zeros = torch.ones(len(real)), torch.zeros(len(real))
        loss = F.binary_cross_entropy_with_logits(self.discriminator(real), ones)
        loss = loss + F.binary_cross_entropy_with_logits(self.discriminator(fake.detach()), zeros)
        turn(self.discriminator, self.discriminator_optimizer, loss)
        loss = F.binary_cross_entropy_with_logits(self.discriminator(fake), ones)
        turn(self.generator, self.generator_optimizer, loss)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        return self.generator(self.latent(count, generator)) * 0.5 + 0.5
