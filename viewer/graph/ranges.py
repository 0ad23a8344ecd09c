"""Between which values the float images of a graph without a card lie, going in and coming out, and how sure that is.

Each pair of usual ranges is weighed by what speaks for it: how common it is, what the graph's own ends and the file's
properties say (``viewer.graph.trails``), whether the values that come out fill the range and stay within, and how near
the result, made as small as the image, is to the image that went in: nearly all networks that take and give images
keep their coarse colours. All weights are logarithms of odds, set by trials with trained networks and checked by
``tests/viewer/graph/test_ranges.py`` on some hundred generated ones.
"""

import itertools
import math
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.contract.errors import UserError
from viewer.graph.foreign import Foreign
from viewer.graph.hints import BY_SIGN, Hints
from viewer.graph.layout import ImageLayout, channels_last, made_size
from viewer.graph.nodes import read_graph
from viewer.graph.reading import Range, Reading, flag_of, range_words
from viewer.graph.trails import RANGES, Trails

SURE: Final = 0.9  # what is less probable is said aloud
_MOST_SURE: Final = 0.99  # of what is inferred
_SECONDS: Final = 0.5  # that probing may add to the viewer's start
_SIDES: Final = (64, 48, 32, 24, 16)  # of the images that are tried, in pixels: smaller ones where a run takes long
_SHARES: Final = ((0.6, 0.06, 0.02), (0.03, 0.15, 0.01), (0.02, 0.01, 0.1))  # how common ranges are, going in and out
_PAIRS: Final = {
    (takes, gives): share
    for takes, row in zip(RANGES, _SHARES, strict=True)
    for gives, share in zip(RANGES, row, strict=True)
}
_ALONE: Final = (0.45, 0.45, 0.1)  # how common the ranges of generators are, where their values fit all
_TAKEN: Final = (0.6, 0.3, 0.1)  # the same of networks that give no images
_CLEARLY: Final = 3.0  # what hints weigh more for a range than for others, where they alone may tell it
_WHITE: Final = 0.65  # of a range: above this, an image has nothing dark that would tell
_BY_LIKENESS: Final = 6.0  # of the logarithm of errors, root mean squares of 0..1
_NO_ERROR, _FAR = 0.006, 0.25  # below and above which errors are alike
_ALIKE: Final = 13.5  # likeness, below which an image has not come back
_MOST_BLINDLY: Final = 0.8  # sure, at most, where it has not, and nothing else tells what goes in
_BY_GREYS, _BY_NEGATIVE = 1.0, 3.0  # what it weighs less where colours are others, or the negative is meant
_UNKNOWN: Final = 12.0  # likeness of a range that there was no time to try
_BY_EXCESS, _MARGIN, _EXCESS = 8.0, 0.15, 0.05  # weight of values outside by a margin, and what mean is too many
_BY_SPREAD, _SPREAD = 2.0, 0.35  # weight of values that fill less than this of a range
_OWN_RANGE: Final = 0.01  # how common ranges are that a user says beside one that is guessed
_LARGEST: Final = 1e6
_CAUTION: Final = 0.85  # what the weights are multiplied by: they are not independent of each other
_ALIKE_LEVELS: Final = 2.0  # mean difference of results that nobody can tell apart

Show = Callable[[ImageLayout, NDArray[np.uint8]], NDArray[Any]]
Option = TypeVar("Option", bound=Hashable)


@dataclass(frozen=True)
class Guess:
    """Ranges, and how probable it is that they are right."""

    takes: Range | None
    gives: Range
    sure: float
    why: str = ""  # what spoke for it, in words
    found: Range | None = None  # between what the values lay that came out


@dataclass(frozen=True)
class _Tried:
    """What came of an image, brought to one of the ranges."""

    image: NDArray[np.float32]  # [h, w, c], 0..1: what went in
    output: NDArray[np.float32]  # [h', w', c']

    def levels(self, gives: Range) -> NDArray[np.float32]:
        """The output as it is shown, without its border, where networks see what they were padded with."""
        return _levels(_inner(self.output), gives)

    def likeness(self, gives: Range, scale: float) -> float:
        """How near the result, made as small as the image, is to the image, as a weight: in its colours, or for less
        in its greys, or in those of its negative."""
        found = _levels(self.output, gives) / 255
        height, width = (round(side * scale) for side in self.image.shape[:2])
        image = cv2.resize(self.image, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, -1)
        both = [_middle(one, min(height, found.shape[0]), min(width, found.shape[1])) for one in (image, found)]
        small, large = (_coarse(one[..., :3], math.ceil(scale)) for one in both)  # without alpha
        grey, grey_result = small.mean(axis=2), large.mean(axis=2)
        differences = [(grey - grey_result, _BY_GREYS), (1 - grey - grey_result, _BY_NEGATIVE)]
        if small.shape == large.shape:
            differences.append((small - large, 0.0))
        errors = ((_error(one), less) for one, less in differences)
        return max(-_BY_LIKENESS * math.log(_NO_ERROR + one / (1 + one / _FAR)) - less for one, less in errors)


def _coarse(image: NDArray[Any], scale: int) -> NDArray[np.float32]:
    """Without what is finer than a pixel before it was enlarged, and without the outermost tenths."""
    side = 2 * scale + 1
    blurred = np.asarray(cv2.blur(np.ascontiguousarray(image), (side, side)), np.float32).reshape(image.shape)
    return _inner(blurred)


def _inner(image: NDArray[Any]) -> NDArray[Any]:
    """An image [h, w, ...] without its outermost tenths."""
    height, width = image.shape[:2]
    edge = min(height, width) // 10
    return image[edge : height - edge, edge : width - edge]


def _error(difference: NDArray[np.float32]) -> float:
    """Root mean square of a difference [h, w, ...], but for the quarter of noise, which some networks take away."""
    height, width = (side // 2 for side in difference.shape[:2])
    squares = np.square(difference)
    sums = squares.sum(dtype=np.float64) - squares[height:, width:].sum(dtype=np.float64)
    count = squares.size - squares[height:, width:].size
    return math.sqrt(max(float(sums), 0.0) / count) if count else 1.0


def _middle(image: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def probe(height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """An image u8 [h, w, c] in four quarters: one like a photograph, the same nearly black, the same nearly white, and
    noise. It has every level, and most of it is smooth."""
    chance = np.random.default_rng(18)
    rows, columns = -(-height // 2), -(-width // 2)
    photo = np.full((rows, columns, 3), 125.0)
    for share, strength in ((2, 60.0), (4, 35.0), (8, 15.0)):
        noise = chance.normal(0, strength, (share + 1, share + 1, 3))
        photo += cv2.resize(noise, (columns, rows), interpolation=cv2.INTER_CUBIC)
    photo = np.clip(photo, 0, 255)
    photo = (photo - photo.min()) * (255 / max(float(np.ptp(photo)), 1.0))
    noise = np.asarray(chance.integers(0, 256, (rows, columns, 3)), np.float64)
    whole = np.block([[[photo], [photo / 5]], [[255 - photo / 5], [noise]]])[:height, :width]
    opaque = np.full((height, width, 1), 255)
    return np.concatenate([np.rint(whole), opaque], axis=2).astype(np.uint8)[..., :channels]


def of_translator(
    graph: Foreign, layout: ImageLayout, show: Show, size: tuple[int, int], seconds: float
) -> Guess | None:
    """The ranges of a network that takes an image and gives one, either or both in floats.

    ``layout``: all of it; of its ranges only whether they are ``None``, as for levels. ``show``: gives the output
    [1, ...] of an image u8 [h, w, c] by a layout. ``size``: height and width that it can take, of an image of which
    a run took so many ``seconds``. ``None`` where nothing is to be guessed.
    """
    levels = ((0.0, 255.0),)
    takes = levels if layout.input_range is None else _allowed(graph.reading.input_range)
    gives = levels if layout.output_range is None else _allowed(graph.reading.output_range)
    if len(takes) == len(gives) == 1:
        return None
    hints, trails = Hints(), Trails(read_graph(graph.data))
    if layout.input_range is not None:
        hints.add_input(graph, trails, graph.inputs[0].name)
    if layout.output_range is not None:
        hints.add_output(graph, trails, layout.output)
    takes = tuple(sorted(takes, key=lambda one: -hints.of("input", one)))  # there may be no time for all
    tried = dict(_try(layout, show, takes, size, seconds))
    weights = {}
    for one, other in itertools.product(takes, gives):
        weights[one, other] = (
            math.log(_PAIRS.get((one, other), _OWN_RANGE))
            + hints.of("input", one)
            + hints.of("output", other)
            + (tried[one].likeness(other, float(layout.scale)) if one in tried else _UNKNOWN)
            + (_fit(tried[one].output, other, _BY_SPREAD) if one in tried else 0.0)
        )
    doubted = {pair: weight + hints.doubt("input", pair[0]) for pair, weight in weights.items()}
    (one, other), sure = _best(
        weights, lambda pair: tried[pair[0]].levels(pair[1]) if pair[0] in tried else None, doubted
    )
    blind = one not in tried or tried[one].likeness(other, float(layout.scale)) < _ALIKE
    if len(takes) > 1 and hints.lead("input", one) < _CLEARLY and blind:
        sure = min(sure, _MOST_BLINDLY)
    why = [hints.words("input", one), hints.words("output", other)]
    found = _extent(tried[one].output) if one in tried else None
    return Guess(one, other, sure, " and ".join(dict.fromkeys(filter(None, why))), found)


def of_generator(graph: Foreign, output: str, values: NDArray[Any]) -> Guess:
    """The range of a generator's images. ``values``: of some of them, any shape."""
    hints = Hints()
    hints.add_output(graph, Trails(read_graph(graph.data)), output)
    known = _finite(values)
    weights = {
        one: math.log(share) + hints.of("output", one) + _fit(known, one, 1.0)
        for one, share in zip(RANGES, _ALONE, strict=True)
    }
    found, sure = _best(weights, lambda one: _levels(known, one))
    return Guess(None, found, sure, hints.words("output", found), _extent(known))


def of_input(graph: Foreign, name: str) -> Range:
    """The range of an image input whose network gives no images, by its first operators alone; with a remark where that
    is not sure."""
    hints = Hints()
    hints.add_input(graph, Trails(read_graph(graph.data)), name)
    weights = {one: math.log(share) + hints.of("input", one) for one, share in zip(RANGES, _TAKEN, strict=True)}
    found, sure = _best(weights, lambda _: None)
    if sure < SURE:
        graph.remarks.append(
            f"images that go in are taken to be in {range_words(found)}, {sure:.0%} sure; {flag_of('input_range')} "
            "LOW..HIGH says otherwise"
        )
    return found


def remark(guess: Guess, said: Reading, *, gives: bool = True) -> str:
    """A sentence on what was guessed, where that is not sure, and on the way out; else empty."""
    ends = []
    if guess.takes is not None and said.input_range is None:
        ends.append(("input_range", f"{range_words(guess.takes)} going in"))
    if gives and said.output_range is None:
        ends.append(("output_range", f"{range_words(guess.gives)} coming out"))
    if guess.sure >= SURE or not ends:
        return ""
    words = " and ".join(text for _, text in ends)
    flags = " and ".join(f"{flag_of(name)} LOW..HIGH" for name, _ in ends)
    why = f", by {guess.why}" if guess.why else ""
    if gives and said.output_range is None and guess.found is not None:
        words += " (values of {:.3g}..{:.3g} came out)".format(*guess.found)
    return (
        f"what black and white are is a guess, {guess.sure:.0%} sure{why}: {words}; where images are dark, dull or "
        f"burnt, say it with {flags}"
    )


def _allowed(said: Range | None) -> tuple[Range, ...]:
    return RANGES if said is None else (said,)


def _try(
    layout: ImageLayout, show: Show, takes: Sequence[Range], size: tuple[int, int], seconds: float
) -> Iterator[tuple[Range, _Tried]]:
    """An image brought to each range, in turn, as far as there is time; at least to the first."""
    until = time.monotonic() + _SECONDS
    for height, width in _sizes(layout, size, seconds * len(takes)):
        image = probe(height, width, layout.channels)
        some = False
        for one in takes:
            if some and time.monotonic() > until:
                return
            try:
                output = show(replace(layout, input_range=layout.input_range and one), image)
            except UserError:
                break  # a smaller image than it can take, or numbers that it cannot
            if made_size(layout, output) != layout.made(height, width) or output.dtype.kind not in "fiu":
                break  # of another size or kind than a moment ago
            array = channels_last(output[0], layout.output_axes)
            some = True
            yield one, _Tried(np.asarray(image / 255, np.float32), _finite(array))
        if some:
            return


def _sizes(layout: ImageLayout, size: tuple[int, int], seconds: float) -> Iterator[tuple[int, int]]:
    """Heights and widths to try: the largest that there is time for, and the one that is known to do."""
    if layout.size == (None, None):
        sides = [side for side in _SIDES if side % layout.multiple == 0 and layout.smallest <= side <= max(size)]
        quick = [side for side in sides if seconds * side * side <= _SECONDS * size[0] * size[1]]
        yield from ((side, side) for side in (quick[:1] or sides[-1:]))
    yield size


def _finite(values: NDArray[Any]) -> NDArray[np.float32]:
    """Numbers in float32 that can be reckoned with."""
    return np.nan_to_num(np.clip(values.astype(np.float32), -_LARGEST, _LARGEST))


def _extent(values: NDArray[np.float32]) -> Range:
    return float(values.min()), float(values.max())


def _levels(values: NDArray[np.float32], gives: Range) -> NDArray[np.float32]:
    """Values of a range as levels, as they are shown."""
    return np.asarray(np.clip((values - gives[0]) * (255 / (gives[1] - gives[0])), 0, 255), np.float32)


def _fit(values: NDArray[np.float32], gives: Range, by_spread: float) -> float:
    """How well values fit a range: few lie outside, most of it is filled, and not its brighter half alone."""
    shares = (values - gives[0]) / (gives[1] - gives[0])
    excess = np.clip(np.abs(shares - 0.5) - 0.5 - _MARGIN, 0, 1).mean()
    low, high = np.quantile(shares, (0.02, 0.98))
    spread = min(max(float(high - low), 1e-4), _SPREAD)
    bright = 0.0
    if gives[0] < 0 and low >= 0.49:  # never dark, or else of another range; where all is white, nobody can tell
        bright = BY_SIGN if low < _WHITE else BY_SIGN / 3
    return -_BY_EXCESS * min(float(excess) / _EXCESS, 1) - by_spread * math.log(_SPREAD / spread) - bright


def _best(
    weights: Mapping[Option, float],
    levels: Callable[[Option], NDArray[np.float32] | None],
    doubted: Mapping[Option, float] | None = None,
) -> tuple[Option, float]:
    """The best option, and how probable it is, with those that look the same. ``doubted``: weights by which that is
    reckoned, where they are others."""
    best = max(weights, key=lambda option: weights[option])
    doubted = weights if doubted is None else doubted
    most = max(doubted.values())
    odds = {option: math.exp(_CAUTION * (weight - most)) for option, weight in doubted.items()}
    shown, alike = levels(best), 0.0
    for option, share in odds.items():
        other = levels(option) if share > 1e-4 else None
        same = other is not None and shown is not None and float(np.abs(other - shown).mean()) < _ALIKE_LEVELS
        alike += share if same or option == best else 0.0
    return best, min(alike / sum(odds.values()), _MOST_SURE)
