"""Waiting for what must happen. Tests wait for events and conditions, never for a time to pass.

``HANG_SECONDS`` only ends tests that would hang: it says nothing about how fast something has to be.
"""

import math
import threading
import time
from collections.abc import Callable
from typing import Final

HANG_SECONDS: Final = 60.0


def wait_until(condition: Callable[[], object], what: object = "") -> None:
    """Return when the condition holds."""
    deadline = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what() if callable(what) else what}"
        time.sleep(0.01)


class Gate:
    """Holds the thread that passes it, until it is let through: stands for work that takes its time."""

    def __init__(self) -> None:
        self.arrived = 0  # passes that have begun
        self._may: float = 0  # passes that are allowed
        self._changed = threading.Condition()

    @property
    def held(self) -> bool:
        """Whether a thread is being held."""
        with self._changed:
            return self.arrived > self._may

    def passing(self) -> None:
        """Wait to be let through. Raises ``TimeoutError`` where that never happens."""
        with self._changed:
            self.arrived += 1
            number = self.arrived
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._may >= number, 2 * HANG_SECONDS):
                self._may = math.inf  # no longer held
                raise TimeoutError("nobody opened the gate")

    def let(self, count: float) -> None:
        """Let the first ``count`` passes through."""
        with self._changed:
            self._may = max(self._may, count)
            self._changed.notify_all()

    def open(self) -> None:
        """Let everybody through from now on."""
        self.let(math.inf)

    def wait_for(self, arrived: int) -> None:
        """Return when so many passes have begun."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.arrived >= arrived, HANG_SECONDS), "nobody came to the gate"


class StepByStep:
    """Lets work pass a gate once each time that all it has given before is on the screen; call it at every poll."""

    def __init__(self, gate: Gate, changed: Callable[[], bool]) -> None:
        """``changed``: whether there is something that has not been shown."""
        self.gate = gate
        self._changed = changed
        self._ready = False

    def __call__(self) -> bool:
        """Whether another pass was allowed."""
        ready = self.gate.held and not self._changed()
        stepped = ready and self._ready  # twice: the loop has taken in everything between the two
        if stepped:
            self.gate.let(self.gate.arrived)
        self._ready = ready and not stepped
        return stepped
