"""The turns of a family's networks: backward passes, learning rates, optimiser steps and averaged weights. The only
caller of ``accelerator.backward``."""

import contextlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from trainer import sharding
from trainer.config import RunConfig
from trainer.data.batches.stream import Stream
from trainer.distributed import World
from trainer.ema import averages_of, update_average
from trainer.family import Family, Nets
from trainer.schedule import rate_factor


class Turns:
    """Implements ``trainer.family.Turn`` for the training loop.

    Gradients are summed over ``accumulate`` turns of one name before its optimiser steps, so a critic that takes
    five turns a step still takes five.

    raw: the networks; nets: the same, prepared for ranks, precision and compilation; optimizers: one for each;
    averaged: their moving averages.
    """

    def __init__(self, family: Family, config: RunConfig, world: World, raw: Nets) -> None:
        self.family, self.config, self.world, self.raw = family, config, world, raw
        self.averaged = averages_of(raw)
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        prepared = {}
        for name, net in raw.items():
            world.shard(net)
            optimizer = family.optimizer(name, list(net.parameters()), fused=world.device.type in ("cpu", "cuda"))
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
            prepared[name], self.optimizers[name] = world.prepare(net, optimizer)
            if config.compile:
                net.compile()
        self.nets = Nets(**prepared)
        self.taken = dict.fromkeys(raw, 0)
        self.updated_at = dict.fromkeys(raw, 0)  # images seen
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        for name in raw:
            self.ready(name)

    def begin(self, stream: Stream, *, step: int, progress: float) -> None:
        """Begin a training step. ``step``: steps finished before it; ``progress``: fraction of the run done, 0..1."""
        self.stream, self.step, self.progress = stream, step, progress
        self.begun_at = stream.position

    def ready(self, name: str) -> None:
        """Between turns every network may be called with gradients, to be averaged over ranks if its next turn is
        the one that steps."""
        last = (self.taken[name] + 1) % self.config.accumulate == 0
        self.world.set_sync(self.nets[name], last)
        self.raw[name].requires_grad_(True)

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[dict[str, Tensor]]:
        others = [other for other in self.nets if other != name]
        for other in others:
            self.raw[other].requires_grad_(False)
            self.world.set_sync(self.nets[other], False)
        loss: dict[str, Tensor] = {}
        yield loss
        total = torch.stack([value.float() for value in loss.values()]).sum()
        self.world.accelerator.backward(total / self.config.accumulate)
        self.taken[name] += 1
        if self.taken[name] % self.config.accumulate == 0:
            self.update(name)
        for term, value in loss.items():
            self.add(f"loss/{name}/{term}", value.detach())
        for other in (name, *others):
            self.ready(other)

    def update(self, name: str) -> None:
        """One optimiser step, and one of the averaged weights."""
        config, optimizer = self.config, self.optimizers[name]
        if config.clip_norm:
            self.world.accelerator.unscale_gradients(optimizer)
            norm = nn.utils.clip_grad_norm_(self.raw[name].parameters(), config.clip_norm)
            self.add(f"gradient_norm/{name}", sharding.whole(norm.detach()))
        factor = rate_factor(
            config.schedule,
            progress=self.progress,
            step=self.step,
            warmup=config.warmup,
            decay_from=config.decay_from,
            decay_to=config.decay_to,
        )
        others = self.family.optimizer_options(self.progress)
        for group in optimizer.param_groups:
            group.update(others, lr=group["initial_lr"] * factor)
        optimizer.step()
        optimizer.zero_grad()
        seen = self.stream.position
        # Not since its last update: a network that sat out a stage of the run would then depend on where that resumed.
        images, self.updated_at[name] = seen - max(self.updated_at[name], self.begun_at), seen
        update_average(self.averaged[name], self.raw[name], halflife=config.ema, images=images, images_seen=seen)

    def add(self, name: str, value: Tensor) -> None:
        """Sum on the device: reading a figure every step would make the host wait for it."""
        self.sums[name] = self.sums[name] + value if name in self.sums else value.float()
        self.counts[name] = self.counts.get(name, 0) + 1

    def loss(self) -> float:
        """Sum of the means of this process's losses since ``take``; not a number where there are none."""
        terms = [self.sums[name] / self.counts[name] for name in self.sums if name.startswith("loss/")]
        return float(torch.stack(terms).sum()) if terms else math.nan

    def take(self) -> dict[str, float]:
        """Means since the last call, over all ranks, and the learning rates."""
        names = list(self.sums)
        means = torch.stack([self.sums[name] / self.counts[name] for name in names])
        row = dict(zip(names, self.world.accelerator.reduce(means, "mean").tolist(), strict=True))
        self.sums.clear()
        self.counts.clear()
        for name, optimizer in self.optimizers.items():
            row[f"rate/{name}"] = optimizer.param_groups[0]["lr"]
        return row
