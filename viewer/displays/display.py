"""What displays have in common."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from trainer.contract.errors import UserError
from viewer.keys import Action, Event
from viewer.room import Room
from viewer.text import Text


class DisplayError(UserError):
    """There is nothing to show on, or a recording cannot be written; the message is one line."""


class Display:
    """Shows frames, and returns what the user did. This one shows nothing, and quits when asked for a key."""

    interactive = False  # whether a user watches; False: the application runs on a virtual clock
    coarse = False  # too coarse for small letters: text goes into the title only
    room: Room | None = None  # for a frame, as it is now; changes only when all events before that were taken

    def show(self, frame: NDArray[np.uint8], title: str, text: Text | None = None) -> None:
        """Show a frame, BGR [h, w, 3], under a title. ``text``: what a coarse display writes itself. Raises
        ``DisplayError``."""

    def poll(self, seconds: float) -> Event | None:
        """The next event, waiting at most so long. Positions of the mouse are in pixels of the last frame."""
        return Event(Action.QUIT)

    def close(self) -> None:
        """Give everything back; may be called twice. Raises ``DisplayError`` where a recording is lost."""


def queue(events: deque[Event], event: Event) -> None:
    """Put an event at the end; of movements not yet polled only the last one counts."""
    moves = event.action in (Action.MOVE, Action.DRAG, Action.SECOND_DRAG)
    if moves and events and events[-1].action is event.action:
        events.pop()
    events.append(event)
