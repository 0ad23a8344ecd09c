"""The viewer with a person who presses anything: ``soak.py SECONDS SEED MODE FLAG ...``, a program that tests run.

Prints a line of JSON: events, frames, saves asked for, and how much memory grew after the warm-up.
"""

import gc
import json
import random
import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import viewer.displays
import viewer.modes.latent.session
from viewer.__main__ import main
from viewer.keys import Action, Event
from viewer.text import Text

WARM_UP = 0.5  # of the time
LEAST_EVENTS = 120  # however slow the machine is
LAST_SECONDS = 5.0  # in which nothing is pressed, so that what was asked for can be done
SAVES = (Action.SAVE, Action.SAVE_ALL)
QUITS = (Action.QUIT, Action.LEAVE)  # the second where nothing is lost by it, which a run would come to within seconds
ACTIONS = tuple(action for action in Action if action not in (*QUITS, *SAVES))
KEYS = "abcdefghijklmnopqrtuvwxyzXYLMNPC0123456789[],.é漢"


class Person:
    """Wraps a display: what it shows is shown, what comes out of it is anything."""

    interactive = True

    def __init__(self, display: Any, seconds: float, seed: int) -> None:
        self.display = display
        self.coarse, self.room = display.coarse, display.room
        self.chance = random.Random(seed)
        self.begun = 0.0  # when the first frame was shown
        self.pressed_until = 0.0
        self.seconds = seconds
        self.events = self.frames = self.saves = 0
        self.size = (1, 1)
        self.warm = 0.0
        self.after = 0.0
        self.burst = 0

    def show(self, frame: NDArray[np.uint8], title: str, text: Text | None = None) -> None:
        self.frames += 1
        self.begun = self.begun or time.monotonic()
        self.size = frame.shape[1], frame.shape[0]
        self.display.show(frame, title, text)

    def poll(self, seconds: float) -> Event | None:
        now = time.monotonic()
        done = min((now - self.begun) / self.seconds, self.events / LEAST_EVENTS) if self.begun else 0.0
        if not self.warm and done > WARM_UP:
            self.warm = megabytes()
        if self.display.interactive:
            self.display.poll(0.0)
        if done >= 1:
            self.pressed_until = self.pressed_until or now
            if now > self.pressed_until + LAST_SECONDS:
                self.after = megabytes()
                return Event(Action.QUIT)
            time.sleep(min(seconds, 0.05))
            return None
        if self.burst == 0:
            self.burst = self.chance.choice((1, 1, 1, 3, 40))
            time.sleep(self.chance.choice((0.0, 0.02, min(seconds, 0.2))))
            return None
        self.burst -= 1
        self.events += 1
        return self.event()

    def event(self) -> Event:
        chance = self.chance
        if chance.random() < min(0.02, 2 / (1 + self.saves)):
            self.saves += 1
            return Event(chance.choice(SAVES))
        action = chance.choice(ACTIONS)
        place = (chance.randrange(-5, self.size[0] + 5), chance.randrange(-5, self.size[1] + 5))
        return Event(action, *place, chance.choice(KEYS) if action is Action.NEW else "")

    def close(self) -> None:
        self.display.close()


def megabytes() -> float:
    """Memory that is this process's own."""
    gc.collect()
    found = re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def run() -> int:
    seconds, seed, *words = sys.argv[1:]
    viewer.modes.latent.session._KEPT_BYTES = 8_000_000  # a cache that fills during the warm-up
    people = []
    opened = viewer.displays.open_display

    def open_display(*given: Any, **more: Any) -> Any:
        people.append(Person(opened(*given, **more), float(seconds), int(seed)))
        return people[-1]

    viewer.displays.open_display = open_display  # type: ignore[assignment]
    code = main(words)
    for person in people:
        counts = {"events": person.events, "frames": person.frames, "saves": person.saves}
        print(json.dumps(counts | {"grown": person.after - person.warm, "memory": person.after}), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(run())
