"""The state of the translate mode: which image, its edges' threshold, which latent."""

from dataclasses import dataclass, replace
from typing import Final, final

from viewer.keys import Action, Event
from viewer.state import next_seed

STOPS: Final = 5  # results on the line between two latents, both ends included
_SIGMA_STEP: Final = 5  # hundredths
_LARGEST_SIGMA: Final = 100


@final
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


def reduce_translate(state: TranslateState, event: Event) -> TranslateState:
    """The state after an event."""
    match event.action:
        case Action.RIGHT | Action.PAGE_DOWN:
            return replace(state, index=(state.index + 1) % state.count)
        case Action.LEFT | Action.PAGE_UP:
            return replace(state, index=(state.index - 1) % state.count)
        case Action.HOME:
            return replace(state, index=0)
        case Action.END:
            return replace(state, index=state.count - 1)
        case Action.MORE | Action.LESS if state.sigma is not None:
            step = _SIGMA_STEP if event.action is Action.MORE else -_SIGMA_STEP
            return replace(state, sigma=min(max(state.sigma + step, 0), _LARGEST_SIGMA))
        case Action.DOWN if state.line:
            return replace(state, stop=(state.stop + 1) % STOPS)
        case Action.UP if state.line:
            return replace(state, stop=(state.stop - 1) % STOPS)
        case Action.INTERPOLATE if state.has_latent and not state.line:
            return replace(state, line=True, stop=0)
        case Action.RANDOM if state.line:
            return replace(state, line=False, stop=0)
        case Action.INTERPOLATE | Action.RANDOM | Action.NEW | Action.PAUSE if state.has_latent:
            return replace(state, seed=next_seed(state.seed))
        case _:
            return state
