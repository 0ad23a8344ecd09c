"""Diagonal Gaussian latents of variational families (Kingma & Welling 2014, "Auto-Encoding Variational Bayes")."""

import math

import torch
from torch import Tensor

LOG_VARIANCE_LIMIT = 10.0  # e^±10: far outside what is learnt, and exp() stays finite


def clamp_log_variance(value: Tensor) -> Tensor:
    """Clamp log variances to ±``LOG_VARIANCE_LIMIT``, in f32."""
    return value.float().clamp(-LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT)


def sample_gaussian(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Sample with the reparameterisation trick (section 2.4)."""
    return mean + torch.randn_like(mean) * (0.5 * log_variance).exp()


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) of each dimension in nats (appendix B)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def log_density(value: Tensor, mean: Tensor | float = 0.0, log_variance: Tensor | float = 0.0) -> Tensor:
    """log N(value; mean, variance) of each dimension in nats, in f32."""
    log_variance = torch.as_tensor(log_variance, device=value.device)
    distance = (value.float() - mean).square() * (-log_variance).exp()
    return -0.5 * (distance + log_variance + math.log(2 * math.pi))
