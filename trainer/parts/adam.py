"""Options and optimiser of families whose networks are all trained with Adam."""

from dataclasses import dataclass

import torch
from torch import nn

from trainer.config import RunConfig
from trainer.contract.errors import require
from trainer.family import Family


@dataclass(frozen=True, kw_only=True)
class AdamConfig(RunConfig):
    """Options of Adam. Families override defaults without repeating what a field means: --help takes it from here."""

    learning_rate: float = 2e-4
    """Adam's learning rate, of all networks."""
    beta1: float = 0.5
    """Adam's β₁."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "more than 0")
        require(0 <= self.beta1 < 1, "beta1", self.beta1, "0 to less than 1")


class AdamFamily(Family):
    """Base of families with an ``AdamConfig``."""

    def optimizer(self, name: str, parameters: list[nn.Parameter], fused: bool) -> torch.optim.Optimizer:
        betas = (self.config.beta1, 0.999)
        return torch.optim.Adam(parameters, lr=self.config.learning_rate, betas=betas, fused=fused)
