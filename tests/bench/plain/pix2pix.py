"""Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks"."""

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plain.base import Plain, Settings, small_normal, turn
from trainer.family import Batch, DataSpec


class UNet(nn.Module):
    """One level around all deeper ones: halves its input, passes it on, doubles the result and joins its input."""

    def __init__(self, outer: int, inner: int, deeper: nn.Module | None, dropout: bool) -> None:
        super().__init__()
        innermost = deeper is None
        norm = [] if innermost else [nn.BatchNorm2d(inner)]
        self.down = nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(outer, inner, 4, 2, 1, bias=False), *norm)
        self.deeper = deeper if deeper is not None else nn.Identity()
        grown = nn.ConvTranspose2d(inner if innermost else 2 * inner, outer, 4, 2, 1, bias=False)
        self.up = nn.Sequential(nn.ReLU(), grown, nn.BatchNorm2d(outer), *([nn.Dropout(0.5)] if dropout else []))

    def forward(self, value: Tensor) -> Tensor:
        return torch.cat([value, self.up(self.deeper(self.down(value)))], 1)


def unet(spec: DataSpec, width: int) -> nn.Sequential:
    """Halves images down to one pixel; 1, 2, 4, 8, 8, … times ``width`` channels (appendix 6.1.1)."""
    levels = spec.image_size[0].bit_length() - 1
    widths = [width * min(2**level, 8) for level in range(levels)]
    inside: nn.Module | None = None
    for level in reversed(range(1, levels)):
        inside = UNet(widths[level - 1], widths[level], inside, dropout=levels - 3 <= level < levels)
    assert inside is not None
    first = nn.Conv2d(spec.condition_channels, width, 4, 2, 1)
    last = nn.ConvTranspose2d(2 * width, spec.channels, 4, 2, 1)
    return nn.Sequential(first, inside, nn.ReLU(), last, nn.Tanh()).apply(small_normal)


def patch_discriminator(channels: int, width: int) -> nn.Sequential:
    """A score for each patch of 70x70 px (appendix 6.1.2)."""
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for level, stride in enumerate((2, 2, 1)):
        convolution = nn.Conv2d(width << level, width << level + 1, 4, stride, 1, bias=False)
        layers += [convolution, nn.BatchNorm2d(width << level + 1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(width << 3, 1, 4, 1, 1)).apply(small_normal)


class Pix2Pix(Plain):
    """Adam at 2e-4 with β₁ 0.5, 100 times the absolute error, dropout and statistics of the batch also when it is used,
    as in the paper. ``published``: 64 channels, batches of one. ``narrow``: 32 channels and batches of 8, as ours."""

    VARIANTS: ClassVar[dict[str, Settings]] = {
        "published": {"width": 64, "batch_size": 1},
        "narrow": {"width": 32, "batch_size": 8},
    }

    def __init__(self, spec: DataSpec, width: int, batch_size: int) -> None:
        self.batch_size = batch_size
        self.generator = unet(spec, width)
        self.discriminator = patch_discriminator(spec.channels + spec.condition_channels, width)
        adam = {"lr": 2e-4, "betas": (0.5, 0.999)}
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), **adam)
        self.discriminator_optimizer = torch.optim.Adam(self.discriminator.parameters(), **adam)

    def step(self, batches: Iterator[Batch]) -> None:
        batch = next(batches)
        image, condition = batch.image, batch.condition
        assert condition is not None
        fake = self.generator(condition)

        def score(made: Tensor) -> Tensor:
            return self.discriminator(torch.cat([condition, made], 1))

        loss = 0.5 * (F.softplus(-score(image)).mean() + F.softplus(score(fake.detach())).mean())
        turn(self.discriminator, self.discriminator_optimizer, loss)
        loss = F.softplus(-score(fake)).mean() + 100 * (fake - image).abs().mean()
        turn(self.generator, self.generator_optimizer, loss)

    def translate(self, condition: Tensor) -> Tensor:
        """By parts of the size of the batches that it learnt from: normalisation is that of the batch."""
        self.generator.train()
        parts = (condition * 2 - 1).split(self.batch_size)
        return torch.cat([self.generator(part) for part in parts]) * 0.5 + 0.5
