"""The state of a grid: a page of images, random, interpolated or mixed."""

from dataclasses import dataclass, replace
from typing import Final, Literal, final

from viewer.keys import Action, Event
from viewer.sessions.sheet_state import SheetState
from viewer.sheet import moved
from viewer.state import next_seed

TRUNCATION_STEPS: Final = 10  # steps in a truncation of 1
LARGEST_TRUNCATION: Final = 20  # steps
LEAST_SAMPLES: Final = 3  # latents of training images that a mix is made of

GridMode = Literal["random", "interpolation", "mix"]


@final
@dataclass(frozen=True)
class GridState(SheetState):
    """A page of images; image k of a page has its own stream of random numbers."""

    mode: GridMode = "random"
    truncation_steps: int = TRUNCATION_STEPS
    can_mix: bool = False  # whether the model keeps enough latents of training images

    @property
    def truncation(self) -> float:
        """1: as the prior has it; less: more typical images; more: more varied ones."""
        return self.truncation_steps / TRUNCATION_STEPS

    def _after(self, event: Event) -> "GridState":
        match event.action:
            case Action.NEW if self.can_mix and event.key in ("m", "M"):
                return _switch(self, "mix")
            case Action.INTERPOLATE:
                return _switch(self, "interpolation")
            case Action.RANDOM:
                return _switch(self, "random")
            case Action.MORE:
                return replace(self, truncation_steps=min(self.truncation_steps + 1, LARGEST_TRUNCATION))
            case Action.LESS:
                return replace(self, truncation_steps=max(self.truncation_steps - 1, 0))
            case Action.NEW | Action.PAUSE | Action.PAGE_DOWN:
                return replace(self, seed=next_seed(self.seed))
            case Action.PAGE_UP:
                return replace(self, seed=max(self.seed - 1, 0))
            case _:
                return replace(self, cursor=moved(self.sheet, self.cursor, event))


def _switch(state: GridState, mode: GridMode) -> GridState:
    """To the other mode the corners stay; the mode that is on already gets new images."""
    if state.mode == mode:
        return replace(state, seed=next_seed(state.seed))
    return replace(state, mode=mode)
