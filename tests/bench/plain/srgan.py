"""Ledig et al. 2017, "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network": its first
stage, SRResNet, which the figures of error are of."""

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plain.base import Plain, Settings
from trainer.family import Batch, DataSpec


class Residual(nn.Module):
    """Two convolutions with batch normalisation beside a shortcut (figure 4)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1), nn.BatchNorm2d(features), nn.PReLU(),
            nn.Conv2d(features, features, 3, padding=1), nn.BatchNorm2d(features),
        )  # fmt: skip

    def forward(self, value: Tensor) -> Tensor:
        return value + self.layers(value)


class SRResNet(Plain):
    """Squared error, Adam at 1e-4, batches of 16 crops of 96 px. ``published``: 16 blocks of 64 channels. ``small``: 8
    of 32, as ours. ``small-1e-3``: at the rate of ours."""

    VARIANTS: ClassVar[dict[str, Settings]] = {
        "published": {"blocks": 16, "features": 64},
        "small": {"blocks": 8, "features": 32},
        "small-1e-3": {"blocks": 8, "features": 32, "rate": 1e-3},
    }
    image_range = (0.0, 1.0)
    batch_size = 16

    def __init__(self, spec: DataSpec, blocks: int, features: int, rate: float = 1e-4, scale: int = 2) -> None:
        self.first = nn.Sequential(nn.Conv2d(spec.channels, features, 9, padding=4), nn.PReLU())
        body = [Residual(features) for _ in range(blocks)]
        last = [nn.Conv2d(features, features, 3, padding=1), nn.BatchNorm2d(features)]
        self.body = nn.Sequential(*body, *last)
        grow = [
            layer
            for _ in range(scale // 2)
            for layer in (nn.Conv2d(features, 4 * features, 3, padding=1), nn.PixelShuffle(2), nn.PReLU())
        ]
        self.last = nn.Sequential(*grow, nn.Conv2d(features, spec.channels, 9, padding=4))
        weights = [weight for network in self.networks() for weight in network.parameters()]
        self.optimizer = torch.optim.Adam(weights, lr=rate)

    def enlarged(self, small: Tensor) -> Tensor:
        first = self.first(small)
        return self.last(first + self.body(first))

    def step(self, batches: Iterator[Batch]) -> None:
        batch = next(batches)
        assert batch.condition is not None
        self.optimizer.zero_grad()
        F.mse_loss(self.enlarged(batch.condition), batch.image).backward()
        self.optimizer.step()

    def translate(self, condition: Tensor) -> Tensor:
        return self.enlarged(condition).clamp(0, 1)
