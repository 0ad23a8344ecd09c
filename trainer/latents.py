"""What a card tells of the latents of training pictures."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from trainer.family import Batch


def latent_facts(encode: Callable[[Tensor], Tensor], batches: Iterator[Batch], kept: int = 8) -> dict[str, Any]:
    """Mean and covariance of the latents of all pictures in ``batches``, and the latents of the first ``kept``.

    ``encode``: pictures as batches hold them → latents f32 [n, d].
    """
    latents = torch.cat([encode(batch.image).cpu() for batch in batches]).double()
    covariance = torch.atleast_2d(torch.cov(latents.T)) if len(latents) > 1 else None
    return {
        "latent_mean": latents.mean(0).tolist(),
        "latent_covariance": [] if covariance is None else covariance.tolist(),
        "sample_latents": latents[:kept].tolist(),
    }
