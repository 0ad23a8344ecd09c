"""Rosca et al. 2017, "Variational Approaches for Auto-Encoding Generative Adversarial Networks", algorithm 1 of June
2017, one turn of each network."""

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plain.base import LatentSampler, Settings, dcgan_discriminator, dcgan_generator, turn
from trainer.family import Batch, DataSpec


def ratio(score: Tensor) -> Tensor:
    """R = -log D + log(1 - D) for D = sigmoid(score)."""
    return -score.mean()


class AlphaGAN(LatentSampler):
    """DCGAN's networks, a code discriminator of two layers of 750 units, codes of 128 numbers, batches of 64. The paper
    searches for λ and the rates: here 10, of the mean absolute error, and Adam at 2e-4 with β₁ 0.5. ``published``: 64
    channels. ``narrow``: 32, as ours."""

    VARIANTS: ClassVar[dict[str, Settings]] = {"published": {"width": 64}, "narrow": {"width": 32}}
    batch_size, latent_size, weight = 64, 128, 10.0

    def __init__(self, spec: DataSpec, width: int) -> None:
        self.encoder = dcgan_discriminator(spec, width, self.latent_size)
        self.generator = dcgan_generator(spec, self.latent_size, width)
        self.discriminator = dcgan_discriminator(spec, width)
        self.code_discriminator = nn.Sequential(
            nn.Linear(self.latent_size, 750), nn.LeakyReLU(0.2), nn.Linear(750, 750), nn.LeakyReLU(0.2),
            nn.Linear(750, 1), nn.Flatten(0),
        )  # fmt: skip
        self.optimizers = {
            network: torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999)) for network in self.networks()
        }

    def turn(self, network: nn.Module, loss: Tensor) -> None:
        turn(network, self.optimizers[network], loss)

    def step(self, batches: Iterator[Batch]) -> None:
        image = next(batches).image
        latent = torch.randn(len(image), self.latent_size)
        code = self.encoder(image)
        loss = self.weight * (self.generator(code) - image).abs().mean() + ratio(self.code_discriminator(code))
        self.turn(self.encoder, loss)
        code = code.detach()
        again, drawn = self.generator(code), self.generator(latent)
        loss = self.weight * (again - image).abs().mean()
        self.turn(self.generator, loss + ratio(self.discriminator(again)) + ratio(self.discriminator(drawn)))
        scores = [self.discriminator(value.detach()) for value in (image, again, drawn)]
        self.turn(self.discriminator, F.softplus(-scores[0]).mean() + sum(F.softplus(x).mean() for x in scores[1:]))
        loss = F.softplus(-self.code_discriminator(latent)).mean() + F.softplus(self.code_discriminator(code)).mean()
        self.turn(self.code_discriminator, loss)

    def reconstruct(self, image: Tensor) -> Tensor:
        return self.generator(self.encoder(image * 2 - 1)) * 0.5 + 0.5
