"""What the plain autoencoders have in common: latents that can be drawn, though nothing in training makes them so.

The codes of an autoencoder follow no prior. Its network therefore remembers the codes of the last training pictures,
and a latent is a code's whitened principal components: N(0, I) to whoever draws it, the strongest direction first.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainer.config import RunConfig, require
from trainer.family import Batch, DataSpec, Exportable, Family, Nets, Turn
from trainer.latents import KEPT, generator_and_encoder, signs

REMEMBERED = 512  # codes of training pictures, on which mean and directions are measured
FLATTEST = 1e-3  # of the largest deviation: whitening would only blow up the noise of what varies less


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig(RunConfig):
    """Options of the plain autoencoders."""

    latent_size: int = 64
    """Numbers that describe a picture to the viewer."""
    learning_rate: float = 1e-3
    """Adam's step size."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(1 <= self.latent_size < REMEMBERED, "latent_size", self.latent_size, f"1 to {REMEMBERED - 1}")
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "more than 0")


class Autoencoder(nn.Module):
    """An encoder of pictures [n, c, h, w] in -1..1 to codes [n, ...], a decoder back, and a memory of codes."""

    codes: Tensor  # f32 [REMEMBERED, numbers of a code]: of the last training pictures
    seen: Tensor  # i64 []: training pictures so far

    def __init__(self, encoder: nn.Module, decoder: nn.Module, code_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.encoder, self.decoder, self.code_shape = encoder, decoder, code_shape
        self.register_buffer("codes", torch.zeros(REMEMBERED, torch.Size(code_shape).numel()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, image: Tensor) -> Tensor:
        code = self.encoder(image)
        if self.training:
            self.remember(code.detach().flatten(1)[:REMEMBERED].float())
        return self.decoder(code)

    def remember(self, codes: Tensor) -> None:
        places = (self.seen + torch.arange(len(codes), device=codes.device)) % REMEMBERED
        self.codes.index_copy_(0, places, codes)
        self.seen += len(codes)


class Whitened(nn.Module):
    """Codes as latents: z = D⁻¹ Uᵀ (code - mean), U the strongest principal directions of the remembered codes, D the
    standard deviations along them."""

    mean: Tensor  # [numbers of a code]
    directions: Tensor  # [numbers of a code, d], orthonormal
    deviations: Tensor  # [d], falling

    def __init__(self, network: Autoencoder, latent_size: int) -> None:
        super().__init__()
        self.network = network
        codes = network.codes[: max(int(network.seen), 1)].double()
        mean = codes.mean(0)
        rows, values, _ = torch.linalg.svd((codes - mean) @ (codes - mean).T)  # of pictures: fewer than numbers
        count = min(latent_size, int((values > 1e-9 * values[0].clamp_min(1e-30)).sum()), len(codes) - 1)
        spans = rows[:, :count].T @ (codes - mean)
        spans *= signs(spans) / spans.norm(dim=1, keepdim=True)
        directions = codes.new_zeros(codes.shape[1], latent_size)
        directions[:, :count] = spans.T
        deviations = codes.new_zeros(latent_size)
        deviations[:count] = (values[:count] / max(len(codes) - 1, 1)).sqrt()
        deviations.clamp_min_(max(FLATTEST * float(deviations.max()), 1e-6))
        self.register_buffer("mean", mean.float())
        self.register_buffer("directions", directions.float())
        self.register_buffer("deviations", deviations.float())
        self.eval()


class Decode(Whitened):
    """Latents [n, d] → pictures [n, c, h, w], about 0..1."""

    def forward(self, latent: Tensor) -> Tensor:
        code = self.mean + (latent * self.deviations) @ self.directions.T
        return self.network.decoder(code.unflatten(1, self.network.code_shape)) * 0.5 + 0.5


class Encode(Whitened):
    """Pictures [n, c, h, w] in 0..1 → latents [n, d]."""

    def forward(self, image: Tensor) -> Tensor:
        code = self.network.encoder(image * 2 - 1).flatten(1)
        return (code - self.mean) @ self.directions / self.deviations


class AutoencoderFamily(Family):
    """Base of the families: one network, one turn, the mean squared error."""

    def optimizer(self, name: str, parameters: list[nn.Parameter], fused: bool) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=self.config.learning_rate, fused=fused)

    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        batch = next(batches)
        with turn("autoencoder") as loss:
            loss["mse"] = (nets.autoencoder(batch.image) - batch.image).square().mean()

    def sample_inputs(
        self, count: int, spec: DataSpec, generator: torch.Generator, batches: Iterator[Batch]
    ) -> tuple[Tensor, ...]:
        return (torch.randn(count, self.config.latent_size, generator=generator),)

    def sample(self, nets: Nets, facts: Mapping[str, Any], *inputs: Tensor) -> Tensor:
        return Decode(nets.autoencoder, self.config.latent_size)(*inputs).clamp(0, 1)

    def score(self, nets: Nets, batch: Batch) -> dict[str, Tensor]:
        """The mean squared error of pictures in 0..1."""
        halved = (nets.autoencoder(batch.image).clamp(-1, 1) - batch.image) / 2  # -1..1 is twice as wide as 0..1
        mse = halved.square().flatten(1).mean(1)
        return {"score": mse, "mse": mse}

    def describe(self, nets: Nets, batches: Iterator[Batch]) -> dict[str, Any]:
        encode = Encode(nets.autoencoder, self.config.latent_size)
        return {"sample_latents": encode(next(batches).image[:KEPT] * 0.5 + 0.5).tolist()}

    def exports(self, nets: Nets, facts: Mapping[str, Any]) -> list[Exportable]:
        size, network = self.config.latent_size, nets.autoencoder
        return generator_and_encoder(Decode(network, size), Encode(network, size), size, facts)
