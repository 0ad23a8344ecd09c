"""Curves of numbers over time, as TensorBoard draws them: a faint line of what was measured, a bright one smoothed."""

import math
from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from viewer.frame.area import Area
from viewer.render import Image

Numbers = NDArray[np.floating[Any]]  # [n]
Colour = tuple[int, int, int]  # blue, green, red
Bounds = tuple[float, float]

_FRACTION_BITS: Final = 3  # of a pixel
_SMALLEST: Final = 1e-30  # on a logarithmic scale
_USUAL: Final = (0.02, 0.98)  # of the values, that a curve is drawn for where outliers do not count
_MANY: Final = 10_000  # values, of which more say nothing new about their usual range
_FEW: Final = 100  # values, of which none is far from others
_EQUAL: Final = 1e-7  # of a value, below which two are as good as equal: as much as f32 can tell
_BLOCK_RANGE: Final = 1e60  # by which weights within a block may differ


def smoothed(values: Numbers, weight: float, known: Numbers | None = None) -> NDArray[np.float64]:
    """The moving average of TensorBoard: exponential, with its bias towards 0 taken out; f64 [n].

    y_i = (Σ_j≤i w^(i-j) x_j) / (Σ_j≤i w^(i-j)). Values that are not finite are left as they are, and do not count; nor
    does a constant change (tensorboard/components/vz_line_chart2, resmoothDataset). ``known``: what this returned for
    the first of the values, so that only the others take time.
    """
    result = np.asarray(values, np.float64).copy()
    counted = np.isfinite(result)
    found = result[counted]
    if weight <= 0 or not found.size or (found == found[0]).all():
        return result
    begin, last = 0, 0.0
    smooth = np.empty_like(found)
    if known is not None and not np.array_equal(known, result[: len(known)], equal_nan=True):  # else of a constant
        before = np.asarray(known, np.float64)[counted[: len(known)]]
        begin = len(before)
        smooth[:begin] = before * (1 - weight ** np.arange(1, begin + 1, dtype=np.float64))
        last = float(smooth[begin - 1])
    block = min(max(int(math.log(_BLOCK_RANGE) / -math.log(weight)), 1), 4096)
    powers = weight ** np.arange(1, block + 1, dtype=np.float64)
    for start in range(begin, len(found), block):
        part = found[start : start + block]
        own = powers[: len(part)]
        smooth[start : start + block] = own * (last + (1 - weight) * np.cumsum(part / own))
        last = float(smooth[start + len(part) - 1])
    result[counted] = smooth / (1 - weight ** np.arange(1, len(found) + 1, dtype=np.float64))
    return result


def bounds_of(parts: Sequence[Numbers], logarithmic: bool = False, outliers: bool = True) -> Bounds:
    """The lowest and highest value of a scale that shows all of these, or all but the few that are far from others."""
    found = [part[np.isfinite(part) & ((part > _SMALLEST) if logarithmic else True)] for part in parts]
    found = [part for part in found if part.size]
    if not found:
        return (0.1, 1.0) if logarithmic else (0.0, 1.0)
    ends = [part if outliers or part.size < _FEW else _usual(part) for part in found]
    low, high = float(min(end.min() for end in ends)), float(max(end.max() for end in ends))
    if logarithmic:
        margin = max((math.log(high) - math.log(low)) * 0.05, 1e-3)
        return math.exp(math.log(low) - margin), math.exp(min(math.log(high) + margin, 700.0))
    constant = high - low <= abs(high) * _EQUAL  # but for rounding
    margin = (abs(high) * 0.05 or 0.5) if constant else (high - low) * 0.05
    return low - margin, high + margin


def _usual(values: Numbers) -> Numbers:
    """The ends of their usual range. ``np.quantile`` takes ten times as long."""
    some = values[:: -(-values.size // _MANY)]
    places = [round(share * (some.size - 1)) for share in _USUAL]
    return np.partition(some, places)[places]


def axis_ticks(low: float, high: float, most: int, logarithmic: bool = False) -> list[float]:
    """Round numbers within bounds, at most about ``most``."""
    if logarithmic:
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        powers = list(range(first, last + 1))
        if len(powers) >= 2 or most < 2:
            return [10.0**power for power in powers[:: max(-(-len(powers) // most), 1)]]
    if not high > low or not math.isfinite(high - low):
        return []
    rough = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    numbers = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [value for number in numbers if low <= (value := float(f"{number * step:.12g}")) <= high]


def short(value: float) -> str:
    """A number in at most seven characters: 1.2M, 15.4k, 0.0031, 1e-05."""
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    for unit, name in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= unit * 0.9995:
            scale = unit if name != "k" else 1e3
            return f"{value / scale:.3g}{name}" if size < 1e15 else f"{value:.2g}"
    return f"{value:.4g}" if size >= 0.001 or not size else f"{value:.2g}"


def short_labels(values: Sequence[float]) -> list[str]:
    """Numbers as ``short`` writes them; with as many digits as it takes to tell them apart, where it does not."""
    labels = [short(value) for value in values]
    digits = 3
    while len(set(labels)) < len(set(values)) and digits < 13:
        labels, digits = [f"{value:.{digits}g}" for value in values], digits + 1
    return labels


def fraction_of(values: Numbers, bounds: Bounds, logarithmic: bool = False) -> NDArray[np.float64]:
    """How far up a scale values are, 0..1 within it; NaN where they have no place on it."""
    found, (low, high) = np.asarray(values, np.float64), bounds
    if logarithmic:
        found = np.where(found > _SMALLEST, np.log(np.maximum(found, _SMALLEST)), np.nan)
        low, high = math.log(low), math.log(high)
    return np.asarray((found - low) / max(high - low, 1e-300), np.float64)


def trace(across: Numbers, up: Numbers, area: Area) -> list[NDArray[np.int32]]:
    """Curves through points, both 0..1 of the area and ascending across, in fractions of a pixel of it: one for each
    stretch without gaps, [n, 1, 2]. Of many points in a column of pixels, the lowest and highest are kept."""
    x = np.clip(across, -1.0, 2.0) * area.width - 0.5
    y = np.clip((1 - up) * area.height - 0.5, -area.height, 2 * area.height)
    columns = np.floor(x).astype(np.int64)
    firsts = np.flatnonzero(np.diff(columns, prepend=columns[:1] - 1))
    if len(x) > 4 * max(len(firsts), 1):
        lows, highs = np.fmin.reduceat(y, firsts), np.fmax.reduceat(y, firsts)
        x = np.repeat(x[firsts], 2)
        falls = np.append(np.diff(np.nan_to_num(lows)), 0.0) > 0
        y = np.where(falls[:, None], np.stack([lows, highs], axis=1), np.stack([highs, lows], axis=1)).ravel()
    there = np.isfinite(y)
    points = np.round(np.stack([x, np.where(there, y, 0.0)], axis=1) * 2**_FRACTION_BITS).astype(np.int32)
    runs = np.split(np.arange(len(points)), np.flatnonzero(np.diff(there.astype(np.int8))) + 1)
    return [points[run].reshape(-1, 1, 2) for run in runs if run.size and there[run[0]]]


def draw_curve(
    image: Image,
    area: Area,
    curves: Sequence[NDArray[np.int32]],
    colour: Colour,
    wide: int = 1,
    line: int = cv2.LINE_AA,
) -> None:
    """Draw what ``trace`` found, so many pixels wide; a lone point is a dot. ``line``: how, by OpenCV's name."""
    plot = image[area.pixels]
    for curve in curves:
        if len(curve) == 1:
            x, y = (int(value) for value in curve[0, 0])
            radius = wide if line == cv2.LINE_8 else wide + 1
            edge, width = (radius + 1) << _FRACTION_BITS, area.width << _FRACTION_BITS
            if -(1 << _FRACTION_BITS) <= x <= width:
                x = min(max(x, edge), width - edge)  # whole, at the ends of time too
            cv2.circle(plot, (x, y), radius << _FRACTION_BITS, colour, -1, line, _FRACTION_BITS)
        else:
            cv2.polylines(plot, [curve], False, colour, wide, line, _FRACTION_BITS)


def blended(colour: Colour, ground: Colour, share: float) -> Colour:
    """A colour with the ground showing through."""
    blue, green, red = (round(one * share + other * (1 - share)) for one, other in zip(colour, ground, strict=True))
    return blue, green, red
