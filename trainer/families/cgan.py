"""Conditional GAN: generates images of a class.

``concat``: the class as a one-hot vector joined to the latent, and as constant channels joined to the image (Mirza &
Osindero 2014, "Conditional Generative Adversarial Nets"). ``projection``: the generator takes a class embedding, the
discriminator adds the inner product of another with its features (Miyato & Koyama 2018, "cGANs with Projection
Discriminator", equation 3). ``conv``: DCGAN's convolutions; ``mlp``: the layers of the first paper.

**Differs from the papers.** Of Mirza & Osindero: ``conv`` and a normal prior by default (``--arch mlp --prior
uniform``), Adam instead of SGD, no dropout in the generator, and image and class joined before the discriminator's
first maxout layer (``--label-units 50``: after a maxout layer of their own each). Of Miyato & Koyama: DCGAN's networks
instead of residual ones, and by default cross-entropy (``--objective hinge``), a discriminator with batch normalisation
(``--discriminator-norm spectral``) and an embedding joined to the latent (``--norm class``: conditional batch
normalisation). ``--preset projection`` has these three.

    accelerate launch trainer/train_cgan.py --data mnist --out runs/digits --no-flip
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from trainer.blocks import Norm, StridedDiscriminator, TransposedGenerator, small_normal
from trainer.config import BELOW_ONE, least
from trainer.contract.errors import require
from trainer.family import Batch, DataSpec, Exportable, Inputs, Nets, Turn
from trainer.parts.adam import AdamConfig
from trainer.parts.gan_losses import discriminator_loss, generator_loss
from trainer.parts.latent_generator import LatentGenerator, LatentGeneratorConfig

NORMALISED = (nn.Conv2d, nn.Linear, nn.Embedding)  # layers whose weights --discriminator-norm spectral divides


@dataclass(frozen=True, kw_only=True)
class ConditionalGANConfig(LatentGeneratorConfig, AdamConfig):
    """Options of the conditional GAN."""

    arch: Literal["conv", "mlp"] = "conv"
    """4x4 convolutions, or fully connected layers with maxout."""
    conditioning: Literal["concat", "projection"] = "concat"
    """Class conditioning: one-hot vectors joined to the inputs, or embeddings and a projection discriminator."""
    width: Annotated[int, least(1)] = 64
    """Channels at half the image size; each further halving doubles them, up to 8 times (conv)."""
    embedding_size: Annotated[int, least(1)] = 50
    """Dimensions of the generator's class embedding (projection)."""
    norm: Literal["batch", "class"] = "batch"
    """Normalisation in the generator: by the batch; or so with a scale and an offset of each class, which is then not
    joined to the latent (conv)."""
    discriminator_norm: Literal["batch", "spectral"] = "batch"
    """Normalisation in the discriminator: by the batch (conv), or the spectral one of all weights."""
    label_units: Annotated[int, least(0)] = 0
    """Units of a maxout layer of the class in the discriminator, beside that of the image; the paper has 50. 0: the
    class is joined to the image (mlp, concat)."""
    objective: Literal["bce", "hinge"] = "bce"
    """Adversarial loss: cross-entropy, or hinge."""
    critic_steps: Annotated[int, least(1)] = 1
    """Turns of the discriminator per turn of the generator."""
    beta2: Annotated[float, BELOW_ONE] = 0.999
    """Adam's β₂."""
    batch_size: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.norm == "batch" or self.arch == "conv", "norm", self.norm, "batch with --arch mlp")
        own = self.arch == "mlp" and self.conditioning == "concat"
        require(own or not self.label_units, "label_units", self.label_units, "0 but with --arch mlp, of concat")


class Maxout(nn.Linear):
    """Maxout layer: the maximum of ``pieces`` linear maps for each output (Goodfellow et al. 2013)."""

    def __init__(self, inputs: int, outputs: int, pieces: int) -> None:
        super().__init__(inputs, outputs * pieces)
        self.pieces = pieces

    def forward(self, value: Tensor) -> Tensor:
        return super().forward(value).unflatten(1, (-1, self.pieces)).amax(2)


class MixedLayers(nn.Module):
    """Generator of Mirza & Osindero: 200 hidden units of the latent, 1000 of the class, then 1200 of both."""

    def __init__(self, latent: int, condition: int, spec: DataSpec) -> None:
        super().__init__()
        self.split = (latent, condition)
        self.of_latent = nn.Linear(latent, 200)
        self.of_condition = nn.Linear(condition, 1000)
        self.together = nn.Linear(1200, 1200)
        self.image = nn.Linear(1200, math.prod(spec.shape))
        self.unflatten = nn.Unflatten(1, spec.shape)

    def forward(self, joined: Tensor) -> Tensor:
        latent, condition = joined.split(self.split, dim=1)
        hidden = F.relu(torch.cat((self.of_latent(latent), self.of_condition(condition)), dim=1))
        return self.unflatten(self.image(F.relu(self.together(hidden))).tanh())


class ClassNorm(nn.Module):
    """Conditional batch normalisation: a scale and an offset of each class (de Vries et al. 2017, "Modulating early
    visual processing by language", section 2.2; Miyato & Koyama 2018, section 4)."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale = nn.Embedding(classes, channels)
        self.offset = nn.Embedding(classes, channels)
        nn.init.ones_(self.scale.weight)
        nn.init.zeros_(self.offset.weight)

    def forward(self, value: Tensor, label: Tensor) -> Tensor:
        scale, offset = (part(label)[:, :, None, None] for part in (self.scale, self.offset))
        return torch.addcmul(offset, self.norm(value), scale)


class ClassNormed(nn.ModuleList):
    """A sequence of layers with ``ClassNorm`` in place of its batch normalisation."""

    def __init__(self, layers: nn.Sequential, classes: int) -> None:
        normed = (
            ClassNorm(item.num_features, classes) if isinstance(item, nn.BatchNorm2d) else item for item in layers
        )
        super().__init__(normed)

    def forward(self, value: Tensor, label: Tensor) -> Tensor:
        for layer in self:
            value = layer(value, label) if isinstance(layer, ClassNorm) else layer(value)
        return value


class Generator(nn.Module):
    """Latents f32 [n, d] and labels i64 [n] → images [n, c, h, w] in -1..1."""

    def __init__(self, spec: DataSpec, config: ConditionalGANConfig) -> None:
        super().__init__()
        self.classes = len(spec.classes)
        self.embedding = None
        latent, condition = config.latent_size, self.classes
        self.class_norm = config.norm == "class"
        if self.class_norm:
            whole = TransposedGenerator(latent, spec.image_size, spec.channels, config.width)
            self.body: nn.Module = ClassNormed(whole, self.classes)
            return
        if config.conditioning == "projection":
            condition = config.embedding_size
            self.embedding = nn.Embedding(self.classes, condition)
            # of norm 1, as one-hot vectors: longer ones drown the latent, and each class collapses to one image
            nn.init.normal_(self.embedding.weight, std=condition**-0.5)
        if config.arch == "mlp":
            self.body = MixedLayers(latent, condition, spec)
        else:
            self.body = TransposedGenerator(latent + condition, spec.image_size, spec.channels, config.width)

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        if self.class_norm:
            return self.body(latent, label)
        condition = F.one_hot(label, self.classes) if self.embedding is None else self.embedding(label)
        return self.body(torch.cat((latent, condition.to(latent.dtype)), dim=1))


class MixedMaxout(nn.Module):
    """Features of Mirza & Osindero's discriminator: maxout layers of the image, 240 units of 5 pieces, and of the
    class, ``units`` of 5, then one of both, 240 of 4 (section 4.1)."""

    def __init__(self, pixels: int, classes: int, units: int) -> None:
        super().__init__()
        self.split = (pixels, classes)
        self.of_image, self.of_label = Maxout(pixels, 240, 5), Maxout(classes, units, 5)
        self.together, self.dropout = Maxout(240 + units, 240, 4), nn.Dropout(0.5)

    def forward(self, joined: Tensor) -> Tensor:
        image, label = joined.split(self.split, dim=1)
        hidden = self.dropout(torch.cat((self.of_image(image), self.of_label(label)), dim=1))
        return self.dropout(self.together(hidden))


class Discriminator(nn.Module):
    """Images [n, c, h, w] and labels i64 [n] → logits [n] of being a real image of that class."""

    def __init__(self, spec: DataSpec, config: ConditionalGANConfig) -> None:
        super().__init__()
        self.classes = len(spec.classes)
        self.projects = config.conditioning == "projection"
        self.flat = config.arch == "mlp"
        joined = 0 if self.projects else self.classes
        if self.flat:
            count, pixels = 240, math.prod(spec.shape)
            self.features: nn.Module = nn.Sequential(
                Maxout(pixels + joined, 240, 5), nn.Dropout(0.5), Maxout(240, 240, 4), nn.Dropout(0.5)
            )
            if config.label_units:
                self.features = MixedMaxout(pixels, self.classes, config.label_units)
        else:
            norm: Norm = nn.BatchNorm2d if config.discriminator_norm == "batch" else lambda _: nn.Identity()
            whole = StridedDiscriminator(spec.image_size, spec.channels + joined, config.width, norm)
            *convolutions, last, _ = whole
            assert isinstance(last, nn.Conv2d)
            count = last.in_channels if self.projects else last.weight[0].numel()
            self.features = nn.Sequential(*convolutions)
        self.score = nn.Linear(count, 1)
        self.embedding = nn.Embedding(self.classes, count) if self.projects else None
        if self.embedding is not None and config.discriminator_norm == "batch":
            nn.init.zeros_(self.embedding.weight)  # begins unconditional

    def seen(self, image: Tensor, label: Tensor) -> Tensor:
        """Input of the first layer: the image, joined with the class for ``concat``."""
        image = image.flatten(1) if self.flat else image
        if self.projects:
            return image
        one_hot = F.one_hot(label, self.classes).to(image.dtype)
        if not self.flat:
            one_hot = one_hot[:, :, None, None].expand(-1, -1, *image.shape[2:])
        return torch.cat((image, one_hot), dim=1)

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        features = self.features(self.seen(image, label))
        features = features.sum((2, 3)) if self.projects and not self.flat else features.flatten(1)
        score = self.score(features).squeeze(1)
        return score if self.embedding is None else score + (self.embedding(label) * features).sum(1)


class ConditionalGAN(LatentGenerator):
    """Conditional GAN: a generator and a discriminator that both take the class."""

    Config = ConditionalGANConfig
    needs_labels = True

    def build(self, spec: DataSpec) -> Nets:
        if len(spec.classes) < 2:
            raise ValueError(f"has {len(spec.classes)} class, expected at least 2")
        generator = Generator(spec, self.config).apply(small_normal)
        discriminator = Discriminator(spec, self.config).apply(small_normal)
        if self.config.discriminator_norm == "spectral":
            for layer in [part for part in discriminator.modules() if isinstance(part, NORMALISED)]:
                spectral_norm(layer)
        return Nets(generator=generator, discriminator=discriminator)

    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        objective = self.config.objective
        for _ in range(self.config.critic_steps):
            batch = next(batches)
            real, label = batch.image, batch.label
            fake = nets.generator(self.noise(len(real), real.device), label)  # for both turns
            with turn("discriminator") as loss:
                loss["real"] = discriminator_loss(objective, nets.discriminator(real, label), True)
                loss["fake"] = discriminator_loss(objective, nets.discriminator(fake.detach(), label), False)
        with turn("generator") as loss:
            loss["adversarial"] = generator_loss(objective, nets.discriminator(fake, label))

    def sample_inputs(self, count: int, spec: DataSpec, generator: torch.Generator, batches: Iterator[Batch]) -> Inputs:
        """Latents, and labels: one class per row of a square sheet, else all classes in turn."""
        side = math.isqrt(count)
        rows = torch.arange(count) // side if side * side == count else torch.arange(count)
        return self.latent.draw(count, generator=generator), rows % len(spec.classes)

    def exports(self, nets: Nets, description: Mapping[str, Any]) -> list[Exportable]:
        (file,) = super().exports(nets, description)
        label = torch.tensor([0, nets.generator.classes - 1], device=file.inputs["latent"].device)
        return [replace(file, inputs={**file.inputs, "label": label})]
