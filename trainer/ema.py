"""Exponential moving averages of weights, which are sampled and exported (ramp-up: Karras et al. 2024, "EDM2")."""

import copy

import torch
from torch import nn

from trainer import sharding
from trainer.family import Nets

RAMP_UP = 0.1  # early on the half-life is this fraction of the images seen, so that short runs average too


def averages_of(nets: Nets) -> Nets:
    """Copies of networks, to be averaged over their training."""
    return Nets(**{name: copy.deepcopy(net).eval().requires_grad_(False) for name, net in nets.items()})


@torch.no_grad()
def update_average(averaged: nn.Module, net: nn.Module, *, halflife: float, images: int, images_seen: int) -> None:
    """Move an average towards ``net``, which has learnt from ``images`` more images; of a sharded one, this rank's
    part. ``halflife``: in images; 0 copies."""
    halflife = min(halflife, RAMP_UP * images_seen)
    keep = 0.5 ** (images / halflife) if halflife > 0 else 0.0
    parameters = list(net.parameters())
    own = sharding.rows_of(averaged.parameters(), parameters)
    torch._foreach_lerp_(own, [sharding.piece(parameter) for parameter in parameters], 1.0 - keep)
    for old, new in zip(averaged.buffers(), net.buffers(), strict=True):
        old.copy_(new)
