"""Draw latents from seeds, and interpolate between them.

Numbers come from SHAKE-256 (FIPS 202) of the seed, and become normal by Box and Muller's transform in double precision.
Both are fixed by their definitions: a seed gives the same image on every platform and with every version of NumPy.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from export.card import Latent

Latents = NDArray[np.float32]  # [n, size]
_PARALLEL: Final = 1e-3  # radians from 0 or pi at which the great circle is not well defined


def draw(latent: Latent, seed: int, index: int) -> Latents:
    """Latent number ``index`` of page ``seed``, f32 [size], from the prior of the model. Not to be written to."""
    return _draw(latent.size, latent.prior, seed, index)


@lru_cache(maxsize=256)
def _draw(size: int, prior: str, seed: int, index: int) -> Latents:
    text = f"{seed} {index}"
    if prior == "uniform":
        return (2.0 * _uniform(text, size + size % 2)[:size] - 1.0).astype(np.float32)
    return normal(text, size)


def normal(text: str, size: int) -> Latents:
    """Standard normal numbers that follow from a text, f32 [size]."""
    uniform = _uniform(text, size + size % 2)
    radius, angle = np.sqrt(-2.0 * np.log(uniform[0::2])), 2.0 * np.pi * uniform[1::2]
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return pairs.reshape(-1)[:size].astype(np.float32)


def _uniform(text: str, count: int) -> NDArray[np.float64]:
    """Numbers in (0, 1), never an end, that follow from a text, [count]."""
    bits = np.frombuffer(hashlib.shake_256(text.encode()).digest(8 * count), "<u8")
    numbers: NDArray[np.float64] = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    return numbers


def draw_many(latent: Latent, seed: int, indices: Iterable[int]) -> Latents:
    """The latents of page ``seed`` with these numbers, f32 [n, size]."""
    return np.stack([draw(latent, seed, index) for index in indices])


def mix(samples: Latents, seed: int, indices: range) -> Latents:
    """Points f32 [n, size] within triangles of three latents each, drawn from [k >= 3, size]; all weights of sum 1 are
    as likely (Dirichlet's distribution)."""
    mixed = np.empty((len(indices), samples.shape[1]), np.float32)
    for row, index in enumerate(indices):
        uniform = _uniform(f"mix {seed} {index}", 3 + len(samples))
        weights = -np.log(uniform[:3])
        chosen = np.argsort(uniform[3:], kind="stable")[:3]
        mixed[row] = (weights / weights.sum()) @ samples[chosen].astype(np.float64)
    return mixed


def truncate(latent: Latent, latents: Latents, truncation: float) -> Latents:
    """Bring latents nearer to the mean of the training images (below 1) or further from it (above 1)."""
    if truncation == 1.0:
        return latents
    mean = np.asarray(latent.mean or 0.0, np.float32)
    moved: Latents = mean + np.float32(truncation) * (latents - mean)
    return np.asarray(np.clip(moved, -1, 1), np.float32) if latent.prior == "uniform" else moved


def lerp(start: Latents, end: Latents, fraction: float) -> Latents:
    """The point at ``fraction`` (0..1) on the straight line between two latents, f32 [size]."""
    return ((1.0 - fraction) * start + fraction * end).astype(np.float32)


def slerp(start: Latents, end: Latents, fraction: float) -> Latents:
    """The point at ``fraction`` (0..1) on a great circle (Shoemake 1985): lengths stay as a normal prior of many
    dimensions expects. Straight where there is no single one: latents that are zero, parallel or opposite."""
    angle = _angle(start, end)
    if angle is None:
        return lerp(start, end, fraction)
    from_start, from_end = np.sin((1.0 - fraction) * angle), np.sin(fraction * angle)
    point: Latents = ((from_start * start + from_end * end) / np.sin(angle)).astype(np.float32)
    return point


def _angle(start: Latents, end: Latents) -> float | None:
    length = float(np.linalg.norm(start)) * float(np.linalg.norm(end))
    if length < 1e-12:
        return None
    angle = float(np.arccos(np.clip(float(start @ end) / length, -1.0, 1.0)))
    return angle if _PARALLEL < angle < np.pi - _PARALLEL else None


def bilinear(corners: Latents, rows: int, columns: int) -> Latents:
    """Latents f32 [rows * columns, size], row by row, between four corners f32 [4, size], which are exact: top left,
    top right, bottom left, bottom right."""
    down = np.linspace(0.0, 1.0, rows, dtype=np.float32)[:, None, None]
    along = np.linspace(0.0, 1.0, columns, dtype=np.float32)[None, :, None]
    top = (1 - along) * corners[0] + along * corners[1]
    bottom = (1 - along) * corners[2] + along * corners[3]
    return np.ascontiguousarray(((1 - down) * top + down * bottom).reshape(rows * columns, -1))


def corner_numbers(rows: int, columns: int) -> tuple[int, int, int, int]:
    """The images at the corners of a page: top left, top right, bottom left, bottom right."""
    return 0, columns - 1, (rows - 1) * columns, rows * columns - 1


@dataclass(frozen=True)
class Walk:
    """An endless walk through random latents, leg by leg; each begins exactly where the last one ended, and as fast,
    although legs differ in length."""

    latent: Latent
    seed: int
    straight: bool = False  # lerp instead of slerp
    legs: int = 0  # closed after so many legs; 0: never comes back
    number: int = 0  # of several walks with one seed

    def at(self, position: float) -> Latents:
        """The latent at ``position``, in legs from the start, f32 [size]."""
        leg = int(np.floor(position))
        entry = _slope(self._pace(leg), self._speed(leg, at_end=False))
        leave = _slope(self._pace(leg + 1), self._speed(leg, at_end=True))
        between = lerp if self.straight else slerp
        return between(self._stop(leg), self._stop(leg + 1), _ease(position - leg, entry, leave))

    def _stop(self, number: int) -> Latents:
        stop = number % self.legs if self.legs else number
        return draw(self.latent, self.seed, (self.number << 32) + stop)

    def _speed(self, leg: int, at_end: bool) -> float:
        """How fast a leg moves through latent space at its start or end, per leg: the length of the derivative."""
        start, end = self._stop(leg), self._stop(leg + 1)
        angle = None if self.straight else _angle(start, end)
        if angle is None:
            return float(np.linalg.norm(end - start))
        here, other = (end, start) if at_end else (start, end)
        return float(np.linalg.norm(other - here * np.cos(angle)) * angle / np.sin(angle))

    def _pace(self, joint: int) -> float:
        """The speed at which a joint is passed: between those of its two legs."""
        if joint == 0 and not self.legs:
            return self._speed(0, at_end=False)
        return float(np.sqrt(self._speed(joint - 1, at_end=True) * self._speed(joint, at_end=False)))


def _slope(pace: float, speed: float) -> float:
    return min(max(pace / speed, 0.0), 3.0) if speed > 0 else 1.0  # a cubic stays monotone up to a slope of 3


def _ease(time: float, start_slope: float, end_slope: float) -> float:
    """The cubic from 0 to 1 with these slopes at its ends (Fritsch and Carlson 1980 bound them)."""
    cubed, squared = start_slope + end_slope - 2.0, 3.0 - 2.0 * start_slope - end_slope
    return cubed * time**3 + squared * time**2 + start_slope * time
