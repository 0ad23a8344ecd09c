"""Base of the plain autoencoders: mean squared error, and latents that can be sampled from N(0, I).

The codes of an autoencoder follow no prior. A latent is therefore the whitened principal components of a code, measured
on training images: its mean is 0 and its covariance I, the strongest direction first.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from trainer.blocks import Call
from trainer.config import POSITIVE, RunConfig, within
from trainer.family import Batch, Exportable, Family, Nets, Turn
from trainer.parts.latent_generator import latent_files
from trainer.parts.latent_whitening import KEPT, signs

MEASURED = 512  # training images, or up to twice as many, whose codes give mean and directions
FLATTEST = 1e-3  # of the largest std: whitening would only amplify the noise of weaker directions


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig(RunConfig):
    """Options of the plain autoencoders."""

    latent_size: Annotated[int, within(1, MEASURED - 1)] = 64
    """Dimensions of the latent: principal components of the code."""
    learning_rate: Annotated[float, POSITIVE] = 1e-3
    """Adam's learning rate."""


class Autoencoder(nn.Module):
    """Encoder of images [n, c, h, w] in -1..1 to codes [n, ...], decoder, and the whitening of codes: latents are
    z = D⁻¹ Uᵀ (code - mean), U the strongest principal directions, D their stds."""

    mean: Tensor  # [numbers of a code]
    directions: Tensor  # [numbers of a code, d], orthonormal
    stds: Tensor  # [d], falling

    def __init__(self, encoder: nn.Module, decoder: nn.Module, code_shape: tuple[int, ...], latent_size: int) -> None:
        super().__init__()
        self.encoder, self.decoder, self.code_shape = encoder, decoder, code_shape
        numbers = torch.Size(code_shape).numel()
        self.register_buffer("mean", torch.zeros(numbers))
        self.register_buffer("directions", torch.zeros(numbers, latent_size))
        self.register_buffer("stds", torch.ones(latent_size))
        self.register_load_state_dict_pre_hook(rename_stds)

    def forward(self, image: Tensor) -> Tensor:
        return self.decoder(self.encoder(image))

    def decode(self, latent: Tensor) -> Tensor:
        """Latents [n, d] → images [n, c, h, w], about 0..1."""
        code = self.mean + (latent * self.stds) @ self.directions.T
        return self.decoder(code.unflatten(1, self.code_shape)) * 0.5 + 0.5

    def encode(self, image: Tensor) -> Tensor:
        """Images [n, c, h, w] in 0..1 → latents [n, d]."""
        code = self.encoder(image * 2 - 1).flatten(1)
        return (code - self.mean) @ self.directions / self.stds

    def measure(self, codes: Tensor) -> None:
        """Set mean, directions and stds from codes [k, ...] of training images."""
        codes = codes.flatten(1).double()
        mean = codes.mean(0)
        gram = (codes - mean) @ (codes - mean).T  # smaller than the covariance: fewer images than dimensions
        rows, values, _ = torch.linalg.svd(gram)
        latent_size = len(self.stds)
        count = min(latent_size, int((values > 1e-9 * values[0].clamp_min(1e-30)).sum()), len(codes) - 1)
        spans = rows[:, :count].T @ (codes - mean)
        spans *= signs(spans) / spans.norm(dim=1, keepdim=True)
        stds = codes.new_zeros(latent_size)
        stds[:count] = (values[:count] / max(len(codes) - 1, 1)).sqrt()
        self.mean.copy_(mean)
        self.directions.zero_()[:, :count] = spans.T
        self.stds.copy_(stds.clamp_min(max(FLATTEST * float(stds.max()), 1e-6)))


def rename_stds(network: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Read a state_dict of version 0.1, where ``stds`` had another name."""
    if prefix + "deviations" in state:
        state[prefix + "stds"] = state.pop(prefix + "deviations")


class AutoencoderFamily(Family):
    """Base class: one network, one turn, the mean squared error."""

    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        batch = next(batches)
        with turn("autoencoder") as loss:
            loss["mse"] = (nets.autoencoder(batch.image) - batch.image).square().mean()

    def score(self, nets: Nets, batch: Batch) -> dict[str, Tensor]:
        """The mean squared error of images in 0..1."""
        halved = (nets.autoencoder(batch.image).clamp(-1, 1) - batch.image).flatten(1) / 2  # from -1..1 to 0..1
        mse = halved.square().mean(1)
        return {"score": mse, "mse": mse}

    def describe(self, nets: Nets, batches: Iterator[Batch]) -> dict[str, Any]:
        network = nets.autoencoder
        codes: list[Tensor] = []
        stride, first = 1, None
        for batch in batches:
            first = batch.image[:KEPT] if first is None else first
            codes += network.encoder(batch.image[::stride])
            while len(codes) >= 2 * MEASURED:  # evenly from the whole set, with bounded memory
                codes, stride = codes[::2], 2 * stride
        assert first is not None
        network.measure(torch.stack(codes))
        return {"sample_latents": network.encode(first * 0.5 + 0.5).tolist()}

    def exports(self, nets: Nets, description: Mapping[str, Any]) -> list[Exportable]:
        decode, encode = Call(nets.autoencoder, "decode"), Call(nets.autoencoder, "encode")
        return latent_files(self.latent.measured(description), decode, encode)
