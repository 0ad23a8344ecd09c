"""What speaks for a range of the images of a graph besides the values: its first and last operators, its properties.

Weights are logarithms of odds, as in ``viewer.graph.ranges``.
"""

from typing import Final

from viewer.graph.foreign import Foreign
from viewer.graph.reading import Range
from viewer.graph.trails import RANGES, Trails, nearest_range, said_range

_BY_BOUNDS, _BY_SCALE, _BY_START, _BY_WORDS = 6.0, 2.5, 5.0, 6.0  # what a hint weighs
# for -1..1, of first operators made for 0..1, most often means and deviations of ImageNet: networks take -1..1 with the
# same before them, too. It never makes a guess, and takes from how sure one is. Not the other way round: of 427 trained
# networks of tests/bench/bench_guesses.py, operators made for -1..1 misled in one; a doubt of the same weight there
# would make one wrong guess unsure, and ten right ones
_BY_OTHERS_START: Final = 3.5
_LOOSELY: Final = 0.15  # of a range's width, that bounds may be from it to be a weaker hint
BY_SIGN: Final = 3.0  # against -1..1: an output that is never negative


class Hints:
    """What speaks for ranges, besides the values."""

    def __init__(self) -> None:
        self._weights: dict[tuple[str, Range], float] = {}
        self._doubts: dict[tuple[str, Range], float] = {}
        self._words: dict[tuple[str, Range], list[str]] = {}

    def add(self, end: str, found: Range | None, weight: float, words: str) -> None:
        """``end``: input or output. ``found``: nothing is added where that is ``None``."""
        if found is not None:
            self._weights[end, found] = self._weights.get((end, found), 0.0) + weight
            self._words.setdefault((end, found), []).append(words)

    def of(self, end: str, one: Range) -> float:
        return self._weights.get((end, one), 0.0)

    def add_input(self, graph: Foreign, trails: Trails, name: str) -> None:
        """What the first operators say."""
        self.add("input", said_range(graph.properties, "input"), _BY_WORDS, "the file's own properties")
        found = trails.input_range(name)
        self.add("input", found, _BY_START, "its first operators")
        if found == (0.0, 1.0):
            self._doubts["input", (-1.0, 1.0)] = _BY_OTHERS_START

    def doubt(self, end: str, one: Range) -> float:
        """What speaks for a range besides, where it is asked how sure the guess of another is."""
        return self._doubts.get((end, one), 0.0)

    def lead(self, end: str, one: Range) -> float:
        """How much more speaks for a range than for each other."""
        return self.of(end, one) - max(self.of(end, other) + self.doubt(end, other) for other in RANGES if other != one)

    def add_output(self, graph: Foreign, trails: Trails, output: str) -> None:
        """What the last operators say."""
        self.add("output", said_range(graph.properties, "output"), _BY_WORDS, "the file's own properties")
        bounds = trails.bounds(output)
        if bounds is None:
            self.add("output", trails.scaled_to(output), _BY_SCALE, "how its last operators scale")
        elif (near := nearest_range(bounds)) is not None:
            self.add("output", near, _BY_BOUNDS, f"its last {trails.last_word(output)}")
        elif (near := nearest_range(bounds, _LOOSELY)) is not None:
            self.add("output", near, _BY_BOUNDS / 2, f"its last {trails.last_word(output)}")
        elif bounds[0] >= 0:
            self.add("output", (-1.0, 1.0), -BY_SIGN, "")

    def words(self, end: str, one: Range) -> str:
        return " and ".join(filter(None, self._words.get((end, one), ())))
