"""Kingma & Welling 2014, "Auto-Encoding Variational Bayes"; the convolutional VAE of the tutorials; and the small
hierarchical one whose layout ``vae`` repeats (two stochastic layers of MLPs)."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plain.base import Plain, Settings
from trainer.family import Batch, DataSpec

LOG_TWO_PI = math.log(2 * math.pi)


def log_normal(value: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """log N(value; mean, variance) in nats, summed over the last dimension."""
    return -0.5 * (LOG_TWO_PI + log_variance + (value - mean).square() * (-log_variance).exp()).sum(-1)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) ‖ N(0, I)), [n]."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)


class OneLatent(Plain):
    """A VAE with one Gaussian latent. Subclasses give ``encode`` and ``log_likelihood``."""

    image_range = (0.0, 1.0)
    optimizer: torch.optim.Optimizer

    def encode(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the latent, [n, d]."""
        raise NotImplementedError

    def decode(self, latent: Tensor) -> Tensor:
        raise NotImplementedError

    def log_likelihood(self, image: Tensor, latent: Tensor) -> Tensor:
        """log p(x|z), [n], but for constants where it is no density of images."""
        raise NotImplementedError

    def step(self, batches: Iterator[Batch]) -> None:
        image = next(batches).image
        mean, log_variance = self.encode(image)
        latent = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        self.optimizer.zero_grad()
        (divergence(mean, log_variance) - self.log_likelihood(image, latent)).mean().backward()
        self.optimizer.step()

    def reconstruct(self, image: Tensor) -> Tensor:
        return self.decode(self.encode(image)[0])

    def log_weights(self, image: Tensor, count: int) -> Tensor:
        mean, log_variance = self.encode(image)
        rows = []
        for _ in range(count):
            latent = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
            prior = log_normal(latent, torch.zeros_like(latent), torch.zeros_like(latent))
            rows.append(self.log_likelihood(image, latent) + prior - log_normal(latent, mean, log_variance))
        return torch.stack(rows)


class PaperVAE(OneLatent):
    """The paper's: MLPs of 500 units with tanh, batches of 100, Adagrad; a Bernoulli, or a Gaussian whose variance of
    each pixel is learnt (section 5, appendix C)."""

    VARIANTS: ClassVar[dict[str, Settings]] = {
        # the paper takes one of these three by the first iterations
        "published-0.01": {"rate": 0.01},
        "published-0.02": {"rate": 0.02},
        "published-0.1": {"rate": 0.1},
        "adam": {"rule": "adam", "rate": 1e-3},
    }
    batch_size = 100

    def __init__(
        self, spec: DataSpec, latent_size: int, bernoulli: bool = False, rate: float = 0.02, rule: str = "adagrad"
    ) -> None:
        pixels, hidden = math.prod(spec.shape), 500
        self.shape, self.bernoulli = spec.shape, bernoulli
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, hidden), nn.Tanh())
        self.latent = nn.Linear(hidden, 2 * latent_size)
        self.decoder = nn.Sequential(nn.Linear(latent_size, hidden), nn.Tanh())
        self.image = nn.Linear(hidden, pixels)
        self.noise = nn.Linear(hidden, pixels)
        weights = [weight for network in self.networks() for weight in network.parameters()]
        for weight in weights:
            nn.init.normal_(weight, 0.0, 0.01)
        kind = torch.optim.Adagrad if rule == "adagrad" else torch.optim.Adam
        self.optimizer = kind(weights, lr=rate)

    def encode(self, image: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.latent(self.encoder(image)).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, latent: Tensor) -> Tensor:
        return self.image(self.decoder(latent)).sigmoid().unflatten(1, self.shape)

    def log_likelihood(self, image: Tensor, latent: Tensor) -> Tensor:
        hidden, flat = self.decoder(latent), image.flatten(1)
        if self.bernoulli:
            return -F.binary_cross_entropy_with_logits(self.image(hidden), flat, reduction="none").sum(1)
        return log_normal(flat, self.image(hidden).sigmoid(), self.noise(hidden))


class ConvVAE(OneLatent):
    """Four strided convolutions and four transposed ones, batch normalisation, Adam at 1e-3, batches of 64: what
    tutorials write; squared errors as of a Gaussian of unit variance, or a Bernoulli."""

    VARIANTS: ClassVar[dict[str, Settings]] = {"conv": {}}
    batch_size = 64

    def __init__(self, spec: DataSpec, latent_size: int, bernoulli: bool = False) -> None:
        self.bernoulli = bernoulli
        sizes, widths = [spec.image_size[0]], [spec.channels, 32, 64, 128, 256]
        down: list[nn.Module] = []
        up: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            odd = sizes[-1] % 2  # a transposed convolution of 3 px gives back odd sizes, too
            sizes.append((sizes[-1] + odd) // 2)
            down += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.BatchNorm2d(outputs), nn.LeakyReLU()]
            normed = [nn.BatchNorm2d(inputs), nn.LeakyReLU()] if inputs != spec.channels else []
            up = [nn.ConvTranspose2d(outputs, inputs, 3, 2, 1, output_padding=1 - odd), *normed, *up]
        flat = widths[-1] * sizes[-1] ** 2
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(flat, 2 * latent_size))
        place = nn.Unflatten(1, (widths[-1], sizes[-1], sizes[-1]))
        self.decoder = nn.Sequential(nn.Linear(latent_size, flat), place, *up)
        weights = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.optimizer = torch.optim.Adam(weights, lr=1e-3)

    def encode(self, image: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encoder(image).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, latent: Tensor) -> Tensor:
        return self.decoder(latent).sigmoid()

    def log_likelihood(self, image: Tensor, latent: Tensor) -> Tensor:
        logits = self.decoder(latent)
        if self.bernoulli:
            return -F.binary_cross_entropy_with_logits(logits, image, reduction="none").flatten(1).sum(1)
        return -0.5 * (image - logits.sigmoid()).square().flatten(1).sum(1)


class HierarchicalVAE(Plain):
    """x → z1 → z2 and back, MLPs of 50 units with ReLU, ten latents each; Adam at 1e-4, batches of 128, the analytic
    divergence of z1: the program whose layout ``vae`` repeats. ``rate-1e-3``: at the rate of our preset."""

    VARIANTS: ClassVar[dict[str, Settings]] = {"published": {}, "rate-1e-3": {"rate": 1e-3}}
    image_range = (0.0, 1.0)
    batch_size = 128

    def __init__(self, spec: DataSpec, latent_size: int, rate: float = 1e-4) -> None:
        pixels, hidden = math.prod(spec.shape), 50
        self.shape = spec.shape

        def mlp(inputs: int, outputs: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))

        self.encoder1, self.encoder2 = mlp(pixels, 2 * latent_size), mlp(latent_size, 2 * latent_size)
        self.decoder2, self.decoder1 = mlp(latent_size, latent_size), mlp(latent_size, pixels)
        weights = [weight for network in self.networks() for weight in network.parameters()]
        self.optimizer = torch.optim.Adam(weights, lr=rate)

    def image(self, z1: Tensor) -> Tensor:
        return self.decoder1(z1).sigmoid().unflatten(1, self.shape)

    def step(self, batches: Iterator[Batch]) -> None:
        image = next(batches).image
        mean1, log_variance1 = self.encoder1(image.flatten(1)).chunk(2, dim=1)
        z1 = mean1 + torch.randn_like(mean1) * (0.5 * log_variance1).exp()
        mean2, log_variance2 = self.encoder2(z1).chunk(2, dim=1)
        prior1 = self.decoder2(mean2 + torch.randn_like(mean2) * (0.5 * log_variance2).exp())
        loss = (self.image(z1) - image).square().flatten(1).sum(1)
        loss = loss + 2 * divergence(mean1 - prior1, log_variance1) + 2 * divergence(mean2, log_variance2)
        self.optimizer.zero_grad()
        loss.mean().backward()
        self.optimizer.step()

    def reconstruct(self, image: Tensor) -> Tensor:
        """By way of z2, as the exported pair does it."""
        mean1 = self.encoder1(image.flatten(1)).chunk(2, dim=1)[0]
        return self.image(self.decoder2(self.encoder2(mean1).chunk(2, dim=1)[0]))
