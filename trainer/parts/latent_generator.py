"""Base of families whose generator maps latents of a known prior to images: options, sampling, export."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from trainer.config import RunConfig, at_least
from trainer.contract.errors import require
from trainer.family import Batch, CardFields, DataSpec, Exportable, Family, Inputs, Latent, Nets


@dataclass(frozen=True, kw_only=True)
class LatentGeneratorConfig(RunConfig):
    """Options of families that generate images from latents of a known prior."""

    latent_size: int = 100
    """Dimensions of the latent."""
    prior: Literal["normal", "uniform"] = "normal"
    """Distribution of the latent: normal of variance 1, or uniform on -1..1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.batch_size >= 2, "batch_size", self.batch_size, "at least 2: batches are normalised")
        at_least(self, latent_size=1)


class LatentGenerator(Family):
    """Base of families with a network ``generator``: latents f32 [n, d] → images in the family's image_range."""

    def noise(self, count: int, device: torch.device | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Sample latents from the prior, f32 [count, d]."""
        shape = (count, self.config.latent_size)
        if self.config.prior == "uniform":
            return torch.rand(shape, device=device, generator=generator) * 2 - 1
        return torch.randn(shape, device=device, generator=generator)

    def sample_inputs(self, count: int, spec: DataSpec, generator: torch.Generator, batches: Iterator[Batch]) -> Inputs:
        return (self.noise(count, generator=generator),)

    def sample(self, nets: Nets, description: Mapping[str, Any], *inputs: Tensor) -> Tensor:
        return AsImages(nets.generator, self.image_range)(*inputs)

    def exports(self, nets: Nets, description: Mapping[str, Any]) -> list[Exportable]:
        device = next(nets.generator.parameters()).device
        latent = self.noise(2, generator=torch.Generator().manual_seed(0)).to(device)
        card = CardFields(latent=Latent.of(description, self.config.latent_size, self.config.prior))
        images = AsImages(nets.generator, self.image_range)
        return [Exportable(kind="generator", module=images, inputs={"latent": latent}, card=card)]


class AsImages(nn.Module):
    """A generator, its images rescaled to 0..1."""

    def __init__(self, generator: nn.Module, image_range: tuple[float, float]) -> None:
        super().__init__()
        self.generator = generator
        self.low, self.high = image_range

    def forward(self, *inputs: Tensor) -> Tensor:
        return (self.generator(*inputs) - self.low) / (self.high - self.low)
