"""The protocol of displays."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trainer.contract.errors import UserError
from viewer.keys import Action, Event


class DisplayError(UserError):
    """There is nothing to show on, or a recording cannot be written; the message is one line."""


class Display(Protocol):
    """Shows frames, and returns what the user did."""

    interactive: bool  # whether a user watches; False: the application runs on a virtual clock
    coarse: bool  # too coarse for small letters: text goes into the title only

    def show(self, frame: NDArray[np.uint8], title: str) -> None:
        """Show a frame, BGR [h, w, 3], under a title. Raises ``DisplayError``."""

    def poll(self, seconds: float) -> Event | None:
        """The next event, waiting at most so long. Positions of the mouse are in pixels of the last frame."""

    def close(self) -> None:
        """Give everything back; may be called twice. Raises ``DisplayError`` where a recording is lost."""


class NoDisplay:
    """Shows nothing, and quits when asked for a key."""

    interactive = False
    coarse = False

    def show(self, frame: NDArray[np.uint8], title: str) -> None:
        """Nothing to show on."""

    def poll(self, seconds: float) -> Event | None:
        """QUIT, at once."""
        return Event(Action.QUIT)

    def close(self) -> None:
        """Nothing to give back."""
