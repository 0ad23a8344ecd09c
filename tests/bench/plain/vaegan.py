"""Larsen et al. 2016, "Autoencoding beyond pixels using a learned similarity metric", algorithm 1 and table 1."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plain.base import LatentSampler, Settings
from plain.vae import divergence
from trainer.family import Batch, DataSpec


class Discriminator(nn.Module):
    """Images in -1..1 → scores [n], and features of the third strided convolution."""

    def __init__(self, spec: DataSpec, narrower: int) -> None:
        super().__init__()
        widths = [width // narrower for width in (32, 128, 256, 256)]
        layers: list[nn.Module] = [nn.Conv2d(spec.channels, widths[0], 5, padding=2), nn.ReLU()]
        for inputs, outputs in ((widths[0], widths[1]), (widths[1], widths[2])):
            layers += [nn.Conv2d(inputs, outputs, 5, 2, 2), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.features = nn.Sequential(*layers, nn.Conv2d(widths[2], widths[3], 5, 2, 2))
        flat, hidden = widths[3] * math.prod(side // 8 for side in spec.image_size), 512 // narrower
        self.score = nn.Sequential(
            nn.BatchNorm2d(widths[3]), nn.ReLU(), nn.Flatten(), nn.Linear(flat, hidden), nn.BatchNorm1d(hidden),
            nn.ReLU(), nn.Linear(hidden, 1), nn.Flatten(0),
        )  # fmt: skip

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(image)
        return self.score(features), features


class VAEGAN(LatentSampler):
    """RMSProp at 3e-4, batches of 64, latents of 128 numbers, γ of 1e-6 in the decoder's loss; the decoder minimises
    -log Dis instead of log(1 - Dis). ``published``: as wide as table 1. ``narrow``: a fourth of it, Adam, γ of 1e-4
    (there are fewer features)."""

    VARIANTS: ClassVar[dict[str, Settings]] = {
        "published": {"narrower": 1, "gamma": 1e-6, "adam": False},
        "narrow": {"narrower": 4, "gamma": 1e-4, "adam": True},
    }
    batch_size, latent_size = 64, 128

    def __init__(self, spec: DataSpec, narrower: int, gamma: float, adam: bool) -> None:
        self.gamma = gamma
        widths = [width // narrower for width in (64, 128, 256)]
        side = spec.image_size[0] // 8
        flat, hidden = widths[-1] * side * side, 2048 // narrower
        down: list[nn.Module] = []
        for inputs, outputs in zip((spec.channels, *widths), widths, strict=False):
            down += [nn.Conv2d(inputs, outputs, 5, 2, 2), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.encoder = nn.Sequential(
            *down, nn.Flatten(), nn.Linear(flat, hidden), nn.BatchNorm1d(hidden), nn.ReLU(),
            nn.Linear(hidden, 2 * self.latent_size),
        )  # fmt: skip
        up: list[nn.Module] = [
            nn.Linear(self.latent_size, flat), nn.Unflatten(1, (widths[-1], side, side)), nn.BatchNorm2d(widths[-1]),
            nn.ReLU(),
        ]  # fmt: skip
        grown = [widths[-1], widths[-1], widths[-2], max(32 // narrower, 8)]
        for inputs, outputs in pairwise(grown):
            up += [nn.ConvTranspose2d(inputs, outputs, 5, 2, 2, output_padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.generator = nn.Sequential(*up, nn.Conv2d(grown[-1], spec.channels, 5, padding=2), nn.Tanh())
        self.discriminator = Discriminator(spec, narrower)
        kind = torch.optim.Adam if adam else torch.optim.RMSprop
        self.optimizers = {network: kind(network.parameters(), lr=3e-4) for network in self.networks()}

    def step(self, batches: Iterator[Batch]) -> None:
        image = next(batches).image
        mean, log_variance = self.encoder(image).chunk(2, dim=1)
        latent = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        decoded, drawn = self.generator(latent), self.generator(torch.randn_like(mean))
        real, wanted = self.discriminator(image)
        score, features = self.discriminator(decoded)
        score_drawn, _ = self.discriminator(drawn)
        prior = divergence(mean, log_variance).mean()
        likelihood = 0.5 * (features - wanted.detach()).square().flatten(1).sum(1).mean()
        fooled = F.softplus(-score).mean() + F.softplus(-score_drawn).mean()
        told = F.softplus(-real).mean() + F.softplus(score).mean() + F.softplus(score_drawn).mean()
        losses = (
            (self.encoder, prior + likelihood),
            (self.generator, self.gamma * likelihood + fooled),
            (self.discriminator, told),
        )
        for network, loss in losses:  # all gradients first: a step of one would change the others'
            self.optimizers[network].zero_grad()
            loss.backward(inputs=list(network.parameters()), retain_graph=True)
        for optimizer in self.optimizers.values():
            optimizer.step()

    def reconstruct(self, image: Tensor) -> Tensor:
        return self.generator(self.encoder(image * 2 - 1).chunk(2, dim=1)[0]) * 0.5 + 0.5
