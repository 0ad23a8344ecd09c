"""From two groups of latents to the direction that leads from one to the other, and how well it tells them apart."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Method = Literal["LDA", "means"]
METHODS: Final[tuple[Method, ...]] = ("LDA", "means")
_REPEATS: Final = 3  # times that both groups are split into halves at random


@dataclass(frozen=True, eq=False)
class Separation:
    """What was found of two groups."""

    direction: Numbers  # [size], of unit length, from the first group to the second
    accuracy: float | None  # on held-out halves, the mean of both groups, 0..1; None: a group is too small for halves


def separate(first: NDArray[np.floating], second: NDArray[np.floating], method: Method) -> Separation | None:
    """The direction from one group of latents [n, size] to another [m, size]; ``None``: they have the same mean, or
    there is none in double precision.

    ``means``: the difference of both means. ``LDA``: the normal of Fisher's linear discriminant, S⁻¹ (m₂ - m₁), where S
    is the covariance within the groups. It leaves out what varies in both groups alike and only happens to differ
    between their means.
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    with np.errstate(all="ignore"):  # latents of any size: what is not finite is no direction
        direction = _direction(one, other, method)
        return None if direction is None else Separation(direction, _accuracy(one, other, method))


def _direction(first: Numbers, second: Numbers, method: Method) -> Numbers | None:
    difference: Numbers = second.mean(axis=0) - first.mean(axis=0)
    if method == "LDA":
        within = np.concatenate([first - first.mean(axis=0), second - second.mean(axis=0)])
        if np.abs(within).max() > 0:
            try:
                difference = np.asarray(np.linalg.solve(shrunk_covariance(within), difference), np.float64)
            except np.linalg.LinAlgError:
                return None
    length = float(np.linalg.norm(difference))
    return difference / length if np.isfinite(length) and length > 0 else None


def shrunk_covariance(centred: Numbers) -> Numbers:
    """The covariance [size, size] of centred rows [n, size], not all zero, drawn towards a multiple of the identity as
    far as n is too small for it (Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance
    matrices"): it can be inverted whatever n is."""
    count, size = centred.shape
    sample = centred.T @ centred / count
    mean = np.trace(sample) / size
    spread = ((sample - mean * np.eye(size)) ** 2).sum() / size  # δ² of the paper
    error = (((centred**2).sum(axis=1) ** 2).sum() / count - (sample**2).sum()) / size / count  # β²
    weight = min(max(error / spread, 0.0), 1.0) if spread > 0 else 1.0
    weight = max(weight, 1e-6)  # numbers that never vary
    shrunk: Numbers = weight * mean * np.eye(size) + (1.0 - weight) * sample
    return shrunk


def _accuracy(first: Numbers, second: Numbers, method: Method) -> float | None:
    """How often the direction of one half of both groups tells the other halves apart, at the middle of its means."""
    if min(len(first), len(second)) < 2:
        return None
    generator, right = np.random.default_rng(0), []
    for _ in range(_REPEATS):
        halves = [_halves(group, generator.permutation(len(group))) for group in (first, second)]
        for fit in (0, 1):
            one, other = (pair[fit] for pair in halves)
            direction = _direction(one, other, method)
            if direction is None:
                right += [0.5, 0.5]
                continue
            border = float((one.mean(axis=0) + other.mean(axis=0)) @ direction) / 2
            held_one, held_other = (pair[1 - fit] for pair in halves)
            right += [float(np.mean(held_one @ direction < border)), float(np.mean(held_other @ direction > border))]
    return float(np.mean(right))


def _halves(group: Numbers, order: NDArray[np.int64]) -> tuple[Numbers, Numbers]:
    return group[order[::2]], group[order[1::2]]
