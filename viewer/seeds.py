"""Seeds of random numbers, one after the other."""

from typing import Final

LAST_SEED: Final = 2**63 - 1


def next_seed(seed: int) -> int:
    """The seed after another."""
    return seed + 1 if seed < LAST_SEED else 0
