"""What all states of the viewer have in common.

A state is a frozen dataclass of seeds, a cursor and settings, never of images: the images follow from it, so that they
can be made once more. Each mode has its own, whose method ``after`` is a pure function of it and of an event.
"""

from typing import Final, Protocol, Self

from viewer.keys import Event

LAST_SEED: Final = 2**63 - 1


class Reducible(Protocol):
    """A state."""

    def after(self, event: Event) -> Self:
        """The state after an event."""


def next_seed(seed: int) -> int:
    """The seed after another; 0 comes after the last one."""
    return seed + 1 if seed < LAST_SEED else 0
