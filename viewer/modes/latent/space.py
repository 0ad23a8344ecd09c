"""The latent space of a model and its axes: named directions, then the principal ones of its card, then raw numbers.

A ``Point`` is a few plain values, a start and moves along axes; the space turns it into a latent. Coordinates along a
direction count stds from the mean of the training images; along a raw axis they are the latent's own number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from export.card import Card, Latent
from viewer.latents import Latents, draw

Numbers = NDArray[np.float64]
Ref = int | str  # of an axis, whatever directions have been named: their name, or the number of the others from 0
_FLATTEST: Final = 1e-3  # of the largest std: that of a direction in which the training images hardly differ
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
    directions: Numbers = field(default_factory=lambda: np.zeros((0, 1)))  # [k, size], principal, one std each
    middle: Numbers = field(default_factory=lambda: np.zeros(0))  # [size] mean of the training images; empty: zeros
    named: Mapping[str, Numbers] = field(default_factory=dict)  # [size] each, one std long; the first axes

    @property
    def count(self) -> int:
        """How many axes there are."""
        return self.first_raw + self.latent.size

    @property
    def first_raw(self) -> int:
        """The axis that is the first number of the latent."""
        return len(self.named) + len(self.directions)

    @cached_property
    def _steps_of_one(self) -> Numbers:
        """A step of 1 along each direction, [k, size]."""
        return np.concatenate([np.reshape(list(self.named.values()), (-1, self.latent.size)),
                               self.directions.reshape(-1, self.latent.size)])  # fmt: skip

    @cached_property
    def start(self) -> Numbers:
        """The latent [size] in the middle."""
        return self.middle if self.middle.size else np.zeros(self.latent.size)

    def name(self, axis: int) -> str:
        """Of an axis, as it is shown; counted from 1."""
        if axis < len(self.named):
            return list(self.named)[axis]
        if axis < self.first_raw:
            return f"principal {axis - len(self.named) + 1}"
        return f"z{axis - self.first_raw + 1}"

    def ref(self, axis: int) -> Ref:
        """An axis as recipes know it."""
        return self.name(axis) if axis < len(self.named) else axis - len(self.named)

    def axis_of(self, ref: object) -> int | None:
        """The axis that a recipe means; ``None``: there is none such."""
        if isinstance(ref, str):
            return list(self.named).index(ref) if ref in self.named else None
        sound = type(ref) is int and 0 <= ref < self.count - len(self.named)
        return len(self.named) + ref if sound else None  # type: ignore[operator]

    def direction(self, axis: int) -> Numbers:
        """A step of 1 along an axis, [size]."""
        raw = axis - self.first_raw
        step: Numbers = self._steps_of_one[axis] if raw < 0 else np.eye(1, self.latent.size, raw)[0]
        return step

    def scaled(self, vector: Numbers) -> Numbers:
        """A vector [size] as a direction: one std of the training images long, where their covariance is known, or else
        one of the prior. Raises ``ValueError`` where it leads nowhere."""
        length = float(np.linalg.norm(vector))
        if not _LENGTHS[0] < length < _LENGTHS[1]:
            raise ValueError(f"this leads nowhere: it is {length:.3g} long")
        unit = vector / length
        covariance = np.array(self.latent.covariance, np.float64)
        std = 1.0
        if covariance.size:
            with np.errstate(all="ignore"):  # cards come from anywhere
                variance, mean = float(unit @ covariance @ unit), float(np.trace(covariance)) / len(covariance)
                std = float(np.sqrt(variance if variance > _FLATTEST**2 * mean else mean))
        return unit * (std if _LENGTHS[0] < std < _LENGTHS[1] else 1.0)

    def adopted(self, point: Point, old: "Space") -> Point:
        """A point of another space of this model, as a point of this one. Moves along directions that are not the same
        here become moves along the raw axes."""
        moves: dict[int, float] = {}
        for axis, far in point.moves:
            here = self.axis_of(old.ref(axis))
            if here is not None and np.array_equal(self.direction(here), old.direction(axis)):
                moves[here] = moves.get(here, 0.0) + far
                continue
            for number, part in enumerate((far * old.direction(axis)).tolist(), self.first_raw):
                moves[number] = moves.get(number, 0.0) + part
        return replace(point, moves=tuple(sorted(moves.items())))

    def coordinates(self, latents: NDArray[np.floating], axis: int) -> Numbers:
        """Of latents [..., size] along an axis, [...]."""
        from_middle = axis < self.first_raw
        return self._along(np.asarray(latents, np.float64) - (self.start if from_middle else 0.0), axis)

    def _along(self, steps: Numbers, axis: int) -> Numbers:
        """How far steps [..., size] go along an axis, [...]."""
        if axis >= self.first_raw:
            return np.asarray(steps[..., axis - self.first_raw])
        direction = self._steps_of_one[axis]
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


def space_of(card: Card | None, latent: Latent, named: Mapping[str, Numbers] | None = None) -> Space:
    """The space that a card tells of. ``named``: directions beside those, by name."""
    rows = np.array(card.directions if card is not None else (), np.float64).reshape(-1, latent.size)
    with np.errstate(over="ignore"):
        middle = np.array(latent.mean, np.float64)
        sound = np.linalg.norm(middle) < _LENGTHS[1]
    kept = np.array([_is_direction(row) for row in rows], bool)
    usable = {name: vector for name, vector in (named or {}).items() if _is_direction(vector)}
    return Space(latent, rows[kept], middle if sound else np.zeros(0), usable)


def _is_direction(vector: Numbers) -> bool:
    with np.errstate(over="ignore"):
        return bool(_LENGTHS[0] < np.linalg.norm(vector) < _LENGTHS[1])
