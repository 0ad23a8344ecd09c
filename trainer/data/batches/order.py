"""In which order training draws the images of a set: a pure function of (seed, position). No torch."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from trainer.data.sources.base import WINDOW


@dataclass
class Order:
    """The endless order of samples: one permutation of ``count`` after the other, each from (seed, epoch).

    Where a set is read block by block, blocks are shuffled, and the samples of neighbouring ones with each other; of
    every ``chunk * lanes`` samples, the k-th chunk is from the k-th part of an epoch's blocks: a rank that draws chunk
    k each time reads hardly any block that another one reads."""

    count: int
    seed: int
    blocks: np.ndarray | None = None  # i64 [m]: the first sample of each block
    chunk: int = 1
    lanes: int = 1

    def __post_init__(self) -> None:
        self._epoch = lru_cache(2)(self._drawn)  # a batch touches two at most, unless it is larger than an epoch

    def take(self, start: int, count: int) -> np.ndarray:
        """Samples ``start`` to ``start + count`` of the endless order, i64 [count]."""
        parts = []
        while count:
            epoch, offset = divmod(start, self.count)
            part = self._epoch(epoch)[offset : offset + count]
            parts.append(part)
            start, count = start + len(part), count - len(part)
        return np.concatenate(parts)

    def _drawn(self, epoch: int) -> np.ndarray:
        order = np.arange(self.count)
        random = np.random.default_rng((unsigned(self.seed), epoch))
        if self.blocks is None:
            return random.permutation(order)
        parts = np.split(order, self.blocks[1:])
        shuffled = [parts[k] for k in random.permutation(len(parts))]
        windows: list[list[np.ndarray]] = [[]]
        length = 0  # of the last window
        for part in shuffled:
            if length >= WINDOW:
                windows.append([])
                length = 0
            windows[-1].append(part)
            length += len(part)
        sequence = np.concatenate([random.permutation(np.concatenate(window)) for window in windows])
        lane = (np.arange(self.count) + epoch * self.count) // self.chunk % self.lanes
        order[np.argsort(lane, kind="stable")] = sequence
        return order


def mixed(*numbers: int) -> int:
    """One seed of several numbers."""
    return int(np.random.SeedSequence([unsigned(number) for number in numbers]).generate_state(1, np.uint64)[0])


def unsigned(seed: int) -> int:
    """A seed as numpy takes it: a negative one becomes a large one."""
    return seed % (1 << 64)
