"""Options of families whose networks are all trained with Adam."""

from dataclasses import dataclass
from typing import Annotated

from trainer.config import BELOW_ONE, POSITIVE, RunConfig


@dataclass(frozen=True, kw_only=True)
class AdamConfig(RunConfig):
    """Options of Adam. Families override defaults without repeating what a field means: --help takes it from here."""

    learning_rate: Annotated[float, POSITIVE] = 2e-4
    """Adam's learning rate, of all networks."""
    beta1: Annotated[float, BELOW_ONE] = 0.5
    """Momentum of Adam, its β₁."""
