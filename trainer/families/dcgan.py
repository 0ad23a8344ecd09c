"""DCGAN: GAN of strided convolutions (Radford et al. 2016, "Unsupervised Representation Learning with Deep
Convolutional Generative Adversarial Networks").

``dense``: a linear layer and four 5x5 convolutions. ``conv``: 4x4 convolutions, with as many halvings as the image
allows. Small data sets need ``--diffaugment`` and ``--r1``.

**Differs from the paper.** Latents are normal (``--prior uniform``); the generator of ``dense`` has 256, 512, 256 and
128 channels instead of 1024, 512, 256 and 128 (``--first-width 1024``), its discriminator 32 to 256, of which the paper
says nothing (``--last-width 128``: as in its code); ``conv`` has 4x4 kernels, as most later implementations.

    accelerate launch trainer/train_dcgan.py --data faces.npy --out runs/faces --arch conv
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

from torch import Tensor, nn

from trainer.blocks import StridedDiscriminator, TransposedGenerator, small_normal
from trainer.config import least, within
from trainer.contract.errors import require
from trainer.family import Batch, DataSpec, Nets, Turn
from trainer.parts.adam import AdamConfig
from trainer.parts.gan_losses import (
    AUGMENTS,
    augmented,
    discriminator_loss,
    generator_loss,
    r1_penalty,
    uncompiled,
)
from trainer.parts.latent_generator import LatentGenerator, LatentGeneratorConfig


@dataclass(frozen=True, kw_only=True)
class DCGANConfig(LatentGeneratorConfig, AdamConfig):
    """Options of DCGAN."""

    arch: Literal["dense", "conv"] = "dense"
    """A linear layer and 5x5 convolutions, or 4x4 convolutions throughout."""
    width: Annotated[int, least(1)] = 64
    """Channels at half the image size; each further halving doubles them, up to 8 times (conv)."""
    first_width: Annotated[int, least(1)] = 256
    """Channels of the generator's coarsest layer; those after it have 512, 256 and 128. The paper has 1024 (dense)."""
    last_width: Annotated[int, least(1)] = 32
    """Channels of the discriminator's finest layer; those after it have 2, 4 and 8 times as many (dense)."""
    objective: Literal["bce", "lsgan", "hinge", "nonsaturating"] = "bce"
    """Adversarial loss: cross-entropy, least squares, hinge; nonsaturating is bce without label smoothing."""
    label_smoothing: Annotated[float, within(0, 0.5)] = 0.0
    """One-sided label smoothing: labels of real images are 1 minus this (bce, lsgan)."""
    r1: Annotated[float, least(0)] = 0.0
    """Weight of the R1 gradient penalty; 0: none. 1 to 10 stabilises training on small sets. With batch normalisation,
    gradients of an image depend a little on its batch."""
    diffaugment: Annotated[str, AUGMENTS] = ""
    """Differentiable augmentation, for sets of under some 10,000 images: any of colour,translation,cutout, separated by
    commas."""

    def __post_init__(self) -> None:
        super().__post_init__()
        fits = self.objective in ("bce", "lsgan") or self.label_smoothing == 0
        require(fits, "label_smoothing", self.label_smoothing, f"0 with --objective {self.objective}")


def halved_up(image_size: tuple[int, int], times: int) -> list[tuple[int, int]]:
    """Sizes (h, w) of an image halved ``times`` times, rounding up, as strided 5x5 convolutions do."""
    height, width = image_size
    return [(-(-height // 2**level), -(-width // 2**level)) for level in range(times + 1)]


class DenseGenerator(nn.Sequential):
    """Latents → ``first`` channels at a sixteenth of the size → 512, 256, 128 → images in -1..1 (figure 1)."""

    def __init__(self, latent: int, spec: DataSpec, first: int) -> None:
        sizes = halved_up(spec.image_size, 4)[::-1]  # small to large
        widths = (first, 512, 256, 128, spec.channels)
        height, width = sizes[0]
        flat = nn.Linear(latent, widths[0] * height * width)
        layers: list[nn.Module] = [flat, nn.Unflatten(1, (widths[0], height, width))]
        for large, (inputs, outputs) in zip(sizes[1:], pairwise(widths), strict=True):
            even = (1 - large[0] % 2, 1 - large[1] % 2)  # n pixels become 2n, or 2n - 1 where that is the size needed
            convolution = nn.ConvTranspose2d(inputs, outputs, 5, 2, padding=2, output_padding=even)
            layers += [nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), convolution]
        super().__init__(*layers, nn.Tanh())


class DenseDiscriminator(nn.Sequential):
    """Images → 1, 2, 4, 8 times ``fine`` channels by 5x5 convolutions → scores [n]."""

    def __init__(self, spec: DataSpec, fine: int) -> None:
        height, width = halved_up(spec.image_size, 4)[-1]
        layers: list[nn.Module] = [nn.Conv2d(spec.channels, fine, 5, 2, padding=2), nn.LeakyReLU(0.2, inplace=True)]
        for inputs in (fine, 2 * fine, 4 * fine):
            convolution = nn.Conv2d(inputs, 2 * inputs, 5, 2, padding=2)
            layers += [convolution, nn.BatchNorm2d(2 * inputs), nn.LeakyReLU(0.2, inplace=True)]
        super().__init__(*layers, nn.Flatten(), nn.Linear(8 * fine * height * width, 1), nn.Flatten(0))


class DCGAN(LatentGenerator):
    """DCGAN: GAN of strided convolutions."""

    Config = DCGANConfig

    def build(self, spec: DataSpec) -> Nets:
        config = self.config
        if config.arch == "conv":
            size = (spec.image_size, spec.channels, config.width)
            generator: nn.Module = TransposedGenerator(config.latent_size, *size)
            discriminator: nn.Module = StridedDiscriminator(*size, nn.BatchNorm2d)
        else:
            height, width = spec.image_size
            if min(height, width) < 16:
                raise ValueError(f"images are {width}x{height} px, expected at least 16 px, or --arch conv")
            generator = DenseGenerator(config.latent_size, spec, config.first_width)
            discriminator = DenseDiscriminator(spec, config.last_width)
        return Nets(generator=generator.apply(small_normal), discriminator=discriminator.apply(small_normal))

    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        config = self.config
        real = next(batches).image.detach().requires_grad_(config.r1 > 0)
        fake = nets.generator(self.noise(len(real), real.device))  # for both turns
        with turn("discriminator") as loss, uncompiled(config.r1 > 0):
            score = nets.discriminator(self.seen(real))
            loss["real"] = discriminator_loss(config.objective, score, True, config.label_smoothing)
            loss["fake"] = discriminator_loss(config.objective, nets.discriminator(self.seen(fake.detach())), False)
            if config.r1:
                loss["r1"] = config.r1 * r1_penalty(score, real)
        with turn("generator") as loss:
            loss["adversarial"] = generator_loss(config.objective, nets.discriminator(self.seen(fake)))

    def seen(self, image: Tensor) -> Tensor:
        """Images as the discriminator sees them, augmented."""
        return augmented(image, self.config.diffaugment)
