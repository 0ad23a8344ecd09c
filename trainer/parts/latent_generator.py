"""Base of families whose generator maps latents of a known prior to images, and the files of such generators."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from trainer.config import RunConfig, least
from trainer.contract.errors import require
from trainer.family import CardFields, Exportable, Family, Latent, Nets


@dataclass(frozen=True, kw_only=True)
class LatentGeneratorConfig(RunConfig):
    """Options of families that generate images from latents of a known prior."""

    latent_size: Annotated[int, least(1)] = 100
    """Dimensions of the latent."""
    prior: Literal["normal", "uniform"] = "normal"
    """Distribution of the latent: normal of variance 1, or uniform on -1..1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.batch_size >= 2, "batch_size", self.batch_size, "at least 2: batches are normalised")


class LatentGenerator(Family):
    """Base of families with a network ``generator``: latents f32 [n, d] → images in the family's image_range."""

    def noise(self, count: int, device: torch.device | None = None) -> Tensor:
        """Sample latents from the prior, f32 [count, d]."""
        return self.latent.draw(count, device)

    def exports(self, nets: Nets, description: Mapping[str, Any]) -> list[Exportable]:
        return latent_files(self.latent.measured(description), AsImages(nets.generator, self.image_range))


def class_rows(count: int, classes: int) -> Tensor:
    """Labels i64 [count] of a sheet: one class per row where it is square and has rows enough, else all in turn."""
    side = math.isqrt(count)
    rows = side * side == count and side >= classes
    return (torch.arange(count) // side if rows else torch.arange(count)) % classes


class AsImages(nn.Module):
    """A generator, its images rescaled to 0..1."""

    def __init__(self, generator: nn.Module, image_range: tuple[float, float]) -> None:
        super().__init__()
        self.generator = generator
        self.low, self.high = image_range

    def forward(self, *inputs: Tensor) -> Tensor:
        return (self.generator(*inputs) - self.low) / (self.high - self.low)


def latent_files(latent: Latent, generator: nn.Module, encoder: nn.Module | None = None) -> list[Exportable]:
    """Exported files of a generator of images in 0..1 from such latents, and of its encoder."""
    device = next(generator.parameters()).device
    drawn = latent.draw(2, generator=torch.Generator().manual_seed(0)).to(device)
    card = CardFields(latent=latent)
    files = [Exportable(kind="generator", module=generator, inputs={"latent": drawn}, card=card)]
    if encoder is not None:
        image = generator(drawn).detach().clamp(0, 1)
        files.append(Exportable(kind="encoder", module=encoder, inputs={"image": image}, card=card))
    return files
