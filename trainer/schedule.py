"""Learning-rate schedules."""

import math
from typing import Literal

Schedule = Literal["constant", "linear", "cosine", "tenth"]


def rate_factor(
    schedule: Schedule, *, progress: float, step: int, warmup: int, decay_from: float = 0.0, decay_to: float = 0.0
) -> float:
    """Factor on the base learning rate, a pure function, so that resuming needs no state. ``progress``: finished
    fraction of the run, 0..1; ``decay_from``: that at which the rate begins to fall; ``decay_to``: what is left of it
    in the end (``tenth``: a tenth)."""
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    left = falling(schedule, progress=progress, decay_from=decay_from)
    return rise * (left if schedule == "tenth" else decay_to + (1.0 - decay_to) * left)


def falling(schedule: Schedule, *, progress: float, decay_from: float = 0.0) -> float:
    """What is left, 1..0, of something that falls with the learning rate from ``decay_from`` on."""
    done = min(max((progress - decay_from) / (1 - decay_from), 0.0), 1.0)
    match schedule:
        case "constant":
            return 1.0
        case "linear":
            return 1.0 - done
        case "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * done))
        case "tenth":
            return 1.0 if progress < decay_from else 0.1
