"""Ho et al. 2020, "Denoising Diffusion Probabilistic Models"."""

import copy
import math
from collections import deque
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plain.base import Plain, Settings
from trainer.contract.samplers import ddim
from trainer.family import Batch, DataSpec

STEPS, GROUPS = 1000, 8
DRAWN_BY = 25  # steps of DDIM, as ours


def embedding(t: Tensor, size: int) -> Tensor:
    """Sines and cosines of t, [n, size] (Vaswani et al. 2017, section 3.5)."""
    frequencies = torch.exp(-math.log(10000) * torch.arange(size // 2) / (size // 2))
    angles = t[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], 1)


class Residual(nn.Module):
    """GroupNorm, swish, 3x3, twice, with the time added between, beside a shortcut (appendix B)."""

    def __init__(self, inputs: int, outputs: int, time: int, dropout: float) -> None:
        super().__init__()
        self.before = nn.Sequential(nn.GroupNorm(GROUPS, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.time = nn.Sequential(nn.SiLU(), nn.Linear(time, outputs))
        last = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.after = nn.Sequential(nn.GroupNorm(GROUPS, outputs), nn.SiLU(), nn.Dropout(dropout), last)
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        nn.init.zeros_(last.weight)

    def forward(self, value: Tensor, time: Tensor) -> Tensor:
        return self.shortcut(value) + self.after(self.before(value) + self.time(time)[:, :, None, None])


class Attention(nn.Module):
    """Attention over all places, one head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.into, self.out = nn.Conv2d(channels, 3 * channels, 1), nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, value: Tensor) -> Tensor:
        parts = self.into(self.norm(value)).flatten(2).transpose(1, 2).chunk(3, 2)
        mixed = F.scaled_dot_product_attention(*parts).transpose(1, 2).unflatten(2, value.shape[2:])
        return value + self.out(mixed)


class UNet(nn.Module):
    """Two residual blocks a level, attention at 16 px and at the coarsest."""

    def __init__(self, spec: DataSpec, width: int, multipliers: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        time, widths = 4 * width, [width * times for times in multipliers]
        self.width = width
        self.time = nn.Sequential(nn.Linear(width, time), nn.SiLU(), nn.Linear(time, time))
        self.first = nn.Conv2d(spec.channels, width, 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        passed, channels = [width], width

        def block(inputs: int, outputs: int, side: int) -> nn.ModuleList:
            attends = [Attention(outputs)] if side == 16 else []
            return nn.ModuleList([Residual(inputs, outputs, time, dropout), *attends])

        for level, outputs in enumerate(widths):
            for _ in range(2):
                self.down.append(block(channels, outputs, spec.image_size[0] >> level))
                channels = outputs
                passed.append(channels)
            if level < len(widths) - 1:
                self.down.append(nn.Conv2d(channels, channels, 3, 2, 1))
                passed.append(channels)
        self.middle = nn.ModuleList(
            [
                Residual(channels, channels, time, dropout),
                Attention(channels),
                Residual(channels, channels, time, dropout),
            ]
        )
        for level, outputs in reversed(list(enumerate(widths))):
            for _ in range(3):
                self.up.append(block(channels + passed.pop(), outputs, spec.image_size[0] >> level))
                channels = outputs
            if level:
                self.up.append(nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(channels, channels, 3, padding=1)))
        self.last = nn.Sequential(
            nn.GroupNorm(GROUPS, channels), nn.SiLU(), nn.Conv2d(channels, spec.channels, 3, padding=1)
        )

    def forward(self, value: Tensor, t: Tensor) -> Tensor:
        time = self.time(embedding(t, self.width))

        def through(layers: nn.ModuleList, value: Tensor) -> Tensor:
            for layer in layers:
                value = layer(value, time) if isinstance(layer, Residual) else layer(value)
            return value

        value = self.first(value)
        passed = [value]
        for layer in self.down:
            value = through(layer, value) if isinstance(layer, nn.ModuleList) else layer(value)
            passed.append(value)
        value = through(self.middle, value)
        for layer in self.up:
            if isinstance(layer, nn.ModuleList):
                value = through(layer, torch.cat([value, passed.pop()], 1))
            else:
                value = layer(value)
        return self.last(value)


class DDPM(Plain):
    """The noise is predicted, on a linear schedule of 1000 steps; Adam at 2e-4, weights averaged by 0.9999.
    ``published``: 128 channels, 1, 2, 2, 2 times; dropout 0.1, batches of 128, warm-up of 5000 steps. ``narrow``: 32
    channels, 1, 2, 2 times, batches of 32, Adam at 1e-3, a decay of 0.99, no dropout: for minutes of one core. Both
    are drawn from by 25 steps of DDIM, as ours; the paper's sampler takes 1000."""

    VARIANTS: ClassVar[dict[str, Settings]] = {
        "published": {"width": 128, "multipliers": (1, 2, 2, 2), "dropout": 0.1, "batch_size": 128, "decay": 0.9999},
        "narrow": {"width": 32, "multipliers": (1, 2, 2), "batch_size": 32, "decay": 0.99, "rate": 1e-3, "warmup": 0},
    }

    def __init__(
        self, spec: DataSpec, width: int, multipliers: tuple[int, ...], batch_size: int, decay: float,
        dropout: float = 0.0, rate: float = 2e-4, warmup: int = 5000,
    ) -> None:  # fmt: skip
        self.shape, self.batch_size, self.decay, self.rate, self.warmup = spec.shape, batch_size, decay, rate, warmup
        self.network = UNet(spec, width, multipliers, dropout)
        self.averaged = copy.deepcopy(self.network).requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=rate)
        self.alpha_bar = np.cumprod(1 - np.linspace(1e-4, 0.02, STEPS))
        self.steps = 0

    def step(self, batches: Iterator[Batch]) -> None:
        image = next(batches).image
        t = torch.randint(STEPS, (len(image),))
        kept = torch.from_numpy(self.alpha_bar).float()[t][:, None, None, None]
        noise = torch.randn_like(image)
        loss = F.mse_loss(self.network(kept.sqrt() * image + (1 - kept).sqrt() * noise, t), noise)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)  # as in the authors' code
        self.steps += 1
        self.optimizer.param_groups[0]["lr"] = self.rate * min(1.0, self.steps / max(self.warmup, 1))
        self.optimizer.step()
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))  # so that the beginning is forgotten
        with torch.no_grad():
            for mean, weight in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(weight, 1 - decay)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        schedule = {"prediction": "epsilon", "alpha_bar": self.alpha_bar.tolist()}

        def predict(x: Tensor, t: int) -> Tensor:
            return self.averaged(x, torch.full((len(x),), t))

        noise = torch.randn(count, *self.shape, generator=generator)
        _, images = deque(ddim(predict, schedule, noise, STEPS, DRAWN_BY), maxlen=1).pop()
        return images.clamp(-1, 1) * 0.5 + 0.5
