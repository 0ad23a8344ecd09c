"""Draw the frame: what is to say of each run, its sheet, and the curves of all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from viewer.files.resizing import resize
from viewer.frame.area import Area
from viewer.frame.charts import (
    Bounds,
    Colour,
    Numbers,
    axis_ticks,
    blended,
    bounds_of,
    draw_curve,
    fraction_of,
    short,
    short_labels,
    smoothed,
    trace,
)
from viewer.frame.plots import FAINT, GROUND, blank, colour_of
from viewer.labels import TEXT, Frame, Image, fitted, line_layer, text_width, write
from viewer.modes.watch.facts import done, facts, warnings
from viewer.modes.watch.run import RunView
from viewer.modes.watch.state import Chart, WatchState
from viewer.render import CURSOR

WARNING: Final = (90, 190, 255)
_GRID: Final = (52, 48, 46)
_RAW: Final = 0.35  # how much of its colour a curve has that is not smoothed, beside the smoothed one
_SWATCH: Final = 10  # pixels
_BAR: Final = 90  # pixels, of the bar of progress
_BAR_WITHIN: Final = 700  # pixels across, that a frame has with bars at least
_SWATCH_SPACE: Final = 8  # pixels behind it
_SPACE: Final = 16  # between two pieces of text
_COLOURS: Final = 8
_DOTTED: Final = 60  # points in a window up to which each is a dot


def colour(run: int) -> Colour:
    """Of a run, wherever it appears."""
    return colour_of(run, _COLOURS)


@dataclass(frozen=True, eq=False)
class Curve:
    """A column of a run's log, as measured and smoothed."""

    images: NDArray[np.float64]
    values: Numbers
    smooth: Numbers

    def within(self, window: Bounds) -> slice:
        """The part in a window of images seen, and a point at either side."""
        first, last = np.searchsorted(self.images, window, side="left")
        return slice(max(int(first) - 1, 0), int(last) + 1)

    def begins(self, images: NDArray[np.float64], values: Numbers) -> bool:
        """Whether a later curve with these points begins with those of this one."""
        count = len(self.images)
        same = count <= len(images) and np.array_equal(self.images, images[:count])
        return same and np.array_equal(self.values, values[:count], equal_nan=True)

    def at(self, images: float) -> float | None:
        """The smoothed value at so many images seen; ``None`` before the first."""
        place = int(np.searchsorted(self.images, images, side="right")) - 1
        return float(self.smooth[place]) if place >= 0 else None


class Curves:
    """The curves of all runs; each is smoothed once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, Chart], tuple[RunView, float, Curve]] = {}

    def of(self, run: int, view: RunView, chart: Chart, smoothing: float) -> Curve | None:
        """A curve; ``None`` where the run has none of that name."""
        known = self._known.get((run, chart))
        if known is not None and known[0] is view and known[1] == smoothing:
            return known[2]
        table = view.tables[chart.kind]
        if chart.name not in table.names:
            return None
        column = table.column(chart.name)
        there = ~np.isnan(column)
        images, values = (table.images, column) if there.all() else (table.images[there], column[there])
        weight = smoothing if chart.kind == "train" else 0.0
        before = known[2] if known and known[1] == smoothing and known[2].begins(images, values) else None
        smooth = smoothed(values, weight, None if before is None else before.smooth) if weight else values
        curve = Curve(images, values, smooth)
        self._known[run, chart] = view, smoothing, curve
        return curve


def charts_of(views: Sequence[RunView]) -> tuple[Chart, ...]:
    """All curves that the runs have: losses, then scores, learning rates and speed."""
    order = ("losses", "scores", "learning rates", "speed")
    found = {
        Chart(kind, name): None
        for view in views for kind in view.tables for name in view.tables[kind].names
        if name != "seconds" and view.tables[kind].count
    }  # fmt: skip
    return tuple(sorted(found, key=lambda one: order.index(one.group)))


def draw_curves(state: WatchState, views: Sequence[RunView], curves: Curves) -> Frame:
    """The frame with its curves, and nothing else on it yet."""
    frame = blank(state.height, state.width)
    frame.text_scale = state.scale
    for number, chart in enumerate(state.on_frame):
        area, plot = state.layout.charts[number], state.layout.plot(number)
        here = [(run, curve) for run in state.shown if (curve := curves.of(run, views[run], chart, state.smoothing))]
        draw_chart(frame, area, plot, state, here)
    return frame


def _thin(frame: Frame, state: WatchState) -> Image:
    """Where thin lines are drawn."""
    return line_layer(frame) if state.grain > 1 else frame.view(np.ndarray)


def draw_chart(frame: Frame, area: Area, plot: Area, state: WatchState, curves: Sequence[tuple[int, Curve]]) -> None:
    """The curves of one name, of each run in its colour."""
    window = state.window
    parts = [(run, curve, curve.within(window)) for run, curve in curves]
    seen = [curve.smooth[part] for _, curve, part in parts] + [curve.values[part] for _, curve, part in parts]
    bounds = bounds_of(seen, state.logarithmic, state.outliers)
    frame[plot.pixels] = GROUND
    margin = 6 * state.scale
    rows = min(max(round(plot.height / (1.5 * state.layout.line)), 2), 6)
    ticks = axis_ticks(*bounds, rows, state.logarithmic)
    for value, label in zip(ticks, short_labels(ticks), strict=True):
        height = float(fraction_of(np.array([value]), bounds, state.logarithmic)[0])
        y = plot.bottom - 1 - round(height * (plot.height - 1))
        frame[y, plot.left : plot.right] = _GRID
        near = min(max(y, plot.top + margin), plot.bottom - margin)
        write(frame, plot.left - margin, near, label, FAINT, "right")
    span = window[1] - window[0]
    for value in axis_ticks(*window, min(max(int(plot.width / (64 * state.scale)), 2), 8)):
        x = plot.left + round((value - window[0]) / span * (plot.width - 1))
        frame[plot.top : plot.bottom, x] = _GRID
        if plot.left + 14 * state.scale < x < plot.right - 14 * state.scale:
            write(frame, x, plot.bottom + state.layout.line / 2, short(value), FAINT, "middle")
    smooths, wide = state.smoothing > 0, max(round(state.scale), 1)
    layer, kind = _thin(frame, state), cv2.LINE_AA if state.grain == 1 else cv2.LINE_8
    for strong in (False, True):
        for run, curve, part in parts:
            values = curve.smooth if strong else curve.values
            if not strong and (not smooths or curve.smooth is curve.values):
                continue
            across = (curve.images[part] - window[0]) / span
            lines = trace(across, fraction_of(values[part], bounds, state.logarithmic), plot)
            shade = colour(run) if strong else blended(colour(run), GROUND, _RAW)
            draw_curve(layer, plot, lines, shade, wide, kind)
            if strong and state.grain == 1 and len(across) <= _DOTTED:
                dots = [point[None] for one in lines if len(one) > 1 for point in one]
                draw_curve(layer, plot, dots, shade, wide, kind)


def finish(
    frame: Frame,
    state: WatchState,
    views: Sequence[RunView],
    curves: Curves,
    sheets: Mapping[int, tuple[Image | None, str]],
) -> None:
    """Put what changes as time goes by onto a frame with curves: text, sheets, and where in time they are."""
    layout, shown = state.layout, state.shown
    more: Sequence[str] = ()
    for row, run in enumerate(shown):
        more = _header(frame, layout.header, row, state, run, views[run])
    said = [f"{views[run].name}: {one}" if len(views) > 1 else one for run in shown for one in warnings(views[run])]
    if said:
        y = layout.header.top + (len(shown) + 0.5) * state.layout.line
        write(frame, layout.header.left, y, _fitted(state, "; ".join(said), layout.header.width), WARNING)
    elif more and len(shown) == 1:
        _write_all(
            frame, layout.header, 1, layout.header.left + round((_SWATCH + _SWATCH_SPACE) * state.scale), state, more
        )
    for area, run in zip(layout.sheets, shown, strict=False):
        _sheet(frame, area, state, run, views[run], *sheets.get(run, (None, "")))
    window = state.window
    for number, chart in enumerate(state.on_frame):
        area, plot = layout.charts[number], layout.plot(number)
        across = (state.time - window[0]) / (window[1] - window[0])
        x = plot.left + round(across * (plot.width - 1))
        if state.times and plot.left <= x < plot.right:
            _thin(frame, state)[plot.top : plot.bottom : 2, x] = CURSOR
        chosen = chart == state.chosen[state.selected] and len(state.on_frame) > 1
        y = area.top + state.layout.line / 2
        found = [(run, curves.of(run, views[run], chart, state.smoothing)) for run in shown]
        right = plot.right
        for run, curve in reversed(found):
            value = None if curve is None else curve.at(state.time)
            width = 0 if value is None else _width(state, short(value)) + round(_SPACE * state.scale)
            if value is not None and right - width > plot.left + plot.width // 3:
                write(frame, right, y, short(value), colour(run), "right")
                right -= width
        title = _longest(state, _titles(chart), max(right - plot.left, 20))
        write(frame, plot.left, y, title, CURSOR if chosen else TEXT)


def _header(frame: Frame, area: Area, row: int, state: WatchState, run: int, view: RunView) -> Sequence[str]:
    """A line about a run: its colour, name, progress and the rest. Returns what found no room."""
    line, scale = state.layout.line, state.scale
    y = area.top + (row + 0.5) * line
    middle, left = round(y), area.left
    if state.grain > 1:
        write(frame, left, y, "■", colour(run))
    else:
        side = round(_SWATCH * scale)
        frame[middle - side // 2 : middle - side // 2 + side, left : left + side] = colour(run)
    left += round((_SWATCH + _SWATCH_SPACE) * scale)
    words = list(facts(view))
    fraction = done(view)
    name = _fitted(state, words[0], max(area.width // 4, 60 * scale))
    write(frame, left, y, name, TEXT)
    left += _width(state, name) + round(_SPACE * scale)
    bar = round(_BAR * scale)
    if fraction is not None and area.width > _BAR_WITHIN * scale:
        full = max(round(bar * fraction), 1)
        top, high = (middle, state.grain) if state.grain > 1 else (middle - line // 6, line // 6 * 2)
        for length, shade in ((bar, _GRID), (full, colour(run))):
            frame[top : top + high, left : left + length] = shade
        left += bar + round(_SPACE * scale)
    return _write_all(frame, area, row, left, state, words[1:])


def _write_all(frame: Frame, area: Area, row: int, left: int, state: WatchState, words: Sequence[str]) -> Sequence[str]:
    """Words beside each other in a row of an area. Returns those that found no room."""
    for number, word in enumerate(words):
        width = _width(state, word)
        if left + width > area.right:
            return words[number:]
        write(frame, left, area.top + (row + 0.5) * state.layout.line, word, FAINT)
        left += width + round(_SPACE * state.scale)
    return ()


def _sheet(
    frame: Frame, area: Area, state: WatchState, run: int, view: RunView, image: Image | None, note: str
) -> None:
    """The sheet of a run with its caption, or why there is none."""
    step = view.sheet_at(state.time)
    place = Area(area.left, area.top + state.layout.line, area.width, max(area.height - state.layout.line, 1))
    several = len(state.shown) > 1
    if step is None:
        captions = ["no sheet yet" if not view.sheets else "no sheet by then"]
    else:
        images = view.times[view.sheets.index(step)]
        captions = [f"step {step:,}, {short(images)} images", f"step {step:,}"]
    captions = [f"{one} {note}".strip() for one in captions]
    if several:  # the colour says which run it is
        captions = [*(f"{view.name}: {one}" for one in captions), captions[-1]]
    write(
        frame,
        area.left,
        area.top + state.layout.line / 2,
        _longest(state, captions, area.width),
        colour(run) if several else TEXT,
    )
    if image is not None:
        height, width = image.shape[:2]
        left, top = place.left + (place.width - width) // 2 * (not several), place.top
        if height <= place.height and width <= place.width:
            frame[top : top + height, left : left + width] = image
        else:  # of a layout before this one
            scale = min(place.height / height, place.width / width)
            small = resize(image, max(int(height * scale), 1), max(int(width * scale), 1))
            frame[place.top : place.top + len(small), place.left : place.left + small.shape[1]] = small


def _width(state: WatchState, text: str) -> int:
    """Of a text, in pixels, as it will be."""
    return text_width(text, state.scale, state.grain)


def _titles(chart: Chart) -> Sequence[str]:
    """The name of a curve, and the ends of it."""
    parts = chart.name.split("/")
    return [chart.title, *("/".join(parts[place:]) for place in range(chart.kind == "train", len(parts)))]


def _longest(state: WatchState, texts: Sequence[str], room: float) -> str:
    """The first of some texts that fits, longest first; else as much of the last as does."""
    return next((text for text in texts if _width(state, text) <= room), _fitted(state, texts[-1], room))


def _fitted(state: WatchState, text: str, room: float) -> str:
    return fitted(text, room, state.scale, state.grain)
