"""Wasserstein GAN with weight clipping (Arjovsky et al. 2017, "Wasserstein GAN", algorithm 1).

**Differs from the paper.** Nothing in the algorithm and its constants; the generator of ``mlp`` ends in tanh and has He
initialisation.

    accelerate launch trainer/train_wgan.py --data faces.npy --out runs/faces
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import nn

from trainer.blocks import StridedDiscriminator, TransposedGenerator, scale_keeping, small_normal
from trainer.config import POSITIVE, least
from trainer.family import Batch, DataSpec, Nets, Turn
from trainer.parts.gan_losses import discriminator_loss, generator_loss
from trainer.parts.latent_generator import LatentGenerator, LatentGeneratorConfig


@dataclass(frozen=True, kw_only=True)
class WGANConfig(LatentGeneratorConfig):
    """Options of the Wasserstein GAN."""

    arch: Literal["conv", "mlp"] = "conv"
    """DCGAN's 4x4 convolutions, or four fully connected layers in each network."""
    width: Annotated[int, least(1)] = 64
    """Channels at half the image size; each further halving doubles them, up to 8 times (conv)."""
    hidden_size: Annotated[int, least(1)] = 512
    """Width of the fully connected layers (mlp)."""
    batch_size: int = 64
    """Images per turn of the critic and process."""
    learning_rate: Annotated[float, POSITIVE] = 5e-5
    """RMSProp's learning rate, of both networks."""
    critic_steps: Annotated[int, least(1)] = 5
    """Turns of the critic, each on a new batch, before a turn of the generator."""
    clip: Annotated[float, POSITIVE] = 0.01
    """The critic's weights are clipped to plus and minus this."""


def layers(inputs: int, hidden: int, outputs: int) -> list[nn.Module]:
    """Four fully connected layers with ReLU between (section 4.3)."""
    between = [nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()]
    return [nn.Linear(inputs, hidden), nn.ReLU(), *between, nn.Linear(hidden, outputs)]


class WGAN(LatentGenerator):
    """Wasserstein GAN with weight clipping."""

    Config = WGANConfig

    def build(self, spec: DataSpec) -> Nets:
        config = self.config
        if config.arch == "conv":
            size = (spec.image_size, spec.channels, config.width)
            return Nets(
                generator=TransposedGenerator(config.latent_size, *size).apply(small_normal),
                critic=StridedDiscriminator(*size, nn.BatchNorm2d).apply(small_normal),
            )
        pixels = math.prod(spec.shape)
        up, down = layers(config.latent_size, config.hidden_size, pixels), layers(pixels, config.hidden_size, 1)
        return Nets(
            generator=nn.Sequential(*up, nn.Tanh(), nn.Unflatten(1, spec.shape)).apply(scale_keeping),
            critic=nn.Sequential(nn.Flatten(), *down, nn.Flatten(0)),
        )

    def optimizer(self, name: str, parameters: list[nn.Parameter], fused: bool) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(parameters, lr=self.config.learning_rate, foreach=True)

    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        for _ in range(self.config.critic_steps):
            real = next(batches).image
            with torch.no_grad():
                fake = nets.generator(self.noise(len(real), real.device))
            with turn("critic") as loss:
                loss["real"] = discriminator_loss("wgan", nets.critic(real), True)
                loss["fake"] = discriminator_loss("wgan", nets.critic(fake), False)
            with torch.no_grad():
                for weight in nets.critic.parameters():
                    weight.clamp_(-self.config.clip, self.config.clip)
        with turn("generator") as loss:
            fake = nets.generator(self.noise(len(real), real.device))
            loss["adversarial"] = generator_loss("wgan", nets.critic(fake))
