"""R3GAN (Huang et al. 2024, "The GAN is dead; long live the GAN! A Modern GAN Baseline").

A relativistic pairing loss with zero-centred gradient penalties on real and on generated images, R1 and R2, between
residual networks without normalisation. With labels it is conditional, by a projection discriminator.

**Differs from the paper.** Small networks and batches, one block a level, and penalties that suit them. One batch and
its generated images serve the turns of both networks, where the authors' program draws new ones. Learning rate, weight
of the penalties and β₂ change over the whole run (``--schedule constant``: not at all). The half-life of the averaged
weights is at most a tenth of the images seen, where the paper's rises as the others fall. Augmentation is mirroring,
and ``--diffaugment``, instead of an adaptive pipeline whose strength rises. Images that are no powers of two end at
3 to 5 px instead of 4, and are enlarged with repeated edges.

    accelerate launch trainer/train_r3gan.py --data faces.npy --out runs/faces
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.blocks import halvings
from trainer.config import BELOW_ONE, least, multiple_of, within
from trainer.family import Batch, DataSpec, Exportable, Inputs, Nets, Turn
from trainer.parts.adam import AdamConfig
from trainer.parts.gan_losses import AUGMENTS, augmented, input_gradient, relativistic_loss, uncompiled
from trainer.parts.latent_generator import LatentGenerator, LatentGeneratorConfig, class_rows
from trainer.schedule import Schedule, falling

EXPANSION = 2  # channels inside of a block, for each one outside
GROUP = 16  # channels in a group of its 3x3 convolution
SLOPE = 0.2  # of leaky ReLU
GAIN = (2 / (1 + SLOPE**2)) ** 0.5  # keeps variances through a leaky ReLU (He et al. 2015, equation 15)
BINOMIAL = (1.0, 3.0, 3.0, 1.0)  # halves an image as the adjoint of bilinear enlargement


@dataclass(frozen=True, kw_only=True)
class R3GANConfig(LatentGeneratorConfig, AdamConfig):
    """Options of R3GAN."""

    latent_size: Annotated[int, least(1)] = 64
    width: Annotated[int, multiple_of(GROUP // EXPANSION)] = 32
    """Channels at the size of the images, a multiple of 8; each halving doubles them, up to --growth times."""
    growth: Annotated[int, least(1)] = 4
    """Channels at the coarsest levels, at most, for each one at the size of the images."""
    blocks: Annotated[int, least(1)] = 1
    """Residual blocks at each level of each network; the paper has 2."""
    gamma: Annotated[float, least(0)] = 5.0
    """Weight γ of the gradient penalties R1 and R2; larger images need more."""
    gamma_to: Annotated[float, within(0, 1)] = 0.1
    """What is left of --gamma in the end, as a fraction, where --schedule makes it fall."""
    beta1: Annotated[float, BELOW_ONE] = 0.0
    beta2: Annotated[float, BELOW_ONE] = 0.9
    """Decay of the mean squares of gradients in Adam, its β₂."""
    beta2_to: Annotated[float, BELOW_ONE] = 0.99
    """β₂ in the end, where --schedule makes rates fall."""
    schedule: Schedule = "cosine"
    decay_to: Annotated[float, within(0, 1)] = 0.25
    diffaugment: Annotated[str, AUGMENTS] = ""
    """Differentiable augmentation, for sets of under some 10,000 images: any of colour,translation,cutout, separated by
    commas."""
    classes: bool = True
    """Condition on the class, where the data have labels."""
    batch_size: int = 32


def scaled(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> Any:
    """The layer, its weights N(0, gain² / inputs) and its biases 0."""
    nn.init.normal_(layer.weight, 0.0, gain * layer.weight[0].numel() ** -0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class Residual(nn.Module):
    """Inverted bottleneck: 1x1 to twice the channels, 3x3 in groups, 1x1 back, each of the first two with a bias and a
    leaky ReLU. Without normalisation: by its initialisation (Zhang et al. 2019, "Fixup Initialization") it is the
    identity at first, and the others shrink with the number of ``blocks`` of the network."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        hidden, gain = EXPANSION * channels, GAIN * blocks**-0.25
        self.widen = scaled(nn.Conv2d(channels, hidden, 1), gain)
        self.mix = scaled(nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden // GROUP), gain)
        self.narrow = scaled(nn.Conv2d(hidden, channels, 1, bias=False), 0.0)

    def forward(self, value: Tensor) -> Tensor:
        hidden = F.leaky_relu(self.widen(value), SLOPE)
        hidden = F.leaky_relu(self.mix(hidden), SLOPE)
        return value + self.narrow(hidden)


def change_width(inputs: int, outputs: int) -> nn.Module:
    """A 1x1 convolution, where the number of channels changes."""
    return nn.Identity() if inputs == outputs else scaled(nn.Conv2d(inputs, outputs, 1, bias=False))


class Halve(nn.Module):
    """Images [n, c, h, w] of a size → half of it, rounded down, with a binomial filter: two products of matrices, whose
    double backward is as fast as their forward pass; that of convolutions goes through their groups one by one."""

    rows: Tensor
    columns: Tensor

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        for name, length in zip(("rows", "columns"), size, strict=True):
            self.register_buffer(name, halving(length), persistent=False)

    def forward(self, value: Tensor) -> Tensor:
        pixels = value.permute(0, 2, 3, 1)  # as they lie in memory
        pixels = (self.rows @ pixels.flatten(2)).unflatten(2, pixels.shape[2:])
        return (self.columns @ pixels).permute(0, 3, 1, 2)


def halving(length: int) -> Tensor:
    """Matrix f32 [length // 2, length] that filters and halves a row of pixels; beyond its ends it is 0."""
    matrix = torch.zeros(length // 2, length + 3)
    for place, row in enumerate(matrix):
        row[2 * place : 2 * place + 4] = torch.tensor(BINOMIAL) / sum(BINOMIAL)
    return matrix[:, 1 : length + 1].clone()


class Generator(nn.Module):
    """Latents f32 [n, d], and labels i64 [n] where there are ``classes`` → images [n, c, h, w] in about -1..1."""

    def __init__(self, spec: DataSpec, config: R3GANConfig, classes: int) -> None:
        super().__init__()
        sizes, widths = levels(spec, config)
        self.classes = classes
        inputs = config.latent_size * (2 if classes else 1)
        # rows of a linear layer of one-hot vectors
        self.embedding = scaled_embedding(classes, config.latent_size, classes**-0.5) if classes else None
        self.basis = nn.Parameter(torch.randn(widths[-1], *sizes[-1]))
        self.mix = scaled(nn.Linear(inputs, widths[-1], bias=False))
        total = config.blocks * len(sizes)
        layers: list[nn.Module] = [Residual(widths[-1], total) for _ in range(config.blocks)]
        for size, (coarse, fine) in zip(sizes[-2::-1], pairwise(widths[::-1]), strict=True):
            layers += [change_width(coarse, fine), nn.Upsample(size, mode="bilinear", align_corners=False)]
            layers += [Residual(fine, total) for _ in range(config.blocks)]
        self.body = nn.Sequential(*layers, scaled(nn.Conv2d(widths[0], spec.channels, 1, bias=False)))

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        if self.embedding is not None:
            latent = torch.cat((latent, self.embedding(label)), dim=1)
        return self.body(self.basis * self.mix(latent)[:, :, None, None])


class Discriminator(nn.Module):
    """Images [n, c, h, w], and labels i64 [n] where there are ``classes`` → scores [n]: the generator's mirror."""

    def __init__(self, spec: DataSpec, config: R3GANConfig, classes: int) -> None:
        super().__init__()
        sizes, widths = levels(spec, config)
        total = config.blocks * len(sizes)
        layers: list[nn.Module] = [scaled(nn.Conv2d(spec.channels, widths[0], 1, bias=False))]
        for size, (fine, coarse) in zip(sizes, pairwise(widths), strict=False):
            layers += [Residual(fine, total) for _ in range(config.blocks)]
            layers += [Halve(size), change_width(fine, coarse)]
        self.body = nn.Sequential(*layers, *(Residual(widths[-1], total) for _ in range(config.blocks)))
        height, width = sizes[-1]
        self.basis = nn.Parameter(torch.randn(widths[-1], height, width) * (height * width) ** -0.5)
        self.score = scaled(nn.Linear(widths[-1], widths[-1] if classes else 1, bias=False))
        self.embedding = scaled_embedding(classes, widths[-1], (classes * widths[-1]) ** -0.5) if classes else None

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        features = self.score((self.body(image) * self.basis).sum((2, 3)))
        if self.embedding is not None:
            return (features * self.embedding(label)).sum(1)
        return features.squeeze(1)


def levels(spec: DataSpec, config: R3GANConfig) -> tuple[list[tuple[int, int]], list[int]]:
    """Sizes (h, w) and channels of the levels, from the finest to the coarsest. Raises ``ValueError``."""
    sizes = halvings(spec.image_size)
    return sizes, [config.width * min(2**level, config.growth) for level in range(len(sizes))]


def scaled_embedding(count: int, size: int, std: float) -> nn.Embedding:
    embedding = nn.Embedding(count, size)
    nn.init.normal_(embedding.weight, 0.0, std)
    return embedding


class R3GAN(LatentGenerator):
    """R3GAN: relativistic GAN with R1 and R2, of residual networks without normalisation."""

    Config = R3GANConfig

    def build(self, spec: DataSpec) -> Nets:
        classes = len(spec.classes) if self.config.classes else 0
        return Nets(
            generator=Generator(spec, self.config, classes), discriminator=Discriminator(spec, self.config, classes)
        )

    def optimizer_options(self, progress: float) -> Mapping[str, Any]:
        config = self.config
        return {"betas": (config.beta1, self.falling(config.beta2, config.beta2_to, progress))}

    def falling(self, first: float, last: float, progress: float) -> float:
        """A value that goes from ``first`` to ``last`` as the learning rate falls."""
        left = falling(self.config.schedule, progress=progress, decay_from=self.config.decay_from)
        return last + (first - last) * left

    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        config, batch = self.config, next(batches)
        gamma = config.gamma * self.falling(1.0, config.gamma_to, turn.progress)
        real, label = batch.image, batch.label if config.classes else None
        fake = nets.generator(self.noise(len(real), real.device), label)  # for both turns
        with turn("discriminator") as loss, uncompiled():
            both = torch.cat((real, fake.detach())).requires_grad_()  # in one pass: no batch is normalised
            score = nets.discriminator(augmented(both, config.diffaugment), twice(label))
            loss["relativistic"] = relativistic_loss(*score.chunk(2))
            if gamma:
                real_slope, fake_slope = input_gradient(score, both).square().sum(1).chunk(2)
                loss["r1"] = gamma / 2 * real_slope.mean()
                loss["r2"] = gamma / 2 * fake_slope.mean()
        with turn("generator") as loss:
            with torch.no_grad():
                score = nets.discriminator(augmented(real, config.diffaugment), label)
            fake_score = nets.discriminator(augmented(fake, config.diffaugment), label)
            loss["relativistic"] = relativistic_loss(fake_score, score)

    def sample_inputs(self, count: int, spec: DataSpec, generator: torch.Generator, batches: Iterator[Batch]) -> Inputs:
        latents = super().sample_inputs(count, spec, generator, batches)
        return (*latents, class_rows(count, len(spec.classes))) if self.config.classes and spec.classes else latents

    def exports(self, nets: Nets, description: Mapping[str, Any]) -> list[Exportable]:
        (file,) = super().exports(nets, description)
        if not nets.generator.classes:
            return [file]
        label = torch.tensor([0, nets.generator.classes - 1], device=file.inputs["latent"].device)
        return [replace(file, inputs={**file.inputs, "label": label})]


def twice(label: Tensor | None) -> Tensor | None:
    """Labels of a batch of real images and of as many generated ones, where there are labels."""
    return None if label is None else torch.cat((label, label))
