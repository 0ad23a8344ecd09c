"""Mirza & Osindero 2014, "Conditional Generative Adversarial Nets"."""

import math
from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plain.base import Plain, Settings, dcgan_discriminator, dcgan_generator, turn
from plain.gan import Maxout
from trainer.family import Batch, DataSpec


class MixedGenerator(nn.Module):
    """200 units of the latent, 1000 of the class, then 1200 of both (section 4.1); dropout of 0.5."""

    def __init__(self, spec: DataSpec, classes: int) -> None:
        super().__init__()
        self.of_latent, self.of_class = nn.Linear(100, 200), nn.Linear(classes, 1000)
        self.rest = nn.Sequential(
            nn.ReLU(), nn.Dropout(0.5), nn.Linear(1200, 1200), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(1200, math.prod(spec.shape)), nn.Tanh(), nn.Unflatten(1, spec.shape),
        )  # fmt: skip

    def forward(self, latent: Tensor, one_hot: Tensor) -> Tensor:
        return self.rest(torch.cat([self.of_latent(latent), self.of_class(one_hot)], 1))


class MixedDiscriminator(nn.Module):
    """Maxout layers of the image, 240 units of 5 pieces, and of the class, 50 of 5, then 240 of 4; dropout of 0.5."""

    def __init__(self, spec: DataSpec, classes: int) -> None:
        super().__init__()
        self.of_image, self.of_class = Maxout(math.prod(spec.shape), 240, 5), Maxout(classes, 50, 5)
        self.rest = nn.Sequential(
            nn.Dropout(0.5), Maxout(290, 240, 4), nn.Dropout(0.5), nn.Linear(240, 1), nn.Flatten(0)
        )

    def forward(self, image: Tensor, one_hot: Tensor) -> Tensor:
        return self.rest(torch.cat([self.of_image(image.flatten(1)), self.of_class(one_hot)], 1))


class JoinedGenerator(nn.Module):
    """DCGAN's generator of the latent and the class."""

    def __init__(self, spec: DataSpec, classes: int, width: int) -> None:
        super().__init__()
        self.body = dcgan_generator(spec, 100 + classes, width)

    def forward(self, latent: Tensor, one_hot: Tensor) -> Tensor:
        return self.body(torch.cat([latent, one_hot], 1))


class JoinedDiscriminator(nn.Module):
    """DCGAN's discriminator of the image and a constant channel a class."""

    def __init__(self, spec: DataSpec, classes: int, width: int) -> None:
        super().__init__()
        self.body = dcgan_discriminator(spec, width, more_channels=classes)

    def forward(self, image: Tensor, one_hot: Tensor) -> Tensor:
        planes = one_hot[:, :, None, None].expand(-1, -1, *image.shape[2:])
        return self.body(torch.cat([image, planes], 1))


class ConditionalGAN(Plain):
    """``published``: MLPs with maxout and dropout; gradient descent at 0.1, divided by 1.00004 a step down to 1e-6,
    with momentum of 0.5 that rises to 0.7; uniform latents; batches of 100. ``tutorial``: DCGAN's networks of 64
    channels, Adam at 2e-4, β₁ 0.5, batches of 64. ``narrow``: 32 channels, as ours."""

    VARIANTS: ClassVar[dict[str, Settings]] = {
        "published": {"width": 0},
        "tutorial": {"width": 64},
        "narrow": {"width": 32},
    }

    def __init__(self, spec: DataSpec, width: int) -> None:
        self.classes, self.published, self.steps = len(spec.classes), width == 0, 0
        self.batch_size = 100 if self.published else 64
        self.generator: nn.Module
        self.discriminator: nn.Module
        if self.published:
            self.generator = MixedGenerator(spec, self.classes)
            self.discriminator = MixedDiscriminator(spec, self.classes)
        else:
            self.generator = JoinedGenerator(spec, self.classes, width)
            self.discriminator = JoinedDiscriminator(spec, self.classes, width)
        self.optimizers = {network: self.optimizer(network) for network in (self.generator, self.discriminator)}

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        if self.published:
            return torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.5)
        return torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))

    def latent(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        if self.published:
            return torch.rand(count, 100, generator=generator) * 2 - 1
        return torch.randn(count, 100, generator=generator)

    def one_hot(self, label: Tensor) -> Tensor:
        return F.one_hot(label, self.classes).float()

    def step(self, batches: Iterator[Batch]) -> None:
        batch = next(batches)
        assert batch.label is not None
        real, label = batch.image, self.one_hot(batch.label)
        fake = self.generator(self.latent(len(real)), label)
        ones, zeros = torch.ones(len(real)), torch.zeros(len(real))
        loss = F.binary_cross_entropy_with_logits(self.discriminator(real, label), ones)
        loss = loss + F.binary_cross_entropy_with_logits(self.discriminator(fake.detach(), label), zeros)
        turn(self.discriminator, self.optimizers[self.discriminator], loss)
        loss = F.binary_cross_entropy_with_logits(self.discriminator(fake, label), ones)
        turn(self.generator, self.optimizers[self.generator], loss)
        self.steps += 1
        if self.published:
            for optimizer in self.optimizers.values():
                (group,) = optimizer.param_groups
                group["lr"] = max(group["lr"] / 1.00004, 1e-6)
                group["momentum"] = 0.5 + 0.2 * min(1.0, self.steps / (250 * 500))

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        label = torch.arange(count) % self.classes
        return self.generator(self.latent(count, generator), self.one_hot(label)) * 0.5 + 0.5
