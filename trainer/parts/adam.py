"""Options of families whose networks are all trained with Adam."""

from dataclasses import dataclass

from trainer.config import RunConfig
from trainer.contract.errors import require


@dataclass(frozen=True, kw_only=True)
class AdamConfig(RunConfig):
    """Options of Adam. Families override defaults without repeating what a field means: --help takes it from here."""

    learning_rate: float = 2e-4
    """Adam's learning rate, of all networks."""
    beta1: float = 0.5
    """Momentum of Adam, its β₁."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "more than 0")
        require(0 <= self.beta1 < 1, "beta1", self.beta1, "0 to less than 1")
