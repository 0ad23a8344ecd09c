"""GAN of fully connected layers (Goodfellow et al. 2014, "Generative Adversarial Nets", algorithm 1 with k = 1).

**Differs from the paper.** Adam instead of SGD with momentum; leaky ReLU instead of ReLU and sigmoid in the generator,
and instead of maxout in the discriminator. The generator minimises -log D(G(z)), as the paper recommends in section 3.

    accelerate launch trainer/train_gan.py --data faces.npy --out runs/faces
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from trainer.blocks import FlattenImage, UnflattenImage, scale_keeping
from trainer.contract.errors import require
from trainer.family import Batch, DataSpec, Nets, Turn
from trainer.parts.adam import AdamConfig
from trainer.parts.gan_losses import discriminator_loss, generator_loss
from trainer.parts.latent_generator import LatentGenerator, LatentGeneratorConfig


@dataclass(frozen=True, kw_only=True)
class GANConfig(LatentGeneratorConfig, AdamConfig):
    """Options of the GAN of fully connected layers."""

    batch_size: int = 64
    dropout: float = 0.5
    """Dropout probability in the discriminator, as in the paper: without it, it wins early and the generator
    collapses."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.dropout < 1, "dropout", self.dropout, "0 to less than 1")


class Generator(nn.Sequential):
    """Latents [n, d] → 128 → 256 → 512 → images [n, c, h, w] in 0..1."""

    def __init__(self, latent: int, spec: DataSpec) -> None:
        height, width = spec.image_size
        layers: list[nn.Module] = []
        for outputs in (128, 256, 512):
            layers += [nn.Linear(latent, outputs), nn.LeakyReLU(0.2)]
            latent = outputs
        layers += [nn.Linear(latent, height * width * spec.channels), nn.Sigmoid()]
        super().__init__(*layers, UnflattenImage(spec.image_size, spec.channels))


class Discriminator(nn.Sequential):
    """Images [n, c, h, w] → 512 → 256 → scores [n]."""

    def __init__(self, spec: DataSpec, dropout: float) -> None:
        height, width = spec.image_size
        super().__init__(
            FlattenImage(),
            nn.Linear(height * width * spec.channels, 512),
            nn.LeakyReLU(0.2),
            nn.Dropout(dropout),
            nn.Linear(512, 256),
            nn.LeakyReLU(0.2),
            nn.Dropout(dropout),
            nn.Linear(256, 1),
            nn.Flatten(0),
        )


class GAN(LatentGenerator):
    """GAN of fully connected layers."""

    Config = GANConfig
    image_range = (0.0, 1.0)

    def build(self, spec: DataSpec) -> Nets:
        generator = Generator(self.config.latent_size, spec)
        discriminator = Discriminator(spec, self.config.dropout)
        return Nets(generator=generator.apply(scale_keeping), discriminator=discriminator.apply(scale_keeping))

    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        real = next(batches).image
        fake = nets.generator(self.noise(len(real), real.device))  # for both turns
        with turn("discriminator") as loss:
            loss["real"] = discriminator_loss("bce", nets.discriminator(real), True)
            loss["fake"] = discriminator_loss("bce", nets.discriminator(fake.detach()), False)
        with turn("generator") as loss:
            loss["adversarial"] = generator_loss("bce", nets.discriminator(fake))
