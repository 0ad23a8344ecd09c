"""GAN of fully connected layers (Goodfellow et al. 2014, "Generative Adversarial Nets", algorithm 1 with k = 1).

**Differs from the paper.** Adam instead of SGD with momentum; leaky ReLU instead of ReLU and sigmoid in the generator,
and instead of maxout in the discriminator. The generator minimises -log D(G(z)), as the paper recommends in section 3.

    accelerate launch trainer/train_gan.py --data faces.npy --out runs/faces
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from torch import nn

from trainer.blocks import FlattenImage, UnflattenImage, linear_layers, scale_keeping
from trainer.config import BELOW_ONE
from trainer.family import Batch, DataSpec, Nets, Turn
from trainer.parts.adam import AdamConfig
from trainer.parts.gan_losses import discriminator_loss, generator_loss
from trainer.parts.latent_generator import LatentGenerator, LatentGeneratorConfig


@dataclass(frozen=True, kw_only=True)
class GANConfig(LatentGeneratorConfig, AdamConfig):
    """Options of the GAN of fully connected layers."""

    batch_size: int = 64
    dropout: Annotated[float, BELOW_ONE] = 0.5
    """Dropout probability in the discriminator, as in the paper: without it, it wins early and the generator
    collapses."""


class GAN(LatentGenerator):
    """GAN of fully connected layers."""

    Config = GANConfig
    image_range = (0.0, 1.0)

    def build(self, spec: DataSpec) -> Nets:
        pixels, dropout = math.prod(spec.shape), self.config.dropout
        up = linear_layers(self.config.latent_size, 128, 256, 512, pixels, between=lambda: [nn.LeakyReLU(0.2)])
        generator = nn.Sequential(*up, nn.Sigmoid(), UnflattenImage(spec.image_size, spec.channels))
        down = linear_layers(pixels, 512, 256, 1, between=lambda: [nn.LeakyReLU(0.2), nn.Dropout(dropout)])
        discriminator = nn.Sequential(FlattenImage(), *down, nn.Flatten(0))
        return Nets(generator=generator.apply(scale_keeping), discriminator=discriminator.apply(scale_keeping))

    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        real = next(batches).image
        fake = nets.generator(self.noise(len(real), real.device))  # for both turns
        with turn("discriminator") as loss:
            loss["real"] = discriminator_loss("bce", nets.discriminator(real), True)
            loss["fake"] = discriminator_loss("bce", nets.discriminator(fake.detach()), False)
        with turn("generator") as loss:
            loss["adversarial"] = generator_loss("bce", nets.discriminator(fake))
