"""Learning-rate schedules."""

import math
from typing import Literal

Schedule = Literal["constant", "linear", "cosine"]


def rate_factor(schedule: Schedule, *, progress: float, step: int, warmup: int) -> float:
    """Factor on the base learning rate, a pure function, so that resuming needs no state. ``progress``: finished
    fraction of the run, 0..1."""
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    done = min(max(progress, 0.0), 1.0)
    return rise * {"constant": 1.0, "linear": 1.0 - done, "cosine": 0.5 * (1.0 + math.cos(math.pi * done))}[schedule]
