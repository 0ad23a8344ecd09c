"""What a person can ask for, and which keys ask for it."""

from dataclasses import dataclass
from enum import Enum, auto


class Action(Enum):
    """Everything a key or the mouse can mean, in any mode, on any display."""

    QUIT = auto()
    LEFT = auto()
    RIGHT = auto()
    UP = auto()
    DOWN = auto()
    PAGE_UP = auto()
    PAGE_DOWN = auto()
    HOME = auto()
    END = auto()
    SAVE = auto()  # s: the selected picture
    SAVE_ALL = auto()  # S: the whole screen
    INTERPOLATE = auto()  # i
    RANDOM = auto()  # r
    MORE = auto()  # +
    LESS = auto()  # -
    PAUSE = auto()  # Space; a mode without a clock reads it as NEW
    CLICK = auto()  # carries a position
    NEW = auto()  # any other printing key, Enter


@dataclass(frozen=True)
class Event:
    """One thing a person did."""

    action: Action
    x: int = -1  # CLICK: frame pixels, from the left
    y: int = -1  # CLICK: frame pixels, from the top
    key: str = ""  # the character or key name, for modes that tell NEW keys apart
