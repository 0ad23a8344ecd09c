"""Hinton & Salakhutdinov 2006, "Reducing the Dimensionality of Data with Neural Networks"; Masci et al. 2011, "Stacked
Convolutional Auto-Encoders for Hierarchical Feature Extraction"."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plain.base import Plain, Settings
from trainer.family import Batch, DataSpec


class DeepAutoencoder(Plain):
    """Layers of 1000, 500 and 250 units down to a linear code, and back; cross-entropy of images (the paper's
    supplement). Adam takes the place of pretraining and conjugate gradients: without either, and with logistic units,
    nothing would be learnt in minutes. ``relu``: as one would write it now, with a squared error."""

    VARIANTS: ClassVar[dict[str, Settings]] = {
        "published": {"between": nn.Sigmoid, "batch_size": 1000},
        "relu": {"between": nn.ReLU, "squared": True, "batch_size": 128},
    }
    image_range = (0.0, 1.0)

    def __init__(
        self, spec: DataSpec, latent_size: int, between: type[nn.Module], batch_size: int, squared: bool = False
    ) -> None:
        self.shape, self.squared, self.batch_size = spec.shape, squared, batch_size
        widths = [math.prod(spec.shape), 1000, 500, 250, latent_size]

        def layers(widths: list[int]) -> nn.Sequential:
            parts = [part for inputs, outputs in pairwise(widths) for part in (nn.Linear(inputs, outputs), between())]
            return nn.Sequential(*parts[:-1])

        self.encoder, self.decoder = layers(widths), layers(widths[::-1])
        self.optimizer = torch.optim.Adam([*self.encoder.parameters(), *self.decoder.parameters()], lr=1e-3)

    def step(self, batches: Iterator[Batch]) -> None:
        flat = next(batches).image.flatten(1)
        logits = self.decoder(self.encoder(flat))
        self.optimizer.zero_grad()
        error = F.mse_loss(logits.sigmoid(), flat) if self.squared else F.binary_cross_entropy_with_logits(logits, flat)
        error.backward()
        self.optimizer.step()

    def reconstruct(self, image: Tensor) -> Tensor:
        return self.decoder(self.encoder(image.flatten(1))).sigmoid().unflatten(1, self.shape)


class ConvAutoencoder(Plain):
    """Two layers of 5x5 kernels, tanh and 2x2 max-pooling, of 100 and 16 maps (the code is as large as ours). They are
    decoded by the same kernels, flipped in both dimensions (equations 2 and 3), and trained by gradient descent on the
    squared error (equation 6), both at once, at 0.003: the paper names no rate, and of those tried, 0.0003 to 0.5, it
    is the largest that does not diverge. ``adam``: kernels of 3x3, 32 maps, ReLU, weights of their own, Adam."""

    VARIANTS: ClassVar[dict[str, Settings]] = {
        "published": {"rate": 3e-3},
        "adam": {"modern": True},
    }
    batch_size = 128

    def __init__(self, spec: DataSpec, rate: float = 1e-3, modern: bool = False) -> None:
        self.modern, maps, kernel = modern, 32 if modern else 100, 3 if modern else 5
        pad = kernel // 2
        self.first = nn.Conv2d(spec.channels, maps, kernel, padding=pad)
        self.second = nn.Conv2d(maps, 16, kernel, padding=pad)
        self.back2 = nn.ConvTranspose2d(16, maps, kernel, padding=pad)
        self.back1 = nn.ConvTranspose2d(maps, spec.channels, kernel, padding=pad)
        if not modern:  # a transposed convolution by the same weights is one by the flipped kernels
            self.back1.weight, self.back2.weight = self.first.weight, self.second.weight
        weights = list(dict.fromkeys(weight for network in self.networks() for weight in network.parameters()))
        kind = torch.optim.Adam if modern else torch.optim.SGD
        self.optimizer = kind(weights, lr=rate)

    def decoded(self, image: Tensor) -> Tensor:
        """Images in -1..1 by way of their codes [n, 16, h / 4, w / 4]."""
        act = torch.relu if self.modern else torch.tanh
        code = F.max_pool2d(act(self.second(F.max_pool2d(act(self.first(image)), 2))), 2)
        hidden = act(self.back2(F.interpolate(code, scale_factor=2.0)))
        return self.back1(F.interpolate(hidden, scale_factor=2.0))

    def step(self, batches: Iterator[Batch]) -> None:
        image = next(batches).image
        self.optimizer.zero_grad()
        F.mse_loss(self.decoded(image), image).backward()
        self.optimizer.step()

    def reconstruct(self, image: Tensor) -> Tensor:
        return (self.decoded(image * 2 - 1) * 0.5 + 0.5).clamp(0, 1)
