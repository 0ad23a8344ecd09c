"""The state of a grid: a page of images, random, interpolated or mixed."""

from dataclasses import dataclass, replace
from typing import Final, Literal, final

from viewer.keys import Action, Event
from viewer.sessions.classes import NO_CLASSES, Classes
from viewer.sessions.gain import Gain
from viewer.sheet import Sheet, moved
from viewer.state import next_seed

TRUNCATION_STEPS: Final = 10  # steps in a truncation of 1
LARGEST_TRUNCATION: Final = 20  # steps
LEAST_SAMPLES: Final = 3  # latents of training images that a mix is made of

GridMode = Literal["random", "interpolation", "mix"]


@final
@dataclass(frozen=True)
class GridState:
    """A sheet of images with a cursor."""

    sheet: Sheet
    seed: int = 0  # of the page; image k of a page has its own stream of random numbers
    cursor: int = 0
    mode: GridMode = "random"
    truncation_steps: int = TRUNCATION_STEPS
    classes: Classes = NO_CLASSES
    can_mix: bool = False  # whether the model keeps enough latents of training images
    gain: Gain | None = None  # of what is added to the images; None: nothing is

    @property
    def truncation(self) -> float:
        """1: as the prior has it; less: more typical images; more: more varied ones."""
        return self.truncation_steps / TRUNCATION_STEPS


def reduce_grid(state: GridState, event: Event) -> GridState:
    """The state after an event."""
    classes = state.classes.after(event)
    if classes is not None:
        return replace(state, classes=classes)
    gain = state.gain and state.gain.after(event)
    if gain is not None:
        return replace(state, gain=gain)
    match event.action:
        case Action.NEW if state.can_mix and event.key in ("m", "M"):
            return _switch(state, "mix")
        case Action.INTERPOLATE:
            return _switch(state, "interpolation")
        case Action.RANDOM:
            return _switch(state, "random")
        case Action.MORE:
            return replace(state, truncation_steps=min(state.truncation_steps + 1, LARGEST_TRUNCATION))
        case Action.LESS:
            return replace(state, truncation_steps=max(state.truncation_steps - 1, 0))
        case Action.NEW | Action.PAUSE | Action.PAGE_DOWN:
            return replace(state, seed=next_seed(state.seed))
        case Action.PAGE_UP:
            return replace(state, seed=max(state.seed - 1, 0))
        case _:
            return replace(state, cursor=moved(state.sheet, state.cursor, event))


def _switch(state: GridState, mode: GridMode) -> GridState:
    """To the other mode the corners stay; the mode that is on already gets new images."""
    if state.mode == mode:
        return replace(state, seed=next_seed(state.seed))
    return replace(state, mode=mode)
