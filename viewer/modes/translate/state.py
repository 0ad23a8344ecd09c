"""The state of the translate mode: which image, its edges' threshold, which latent."""

from dataclasses import dataclass, replace
from typing import Final

from viewer.keys import Action, Event
from viewer.state import next_seed

STOPS: Final = 5  # results on the line between two latents, both ends included
_SIGMA_STEP: Final = 5  # hundredths
_LARGEST_SIGMA: Final = 100


@dataclass(frozen=True)
class TranslateState:
    """An image of several beside what a model makes of it."""

    count: int  # images there are
    index: int = 0  # of the one that is shown
    sigma: int | None = None  # hundredths, of the edges' thresholds; None: edges are not made here
    has_latent: bool = False
    seed: int = 0  # of the latent
    line: bool = False  # results between this latent and the next one
    stop: int = 0  # of the line, the chosen one

    @property
    def stops(self) -> int:
        """How many results are shown."""
        return STOPS if self.line else 1

    def after(self, event: Event) -> "TranslateState":
        """The state after an event."""
        match event.action:
            case Action.RIGHT | Action.PAGE_DOWN:
                return replace(self, index=(self.index + 1) % self.count)
            case Action.LEFT | Action.PAGE_UP:
                return replace(self, index=(self.index - 1) % self.count)
            case Action.HOME:
                return replace(self, index=0)
            case Action.END:
                return replace(self, index=self.count - 1)
            case Action.MORE | Action.LESS if self.sigma is not None:
                step = _SIGMA_STEP if event.action is Action.MORE else -_SIGMA_STEP
                return replace(self, sigma=min(max(self.sigma + step, 0), _LARGEST_SIGMA))
            case Action.DOWN if self.line:
                return replace(self, stop=(self.stop + 1) % STOPS)
            case Action.UP if self.line:
                return replace(self, stop=(self.stop - 1) % STOPS)
            case Action.INTERPOLATE if self.has_latent and not self.line:
                return replace(self, line=True, stop=0)
            case Action.RANDOM if self.line:
                return replace(self, line=False, stop=0)
            case Action.INTERPOLATE | Action.RANDOM | Action.NEW | Action.PAUSE if self.has_latent:
                return replace(self, seed=next_seed(self.seed))
            case _:
                return self
