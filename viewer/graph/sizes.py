"""Which sizes a network without a card takes, and how large its results are: found by runs at a few sizes.

Along either axis, a result has ``length * scale - border`` pixels. Unpadded convolutions leave a constant border out;
networks with pooling take multiples of some number only; others need a smallest size, or a batch.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

from numpy.typing import NDArray

from viewer.graph.layout import CHANNELS, ImageLayout, made_size

_SIDES: Final = {65: 1, 66: 2, 68: 4, 72: 8, 80: 16, 96: 32, 64: 64, 128: 128, 256: 256, 512: 512}  # their multiples
_LARGEST_SCALE: Final = 16
_SMALLEST_SCALE: Final = Fraction(1, 4)  # below it, an array is a map of features
_LARGEST_DENOMINATOR: Final = 6
_STEP: Final = 12  # lengths so far apart tell scales of halves, thirds, quarters and sixths
_LARGEST_STEP: Final = 96
_MOST_OUTPUTS: Final = 16  # that are looked at
_SMALL: Final = 8  # pixels a side that most networks take

Outcome = Callable[[ImageLayout, int, int], NDArray[Any] | None]
"""What a network makes of an image of a height and a width, from the output that a layout names; ``None`` where it
cannot take it."""


def find_sizes(
    layouts: Sequence[ImageLayout], orders: Sequence[str], outcome: Outcome
) -> tuple[ImageLayout, NDArray[Any]] | None:
    """The first of some layouts, of one input and several outputs, whose output is an image: completed by what is found
    of sizes and axes, with the output that showed it. ``orders``: of axes that it may have. ``None``: none is one."""
    left = list(layouts[:_MOST_OUTPUTS])
    for side, multiple in _SIDES.items():
        tried = []  # no image by a whole factor
        for layout in list(left):
            height, width = (fixed or side for fixed in layout.size)
            output = outcome(layout, height, width)
            if output is None:
                continue
            if output.size > _LARGEST_SCALE**2 * height * width * max(CHANNELS) * layout.batch:
                left.remove(layout)  # larger ones would be too large by far
                continue
            if None not in layout.size:
                one = _of_fixed_size(layout, orders, output, height, width)
                if one is not None:
                    return one, output
                continue
            for axes in orders:
                known = replace(layout, output_axes=axes, multiple=multiple)
                size = made_size(known, output)
                if size is None:
                    continue
                known = replace(known, output_channels=_channels(output, axes))
                scale = size[0] // height
                most = 1 if axes == "hw" else _LARGEST_SCALE  # else rows of features
                if size == (scale * height, scale * width) and 1 <= scale <= most:
                    return _with_smallest(replace(known, scale=scale), outcome, side), output
                if layout.size == (None, None) and axes != "hw":
                    tried.append((known, output))
        for known, output in tried:
            if (found := _law(known, outcome, side)) is not None:
                return _with_smallest(found, outcome, side), output
        if layouts and None not in layouts[0].size:
            break
    return None


def remarks_on(layout: ImageLayout) -> list[str]:
    """What is to be said of a layout whose sizes and channels were found: what was taken for something, or made up."""
    lines = []
    if layout.border:
        how = "" if None in layout.size else ", as one size tells"
        lines.append(
            f"its results lack {layout.border / 2:g} pixels at every edge{how}: images are extended by their own "
            "reflection, so that results are whole"
        )
    if layout.channels == 4 and layout.output_channels != 4:
        lines.append(
            "the fourth channel that it takes is given alpha, 1 where images have none; results are wrong where it is "
            "a noise level, a mask or a depth instead: export it with that as an input of its own"
        )
    if layout.output_channels == 4:
        lines.append("the four channels that it gives are taken for colours and alpha")
    return lines


def _channels(output: NDArray[Any], axes: str) -> int:
    channels: int = 1 if axes == "hw" else output.shape[1 + axes.index("c")]
    return channels


def _law(layout: ImageLayout, outcome: Outcome, side: int) -> ImageLayout | None:
    """Scale and border of a network whose result is no whole number of times as large: lengths that are ``_STEP``
    apart show them, others have to agree."""
    step = math.lcm(layout.multiple, _STEP)
    step = step if step <= _LARGEST_STEP else layout.multiple
    short = -(-side // step) * step
    first = _made(layout, outcome, short, short + step)
    if first is None:
        return None
    scale = Fraction(first[1] - first[0], step)
    border = short * scale - first[0]
    wide = math.lcm(layout.multiple, scale.denominator)
    found = replace(layout, scale=_plain(scale), border=int(border), multiple=wide)
    if border.denominator > 1 or not _plausible(found, short):
        return None
    for height, width in ((short + wide, short + 2 * wide), (short + step + wide, short)):
        if _made(layout, outcome, height, width) != found.made(height, width):
            return None
    return found


def _made(layout: ImageLayout, outcome: Outcome, height: int, width: int) -> tuple[int, int] | None:
    output = outcome(layout, height, width)
    return None if output is None else made_size(layout, output)


def _of_fixed_size(
    layout: ImageLayout, orders: Sequence[str], output: NDArray[Any], height: int, width: int
) -> ImageLayout | None:
    """What one size tells: a simple scale that fits exactly, or the next whole one and a border."""
    for axes in orders:
        known = replace(layout, output_axes=axes, multiple=1)
        size = made_size(known, output)
        if size is None or 0 in size:
            continue
        known = replace(known, output_channels=_channels(output, axes))
        scale = Fraction(size[0], height)
        if axes == "hw" and size != (height, width):
            continue  # rows of features
        if size[1] == width * scale and scale.denominator <= 4:
            found = replace(known, scale=_plain(scale), multiple=scale.denominator)
        else:
            whole = max(-(-size[0] // height), 1)
            border = whole * height - size[0]
            if whole * width - size[1] != border or border % 2:
                continue
            found = replace(known, scale=whole, border=border)
        if _plausible(found, min(height, width)):
            return found
    return None


def _plausible(layout: ImageLayout, length: int) -> bool:
    """Whether these may be the sizes of an image made of an image: no map of features, no cut part of it."""
    scale, border = Fraction(layout.scale), layout.border
    if not _SMALLEST_SCALE <= scale <= _LARGEST_SCALE or scale.denominator > _LARGEST_DENOMINATOR:
        return False
    if scale < 1 and layout.output_channels != layout.channels:
        return False
    return 0 <= border < length * scale * Fraction(3, 4)


def _with_smallest(layout: ImageLayout, outcome: Outcome, side: int) -> ImageLayout:
    """With the smallest size that is known to work: a small one, or that which has been tried."""
    small = -(-_SMALL // layout.multiple) * layout.multiple
    if layout.border or layout.size != (None, None) or small >= side:
        return replace(layout, smallest=side)
    fits = _made(layout, outcome, small, small) == layout.made(small, small)
    return replace(layout, smallest=small if fits else side)


def _plain(scale: Fraction) -> int | Fraction:
    """A whole number as such."""
    return scale.numerator if scale.denominator == 1 else scale
