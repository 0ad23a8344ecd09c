"""Whitening of latents: exported files take standard normal latents, whatever the distribution the network uses.

The aggregate posterior of an encoder is seldom the prior: its mean is off, it is wider, and correlated. Samples from a
Gaussian fitted to it after training are better images than samples from the prior (Ghosh et al. 2020, "From Variational
to Deterministic Autoencoders", section 4, "ex-post density estimation").
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trainer.family import Batch, Exportable, Latent
from trainer.parts.latent_generator import latent_files

KEPT = 8  # latents of training images stored in the card
KEPT_TO_MIX = 64  # for families that interpolate better than they sample: the viewer mixes these latents
LEAST_VARIANCE = 1e-4  # of the mean variance: floor for directions that few images do not determine


def latent_statistics(encode: Callable[[Tensor], Tensor], batches: Iterator[Batch], kept: int = KEPT) -> dict[str, Any]:
    """Statistics of the latents of all ``batches``, as of ``fit_gaussian``. ``encode``: images → f32 [n, d]."""
    return fit_gaussian(torch.cat([encode(batch.input).cpu() for batch in batches]), kept=kept)


def fit_gaussian(means: Tensor, variances: Tensor | None = None, kept: int = KEPT) -> dict[str, Any]:
    """Mean and covariance of the aggregate posterior of images with posterior ``means`` and ``variances`` [n, d] (none
    for deterministic encoders), and the means of the first ``kept`` images."""
    means = means.double()
    covariance = torch.atleast_2d(torch.cov(means.T)) if len(means) > 1 else None
    if covariance is not None and variances is not None:
        covariance = covariance + torch.diag(variances.double().mean(0))
    return {
        "latent_mean": means.mean(0).tolist(),
        "latent_covariance": [] if covariance is None else covariance.tolist(),
        "sample_latents": means[:kept].tolist(),
    }


def posterior_statistics(posteriors: Iterable[tuple[Tensor, Tensor]], kept: int = KEPT) -> dict[str, Any]:
    """Statistics of Gaussian posteriors, means and log variances [n, d] of all batches, as of ``fit_gaussian``."""
    means, log_variances = (torch.cat(parts).cpu() for parts in zip(*posteriors, strict=True))
    return fit_gaussian(means, log_variances.exp(), kept)


def whitened_files(
    latent: Latent, description: Mapping[str, Any], decode: nn.Module, encode: nn.Module | None = None
) -> list[Exportable]:
    """Exported files of a decoder and encoder of latents of which ``description`` has the statistics."""
    whitening = Whitening(description, latent.size)
    latent = latent.measured(whitening.whiten(description))
    generator = FromNormal(decode, whitening.mean, whitening.factor)
    encoder = None if encode is None else ToNormal(encode, whitening.mean, whitening.inverse)
    return latent_files(latent, generator, encoder)


def signs(rows: Tensor) -> Tensor:
    """Signs [k, 1] that make the largest number of each row positive: those of eigenvectors are arbitrary."""
    return rows.gather(1, rows.abs().argmax(1, keepdim=True)).sign()


class Whitening:
    """Affine map between latents: the network's = mean + factor · standard normal, from what ``fit_gaussian`` returned;
    the identity where that is empty. The strongest direction comes first."""

    def __init__(self, description: Mapping[str, Any], size: int) -> None:
        self.mean, self.factor = torch.zeros(size), torch.eye(size)
        self.known = bool(description.get("latent_covariance"))
        if self.known:
            self.mean = torch.tensor(description["latent_mean"])
            values, vectors = torch.linalg.eigh(torch.tensor(description["latent_covariance"], dtype=torch.float64))
            values, vectors = values.flip(0), vectors.flip(1)
            vectors = vectors * signs(vectors.T).T
            self.factor = (vectors * values.clamp_min(LEAST_VARIANCE * values.mean()).sqrt()).float()
        self.inverse = torch.linalg.inv(self.factor.double()).float()

    def whiten(self, description: Mapping[str, Any]) -> dict[str, Any]:
        """Statistics as of ``fit_gaussian``, for the standard normal latents."""
        size = len(self.mean)
        samples = torch.tensor(description.get("sample_latents") or [], dtype=torch.float32).reshape(-1, size)
        return {
            "latent_mean": [0.0] * size if self.known else [],
            "latent_covariance": torch.eye(size).tolist() if self.known else [],
            "sample_latents": ((samples - self.mean) @ self.inverse.T).tolist(),
        }


class Whitened(nn.Module):
    """A network and the affine map of its latents, on the network's device."""

    mean: Tensor  # [d]
    matrix: Tensor  # [d, d]

    def __init__(self, network: nn.Module, mean: Tensor, matrix: Tensor) -> None:
        super().__init__()
        self.network, self.training = network, network.training
        self.register_buffer("mean", mean)
        self.register_buffer("matrix", matrix)
        self.to(next(network.parameters(), mean).device)


class FromNormal(Whitened):
    """Decoder of standard normal latents [n, d], by a decoder of the network's latents. ``matrix``: the factor."""

    def forward(self, latent: Tensor) -> Tensor:
        return self.network(self.mean + latent @ self.matrix.T)


class ToNormal(Whitened):
    """Encoder to standard normal latents [n, d], by an encoder to the network's latents. ``matrix``: the inverse."""

    def forward(self, image: Tensor) -> Tensor:
        return (self.network(image) - self.mean) @ self.matrix.T
