"""Latents as a generator's file takes them: standard normal, whatever those of the network look like.

What an encoder really uses is seldom the prior: a little off centre, wider, correlated. Draws from a Gaussian fitted to
it after training are better images than draws from the prior (Ghosh et al. 2020, "From Variational to Deterministic
Autoencoders", section 4, "ex-post density estimation").
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trainer.family import Batch, Exportable

KEPT = 8  # latents of training images that go to the card
KEPT_TO_MIX = 64  # the same for families whose images are best between those of training: the viewer mixes them
LEAST_VARIANCE = 1e-4  # of the mean one: directions that a few images cannot tell


def latent_facts(encode: Callable[[Tensor], Tensor], batches: Iterator[Batch], kept: int = KEPT) -> dict[str, Any]:
    """Facts of the latents of all images in ``batches``. ``encode``: images as batches hold them → f32 [n, d]."""
    return fit_gaussian(torch.cat([encode(batch.input).cpu() for batch in batches]), kept=kept)


def fit_gaussian(means: Tensor, variances: Tensor | None = None, kept: int = KEPT) -> dict[str, Any]:
    """Facts of the latents of many images: ``means`` [n, d], and their posterior variances [n, d] where they have
    some. The covariance is that of latents drawn from those posteriors; the first ``kept`` are kept themselves."""
    means = means.double()
    covariance = torch.atleast_2d(torch.cov(means.T)) if len(means) > 1 else None
    if covariance is not None and variances is not None:
        covariance = covariance + torch.diag(variances.double().mean(0))
    return {
        "latent_mean": means.mean(0).tolist(),
        "latent_covariance": [] if covariance is None else covariance.tolist(),
        "sample_latents": means[:kept].tolist(),
    }


def generator_and_encoder(
    decode: nn.Module, encode: nn.Module, size: int, facts: Mapping[str, Any]
) -> list[Exportable]:
    """The two files of networks that turn standard normal latents f32 [n, size] into images, and back."""
    device = next(decode.parameters()).device
    latent = torch.randn(2, size, generator=torch.Generator().manual_seed(0)).to(device)
    image = decode(latent).detach().clamp(0, 1)
    card = {"latent": {"size": size, "prior": "normal"}, **facts}
    return [
        Exportable(kind="generator", module=decode, inputs={"latent": latent}, facts=card),
        Exportable(kind="encoder", module=encode, inputs={"image": image}, facts=card),
    ]


def signs(rows: Tensor) -> Tensor:
    """What makes the largest number of each row positive, [k, 1]: a direction's own sign is arbitrary."""
    return rows.gather(1, rows.abs().argmax(1, keepdim=True)).sign()


class Whitening:
    """The network's latent = mean + factor · standard normal one, from the facts of ``fit_gaussian``; without facts,
    the same latent both ways. The strongest direction comes first."""

    def __init__(self, facts: Mapping[str, Any], size: int) -> None:
        mean, factor = torch.zeros(size), torch.eye(size)
        covariance = torch.tensor(facts.get("latent_covariance") or [], dtype=torch.float64)
        if covariance.numel():
            mean = torch.tensor(facts["latent_mean"])
            values, vectors = torch.linalg.eigh(covariance)
            values, vectors = values.flip(0), vectors.flip(1)
            vectors = vectors * signs(vectors.T).T
            factor = (vectors * values.clamp_min(LEAST_VARIANCE * values.mean()).sqrt()).float()
        self.mean, self.factor = mean, factor
        self.inverse = torch.linalg.inv(factor.double()).float()

    def facts(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The same facts of the standard normal latents."""
        size = len(self.mean)
        samples = torch.tensor(facts.get("sample_latents") or [], dtype=torch.float32).reshape(-1, size)
        known = bool(facts.get("latent_covariance"))
        return {
            **facts,
            "latent_mean": [0.0] * size if known else [],
            "latent_covariance": torch.eye(size).tolist() if known else [],
            "sample_latents": ((samples - self.mean) @ self.inverse.T).tolist(),
        }


class FromNormal(nn.Module):
    """Standard normal latents [n, d] → images, by a decoder of the network's own latents."""

    mean: Tensor
    factor: Tensor

    def __init__(self, decode: nn.Module, whitening: Whitening) -> None:
        super().__init__()
        self.decode = decode
        self.training = decode.training
        self.register_buffer("mean", whitening.mean)
        self.register_buffer("factor", whitening.factor)

    def forward(self, latent: Tensor) -> Tensor:
        return self.decode(self.mean + latent @ self.factor.T)


class ToNormal(nn.Module):
    """Images → standard normal latents [n, d], by an encoder to the network's own."""

    mean: Tensor
    inverse: Tensor

    def __init__(self, encode: nn.Module, whitening: Whitening) -> None:
        super().__init__()
        self.encode = encode
        self.training = encode.training
        self.register_buffer("mean", whitening.mean)
        self.register_buffer("inverse", whitening.inverse)

    def forward(self, image: Tensor) -> Tensor:
        return (self.encode(image) - self.mean) @ self.inverse.T
