"""How fast sheets are played, and which of them a film of a training shows when."""

from typing import Final

import numpy as np

from viewer.modes.watch.state import FRAMES_A_SECOND, RATES

_SECONDS: Final = 12.0  # that all sheets take at most, as long as each has a frame
_HELD_SECONDS: Final = 1.0  # that the last one stays


def rate_for(sheets: int) -> int:
    """Of ``RATES``, that at which so many sheets are played within a while."""
    return next((place for place, rate in enumerate(RATES) if rate * _SECONDS >= sheets), len(RATES) - 1)


def film_of(sheets: int, frames: int) -> list[int]:
    """Which sheet each frame of a film shows: ``frames`` of them, or as many as each sheet needs and a moment more."""
    if not sheets:
        return [0] * max(frames, 1)
    if frames:
        return [round(place) for place in np.linspace(0, sheets - 1, frames).tolist()]
    each = max(FRAMES_A_SECOND // RATES[rate_for(sheets)], 1)
    return [sheet for sheet in range(sheets) for _ in range(each)] + [sheets - 1] * int(FRAMES_A_SECOND * _HELD_SECONDS)
