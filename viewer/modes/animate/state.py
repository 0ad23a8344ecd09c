"""The state of the animate mode: where a walk through latent space is, and how fast it goes."""

from dataclasses import dataclass, replace
from typing import Final, final

from viewer.keys import Action, Event
from viewer.sessions.classes import NO_CLASSES, Classes
from viewer.sessions.gain import Gain
from viewer.sheet import Sheet, moved
from viewer.state import next_seed

LEG_TICKS: Final = 480  # ticks in a leg of a walk: a number that every speed divides
SLOWEST, FASTEST = 2, 128  # ticks a frame


@final
@dataclass(frozen=True)
class AnimateState:
    """Images that move, one or a sheet of them."""

    sheet: Sheet
    seed: int = 0
    cursor: int = 0
    position: int = 0  # ticks from the start of the walk
    speed: int = 16  # ticks a frame
    paused: bool = False
    classes: Classes = NO_CLASSES
    gain: Gain | None = None  # of what is added to the images; None: nothing is


def reduce_animate(state: AnimateState, event: Event) -> AnimateState:
    """The state after an event."""
    classes = state.classes.after(event)
    if classes is not None:
        return replace(state, classes=classes)
    gain = state.gain and state.gain.after(event)
    if gain is not None:
        return replace(state, gain=gain)
    match event.action:
        case Action.PAUSE:
            return replace(state, paused=not state.paused)
        case Action.MORE:
            return replace(state, speed=min(state.speed * 2, FASTEST))
        case Action.LESS:
            return replace(state, speed=max(state.speed // 2, SLOWEST))
        case Action.NEW if event.key == "]":
            return replace(state, speed=min(state.speed * 2, FASTEST))
        case Action.NEW if event.key == "[":
            return replace(state, speed=max(state.speed // 2, SLOWEST))
        case Action.NEW | Action.RANDOM:
            return replace(state, seed=next_seed(state.seed), position=0)
        case _:
            return replace(state, cursor=moved(state.sheet, state.cursor, event))


def advance(state: AnimateState, frames: int = 1) -> AnimateState:
    """The state so many frames later."""
    return state if state.paused else replace(state, position=state.position + frames * state.speed)
