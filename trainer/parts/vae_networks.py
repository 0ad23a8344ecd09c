"""Networks of the variational autoencoders: two stochastic layers of MLPs, or a convolutional encoder and decoder.

Both give the terms of the loss, which are those of the evidence lower bound, and the weights log p(x, z) - log q(z|x)
of samples of the posterior, of which an importance-weighted bound is made.
"""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.blocks import DownBlock, FlattenImage, ResidualBlock, UnflattenImage, UpBlock, halvings, sub_pixel
from trainer.family import DataSpec
from trainer.parts.gaussian import (
    clamp_log_variance,
    kl_to_standard_normal,
    log_density,
    sample_gaussian,
)
from trainer.parts.perceptual import PerceptualDistance


class Options(Protocol):
    """What the networks take of the options of ``trainer.families.vae``."""

    @property
    def latent_size(self) -> int: ...
    @property
    def hidden_size(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def basis(self) -> int: ...
    @property
    def detail(self) -> float: ...
    @property
    def reconstruction(self) -> str: ...
    @property
    def divergence(self) -> str: ...


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

    def __init__(self, spec: DataSpec, config: Options) -> None:
        super().__init__()
        self.flat, self.unflat = FlattenImage(), UnflattenImage(spec.image_size, spec.channels)
        pixels = math.prod(spec.shape)
        hidden, latent = config.hidden_size, config.latent_size
        self.encoder1 = GaussianHead(pixels, hidden, latent)
        self.encoder2 = GaussianHead(latent, hidden, latent)
        self.decoder2 = TwoLinear(latent, hidden, latent)
        self.decoder1 = TwoLinear(latent, hidden, pixels)
        self.error, self.likelihood = pixel_error(config), likelihood_of(config)
        self.analytic = config.divergence == "analytic"

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
        noise1 = torch.randn_like(mean1)
        z1 = mean1 + noise1 * (0.5 * log_variance1).exp()
        mean2, log_variance2 = self.encoder2(z1)
        prior1 = self.decoder2(sample_gaussian(mean2, log_variance2))
        error = self.error(self.decoder1(z1), flat if target is None else self.flat(target)).sum(1)
        if self.analytic:
            divergence1 = kl_to_standard_normal(mean1 - prior1, log_variance1)
        else:  # log q(z1|x) - log p(z1|z2) at this z1, which z2 depends on
            divergence1 = 0.5 * ((z1 - prior1).square() - noise1.square() - log_variance1)
        divergence2 = kl_to_standard_normal(mean2, log_variance2)
        nothing = torch.zeros_like(error)
        return Terms(error, nothing, torch.cat((divergence1, divergence2), dim=1), nothing)

    def exported_bound(self, image: Tensor, target: Tensor) -> Tensor:
        """-ELBO in nats of the decoder and encoder by way of z2, from one sample of it, f32 [n]; z1 is its mean."""
        mean, log_variance = self.encoder2(self.encoder1(self.flat(image))[0])
        error = self.error(self.decoder1(self.decoder2(sample_gaussian(mean, log_variance))), self.flat(target))
        return kl_to_standard_normal(mean, log_variance).sum(1) - self.likelihood(error)

    def log_weights(self, image: Tensor, target: Tensor, count: int) -> Tensor:
        """log p(x, z1, z2) - log q(z1, z2|x) in nats at ``count`` samples of q for each image, f32 [count, n]."""
        mean1, log_variance1 = (value.expand(count, -1, -1) for value in self.encoder1(self.flat(image)))
        z1 = sample_gaussian(mean1, log_variance1)
        mean2, log_variance2 = self.encoder2(z1)
        z2 = sample_gaussian(mean2, log_variance2)
        posterior = log_density(z1, mean1, log_variance1) + log_density(z2, mean2, log_variance2)
        prior = log_density(z1 - self.decoder2(z2)) + log_density(z2)
        error = self.error(self.decoder1(z1), self.flat(target).expand(count, -1, -1))
        return self.likelihood(error) + (prior - posterior).sum(2)


class ConvVAE(nn.Module):
    """Residual convolutional encoder and decoder around one Gaussian latent."""

    def __init__(self, spec: DataSpec, config: Options) -> None:
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
        self.error, self.likelihood = pixel_error(config), likelihood_of(config)
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

    def log_weights(self, image: Tensor, target: Tensor, count: int) -> Tensor:
        """log p(x, z) - log q(z|x) in nats at ``count`` samples of q for each image, f32 [count, n]."""
        mean, log_variance = (value.expand(count, -1, -1) for value in self.gaussian(image))
        latent = sample_gaussian(mean, log_variance)
        logits = self.logits(latent.flatten(0, 1)).unflatten(0, (count, -1))
        excess = (log_density(latent) - log_density(latent, mean, log_variance)).sum(2)
        error = self.error(logits, target.expand(count, -1, -1, -1, -1))
        return self.likelihood(error.flatten(2)) + excess


def pixel_error(config: Options) -> Callable[[Tensor, Tensor], Tensor]:
    """Error of each pixel, as a function of logits and of images in 0..1."""
    if config.reconstruction == "bernoulli":
        return partial(F.binary_cross_entropy_with_logits, reduction="none")
    return lambda logits, image: (logits.sigmoid() - image).square()


def likelihood_of(config: Options) -> Callable[[Tensor], Tensor]:
    """log p(x|z) in nats, as a function of the errors [..., pixels] of all pixels: of a Gaussian decoder of unit
    variance where they are squared, of a Bernoulli one where they are cross-entropies."""
    if config.reconstruction == "bernoulli":
        return lambda error: -error.float().sum(-1)
    return lambda error: -0.5 * (error.float() + math.log(2 * math.pi)).sum(-1)


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
