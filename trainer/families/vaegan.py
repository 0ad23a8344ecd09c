"""VAE-GAN: a VAE with an adversarial loss (after Larsen et al. 2016, "Autoencoding beyond pixels using a learned
similarity metric").

The encoder halves an image five times; the discriminator is a ResNet (He et al. 2016) with one logit per patch, 3x3 of
them in 96 px. On a CPU, ``--discriminator resnet18`` or ``resnet10`` trains in a fraction of the time.

**Differs from the paper.** The reconstruction error is measured on pixels (absolute and cross-entropy), not in features
of the discriminator; the discriminator sees reconstructions, no samples of the prior; the adversarial loss trains the
encoder too; the KL divergence is a mean over dimensions; Adam instead of RMSProp.

    accelerate launch trainer/train_vaegan.py --data faces.npy --out runs/faces
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.blocks import Call, require_multiple
from trainer.config import Check, least
from trainer.failures import reading_weights
from trainer.family import Batch, DataSpec, Exportable, Family, Nets, Reading, Turn
from trainer.parts.adam import AdamConfig
from trainer.parts.gan_losses import discriminator_loss, generator_loss
from trainer.parts.gaussian import clamp_log_variance, kl_to_standard_normal, sample_gaussian
from trainer.parts.latent_whitening import KEPT_TO_MIX, posterior_statistics, whitened_files
from trainer.parts.perceptual import ImageNetInput

WIDTHS = (32, 64, 128, 256, 512)  # channels, one halving each
PLACES_PX = 2 ** len(WIDTHS)  # pixels a side that become one place of the coarsest layer, and one patch


@dataclass(frozen=True, kw_only=True)
class VAEGANConfig(AdamConfig):
    """Options of the VAE-GAN."""

    image_size: int = 96
    """Side in pixels of the square that images are resized to, a multiple of 32; 0 keeps the size of the data."""
    rgb_only: bool = True
    """Leave out image files of a folder that are grey, CMYK, of a palette or with alpha."""
    rotate: float = 10.0
    batch_size: Annotated[int, Check(lambda size: size >= 2, "at least 2: batches are normalised")] = 64
    latent_size: Annotated[int, least(1)] = 256
    """Dimensions of the latent."""
    discriminator: Literal["resnet50", "resnet18", "resnet10"] = "resnet50"
    """Body of the discriminator; resnet10 has one block per stage."""
    discriminator_weights: Path | None = None
    """State_dict of torchvision's network of that name to start from; unset: random weights."""
    adversarial: Annotated[float, least(0)] = 1.0
    """Weight of the adversarial loss."""
    absolute: Annotated[float, least(0)] = 100.0
    """Weight of the mean absolute error."""
    cross_entropy: Annotated[float, least(0)] = 1.0
    """Weight of the mean binary cross-entropy of pixels."""
    divergence: Annotated[float, least(0)] = 1.0
    """Weight of the KL divergence from the prior in nats, a mean over latent dimensions."""


class VAE(nn.Module):
    """Images [n, c, h, w] in 0..1 → a Gaussian latent → images, by five strided convolutions in encoder and decoder."""

    def __init__(self, spec: DataSpec, latent: int) -> None:
        super().__init__()
        places = (WIDTHS[-1], *(side // PLACES_PX for side in spec.image_size))
        flat = math.prod(places)
        down: list[nn.Module] = []
        for inputs, outputs in pairwise((spec.channels, *WIDTHS)):
            convolution = nn.Conv2d(inputs, outputs, 4, 2, padding=1)
            down += [convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2, inplace=True)]
        up: list[nn.Module] = []
        for inputs, outputs in pairwise((*reversed(WIDTHS), spec.channels)):
            transposed = nn.ConvTranspose2d(inputs, outputs, 4, 2, padding=1)
            up += [nn.BatchNorm2d(inputs), nn.LeakyReLU(0.2, inplace=True), transposed]
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(flat, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, flat), nn.Unflatten(1, places), *up)

    def gaussian(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and log variance of the latent, f32 [n, d] each."""
        mean, log_variance = self.encoder(image).float().chunk(2, dim=1)
        return mean, clamp_log_variance(log_variance)

    def encode(self, image: Tensor) -> Tensor:
        """The mean of the latent, f32 [n, d]."""
        return self.gaussian(image)[0]

    def decode(self, latent: Tensor) -> Tensor:
        """[n, d] → [n, c, h, w] in 0..1."""
        return self.decoder(latent).sigmoid()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits [n, c, h, w] of the reconstruction; mean and log variance [n, d] of the latent."""
        mean, log_variance = self.gaussian(image)
        return self.decoder(sample_gaussian(mean, log_variance)), mean, log_variance


class PatchResNet(ImageNetInput):
    """Images [n, c, h, w] in 0..1 → logits [n, 1, h/32, w/32], by the body of torchvision's network ``name``."""

    def __init__(self, name: str) -> None:
        super().__init__()
        from torchvision.models import resnet  # slow to import

        small = name == "resnet10"
        network = resnet.ResNet(resnet.BasicBlock, [1] * 4) if small else getattr(resnet, name)(weights=None)
        *body, _, classify = network.named_children()  # without global pooling
        for part, layer in body:
            self.add_module(part, layer)
        self.body = [part for part, _ in body]
        self.patch = nn.Conv2d(classify[1].in_features, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        value = self.normalised(image)
        for part in self.body:
            value = self.get_submodule(part)(value)
        return self.patch(value)


class VAEGAN(Family):
    """VAE-GAN: a VAE with an adversarial loss."""

    Config = VAEGANConfig
    image_range = (0.0, 1.0)

    def reading(self) -> Reading:
        return Reading(rgb_only=self.config.rgb_only)

    def build(self, spec: DataSpec) -> Nets:
        require_multiple(spec.image_size, PLACES_PX)
        return Nets(vae=VAE(spec, self.config.latent_size), discriminator=PatchResNet(self.config.discriminator))

    def begin(self, nets: Nets) -> None:
        path, name = self.config.discriminator_weights, self.config.discriminator
        if path is None:
            return
        own = {key for key in nets.discriminator.state_dict() if not key.startswith("patch.")}
        with reading_weights(f"--discriminator-weights {path}", f"a state_dict of torchvision's {name}"):
            state = torch.load(path, map_location="cpu", weights_only=True)
            nets.discriminator.load_state_dict({key: state[key] for key in own}, strict=False)

    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        config, image = self.config, next(batches).image
        logits, mean, log_variance = nets.vae(image)
        logits = logits.float()
        decoded = logits.sigmoid()  # for both turns
        with turn("discriminator") as loss:
            loss["real"] = discriminator_loss("bce", nets.discriminator(image), True)
            loss["fake"] = discriminator_loss("bce", nets.discriminator(decoded.detach()), False)
        with turn("vae") as loss:
            loss["adversarial"] = config.adversarial * generator_loss("bce", nets.discriminator(decoded))
            loss["absolute"] = config.absolute * (decoded - image).abs().mean()
            loss["cross_entropy"] = config.cross_entropy * F.binary_cross_entropy_with_logits(logits, image)
            loss["divergence"] = config.divergence * kl_to_standard_normal(mean, log_variance).mean()

    def score(self, nets: Nets, batch: Batch) -> dict[str, Tensor]:
        """Mean absolute and squared errors of images decoded from posterior means."""
        error = (nets.vae.decode(nets.vae.encode(batch.image)) - batch.image).flatten(1)
        absolute = error.abs().mean(1)
        return {"score": absolute, "mae": absolute, "mse": error.square().mean(1)}

    def describe(self, nets: Nets, batches: Iterator[Batch]) -> dict[str, Any]:
        return posterior_statistics((nets.vae.gaussian(batch.image) for batch in batches), KEPT_TO_MIX)

    def exports(self, nets: Nets, description: Mapping[str, Any]) -> list[Exportable]:
        return whitened_files(self.latent, description, Call(nets.vae, "decode"), Call(nets.vae, "encode"))
