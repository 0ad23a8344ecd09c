"""SRGAN: super-resolution by 2 or 4 (Ledig et al. 2017, "Photo-Realistic Single Image Super-Resolution Using a
Generative Adversarial Network").

A run has two stages. For ``--pretrain`` steps the generator alone minimises a pixel loss (the paper's SRResNet); then
follow the adversarial loss and the VGG19 loss. With --pretrain of at least --steps there is no second stage, and
neither discriminator nor VGG19.

**Differs from the paper.** The default is short and upscales by 2 (``--scale 4 --crop-size 96 --pretrain 1000000
--steps 1200000``). The VGG19 loss is a mean over channels too, of which the paper has the sum (``--perceptual 3.072``
is its 0.006). The learning rate is constant in both stages, where the paper's second one ends at a tenth (``--schedule
tenth --decay-from 0.9166666666``). Inputs and outputs are in 0..1, without tanh, where the paper's images are in -1..1:
its squared errors are four times as large. The discriminator pools crops larger than 96 px to 6x6 places before its
linear layers.

    accelerate launch trainer/train_srgan.py --data photos/ --out runs/larger --validation set5/
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer import metrics
from trainer.blocks import linear_layers, sub_pixel
from trainer.config import Check, least, within
from trainer.contract.errors import require
from trainer.family import Batch, CardFields, Crops, DataSpec, Exportable, Family, Inputs, Nets, Turn
from trainer.parts.adam import AdamConfig
from trainer.parts.degrade import degrade, enlarge, reduce, whole_levels
from trainer.parts.gan_losses import discriminator_loss, generator_loss
from trainer.parts.perceptual import ContentDistance
from trainer.parts.superresolution import Bicubic, SharedPReLU, ShuffledConv2d, drawn_images, merged, receptive_radius

POOLED = 6  # side of the feature map before the discriminator's linear layers: the paper's, for crops of 96 px
SLOPE = 0.2  # of the discriminator's leaky ReLU


@dataclass(frozen=True, kw_only=True)
class SRGANConfig(AdamConfig):
    """Options of SRGAN."""

    batch_size: int = 16
    """Crops per step and process."""
    scale: Annotated[int, Check(lambda times: times in (2, 4), "2 or 4")] = 2
    """Upscaling factor: 2 or 4."""
    crop_size: int = 256
    """Side of the crops in pixels of the large images; smaller images are reported and left out."""
    low: Path | None = None
    """Folder of the small images, of the same names; unset: the large ones, downscaled."""
    validation: Path | None = None
    """Folder of images that score the checkpoints, uncropped; unset: those of --hold-out."""
    turn: bool = True
    """Rotate crops by random multiples of 90 degrees."""
    blur: Annotated[float, least(0)] = 0.0
    """Degradation in training: largest std of a Gaussian blur, in pixels of the large images."""
    noise: Annotated[float, least(0)] = 0.0
    """Degradation in training: largest std of noise, in levels of 255."""
    jpeg: Annotated[int, within(0, 95)] = 0
    """Degradation in training: lowest JPEG quality, drawn from this to 95; 0: no JPEG."""
    blocks: Annotated[int, least(1)] = 16
    """Residual blocks of the generator."""
    features: Annotated[int, least(1)] = 64
    """Channels of the generator."""
    norm: Literal["batch", "none"] = "batch"
    """Normalisation in the residual blocks; none reaches a higher PSNR (Lim et al. 2017)."""
    skip: bool = False
    """The generator predicts the residual of bicubic upsampling (Kim et al. 2016)."""
    discriminator_width: Annotated[int, least(1)] = 64
    """Channels of the discriminator's first layers; the last have 8 times as many."""
    pretrain: Annotated[int, least(0)] = 8000
    """Steps of the first stage, of --steps; the paper has 1,000,000, and 200,000 of the second."""
    difference: Literal["l1", "mse"] = "mse"
    """Pixel loss: mean absolute or mean squared error."""
    pixel: Annotated[float, least(0)] = 0.0
    """Weight of the pixel loss in the second stage."""
    perceptual: Annotated[float, least(0)] = 0.006
    """Weight of the VGG19 loss, the mean squared error of features, in the second stage; the paper's sum over 512
    channels with 0.006 is 3.072 here."""
    vgg: Path | None = None
    """Local VGG19 weights (torchvision's state_dict) for --perceptual; unset: downloaded."""
    adversarial: Annotated[float, least(0)] = 1e-3
    """Weight of the generator's adversarial loss in the second stage."""
    learning_rate: float = 1e-4
    beta1: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        fits = self.crop_size >= 16 and self.crop_size % self.scale == 0
        require(fits, "crop_size", self.crop_size, f"a multiple of {self.scale}, at least 16")
        for name in ("rotate", "crop"):
            require(getattr(self, name) == 0, name, getattr(self, name), "0: crops are not to be resampled")
        require(not self.low or not self.degrades, "low", self.low, "unset with --blur, --noise or --jpeg")
        anchored = self.pixel > 0 or self.perceptual > 0 or self.only_pretrains
        require(anchored, "perceptual", 0, "more than 0, or --pixel more than 0")

    @property
    def only_pretrains(self) -> bool:
        """Whether there is no second stage."""
        return self.pretrain >= self.steps

    @property
    def degrades(self) -> bool:
        """Whether training images are more than downscaled."""
        return bool(self.blur or self.noise or self.jpeg)


class Block(nn.Module):
    """x + norm(conv(PReLU(norm(conv(x)))))."""

    def __init__(self, features: int, normalised: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *convolution(features, normalised), SharedPReLU(), *convolution(features, normalised)
        )
        if not normalised:  # so that a deep stack begins near the identity
            nn.init.normal_(cast(Tensor, self.layers[-1].weight), std=0.1 / (3 * math.sqrt(features)))

    def forward(self, value: Tensor) -> Tensor:
        return value + self.layers(value)


def convolution(features: int, normalised: bool) -> list[nn.Module]:
    layer = nn.Conv2d(features, features, 3, padding=1, bias=not normalised)
    return [layer, nn.BatchNorm2d(features)] if normalised else [layer]


class Generator(nn.Module):
    """Small images [n, c, h, w] → images [n, c, h · scale, w · scale], both in 0..1 (section 2.1.1, figure 4)."""

    def __init__(self, channels: int, config: SRGANConfig) -> None:
        super().__init__()
        features, normalised = config.features, config.norm == "batch"
        self.head = nn.Sequential(nn.Conv2d(channels, features, 9, padding=4), SharedPReLU())
        self.body = nn.Sequential(
            *(Block(features, normalised) for _ in range(config.blocks)), *convolution(features, normalised)
        )
        self.grow = nn.Sequential(
            *(nn.Sequential(sub_pixel(features, features, 3), SharedPReLU()) for _ in range(config.scale // 4)),
            nn.Sequential(sub_pixel(features, features, 3)[0], SharedPReLU()),  # its shuffle is part of the last layer
        )
        self.tail = ShuffledConv2d(features, channels, 9, padding=4)
        self.enlarge = Bicubic(channels, config.scale) if config.skip else None
        if config.skip:
            nn.init.zeros_(self.tail.weight)
            nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor) -> Tensor:
        value = self.head(2 * image - 1)
        enlarged = self.tail(self.grow(value + self.body(value)))
        return enlarged if self.enlarge is None else enlarged.float() + self.enlarge(image)


class Discriminator(nn.Sequential):
    """Images [n, c, h, w] in 0..1 → logits [n] (figure 4). Feature maps of crops larger than the paper's are pooled
    to its 6x6 places before the linear layers."""

    def __init__(self, channels: int, width: int, crop_size: int) -> None:
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(SLOPE, inplace=True)]
        widths = [width * times for times in (1, 1, 2, 2, 4, 4, 8, 8)]
        for number, (inputs, outputs) in enumerate(pairwise(widths)):
            convolution = nn.Conv2d(inputs, outputs, 3, 2 - number % 2, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(SLOPE, inplace=True)]
        side = min(POOLED, crop_size // 16)
        sizes = (widths[-1] * side * side, 16 * width, 1)
        last = linear_layers(*sizes, between=lambda: [nn.LeakyReLU(SLOPE, inplace=True)])
        super().__init__(*layers, nn.AdaptiveAvgPool2d(side), nn.Flatten(), *last, nn.Flatten(0))


class SRGAN(Family):
    """SRGAN: super-resolution by 2 or 4."""

    Config = SRGANConfig
    image_range = (0.0, 1.0)
    generates = False
    sheet_side = 3
    view = "upscale {file} {image}"
    content: ContentDistance | None = None  # of training only

    def reading(self) -> Crops:
        config = self.config
        return Crops(
            size_px=config.crop_size,
            scale=config.scale,
            condition=str(config.low or ""),
            validation=str(config.validation or ""),
            turn=config.turn,
        )

    def build(self, spec: DataSpec) -> Nets:
        config = self.config
        nets = Nets(generator=Generator(spec.channels, config))
        if not config.only_pretrains:
            nets["discriminator"] = Discriminator(spec.channels, config.discriminator_width, config.crop_size)
        return nets

    def begin(self, nets: Nets) -> None:
        if self.config.perceptual and not self.config.only_pretrains:
            self.content = ContentDistance(self.config.vgg)

    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        config = self.config
        large, small = self.pair(next(batches))
        if config.degrades:
            small = degrade(large, small, blur=config.blur, noise=config.noise, jpeg=config.jpeg)
        image = nets.generator(small)  # for both turns
        if turn.step < config.pretrain:
            with turn("generator") as loss:
                loss[config.difference] = self.difference(image, large)
            return
        with turn("discriminator") as loss:
            loss["real"] = discriminator_loss("bce", nets.discriminator(large), True)
            loss["fake"] = discriminator_loss("bce", nets.discriminator(image.detach()), False)
        with turn("generator") as loss:  # equation 3
            if config.pixel:
                loss[config.difference] = config.pixel * self.difference(image, large)
            if self.content is not None:
                loss["perceptual"] = config.perceptual * self.content(image, large).mean()
            loss["adversarial"] = config.adversarial * generator_loss("bce", nets.discriminator(image))

    def pair(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Large and small images, in 0..1."""
        if batch.condition is None:
            return batch.image, whole_levels(reduce(batch.image, self.config.scale))
        return batch.image, batch.condition

    def difference(self, image: Tensor, large: Tensor) -> Tensor:
        error = image.float() - large
        return error.abs().mean() if self.config.difference == "l1" else error.square().mean()

    def sample_inputs(self, count: int, spec: DataSpec, generator: torch.Generator, batches: Iterator[Batch]) -> Inputs:
        """Centre crops of small images, and of the corresponding large ones."""
        large_px = spec.image_size[0]
        small_px = large_px // self.config.scale
        found: list[tuple[Tensor, Tensor]] = []
        while len(found) < count and (batch := next(batches, None)) is not None:
            large, small = self.pair(batch)
            # Both are cropped at the same place: the corner is that of the small one.
            corner = [max(0, (side - small_px) // 2) for side in small.shape[2:]]
            wide = [px * self.config.scale for px in corner]
            found += zip(window(small, corner, small_px), window(large, wide, large_px), strict=True)
        chosen = [found[number % len(found)] for number in range(count)]
        return torch.stack([pair[0] for pair in chosen]), torch.stack([pair[1] for pair in chosen])

    def sample(self, nets: Nets, description: Mapping[str, Any], *inputs: Tensor) -> Tensor:
        return nets.generator(inputs[0]).clamp(0, 1)

    def sheet(self, samples: Tensor, *inputs: Tensor) -> Tensor:
        """Each image upscaled by bicubic interpolation, by the generator, and the original."""
        small, large = inputs
        return torch.stack((enlarge(small, self.config.scale).clamp(0, 1), samples, large), 1).flatten(0, 1)

    def score(self, nets: Nets, batch: Batch) -> dict[str, Tensor]:
        """PSNR in dB and SSIM of 8-bit images without a border of ``scale`` pixels, of luma (MATLAB's ``rgb2ycbcr``
        before rounding) and of RGB; and PSNR of bicubic interpolation."""
        scale = self.config.scale
        large, small = self.pair(batch)
        rgb, plain, target = (
            metrics.inside(whole_levels(image), scale)
            for image in (nets.generator(small), enlarge(small, scale), large)
        )
        luma, plain_luma, target_luma = map(metrics.luma, (rgb, plain, target))
        psnr_luma = metrics.peak_signal_to_noise(luma, target_luma)
        return {
            "score": -psnr_luma,
            "psnr_luma": psnr_luma,
            "psnr_luma_bicubic": metrics.peak_signal_to_noise(plain_luma, target_luma),
            "ssim_luma": metrics.structural_similarity(luma, target_luma),
            "psnr_rgb": metrics.peak_signal_to_noise(rgb, target),
            "ssim_rgb": metrics.structural_similarity(rgb, target),
        }

    def exports(self, nets: Nets, description: Mapping[str, Any]) -> list[Exportable]:
        generator = nets.generator
        device = next(generator.parameters()).device
        channels = generator.tail.out_channels
        context = receptive_radius(generator)
        card = CardFields(any_size=True, scale=self.config.scale, channels=channels, context=context)
        examples = drawn_images(2, channels, 48).to(device)
        return [Exportable(kind="translator", module=merged(generator), inputs={"image": examples}, card=card)]


def window(image: Tensor, corner: list[int], side: int) -> Tensor:
    """Square crop of images [n, c, h, w] on the CPU, padded by replication beyond their edges."""
    part = image[:, :, corner[0] :, corner[1] :][:, :, :side, :side].cpu()
    return F.pad(part, (0, side - part.shape[3], 0, side - part.shape[2]), "replicate")
