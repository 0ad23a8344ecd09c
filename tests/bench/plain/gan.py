"""Goodfellow et al. 2014, "Generative Adversarial Nets", algorithm 1, with the settings of the authors' mnist.yaml."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plain.base import LatentSampler, Settings, turn
from trainer.family import Batch, DataSpec


class Maxout(nn.Linear):
    """The maximum of ``pieces`` linear maps for each output (Goodfellow et al. 2013)."""

    def __init__(self, inputs: int, outputs: int, pieces: int = 5) -> None:
        super().__init__(inputs, outputs * pieces)
        self.pieces = pieces

    def forward(self, value: Tensor) -> Tensor:
        return super().forward(value).unflatten(1, (-1, self.pieces)).amax(2)


class GAN(LatentSampler):
    """``published``: generator of two layers of 1200 units with ReLU, and a sigmoid; discriminator of two maxout layers
    of 240 units with dropout, 0.2 of the pixels and 0.5 within; gradient descent at 0.1 with momentum that rises from
    0.5 to 0.7; uniform weights of ±0.05 and ±0.005; uniform latents; batches of 100. ``tutorial``: layers of 128 to
    1024 units with batch normalisation, and of 512 and 256, leaky ReLU, Adam at 2e-4 with β₁ 0.5, batches of 64."""

    VARIANTS: ClassVar[dict[str, Settings]] = {"published": {"published": True}, "tutorial": {"published": False}}
    image_range = (0.0, 1.0)

    def __init__(self, spec: DataSpec, published: bool) -> None:
        pixels, self.published = math.prod(spec.shape), published
        self.batch_size, self.steps = 100 if published else 64, 0
        optimizers: list[torch.optim.Optimizer]
        if published:
            layers = [nn.Linear(100, 1200), nn.ReLU(), nn.Linear(1200, 1200), nn.ReLU(), nn.Linear(1200, pixels)]
            self.discriminator = nn.Sequential(
                nn.Flatten(), nn.Dropout(0.2), Maxout(pixels, 240), nn.Dropout(0.5), Maxout(240, 240), nn.Dropout(0.5),
                nn.Linear(240, 1), nn.Flatten(0),
            )  # fmt: skip
            self.generator = nn.Sequential(*layers, nn.Sigmoid(), nn.Unflatten(1, spec.shape))
            for network, reach in ((self.generator, 0.05), (self.discriminator, 0.005)):
                for layer in network.modules():
                    if isinstance(layer, nn.Linear):
                        nn.init.uniform_(layer.weight, -reach, reach)
                        nn.init.zeros_(layer.bias)
            optimizers = [
                torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.5)
                for network in (self.generator, self.discriminator)
            ]
        else:
            up: list[nn.Module] = [nn.Linear(100, 128), nn.LeakyReLU(0.2)]
            for inputs, outputs in pairwise((128, 256, 512, 1024)):
                up += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.LeakyReLU(0.2)]
            self.generator = nn.Sequential(*up, nn.Linear(1024, pixels), nn.Sigmoid(), nn.Unflatten(1, spec.shape))
            self.discriminator = nn.Sequential(
                nn.Flatten(), nn.Linear(pixels, 512), nn.LeakyReLU(0.2), nn.Linear(512, 256), nn.LeakyReLU(0.2),
                nn.Linear(256, 1), nn.Flatten(0),
            )  # fmt: skip
            optimizers = [
                torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
                for network in (self.generator, self.discriminator)
            ]
        self.generator_optimizer, self.discriminator_optimizer = optimizers

    def latent(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        if self.published:
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
        self.steps += 1
        if self.published:  # over 250 passes over the 50,000 images of the paper
            for optimizer in (self.generator_optimizer, self.discriminator_optimizer):
                optimizer.param_groups[0]["momentum"] = 0.5 + 0.2 * min(1.0, self.steps / (250 * 500))

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        return self.generator(self.latent(count, generator))
