"""What all states of the viewer share.

A state is a frozen dataclass of seeds, a cursor and settings, never of images: the images follow from it, so that they
can be made once more. Each mode has its own, and a pure function from a state and an event to the next state; what must
happen outside of the program is an effect.
"""

from enum import Enum, auto
from typing import Final

from viewer.keys import Action, Event

LAST_SEED: Final = 2**63 - 1


class Effect(Enum):
    """Something that the application must do."""

    QUIT = auto()
    SAVE = auto()  # the selected image
    SAVE_ALL = auto()  # the whole screen


_EFFECTS: Final = {Action.QUIT: Effect.QUIT, Action.SAVE: Effect.SAVE, Action.SAVE_ALL: Effect.SAVE_ALL}


def effect_of(event: Event) -> Effect | None:
    """What an event asks the application to do, in any mode."""
    return _EFFECTS.get(event.action)


def next_seed(seed: int) -> int:
    """The seed after another; 0 comes after the last one."""
    return seed + 1 if seed < LAST_SEED else 0
