"""What a mode shows, as plain values, and how an event changes it.

A state holds seeds, a cursor and settings, never images: the images follow from it, so an image can always be made
again. ``reduce`` is pure; what must happen outside of the program comes back as effects.
"""

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final, Literal, TypeVar, final

from viewer.frame.sheet import Sheet, moved
from viewer.keys import Action, Event
from viewer.modes.dataset.state import DatasetState, reduce_dataset
from viewer.modes.diffuse.state import DiffuseState, reduce_diffuse
from viewer.modes.draw.state import DrawState, reduce_draw
from viewer.modes.latent.state import LatentState, reduce_latent
from viewer.modes.pick.state import PickState, reduce_pick
from viewer.modes.translate.state import TranslateState, reduce_translate
from viewer.modes.upscale.state import UpscaleState, reduce_upscale
from viewer.seeds import next_seed
from viewer.sessions.classes import NO_CLASSES, Classes
from viewer.sessions.gain import Gain

TRUNCATION_STEPS: Final = 10  # steps in a truncation of 1
LARGEST_TRUNCATION: Final = 20  # steps
LEG_TICKS: Final = 480  # ticks in a leg of a walk: a number that every speed divides
SLOWEST, FASTEST = 2, 128  # ticks a frame
LEAST_SAMPLES: Final = 3  # latents of training images that a mix is made of


class Effect(Enum):
    """Something that the application must do."""

    QUIT = auto()
    SAVE = auto()  # the selected image
    SAVE_ALL = auto()  # the whole screen


Effects = tuple[Effect, ...]
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


SheetState = TypeVar("SheetState", GridState, AnimateState)  # of modes that show a sheet
State = TypeVar(
    "State",
    GridState,
    AnimateState,
    LatentState,
    TranslateState,
    DrawState,
    UpscaleState,
    DiffuseState,
    DatasetState,
    PickState,
)


def reduce(state: State, event: Event) -> tuple[State, Effects]:
    """The state after an event, and what must be done."""
    match event.action:
        case Action.QUIT:
            effects: Effects = (Effect.QUIT,)
        case Action.SAVE:
            effects = (Effect.SAVE,)
        case Action.SAVE_ALL:
            effects = (Effect.SAVE_ALL,)
        case _:
            effects = ()
    if isinstance(state, GridState):
        return _reduce_grid(state, event), effects
    if isinstance(state, AnimateState):
        return _reduce_animate(state, event), effects
    if isinstance(state, LatentState):
        return reduce_latent(state, event), effects
    if isinstance(state, TranslateState):
        return reduce_translate(state, event), effects
    if isinstance(state, DrawState):
        return reduce_draw(state, event), effects
    if isinstance(state, UpscaleState):
        return reduce_upscale(state, event), effects
    if isinstance(state, DiffuseState):
        return reduce_diffuse(state, event), effects
    if isinstance(state, DatasetState):
        return reduce_dataset(state, event), effects
    return reduce_pick(state, event), effects


def advance(state: AnimateState, frames: int = 1) -> AnimateState:
    """The state so many frames later."""
    return state if state.paused else replace(state, position=state.position + frames * state.speed)


def _reduce_grid(state: GridState, event: Event) -> GridState:
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


def _reduce_animate(state: AnimateState, event: Event) -> AnimateState:
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
