"""The loop's turns without ranks, precision or averages, for tests of single steps."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from trainer.family import Family, Nets


class PlainTurns:
    """Optimises one network a turn, as ``trainer.turns`` does. ``taken``: each turn's name and its losses' names."""

    def __init__(self, family: Family, nets: Nets) -> None:
        self.nets = nets
        self.optimizers = {name: family.optimizer(name, list(net.parameters()), False) for name, net in nets.items()}
        self.step, self.progress = 0, 0.0
        self.taken: list[tuple[str, set[str]]] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[dict[str, Tensor]]:
        for other, net in self.nets.items():
            net.requires_grad_(other == name)
        loss: dict[str, Tensor] = {}
        yield loss
        torch.stack(list(loss.values())).sum().backward()
        self.optimizers[name].step()
        for other, net in self.nets.items():
            self.optimizers[other].zero_grad()
            net.requires_grad_(True)
        self.taken.append((name, set(loss)))
