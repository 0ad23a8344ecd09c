"""Wasserstein GAN with gradient penalty (Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", algorithm 1).

``conv``: DCGAN's 4x4 convolutions, without batch normalisation in the critic. ``resnet``: residual blocks (appendix F).

**Differs from the paper.** Nothing in the algorithm and its constants. Latents have 100 dimensions (``--latent-size
128`` for the paper's residual networks), and the critic of ``resnet`` is layer-normalised (``--critic-norm none``: the
paper's for CIFAR-10, whose learning rate is 2e-4 and falls: ``--learning-rate 2e-4 --schedule linear``).

    accelerate launch trainer/train_wgan_gp.py --data faces.npy --out runs/faces
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.blocks import Norm, StridedDiscriminator, TransposedGenerator, halvings
from trainer.config import BELOW_ONE, least, multiple_of
from trainer.family import Batch, DataSpec, Nets, Turn
from trainer.parts.adam import AdamConfig
from trainer.parts.gan_losses import discriminator_loss, generator_loss, gradient_penalty
from trainer.parts.latent_generator import LatentGenerator, LatentGeneratorConfig

GROUP = 8  # channels per group of --critic-norm group

NORMS: dict[str, Norm] = {
    "layer": lambda channels: nn.GroupNorm(1, channels),
    "group": lambda channels: nn.GroupNorm(channels // GROUP, channels),
    "none": lambda channels: nn.Identity(),
}


@dataclass(frozen=True, kw_only=True)
class WGANGPConfig(LatentGeneratorConfig, AdamConfig):
    """Options of the Wasserstein GAN with gradient penalty."""

    arch: Literal["conv", "resnet"] = "conv"
    """4x4 convolutions, or residual blocks."""
    width: Annotated[int, multiple_of(GROUP, 0)] = 0
    """Channels: at half the image size, doubled with each further halving up to 8 times (conv), or everywhere (resnet);
    a multiple of 8; 0: 64 for conv, 128 for resnet."""
    critic_norm: Literal["layer", "group", "none"] = "layer"
    """Normalisation of the critic: layer, groups of eight channels, or none. Never batch normalisation: the penalty
    is on the gradient of each image by itself."""
    batch_size: int = 64
    """Images per turn of the critic and process."""
    learning_rate: float = 1e-4
    beta1: float = 0.0
    beta2: Annotated[float, BELOW_ONE] = 0.9
    """Decay of the mean squares of gradients in Adam, its β₂."""
    critic_steps: Annotated[int, least(1)] = 5
    """Turns of the critic, each on a new batch, before a turn of the generator."""
    penalty: Annotated[float, least(0)] = 10.0
    """Weight of the gradient penalty."""


class Residual(nn.Module):
    """Residual block: norm, ReLU, 3x3, norm, ReLU, 3x3, with a 1x1 shortcut where it resizes: ``up`` to a size by
    nearest-neighbour upsampling, or ``down`` to one by average pooling."""

    def __init__(
        self, channels: int, norm: Norm, up: tuple[int, int] | None = None, down: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        self.grow = nn.Upsample(up) if up else nn.Identity()
        self.shrink = nn.AdaptiveAvgPool2d(down) if down else nn.Identity()
        self.norm1, self.norm2 = norm(channels), norm(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.shortcut = nn.Conv2d(channels, channels, 1) if up or down else nn.Identity()

    def forward(self, value: Tensor) -> Tensor:
        hidden = self.conv1(self.grow(F.relu(self.norm1(value))))
        hidden = self.conv2(F.relu(self.norm2(hidden)))
        return self.shrink(hidden) + self.shortcut(self.shrink(self.grow(value)))


class ResNetGenerator(nn.Sequential):
    """Latents [n, d] → images [n, c, h, w] in -1..1, with one residual block per doubling."""

    def __init__(self, latent: int, spec: DataSpec, width: int) -> None:
        sizes = halvings(spec.image_size)[::-1]  # small to large
        super().__init__(
            nn.Linear(latent, width * sizes[0][0] * sizes[0][1]),
            nn.Unflatten(1, (width, *sizes[0])),
            *(Residual(width, nn.BatchNorm2d, up=size) for size in sizes[1:]),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, spec.channels, 3, padding=1),
            nn.Tanh(),
        )


class ResNetCritic(nn.Module):
    """Images [n, c, h, w] → scores [n], with one residual block per halving to about 8 px, and two more."""

    def __init__(self, spec: DataSpec, width: int, norm: Norm) -> None:
        super().__init__()
        sizes = halvings(spec.image_size)[1:]
        sizes = sizes[:-1] or sizes  # large to small
        self.first = sizes[0]
        self.conv1 = nn.Conv2d(spec.channels, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.shortcut = nn.Conv2d(spec.channels, width, 1)
        self.blocks = nn.Sequential(*(Residual(width, norm, down=size) for size in [*sizes[1:], None, None]))
        self.score = nn.Linear(width, 1)

    def forward(self, image: Tensor) -> Tensor:
        hidden = F.adaptive_avg_pool2d(self.conv2(F.relu(self.conv1(image))), self.first)
        hidden = hidden + self.shortcut(F.adaptive_avg_pool2d(image, self.first))
        return self.score(F.relu(self.blocks(hidden)).mean((2, 3))).flatten()


class WGANGP(LatentGenerator):
    """Wasserstein GAN with gradient penalty."""

    Config = WGANGPConfig

    def build(self, spec: DataSpec) -> Nets:
        config = self.config
        width = config.width or {"conv": 64, "resnet": 128}[config.arch]
        norm = NORMS[config.critic_norm]
        if config.arch == "resnet":
            generator = ResNetGenerator(config.latent_size, spec, width)
            return Nets(generator=generator, critic=ResNetCritic(spec, width, norm))
        return Nets(
            generator=TransposedGenerator(config.latent_size, spec.image_size, spec.channels, width),
            critic=StridedDiscriminator(spec.image_size, spec.channels, width, norm),
        )

    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        for _ in range(self.config.critic_steps):
            real = next(batches).image
            with torch.no_grad():
                fake = nets.generator(self.noise(len(real), real.device))
            with turn("critic") as loss:
                # in one pass: this critic has no batch normalisation
                real_score, fake_score = nets.critic(torch.cat([real, fake])).chunk(2)
                loss["real"] = discriminator_loss("wgan", real_score, True)
                loss["fake"] = discriminator_loss("wgan", fake_score, False)
                if self.config.penalty:
                    loss["penalty"] = self.config.penalty * gradient_penalty(nets.critic, real, fake)
        with turn("generator") as loss:
            fake = nets.generator(self.noise(len(real), real.device))
            loss["adversarial"] = generator_loss("wgan", nets.critic(fake))
