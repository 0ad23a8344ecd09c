"""The state of the watch mode: which sheet is shown, and how the curves are. Nothing of what is in the files but when
there were sheets, and how far the runs are."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from viewer.keys import Action, Event
from viewer.modes.watch.layout import Layout, arrange

VIEWS: Final = ("both", "sheets", "curves")
GROUPS: Final = ("all", "losses", "scores", "learning rates", "speed")
SMOOTHINGS: Final = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)  # weights of an average
RATES: Final = (1, 2, 3, 5, 10, 15, 30, 60, 120, 240)  # sheets a second
FRAMES_A_SECOND: Final = 30
_PARTS: Final = 4  # of a sheet along each side, at most
_CLOSEST: Final = 20  # doublings
_PAGE: Final = 10  # sheets
_STEPS: Final = {Action.LEFT: -1, Action.RIGHT: 1, Action.PAGE_UP: -_PAGE, Action.PAGE_DOWN: _PAGE}


@dataclass(frozen=True)
class Chart:
    """A curve that can be shown."""

    kind: str  # of the rows that it is of: train, held_out
    name: str  # in the log

    @property
    def title(self) -> str:
        """Its name in words."""
        if self.kind == "held_out":
            return f"held out: {self.name}"
        return "images/s" if self.name == "images_per_second" else self.name

    @property
    def group(self) -> str:
        """Which of ``GROUPS`` it belongs to."""
        if self.kind == "held_out":
            return "scores"
        return {"rate": "learning rates", "images_per_second": "speed"}.get(self.name.partition("/")[0], "losses")


@dataclass(frozen=True)
class WatchState:
    """What is shown of some runs."""

    width: int  # of the frame, in pixels
    height: int
    runs: int = 1
    times: tuple[int, ...] = ()  # images seen at which there are sheets, of any run
    span: int = 1  # images seen by the run that is furthest
    charts: tuple[Chart, ...] = ()
    at: int | None = None  # of ``times``; None: the newest
    playing: bool = False
    phase: int = 0  # of the way to the next sheet, in ``2 * FRAMES_A_SECOND`` parts
    rate: int = 4  # of ``RATES``
    selected: int = 0  # of the charts that are chosen
    group: str = "all"
    words: str = ""  # that the names of charts contain
    alone: bool = False  # the selected chart has all of the room
    view: str = "both"
    logarithmic: bool = False
    outliers: bool = False
    smoothing: float = 0.6
    closer: int = 0  # doublings of the scale of time
    part: int = 0  # of a sheet, along each side, that is shown: one n-th; 0: as suits the display
    hidden: frozenset[int] = frozenset()
    scale: float = 1.0  # how many times as large as usual text is
    grain: int = 1  # frame pixels across that become one of the display's

    @property
    def index(self) -> int:
        """The place in ``times`` that is shown; -1 where there is none."""
        return len(self.times) - 1 if self.at is None else min(self.at, len(self.times) - 1)

    @property
    def time(self) -> int:
        """Images seen by then."""
        return self.times[self.index] if self.times else self.span

    @cached_property
    def chosen(self) -> tuple[Chart, ...]:
        """The charts of the group, in order; all where it has none."""
        fitting = tuple(one for one in self.charts if self.group in ("all", one.group))
        named = tuple(one for one in fitting if self.words.lower() in one.title.lower())
        return named or fitting or self.charts

    @property
    def window(self) -> tuple[float, float]:
        """The images seen at the left and right end of the curves."""
        width = self.span / 2**self.closer
        left = min(max(self.time - width / 2, 0.0), self.span - width) if self.closer else 0.0
        return left, left + width

    @cached_property
    def shown(self) -> tuple[int, ...]:
        """The runs that are not hidden."""
        return tuple(run for run in range(self.runs) if run not in self.hidden)

    @cached_property
    def layout(self) -> Layout:
        """Where all is on the frame."""
        charts = 1 if self.alone and self.chosen else len(self.chosen)
        lines = len(self.shown) + 1  # one for warnings
        return arrange(self.width, self.height, self.scale, self.grain, lines, len(self.shown), charts, self.view)

    @property
    def on_frame(self) -> tuple[Chart, ...]:
        """The charts on the frame, in order."""
        return self.chosen[self.first_chart : self.first_chart + len(self.layout.charts)]

    def with_data(self, times: tuple[int, ...], span: int, charts: tuple[Chart, ...]) -> "WatchState":
        """The state when more is known; the sheet and the curve stay the ones that are looked at."""
        if (times, span, charts) == (self.times, self.span, self.charts):
            return self
        at = self.at
        if at is not None and self.times and times:
            at = max(bisect_right(times, self.time) - 1, 0)
        state = replace(self, times=times, span=span, charts=charts, at=at if times else None)
        if self.selected < len(self.chosen) and self.chosen[self.selected] in state.chosen:
            return replace(state, selected=state.chosen.index(self.chosen[self.selected]))
        return replace(state, selected=0)

    def after(self, event: Event) -> "WatchState":
        """The state after an event."""
        match event.action:
            case Action.LEFT | Action.RIGHT | Action.PAGE_UP | Action.PAGE_DOWN:
                return self.moved(self.index + _STEPS[event.action])
            case Action.HOME:
                return self.moved(0)
            case Action.UP | Action.DOWN:
                step, count = (-1 if event.action is Action.UP else 1), max(len(self.chosen), 1)
                return replace(self, selected=(self.selected + step) % count)
            case Action.PAUSE if self.playing or len(self.times) < 2:
                return replace(self, playing=False)
            case Action.PAUSE:
                begin = 0 if self.index == len(self.times) - 1 else self.index
                return replace(self, playing=True, at=begin, phase=0)
            case Action.NEXT_VIEW:
                return replace(self, view=VIEWS[(VIEWS.index(self.view) + 1) % len(VIEWS)])
            case Action.MORE | Action.LESS:
                step = 1 if event.action is Action.MORE else -1
                return replace(self, closer=min(max(self.closer + step, 0), _CLOSEST))
            case Action.CLICK:
                return self._clicked(event)
            case Action.NEW:
                return self._key(event.key)
            case Action.END | Action.RANDOM | Action.INTERPOLATE:
                return replace(self, at=None, playing=False)
            case _:
                return self

    def _key(self, key: str) -> "WatchState":
        match key:
            case "enter":
                return replace(self, alone=not self.alone, view="both" if self.view == "sheets" else self.view)
            case "c" | "C":
                there = [group for group in GROUPS if group == "all" or any(group == one.group for one in self.charts)]
                place = there.index(self.group) if self.group in there and not self.words else -1
                return replace(self, group=there[(place + 1) % len(there)], words="", selected=0)
            case "[" | "]":
                place = bisect_left(SMOOTHINGS, self.smoothing - 1e-9) if key == "[" else bisect_right(
                    SMOOTHINGS, self.smoothing + 1e-9
                )  # fmt: skip
                place = place - 1 if key == "[" else place
                return replace(self, smoothing=SMOOTHINGS[min(max(place, 0), len(SMOOTHINGS) - 1)])
            case "l" | "L":
                return replace(self, logarithmic=not self.logarithmic)
            case "o" | "O":
                return replace(self, outliers=not self.outliers)
            case "z" | "Z":
                return replace(self, part=self.part % _PARTS + 1)
            case "f" | "F":
                rate = self.rate + (1 if key == "f" else -1)
                return replace(self, rate=min(max(rate, 0), len(RATES) - 1))
            case "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9":
                run = int(key) - 1
                hidden = self.hidden ^ {run} if 0 <= run < self.runs else self.hidden
                return self if len(hidden) == self.runs else replace(self, hidden=hidden)
            case _:
                return replace(self, at=None, playing=False)

    def _clicked(self, event: Event) -> "WatchState":
        for number, area in enumerate(self.layout.plots):
            if area.holds(event.x, event.y):
                left, right = self.window
                state = replace(self, selected=self.first_chart + number, playing=False)
                if not self.times:
                    return state
                wanted = left + area.fraction(event.x, event.y)[0] * (right - left)
                nearest = min(range(len(self.times)), key=lambda index: abs(self.times[index] - wanted))
                return state.moved(nearest)
        return self

    @property
    def first_chart(self) -> int:
        """Of the chosen charts, the first one on the frame."""
        if self.alone:
            return self.selected
        most = max(len(self.layout.charts), 1)
        return self.selected // most * most

    def moved(self, index: int) -> "WatchState":
        """At another sheet; the last one is the newest, also when there are newer ones."""
        last = len(self.times) - 1
        if last < 0:
            return replace(self, playing=False)
        index = min(max(index, 0), last)
        return replace(self, at=None if index == last else index, playing=False, phase=0)

    def ticked(self) -> "WatchState":
        """A frame later."""
        if not self.playing:
            return self
        parts = self.phase + 2 * RATES[self.rate]
        index = self.index + parts // (2 * FRAMES_A_SECOND)
        if index >= len(self.times) - 1:
            return replace(self, at=None, playing=False, phase=0)
        return replace(self, at=index, phase=parts % (2 * FRAMES_A_SECOND))
