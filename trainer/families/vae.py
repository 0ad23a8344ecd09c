"""Variational autoencoders: two stochastic layers of an MLP, or a convolutional one.

``hierarchical``: two stochastic layers of small MLPs (Sønderby et al. 2016, "Ladder Variational Autoencoders", section
2.1, the plain hierarchy). ``conv``: residual blocks with GroupNorm around one Gaussian latent (Kingma & Welling 2014,
"Auto-Encoding Variational Bayes"; β from Higgins et al. 2017, free bits from Kingma et al. 2016). Its exported latents
are whitened (see ``trainer.parts.latent_whitening``).

**Differs from the papers.** The loss is Σ(x̂ - x)² + 2 β KL, -2 times the ELBO of a Gaussian decoder of unit variance
but for a constant (``--reconstruction bernoulli``: the negative ELBO in nats of a Bernoulli decoder). ``hierarchical``
has two layers of one size, p(z₁|z₂) of unit variance, and neither batch normalisation nor KL warm-up; reconstructions
and exports use means, not samples. Free bits hold for each dimension, not for groups.

    accelerate launch trainer/train_vae.py --data cats.npy --out runs/cats --arch conv
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.blocks import Call, DownBlock, FlattenImage, ResidualBlock, UnflattenImage, UpBlock, halvings, sub_pixel
from trainer.config import RunConfig, least, multiple_of
from trainer.family import Batch, DataSpec, Exportable, Family, Nets, Pairs, Reading, Turn
from trainer.metrics import squared_error
from trainer.parts.gaussian import clamp_log_variance, kl_to_standard_normal, sample_gaussian
from trainer.parts.latent_generator import latent_files
from trainer.parts.latent_whitening import latent_statistics, posterior_statistics, whitened_files
from trainer.parts.perceptual import PerceptualDistance


@dataclass(frozen=True, kw_only=True)
class VAEConfig(RunConfig):
    """Options of the variational autoencoders."""

    arch: Literal["hierarchical", "conv"] = "hierarchical"
    """Two stochastic layers of MLPs, or a convolutional encoder and decoder."""
    latent_size: Annotated[int, least(1)] = 10
    """Dimensions of the latent."""
    hidden_size: Annotated[int, least(1)] = 50
    """Width of the hidden layers (hierarchical)."""
    width: Annotated[int, multiple_of(16)] = 32
    """Channels of the finest level, doubled with each coarser one, up to 8 times; a multiple of 16
    (conv)."""
    basis: Annotated[int, least(0)] = 0
    """Hidden units of an MLP added to the convolutional encoder and decoder, for sharper images of aligned sets such as
    faces; 0: none (conv)."""
    learning_rate: Annotated[float, least(0)] = 0.0
    """Adam's learning rate; 0: 1e-4 for hierarchical, 1e-3 for conv."""
    reconstruction: Literal["squared", "bernoulli"] = "squared"
    """Reconstruction error: squared, or the cross-entropy of a Bernoulli decoder (the loss is then -ELBO in nats)."""
    beta: Annotated[float, least(0)] = 1.0
    """Weight β of the KL divergence."""
    free_bits: float = 0.0
    """Free bits: nats per latent dimension below which the KL divergence is not minimised."""
    detail: Annotated[float, least(0)] = 0.0
    """Weight of the Laplacian pyramid loss, for sharper edges (conv)."""
    perceptual: Annotated[float, least(0)] = 0.0
    """Weight of the VGG19 perceptual loss (conv)."""
    vgg: Path | None = None
    """Local VGG19 weights (torchvision's state_dict) for --perceptual; unset: downloaded."""
    target: Path | None = None
    """Images to reconstruct instead of those of --data that are encoded (blurred ones, say): a .npy file of as many, or
    a folder of the same names."""


class Terms(NamedTuple):
    """Terms of the loss."""

    reconstruction: Tensor  # [n] sum of squared errors, or cross-entropies in nats, over an image
    detail: Tensor  # [n] pyramid_error, 0 where unused
    divergence: Tensor  # [n, latents] KL divergence of each latent dimension in nats
    perceptual: Tensor  # [n] feature distance, 0 where unused


class GaussianHead(nn.Module):
    """MLP of one hidden layer → mean and log variance."""

    def __init__(self, inputs: int, hidden: int, latent: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, hidden)
        self.linear_mu = nn.Linear(hidden, latent)
        self.linear_logvar = nn.Linear(hidden, latent)

    def forward(self, value: Tensor) -> tuple[Tensor, Tensor]:
        hidden = F.relu(self.linear(value))
        return self.linear_mu(hidden), clamp_log_variance(self.linear_logvar(hidden))


class TwoLinear(nn.Module):
    """MLP of one hidden layer."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(inputs, hidden)
        self.linear2 = nn.Linear(hidden, outputs)

    def forward(self, value: Tensor) -> Tensor:
        return self.linear2(F.relu(self.linear1(value)))


class HierarchicalVAE(nn.Module):
    """Two stochastic layers, x → z1 → z2 and back, of MLPs with one hidden layer; images are flattened as h·w·c."""

    def __init__(self, spec: DataSpec, config: VAEConfig) -> None:
        super().__init__()
        self.flat, self.unflat = FlattenImage(), UnflattenImage(spec.image_size, spec.channels)
        pixels = math.prod(spec.shape)
        hidden, latent = config.hidden_size, config.latent_size
        self.encoder1 = GaussianHead(pixels, hidden, latent)
        self.encoder2 = GaussianHead(latent, hidden, latent)
        self.decoder2 = TwoLinear(latent, hidden, latent)
        self.decoder1 = TwoLinear(latent, hidden, pixels)
        self.error = pixel_error(config)

    def image(self, z1: Tensor) -> Tensor:
        return self.unflat(self.decoder1(z1).sigmoid())

    def encode(self, image: Tensor) -> Tensor:
        """[n, c, h, w] in 0..1 → the mean of z2, [n, d]."""
        return self.encoder2(self.encoder1(self.flat(image))[0])[0]

    def decode(self, latent: Tensor) -> Tensor:
        """z2 [n, d] → [n, c, h, w] in 0..1, through the mean of z1."""
        return self.image(self.decoder2(latent))

    def reconstruct(self, image: Tensor) -> Tensor:
        """Decode the mean of z1."""
        return self.image(self.encoder1(self.flat(image))[0])

    def forward(self, image: Tensor, target: Tensor | None = None) -> Terms:
        flat = self.flat(image)
        mean1, log_variance1 = self.encoder1(flat)
        z1 = sample_gaussian(mean1, log_variance1)
        mean2, log_variance2 = self.encoder2(z1)
        prior1 = self.decoder2(sample_gaussian(mean2, log_variance2))
        error = self.error(self.decoder1(z1), flat if target is None else self.flat(target)).sum(1)
        divergence1 = kl_to_standard_normal(mean1 - prior1, log_variance1)
        divergence2 = kl_to_standard_normal(mean2, log_variance2)
        nothing = torch.zeros_like(error)
        return Terms(error, nothing, torch.cat((divergence1, divergence2), dim=1), nothing)


class ConvVAE(nn.Module):
    """Residual convolutional encoder and decoder around one Gaussian latent."""

    def __init__(self, spec: DataSpec, config: VAEConfig) -> None:
        super().__init__()
        *larger, base = halvings(spec.image_size, even=True)
        levels = len(larger)
        stem = min(levels, 2)  # one strided convolution replaces the finest levels: cheap, and enough
        widths = [config.width * min(2**level, 8) for level in range(levels - stem + 1)]
        self.base = (widths[-1], *base)
        flat = math.prod(self.base)
        self.encoder = nn.Sequential(
            nn.Conv2d(spec.channels, widths[0], 2**stem + 2, 2**stem, padding=1),
            ResidualBlock(widths[0]),
            *(DownBlock(small, large) for small, large in pairwise(widths)),
            nn.GroupNorm(8, widths[-1]),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(flat, 2 * config.latent_size),
        )
        self.expand = nn.Linear(config.latent_size, flat)
        self.decoder = nn.Sequential(
            ResidualBlock(widths[-1]),
            *(UpBlock(large, small) for large, small in pairwise(reversed(widths))),
            *([UpBlock(widths[0], widths[0] // 2)] if stem == 2 else []),
            nn.GroupNorm(8, widths[0] // stem),
            nn.SiLU(),
            sub_pixel(widths[0] // stem, spec.channels, 3),
        )
        pixels = math.prod(spec.shape)
        self.shape = spec.shape
        self.into_basis = TwoLinear(pixels, config.basis, 2 * config.latent_size) if config.basis else None
        self.from_basis = TwoLinear(config.latent_size, config.basis, pixels) if config.basis else None
        self.error = pixel_error(config)
        self.detailed = config.detail > 0
        self.perceptual: list[PerceptualDistance] = []  # in a list, which keeps its weights out of the state_dict

    def gaussian(self, image: Tensor) -> tuple[Tensor, Tensor]:
        if image.device.type == "cpu":
            image = image.contiguous()  # layers follow their input's layout: bf16 is 1.3 times faster in this one
        statistics = self.encoder(image)
        if self.into_basis is not None:
            statistics = statistics + self.into_basis(image.flatten(1))
        mean, log_variance = statistics.chunk(2, dim=1)
        return mean, clamp_log_variance(log_variance)

    def encode(self, image: Tensor) -> Tensor:
        """[n, c, h, w] in 0..1 → the mean of the latent, [n, d]."""
        return self.gaussian(image)[0]

    def logits(self, latent: Tensor) -> Tensor:
        """[n, d] → logits [n, c, h, w]."""
        logits = self.decoder(self.expand(latent).unflatten(1, self.base))
        if self.from_basis is not None:
            logits = logits + self.from_basis(latent).unflatten(1, self.shape)
        return logits

    def decode(self, latent: Tensor) -> Tensor:
        """[n, d] → [n, c, h, w] in 0..1."""
        return self.logits(latent).sigmoid()

    def forward(self, image: Tensor, target: Tensor | None = None) -> Terms:
        mean, log_variance = self.gaussian(image)
        target = image if target is None else target
        logits = self.logits(sample_gaussian(mean, log_variance))
        decoded = logits.sigmoid()
        error = self.error(logits, target).flatten(1).sum(1)
        detail = pyramid_error(decoded - target) if self.detailed else torch.zeros_like(error)
        distance = self.perceptual[0](decoded, target) if self.perceptual else torch.zeros_like(error)
        return Terms(error, detail, kl_to_standard_normal(mean, log_variance), distance)


def pixel_error(config: VAEConfig) -> Callable[[Tensor, Tensor], Tensor]:
    """Error of each pixel, as a function of logits and of images in 0..1."""
    if config.reconstruction == "bernoulli":
        return partial(F.binary_cross_entropy_with_logits, reduction="none")
    return lambda logits, image: (logits.sigmoid() - image).square()


def pyramid_error(difference: Tensor, levels: int = 4) -> Tensor:
    """Laplacian pyramid loss Σ_j 4^j |L_j(x̂ - x)|₁ (Bojanowski et al. 2018, "Optimizing the Latent
    Space of Generative Networks", section 3) of differences [n, c, h, w] → [n]. The pyramid is
    linear: that of the difference is the difference of the pyramids."""
    total = difference.new_zeros(len(difference))
    for level in range(levels):
        coarse = F.avg_pool2d(difference, 2, ceil_mode=True)
        fine = difference - F.interpolate(coarse, size=difference.shape[2:], mode="bilinear")
        total = total + 4**level * fine.abs().flatten(1).sum(1)
        difference = coarse
    return total


class VAE(Family):
    """Variational autoencoder, hierarchical or convolutional."""

    Config = VAEConfig
    image_range = (0.0, 1.0)
    channels_last = False

    def reading(self) -> Reading:
        target = self.config.target
        return Pairs(condition=str(target.absolute()), swapped=True, flag="--target") if target else Reading()

    def build(self, spec: DataSpec) -> Nets:
        if spec.condition_channels not in (0, spec.channels):
            found = f"{spec.condition_channels} channel(s), those of --target {spec.channels}"
            raise ValueError(f"images have {found}, expected as many")
        network = HierarchicalVAE if self.config.arch == "hierarchical" else ConvVAE
        return Nets(vae=network(spec, self.config))

    def begin(self, nets: Nets) -> None:
        if self.config.perceptual and self.config.arch == "conv":
            nets.vae.perceptual = [PerceptualDistance(self.config.vgg)]

    @property
    def kl_weight(self) -> float:
        """Weight of the KL divergence beside the reconstruction error at β = 1: squared errors sum to -2 log N(x; x̂, 1)
        but for a constant, cross-entropies to -log of a Bernoulli likelihood."""
        return 1.0 if self.config.reconstruction == "bernoulli" else 2.0

    def optimizer(self, name: str, parameters: list[nn.Parameter], fused: bool) -> torch.optim.Optimizer:
        rate = self.config.learning_rate or {"hierarchical": 1e-4, "conv": 1e-3}[self.config.arch]
        return torch.optim.Adam(parameters, lr=rate, fused=fused)

    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        batch = next(batches)
        with turn("vae") as loss:
            terms = nets.vae(batch.input, batch.image)
            divergence = terms.divergence.mean(0).clamp_min(self.config.free_bits)
            loss["reconstruction"] = terms.reconstruction.mean()
            if self.config.detail:
                loss["detail"] = self.config.detail * terms.detail.mean()
            loss["divergence"] = self.config.beta * self.kl_weight * divergence.sum()
            if self.config.perceptual:
                loss["perceptual"] = self.config.perceptual * terms.perceptual.mean()

    def score(self, nets: Nets, batch: Batch) -> dict[str, Tensor]:
        """Mean squared errors; for ``bernoulli`` also -ELBO in nats, from one sample of the latent."""
        # as the exported files reconstruct
        exported = own = squared_error(nets.vae.decode(nets.vae.encode(batch.input)), batch.image)
        if self.config.arch == "hierarchical":
            own = squared_error(nets.vae.reconstruct(batch.input), batch.image)
        if self.config.reconstruction == "squared":
            return {"score": own, "mse": own, "mse_exported": exported}
        terms = nets.vae(batch.input, batch.image)
        bound = terms.reconstruction + self.kl_weight * terms.divergence.sum(1)
        return {"score": bound, "bound": bound, "mse": own, "mse_exported": exported}

    def describe(self, nets: Nets, batches: Iterator[Batch]) -> dict[str, Any]:
        if self.config.arch == "hierarchical":
            return latent_statistics(nets.vae.encode, batches)
        return posterior_statistics(nets.vae.gaussian(batch.input) for batch in batches)

    def exports(self, nets: Nets, description: Mapping[str, Any]) -> list[Exportable]:
        decode, encode = Call(nets.vae, "decode"), Call(nets.vae, "encode")
        if self.config.arch == "hierarchical":  # z2 needs no whitening
            return latent_files(self.latent.measured(description), decode, encode)
        return whitened_files(self.latent, description, decode, encode)

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Tensor], name: str) -> tuple["VAE", DataSpec, Nets]:
        """Import a bare ``hierarchical`` state_dict of square images flattened in h·w·BGR order. Raises ``ValueError``
        or ``RuntimeError`` for other keys or sizes."""
        expected = set(HierarchicalVAE(DataSpec(image_size=(2, 2), channels=3), VAEConfig()).state_dict())
        if set(state) != expected:
            odd = sorted(set(state) ^ expected)[:4]
            raise ValueError(f"{name}: keys differ from the hierarchical VAE's in {', '.join(odd)}")
        first = state["encoder1.linear.weight"]
        hidden, pixels = first.shape if first.ndim == 2 else (0, 0)
        side = round((pixels / 3) ** 0.5)
        if side * side * 3 != pixels or side == 0:
            raise ValueError(f"{name}: encoder1.linear takes {tuple(first.shape)} inputs, expected side² · 3")
        spec = DataSpec(image_size=(side, side), channels=3)
        latent = len(state["encoder1.linear_mu.bias"])
        family = cls(VAEConfig(arch="hierarchical", latent_size=latent, hidden_size=hidden, image_size=side))
        rgb = torch.arange(pixels).view(-1, 3).flip(1).flatten()  # b, g, r of each pixel → r, g, b
        state = dict(state)
        state["encoder1.linear.weight"] = first[:, rgb]
        for key in ("decoder1.linear2.weight", "decoder1.linear2.bias"):
            state[key] = state[key][rgb]
        nets = family.build(spec)
        nets.vae.load_state_dict(state)
        nets.vae.eval()
        return family, spec, nets
