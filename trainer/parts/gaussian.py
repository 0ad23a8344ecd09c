"""Gaussian latents of variational families (Kingma & Welling 2014, "Auto-Encoding Variational Bayes")."""

import torch
from torch import Tensor

LOG_VARIANCE_LIMIT = 10.0  # e^±10: far outside what is learnt, close enough to keep exp() finite


def clamp_log_variance(value: Tensor) -> Tensor:
    return value.float().clamp(-LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT)


def sample_gaussian(mean: Tensor, log_variance: Tensor) -> Tensor:
    return mean + torch.randn_like(mean) * (0.5 * log_variance).exp()


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) of each dimension in nats (appendix B)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
