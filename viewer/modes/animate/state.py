"""The state of the animate mode: where a walk through latent space is, and how fast it goes."""

from dataclasses import dataclass, replace
from typing import Final, final

from viewer.keys import Action, Event
from viewer.sessions.sheet_state import SheetState
from viewer.sheet import moved
from viewer.state import next_seed

LEG_TICKS: Final = 480  # ticks in a leg of a walk: a number that every speed divides
SLOWEST, FASTEST = 2, 128  # ticks a frame


@final
@dataclass(frozen=True)
class AnimateState(SheetState):
    """Images that move, one or a sheet of them."""

    position: int = 0  # ticks from the start of the walk
    speed: int = 16  # ticks a frame
    paused: bool = False

    def _after(self, event: Event) -> "AnimateState":
        match event.action, event.key:
            case Action.PAUSE, _:
                return replace(self, paused=not self.paused)
            case (Action.MORE, _) | (Action.NEW, "]"):
                return replace(self, speed=min(self.speed * 2, FASTEST))
            case (Action.LESS, _) | (Action.NEW, "["):
                return replace(self, speed=max(self.speed // 2, SLOWEST))
            case ((Action.NEW | Action.RANDOM), _):
                return replace(self, seed=next_seed(self.seed), position=0)
            case _:
                return replace(self, cursor=moved(self.sheet, self.cursor, event))


def advance(state: AnimateState, frames: int = 1) -> AnimateState:
    """The state so many frames later."""
    return state if state.paused else replace(state, position=state.position + frames * state.speed)
