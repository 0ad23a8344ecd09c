"""High-pass detail for the blurred images of an autoencoder.

``paired``: the autoencoder of ``--low`` is frozen. A detail decoder takes its images and predicts the high-pass image
to be added to them, trained with L1, SSIM and a PatchGAN discriminator of high-pass images (Isola et al. 2017, section
2.2.2; hinge losses and spectral normalisation of Miyato et al. 2018). Coarser structure stays that of the low decoder.
``independent``: a second VAE, of high-pass images alone, with its own latents.

**Differs from the papers.** The combination is this project's own; no paper has it.

    accelerate launch trainer/train_hpf.py --data cats.npy --low runs/cats --out runs/cats-detail
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from trainer import metrics
from trainer.blocks import Call, DownBlock, ResidualBlock, UpBlock, halvings, sub_pixel
from trainer.config import Check, least, multiple_of
from trainer.contract.errors import UserError
from trainer.family import BaseRun, Batch, DataSpec, Exportable, Family, Latent, Nets, Turn
from trainer.parts.adam import AdamConfig
from trainer.parts.gan_losses import discriminator_loss, generator_loss
from trainer.parts.gaussian import clamp_log_variance, kl_to_standard_normal, sample_gaussian
from trainer.parts.latent_generator import latent_files
from trainer.parts.latent_whitening import posterior_statistics, whitened_files
from trainer.schedule import Schedule

MARGIN = 8  # pixels of reflection padding for decoder and discriminator, cut off afterwards: borders are poor
MOST_LEVELS = 3  # halvings in the detail decoder: detail does not depend on distant pixels
NOISE_MAPS = 4  # learnt constant input maps at half the size, as a source of texture
GAIN = 4.0  # factor on high-pass images: at their own scale, the KL term outweighs their error
SHARPNESS_WEIGHT = 0.1  # weight of the sharpness in the score


@dataclass(frozen=True, kw_only=True)
class HPFConfig(AdamConfig):
    """Options of the high-pass decoder."""

    low: Path | None = None
    """Folder of the run of the autoencoder whose images get detail (paired); its weights are copied into this run."""
    pairing: Literal["paired", "independent"] = "paired"
    """Detail from the latents of the low run, or a second VAE with its own latents."""
    batch_size: int = 16
    width: Annotated[int, multiple_of(16)] = 16
    """Channels of the finest level, doubled with each coarser one; a multiple of 16."""
    discriminator_width: Annotated[int, least(1)] = 32
    """Channels of the discriminator's first layer (paired)."""
    latent_size: Annotated[int, least(1)] = 64
    """Dimensions of the latent (independent)."""
    sigma: Annotated[float, Check(lambda std: 0 < std <= 20, "more than 0, at most 20")] = 0.8
    """Std in pixels of the Gaussian blur whose residual is the high-pass image; use about 2 for independent."""
    l1: Annotated[float, least(0)] = 1.0
    """Weight of the mean absolute difference from the photograph (paired)."""
    similarity: Annotated[float, least(0)] = 0.5
    """Weight of the structural difference from the photograph, 1 - SSIM (paired)."""
    adversarial: Annotated[float, least(0)] = 0.02
    """Weight of the adversarial loss; 0: no discriminator, and detail is the mean over images of a latent (paired)."""
    beta: Annotated[float, least(0)] = 1.0
    """Weight of the KL divergence (independent)."""
    learning_rate: float = 1e-3
    """Adam's learning rate; that of the discriminator is 0.4 times it."""
    schedule: Schedule = "cosine"


class DetailDecoder(nn.Module):
    """Low images [n, c, h, w] in 0..1, ``framed`` → high-pass images to add to them; zero-initialised."""

    def __init__(self, spec: DataSpec, width: int, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma
        levels = min(len(halvings(spec.image_size, 4, even=True)) - 1, MOST_LEVELS)
        height, columns = ((side + 2 * MARGIN) // 2 for side in spec.image_size)
        widths = [width << level for level in range(levels)]
        self.grain = nn.Parameter(torch.randn(1, NOISE_MAPS, height, columns))
        self.stem = nn.Conv2d(4 * spec.channels + NOISE_MAPS, width, 3, padding=1)
        self.finest = ResidualBlock(width)
        self.down = nn.ModuleList(DownBlock(fine, coarse) for fine, coarse in pairwise(widths))
        self.up = nn.ModuleList(UpBlock(coarse, fine) for fine, coarse in reversed(list(pairwise(widths))))
        self.last = nn.Conv2d(width // 2, spec.channels, 3, padding=1)
        self.paint = nn.Sequential(UpBlock(width, width // 2), nn.GroupNorm(8, width // 2), nn.SiLU(), self.last)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, low: Tensor) -> Tensor:
        pixels = F.pixel_unshuffle(2 * low - 1, 2)
        value = self.finest(self.stem(torch.cat((pixels, self.grain.expand(len(low), -1, -1, -1)), 1)))
        passed = []
        for down in self.down:
            passed.append(value)
            value = down(value)
        for up in self.up:
            value = up(value) + passed.pop()
        return high_pass(self.paint(value), self.sigma)


class LatentDetail(nn.Module):
    """Latents [n, d] → high-pass images [n, c, h, w] for the low images of these latents."""

    def __init__(self, generator: nn.Module, detail: nn.Module) -> None:
        super().__init__()
        self.generator, self.detail = generator, detail
        self.training = detail.training

    def forward(self, latent: Tensor) -> Tensor:
        return metrics.inside(self.detail(framed(self.generator(latent).clamp(0, 1))), MARGIN)


class PatchDiscriminator(nn.Sequential):
    """High-pass and low images joined, [n, 2c, h, w] → a score for each patch of 26 px."""

    def __init__(self, channels: int, width: int) -> None:
        layers: list[nn.Module] = []
        shapes = ((2 * channels, width, 4, 2), (width, 2 * width, 4, 2), (2 * width, 4 * width, 3, 1))
        for inputs, outputs, kernel, stride in shapes:
            convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=1, padding_mode="reflect")
            layers += [spectral_norm(convolution), nn.LeakyReLU(0.2)]
        super().__init__(*layers, spectral_norm(nn.Conv2d(4 * width, 1, 3, padding=1, padding_mode="reflect")))


class HighPassVAE(nn.Module):
    """VAE of high-pass images [n, c, h, w], values about 0."""

    def __init__(self, spec: DataSpec, config: HPFConfig) -> None:
        super().__init__()
        *larger, base = halvings(spec.image_size, even=True)
        widths = [config.width * min(2**level, 8) for level in range(len(larger))]
        self.base = (widths[-1], *base)
        flat = math.prod(self.base)
        self.encoder = nn.Sequential(
            nn.Conv2d(spec.channels, widths[0], 4, 2, padding=1),
            *(DownBlock(fine, coarse) for fine, coarse in pairwise(widths)),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(flat, 2 * config.latent_size),
        )
        self.expand = nn.Linear(config.latent_size, flat)
        self.decoder = nn.Sequential(
            *(UpBlock(coarse, fine) for fine, coarse in reversed(list(pairwise(widths)))),
            nn.GroupNorm(8, widths[0]),
            nn.SiLU(),
            sub_pixel(widths[0], spec.channels, 3),
        )

    def gaussian(self, detail: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encoder(GAIN * detail).chunk(2, dim=1)
        return mean, clamp_log_variance(log_variance)

    def decode(self, latent: Tensor) -> Tensor:
        return self.decoder(self.expand(latent).unflatten(1, self.base)) / GAIN

    def forward(self, detail: Tensor) -> tuple[Tensor, Tensor]:
        """Squared error and KL divergence of each image, both [n]."""
        mean, log_variance = self.gaussian(detail)
        decoded = self.decode(sample_gaussian(mean, log_variance))
        error = (GAIN * (decoded - detail)).square().flatten(1).sum(1)
        return error, kl_to_standard_normal(mean, log_variance).sum(1)


def framed(image: Tensor) -> Tensor:
    """Pad images [n, c, h, w] by ``MARGIN`` pixels of reflection."""
    return F.pad(image, (MARGIN,) * 4, "reflect")


def high_pass(image: Tensor, sigma: float) -> Tensor:
    """High-pass filter: images [n, c, h, w] minus their Gaussian blur of std ``sigma`` pixels."""
    reach = min(round(3 * sigma), min(image.shape[2:]) - 1)
    place = torch.arange(-reach, reach + 1, device=image.device, dtype=image.dtype)
    window = (-place.square() / (2 * sigma**2)).exp()
    window = (window / window.sum()).expand(image.shape[1], 1, 1, -1)
    padded = F.pad(image, (reach,) * 4, "reflect")
    across = F.conv2d(padded, window, groups=image.shape[1])
    return image - F.conv2d(across, window.transpose(2, 3), groups=image.shape[1])


class HPF(Family):
    """High-pass detail for the images of an autoencoder."""

    Config = HPFConfig
    image_range = (0.0, 1.0)
    generates = False
    view = "hpf {base} {file}"
    channels_last = False
    low: BaseRun  # paired; use_base is called before build

    def __init__(self, config: HPFConfig) -> None:
        super().__init__(config)
        self.paired = config.pairing == "paired"

    def base_run(self) -> Path | None:
        if not self.paired:
            return None
        if self.config.low is None:
            raise UserError("--low is missing, expected the folder of an autoencoder's run, or --pairing independent")
        return self.config.low

    def use_base(self, base: BaseRun) -> None:
        files, where = base.files, f"--low {self.config.low}"
        if not {"generator", "encoder"} <= files.keys() or "label" in files["generator"].inputs:
            raise UserError(f"{where}: makes {', '.join(files)}, expected a generator and an encoder, without classes")
        self.low = base

    def build(self, spec: DataSpec) -> Nets:
        config = self.config
        if not self.paired:
            return Nets(detail=HighPassVAE(spec, config))
        base = self.low.spec
        if (base.image_size, base.channels) != (spec.image_size, spec.channels):
            raise ValueError(f"images are {spec}, expected the {base} of --low {config.low}")
        nets = Nets(detail=DetailDecoder(spec, config.width, config.sigma))
        if config.adversarial:
            nets["discriminator"] = PatchDiscriminator(spec.channels, config.discriminator_width)
        return nets

    @torch.no_grad()
    def low_images(self, image: Tensor) -> Tensor:
        """Reconstructions of images by the low run."""
        encode, decode = (self.low.files[kind].module.to(image.device) for kind in ("encoder", "generator"))
        return decode(encode(image)).clamp(0, 1)

    def optimizer(self, name: str, parameters: list[nn.Parameter], fused: bool) -> torch.optim.Optimizer:
        rate = self.config.learning_rate * (0.4 if name == "discriminator" else 1.0)
        return torch.optim.Adam(parameters, lr=rate, betas=(self.config.beta1, 0.99), fused=fused)

    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        config, image = self.config, next(batches).image
        if not self.paired:
            with turn("detail") as loss:
                error, divergence = nets.detail(high_pass(image, config.sigma))
                loss["reconstruction"] = error.mean()
                loss["divergence"] = 2 * config.beta * divergence.mean()  # beside a squared error, which is -2 log N
            return
        image, low = framed(image), framed(self.low_images(image))
        sharp = low + nets.detail(low).float()  # for both turns

        def scored(shown: Tensor) -> Tensor:
            return nets.discriminator(torch.cat((GAIN * high_pass(shown, config.sigma), low), 1))

        if config.adversarial:
            with turn("discriminator") as loss:
                loss["real"] = discriminator_loss("hinge", scored(image), True)
                loss["fake"] = discriminator_loss("hinge", scored(sharp.detach()), False)
        with turn("detail") as loss:
            loss["l1"] = config.l1 * (sharp - image).abs().mean()
            if config.similarity:
                loss["similarity"] = config.similarity * (1 - metrics.structural_similarity(sharp, image).mean())
            if config.adversarial:
                loss["adversarial"] = config.adversarial * generator_loss("hinge", scored(sharp))

    @property
    def latent(self) -> Latent:
        """Size and prior of the latents, paired those of the low run."""
        if not self.paired:
            return super().latent
        latent = self.low.files["generator"].card.latent
        assert latent is not None, "generators have latents"
        return Latent(size=latent.size, prior=latent.prior)

    def sample(self, nets: Nets, description: Mapping[str, Any], *inputs: Tensor) -> Tensor:
        """Low images with their detail; independent detail is shown on grey."""
        background = self.decode_low(*inputs) if self.paired else 0.5
        (file,) = self.exports(nets, description)
        return (file.module(*inputs) + background).clamp(0, 1)

    def sheet(self, samples: Tensor, *inputs: Tensor) -> Tensor:
        """Each image without and with detail."""
        return torch.stack((self.decode_low(*inputs), samples), 1).flatten(0, 1) if self.paired else samples

    def decode_low(self, latent: Tensor) -> Tensor:
        return self.low.files["generator"].module.to(latent.device)(latent).clamp(0, 1)

    def score(self, nets: Nets, batch: Batch) -> dict[str, Tensor]:
        """Paired: PSNR, SSIM and sharpness relative to the photograph; the score combines SSIM and sharpness.
        Independent: squared error of high-pass images."""
        if not self.paired:
            wanted = high_pass(batch.image, self.config.sigma)
            error = metrics.squared_error(nets.detail.decode(nets.detail.gaussian(wanted)[0]), wanted)
            return {"score": error, "mse": error}
        low = self.low_images(batch.image)
        sharp = (low + metrics.inside(nets.detail(framed(low)), MARGIN)).clamp(0, 1)
        similarity = metrics.structural_similarity(sharp, batch.image)
        ratio = metrics.sharpness(sharp) / metrics.sharpness(batch.image).clamp_min(1e-8)
        return {
            "score": 1 - similarity + SHARPNESS_WEIGHT * ratio.clamp_min(1e-4).log().abs(),
            "psnr": metrics.peak_signal_to_noise(sharp, batch.image),
            "psnr_low": metrics.peak_signal_to_noise(low, batch.image),
            "ssim": similarity,
            "ssim_low": metrics.structural_similarity(low, batch.image),
            "sharpness": ratio,
        }

    def describe(self, nets: Nets, batches: Iterator[Batch]) -> dict[str, Any]:
        if self.paired:
            return {}
        sigma = self.config.sigma
        return posterior_statistics(nets.detail.gaussian(high_pass(batch.image, sigma)) for batch in batches)

    def exports(self, nets: Nets, description: Mapping[str, Any]) -> list[Exportable]:
        if not self.paired:
            (file,) = whitened_files(self.latent, description, Call(nets.detail, "decode"))
            return [replace(file, kind="detail")]
        low = self.low.files["generator"].module.to(next(nets.detail.parameters()).device)
        (file,) = latent_files(self.latent, LatentDetail(low, nets.detail))
        return [replace(file, kind="detail", card=replace(file.card, training={"low": self.low.run}))]
