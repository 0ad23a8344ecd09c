"""α-GAN: an autoencoder with a discriminator of images and one of codes (Rosca et al. 2017, "Variational Approaches for
Auto-Encoding Generative Adversarial Networks", algorithm 1).

The code discriminator tells codes of images from samples of the prior, which trains the encoder; the discriminator
tells images from reconstructions and from samples, which trains the generator; both also learn to reconstruct.

**Differs from the paper.** Encoder and generator take two turns for each of the discriminators (``--generator-turns
1``: one, as in algorithm 1); the reconstruction error is a mean over values, so that its weight λ says the same at all
sizes (``--error sum``: the paper's norm); the networks are DCGAN's in the 4x4 form, and the code discriminator has no
normalisation. Both generator and encoder have the losses of algorithm 1 in the version of June 2017, -log D +
log(1 - D) of the codes and of both kinds of images.

    accelerate launch trainer/train_alphagan.py --data faces.npy --out runs/faces
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from torch import Tensor, nn

from trainer.blocks import Call, StridedDiscriminator, TransposedGenerator, linear_layers, small_normal
from trainer.config import least
from trainer.family import Batch, DataSpec, Exportable, Nets, Turn
from trainer.parts.adam import AdamConfig
from trainer.parts.gan_losses import discriminator_loss
from trainer.parts.latent_generator import AsImages, LatentGenerator, LatentGeneratorConfig, latent_files
from trainer.parts.latent_whitening import KEPT_TO_MIX, latent_statistics


@dataclass(frozen=True, kw_only=True)
class AlphaGANConfig(LatentGeneratorConfig, AdamConfig):
    """Options of Alpha-GAN."""

    latent_size: int = 128
    width: Annotated[int, least(1)] = 64
    """Channels at half the image size; each further halving doubles them, up to 8 times."""
    code_width: Annotated[int, least(1)] = 750
    """Units in each of the code discriminator's two hidden layers."""
    reconstruction: Annotated[float, least(0)] = 10.0
    """Weight λ of the absolute error of reconstructions."""
    error: Literal["mean", "sum"] = "mean"
    """The absolute error over the values of an image: their mean, or the paper's norm, their sum, which is 12,288 times
    as large at 64 px."""
    generator_turns: Annotated[int, least(1)] = 2
    """Turns of encoder and generator for each turn of the discriminators."""
    batch_size: int = 64


class Encoder(nn.Sequential):
    """Images [n, c, h, w] in -1..1 → codes f32 [n, d]: the discriminator's convolutions with d outputs."""

    def __init__(self, spec: DataSpec, latent: int, width: int) -> None:
        *layers, last, _ = StridedDiscriminator(spec.image_size, spec.channels, width, nn.BatchNorm2d)
        assert isinstance(last, nn.Conv2d)
        whole = nn.Conv2d(last.in_channels, latent, last.kernel_size)  # type: ignore[arg-type]
        super().__init__(*layers, whole, nn.Flatten())

    def encode(self, image: Tensor) -> Tensor:
        """The same of images in 0..1."""
        return self(image * 2 - 1)


def log_ratio(score: Tensor) -> Tensor:
    """-log D + log(1 - D) for D = sigmoid(score), a scalar: replaces the likelihood of images, and the KL divergence of
    codes (section 3.3)."""
    return -score.float().mean()


class AlphaGAN(LatentGenerator):
    """α-GAN: encoder, generator, and discriminators of images and of codes."""

    Config = AlphaGANConfig

    def build(self, spec: DataSpec) -> Nets:
        config = self.config
        size = (spec.image_size, spec.channels, config.width)
        sizes = (config.latent_size, config.code_width, config.code_width, 1)
        return Nets(
            encoder=Encoder(spec, config.latent_size, config.width).apply(small_normal),
            generator=TransposedGenerator(config.latent_size, *size).apply(small_normal),
            discriminator=StridedDiscriminator(*size, nn.BatchNorm2d).apply(small_normal),
            code_discriminator=nn.Sequential(
                *linear_layers(*sizes, between=lambda: [nn.LeakyReLU(0.2, inplace=True)]), nn.Flatten(0)
            ),
        )

    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        for _ in range(self.config.generator_turns):
            image = next(batches).image
            weight = self.config.reconstruction * (image[0].numel() if self.config.error == "sum" else 1)
            latent = self.noise(len(image), image.device)
            with turn("encoder") as loss:
                code = nets.encoder(image)
                loss["reconstruction"] = weight * (nets.generator(code).float() - image).abs().mean()
                loss["code"] = log_ratio(nets.code_discriminator(code))
            code = code.detach()
            with turn("generator") as loss:
                reconstruction, sample = nets.generator(code), nets.generator(latent)
                loss["reconstruction"] = weight * (reconstruction.float() - image).abs().mean()
                loss["reconstructed"] = log_ratio(nets.discriminator(reconstruction))
                loss["drawn"] = log_ratio(nets.discriminator(sample))
        with turn("discriminator") as loss:
            loss["real"] = discriminator_loss("bce", nets.discriminator(image), True)
            loss["reconstructed"] = discriminator_loss("bce", nets.discriminator(reconstruction.detach()), False)
            loss["drawn"] = discriminator_loss("bce", nets.discriminator(sample.detach()), False)
        with turn("code_discriminator") as loss:
            loss["prior"] = discriminator_loss("bce", nets.code_discriminator(latent), True)
            loss["code"] = discriminator_loss("bce", nets.code_discriminator(code), False)

    def score(self, nets: Nets, batch: Batch) -> dict[str, Tensor]:
        """Mean absolute and squared errors of reconstructions in 0..1."""
        halved = (nets.generator(nets.encoder(batch.image)) - batch.image).flatten(1) / 2  # from -1..1 to 0..1
        absolute = halved.abs().mean(1)
        return {"score": absolute, "mae": absolute, "mse": halved.square().mean(1)}

    def describe(self, nets: Nets, batches: Iterator[Batch]) -> dict[str, Any]:
        return latent_statistics(nets.encoder, batches, KEPT_TO_MIX)

    def exports(self, nets: Nets, description: Mapping[str, Any]) -> list[Exportable]:
        generator, encoder = AsImages(nets.generator, self.image_range), Call(nets.encoder, "encode")
        return latent_files(self.latent.measured(description), generator, encoder)
