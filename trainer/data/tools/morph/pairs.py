"""Which pairs of n things to take: all, or so many at random, without a list of all of them."""

from collections.abc import Iterator

import numpy as np


class Pairing:
    """Pairs of distinct items, each once, the lower number first; in a fixed order."""

    def __init__(self, items: np.ndarray, labels: np.ndarray | None, count: int, random: np.random.Generator) -> None:
        """``items``: numbers i64 [n], rising. ``labels``: by number; pairs are then of one label. ``count``: how many
        of all pairs, drawn at random; 0 for all, as is more than there are."""
        kinds = np.zeros(len(items), np.int64) if labels is None else labels[items]
        self.groups = [items[kinds == kind] for kind in np.unique(kinds)]
        sizes = np.array([len(group) for group in self.groups], np.int64)
        self.firsts = np.concatenate([[0], np.cumsum(sizes * (sizes - 1) // 2)])
        whole = int(self.firsts[-1])
        self.chosen = None if count == 0 or count >= whole else distinct(random, count, whole)
        self.count = whole if self.chosen is None else count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(*self.all(), strict=True)

    def all(self) -> tuple[np.ndarray, np.ndarray]:
        """The first and the second ones, i64 [count] each."""
        return self.pairs_of(np.arange(self.count) if self.chosen is None else self.chosen)

    def pairs_of(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The first and the second ones of some pairs, by their numbers among all."""
        group = np.searchsorted(self.firsts, numbers, "right") - 1
        within = numbers - self.firsts[group]
        second = ((1 + np.sqrt(1 + 8 * within.astype(np.float64))) / 2).astype(np.int64)
        second -= second * (second - 1) // 2 > within  # where the root was rounded up
        second += (second + 1) * second // 2 <= within  # or down
        first = within - second * (second - 1) // 2
        firsts, seconds = np.empty_like(first), np.empty_like(second)
        for number in np.unique(group):
            rows = group == number
            firsts[rows], seconds[rows] = self.groups[number][first[rows]], self.groups[number][second[rows]]
        return firsts, seconds


def distinct(random: np.random.Generator, count: int, below: int) -> np.ndarray:
    """``count`` different numbers below another, i64, rising; in memory of the order of ``count``."""
    if count > below // 2:
        return np.sort(random.permutation(below)[:count])
    chosen = np.empty(0, np.int64)
    while len(chosen) < count:
        chosen = np.union1d(chosen, random.integers(below, size=count))
    return np.sort(random.permutation(chosen)[:count])
