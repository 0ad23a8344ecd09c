"""Whitening of latents: exported files take standard normal latents, whatever the distribution the network uses.

The aggregate posterior of an encoder is seldom the prior: its mean is off, it is wider, and correlated. Samples from a
Gaussian fitted to it after training are better images than samples from the prior (Ghosh et al. 2020, "From Variational
to Deterministic Autoencoders", section 4, "ex-post density estimation").
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trainer.family import Batch, CardFields, Exportable, Latent

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


def whitened_files(decode: nn.Module, encode: nn.Module, size: int, description: Mapping[str, Any]) -> list[Exportable]:
    """Exported files of a decoder and encoder of latents f32 [n, size] of which ``description`` has the statistics."""
    whitening = Whitening(description, size)
    decode, encode = FromNormal(decode, whitening), ToNormal(encode, whitening)
    return generator_and_encoder(decode, encode, size, whitening.whiten(description))


def generator_and_encoder(
    decode: nn.Module, encode: nn.Module, size: int, description: Mapping[str, Any]
) -> list[Exportable]:
    """Exported files of a decoder of standard normal latents f32 [n, size], and of its encoder."""
    device = next(decode.parameters()).device
    latent = torch.randn(2, size, generator=torch.Generator().manual_seed(0)).to(device)
    image = decode(latent).detach().clamp(0, 1)
    card = CardFields(latent=Latent.of(description, size))
    return [
        Exportable(kind="generator", module=decode, inputs={"latent": latent}, card=card),
        Exportable(kind="encoder", module=encode, inputs={"image": image}, card=card),
    ]


def signs(rows: Tensor) -> Tensor:
    """Signs [k, 1] that make the largest number of each row positive: those of eigenvectors are arbitrary."""
    return rows.gather(1, rows.abs().argmax(1, keepdim=True)).sign()


class Whitening:
    """Affine map between latents: the network's = mean + factor · standard normal, from what ``fit_gaussian`` returned;
    the identity where that is empty. The strongest direction comes first."""

    def __init__(self, description: Mapping[str, Any], size: int) -> None:
        mean, factor = torch.zeros(size), torch.eye(size)
        covariance = torch.tensor(description.get("latent_covariance") or [], dtype=torch.float64)
        if covariance.numel():
            mean = torch.tensor(description["latent_mean"])
            values, vectors = torch.linalg.eigh(covariance)
            values, vectors = values.flip(0), vectors.flip(1)
            vectors = vectors * signs(vectors.T).T
            factor = (vectors * values.clamp_min(LEAST_VARIANCE * values.mean()).sqrt()).float()
        self.mean, self.factor = mean, factor
        self.inverse = torch.linalg.inv(factor.double()).float()

    def whiten(self, description: Mapping[str, Any]) -> dict[str, Any]:
        """Statistics as of ``fit_gaussian``, for the standard normal latents."""
        size = len(self.mean)
        samples = torch.tensor(description.get("sample_latents") or [], dtype=torch.float32).reshape(-1, size)
        known = bool(description.get("latent_covariance"))
        return {
            **description,
            "latent_mean": [0.0] * size if known else [],
            "latent_covariance": torch.eye(size).tolist() if known else [],
            "sample_latents": ((samples - self.mean) @ self.inverse.T).tolist(),
        }


class FromNormal(nn.Module):
    """Decoder of standard normal latents [n, d], by a decoder of the network's latents."""

    mean: Tensor
    factor: Tensor

    def __init__(self, decode: nn.Module, whitening: Whitening) -> None:
        super().__init__()
        self.decode = decode
        self.training = decode.training
        self.register_buffer("mean", whitening.mean)
        self.register_buffer("factor", whitening.factor)
        self.to(next(decode.parameters(), whitening.mean).device)

    def forward(self, latent: Tensor) -> Tensor:
        return self.decode(self.mean + latent @ self.factor.T)


class ToNormal(nn.Module):
    """Encoder to standard normal latents [n, d], by an encoder to the network's latents."""

    mean: Tensor
    inverse: Tensor

    def __init__(self, encode: nn.Module, whitening: Whitening) -> None:
        super().__init__()
        self.encode = encode
        self.training = encode.training
        self.register_buffer("mean", whitening.mean)
        self.register_buffer("inverse", whitening.inverse)
        self.to(next(encode.parameters(), whitening.mean).device)

    def forward(self, image: Tensor) -> Tensor:
        return (self.encode(image) - self.mean) @ self.inverse.T
