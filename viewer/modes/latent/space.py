"""The latent space of a model and its axes: the principal directions that its card names, then the raw numbers.

A ``Point`` is a few plain values, a start and moves along axes; the space turns it into a latent. Coordinates along a
principal direction count stds from the mean of the training images; along a raw axis they are the latent's own number.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from export.card import Card, Latent
from viewer.latents import Latents, draw

Numbers = NDArray[np.float64]
_LENGTHS: Final = (1e-6, 1e6)  # that a direction may have; others say nothing


@dataclass(frozen=True)
class Point:
    """A place in latent space."""

    seed: int | None = None  # of a random start; None: the middle
    moves: tuple[tuple[int, float], ...] = ()  # axis and how far from the start along it, by axis

    def without(self, axes: Sequence[int]) -> "Point":
        """The same with no moves along some axes."""
        return replace(self, moves=tuple(move for move in self.moves if move[0] not in axes))


MIDDLE: Final = Point()


@dataclass(frozen=True, eq=False)
class Space:
    """Axes; converts between points, latents and coordinates. Two spaces are equal only if they are the same one."""

    latent: Latent
    directions: Numbers = field(default_factory=lambda: np.zeros((0, 1)))  # [k, size], one std each
    middle: Numbers = field(default_factory=lambda: np.zeros(0))  # [size] mean of the training images; empty: zeros

    @property
    def count(self) -> int:
        """How many axes there are."""
        return len(self.directions) + self.latent.size

    @cached_property
    def start(self) -> Numbers:
        """The latent [size] in the middle."""
        return self.middle if self.middle.size else np.zeros(self.latent.size)

    def name(self, axis: int) -> str:
        """Of an axis, as it is shown; counted from 1."""
        principal = len(self.directions)
        return f"principal {axis + 1}" if axis < principal else f"z{axis - principal + 1}"

    def direction(self, axis: int) -> Numbers:
        """A step of 1 along an axis, [size]."""
        raw = axis - len(self.directions)
        step: Numbers = self.directions[axis] if raw < 0 else np.eye(1, self.latent.size, raw)[0]
        return step

    def coordinates(self, latents: NDArray[np.floating], axis: int) -> Numbers:
        """Of latents [..., size] along an axis, [...]."""
        from_middle = axis < len(self.directions)
        return self._along(np.asarray(latents, np.float64) - (self.start if from_middle else 0.0), axis)

    def _along(self, steps: Numbers, axis: int) -> Numbers:
        """How far steps [..., size] go along an axis, [...]."""
        principal = len(self.directions)
        if axis >= principal:
            return np.asarray(steps[..., axis - principal])
        direction = self.directions[axis]
        return np.asarray(steps @ direction / (direction @ direction))

    def exact(self, point: Point) -> Numbers:
        """The latent [size] of a point in double precision."""
        latent = self.start.copy() if point.seed is None else draw(self.latent, point.seed, 0).astype(np.float64)
        for axis, far in point.moves:
            latent += far * self.direction(axis)
        return latent

    def latent_at(self, point: Point) -> Latents:
        """The latent f32 [size] of a point."""
        return self.exact(point).astype(np.float32)

    def move(self, point: Point, axes: Sequence[int], values: Sequence[float]) -> Point:
        """The point with these coordinates along one or two axes, and otherwise as it was."""
        moves = dict(point.moves)
        for axis, far in zip(axes, self._steps(self.exact(point), axes, np.array([values]))[0], strict=True):
            moves[axis] = moves.get(axis, 0.0) + float(far)
        return replace(point, moves=tuple(sorted(moves.items())))

    def spread(self, point: Point, axes: Sequence[int], values: Numbers) -> Latents:
        """The latents f32 [n, size] that differ from a point in their coordinates [n, axes] alone."""
        start = self.exact(point.without(axes))
        steps = np.stack([self.direction(axis) for axis in axes])
        return (start + self._steps(start, axes, values) @ steps).astype(np.float32)

    def _steps(self, start: Numbers, axes: Sequence[int], values: Numbers) -> Numbers:
        """How far to go along each of the axes to have the coordinates [n, axes], which need not be perpendicular."""
        directions = np.stack([self.direction(axis) for axis in axes])
        here = np.array([self.coordinates(start, axis) for axis in axes])
        effect = np.stack([self._along(directions, axis) for axis in axes])
        steps: Numbers = (values - here) @ np.linalg.pinv(effect, rcond=1e-6).T
        return steps


def space_of(card: Card | None, latent: Latent) -> Space:
    """The space that a card tells of."""
    rows = np.array(card.directions if card is not None else (), np.float64).reshape(-1, latent.size)
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(rows, axis=1)
        middle = np.array(latent.mean, np.float64)
        sound = np.linalg.norm(middle) < _LENGTHS[1]
    return Space(latent, rows[(lengths > _LENGTHS[0]) & (lengths < _LENGTHS[1])], middle if sound else np.zeros(0))
