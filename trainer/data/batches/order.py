"""In which order training draws the images of a set: a pure function of (seed, position). No torch."""

import numpy as np

from trainer.data.sources.base import WINDOW


class Order:
    """The endless order of samples: one permutation of ``count`` after the other, each from (seed, epoch).

    blocks: the first sample of each block of a set that is read block by block, i64 [m]. Then blocks are shuffled, and
    the samples of neighbouring ones with each other; of every ``chunk * lanes`` samples, the k-th chunk is from the
    k-th part of an epoch's blocks: a rank that draws chunk k each time reads hardly any block that another one reads.
    """

    def __init__(
        self, count: int, seed: int, shuffle: bool, blocks: np.ndarray | None = None, chunk: int = 1, lanes: int = 1
    ) -> None:
        self.count, self.seed, self.shuffle = count, seed, shuffle
        self.blocks, self.chunk, self.lanes = blocks, chunk, lanes
        self.epochs: dict[int, np.ndarray] = {}

    def take(self, start: int, count: int) -> np.ndarray:
        """Samples ``start`` to ``start + count`` of the endless order, i64 [count]."""
        parts = []
        while count:
            epoch, offset = divmod(start, self.count)
            part = self._epoch(epoch)[offset : offset + count]
            parts.append(part)
            start, count = start + len(part), count - len(part)
        return np.concatenate(parts)

    def afresh(self) -> "Order":
        """The same order for somebody who is elsewhere in it."""
        return Order(self.count, self.seed, self.shuffle, self.blocks, self.chunk, self.lanes)

    def _epoch(self, epoch: int) -> np.ndarray:
        if epoch not in self.epochs:
            if len(self.epochs) > 1:  # a batch touches two at most, unless it is larger than an epoch
                self.epochs.pop(min(self.epochs))
            self.epochs[epoch] = self._drawn(epoch)
        return self.epochs[epoch]

    def _drawn(self, epoch: int) -> np.ndarray:
        order = np.arange(self.count)
        if not self.shuffle:
            return order
        random = np.random.default_rng((unsigned(self.seed), epoch))
        if self.blocks is None:
            return random.permutation(order)
        parts = np.split(order, self.blocks[1:])
        shuffled = [parts[k] for k in random.permutation(len(parts))]
        windows: list[list[np.ndarray]] = [[]]
        for part in shuffled:
            if sum(map(len, windows[-1])) >= WINDOW:
                windows.append([])
            windows[-1].append(part)
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
