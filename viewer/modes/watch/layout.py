"""Where things are on the frame: lines of text at the top, sheets on the left, curves on the right."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from viewer.frame.area import Area

GAP: Final = 8  # pixels, where text has the usual size, as all lengths here
LINE: Final = 20  # height of a line of text
_LEAST_CHART: Final = (260, 130)  # width and height
_BEFORE: Final = 64  # at the left of a plot, for numbers
_SHARE: Final = 0.56  # of the width that sheets may take beside curves,
_COARSE_SHARE: Final = 0.46  # and in a terminal, where curves need it more


@dataclass(frozen=True)
class Layout:
    """Areas of a frame."""

    header: Area
    sheets: tuple[Area, ...]  # of each run that is shown, with its caption
    charts: tuple[Area, ...]  # with their titles and numbers
    line: int  # pixels, height of a line of text
    scale: float  # how many times as large as usual all is

    def plot(self, number: int) -> Area:
        """The curves of a chart, without what is written round them."""
        area = self.charts[number]
        before = round(_BEFORE * self.scale)
        return Area(area.left + before, area.top + self.line, area.width - before - 2, area.height - 2 * self.line)

    @property
    def plots(self) -> tuple[Area, ...]:
        """Those of all charts."""
        return tuple(self.plot(number) for number in range(len(self.charts)))


@lru_cache(maxsize=64)
def arrange(width: int, height: int, scale: float, grain: int, lines: int, runs: int, charts: int, view: str) -> Layout:
    """Where so many ``lines`` of text, sheets and charts go on a frame. ``scale``, ``grain``: of ``viewer.room``."""
    line = round(LINE * scale) if grain == 1 else 2 * grain  # a cell of a terminal is twice as high as wide
    gap = max(round(GAP * scale), 2)
    header = Area(gap, gap // 2 if grain == 1 else 0, width - 2 * gap, lines * line)
    top = header.bottom + (gap // 2 if grain == 1 else 0)
    room = Area(gap, top, width - 2 * gap, max(height - top - (gap // 2 if grain == 1 else 0), line + 1))
    if height - top < 2 * line or width < 4 * gap:  # there is room for lines of text alone
        return Layout(header, (), (), line, scale)
    if view == "sheets" or not charts:
        return Layout(header, _sheets(room, runs, line), (), line, scale)
    if view == "curves" or not runs:
        return Layout(header, (), _charts(room, charts, scale, line), line, scale)
    share = _SHARE if grain == 1 else _COARSE_SHARE
    across, _ = table(runs, room.width * share, room.height, line)
    rows = -(-runs // across)
    side = max(min((room.height - rows * line) / rows, room.width * share / across), 1)
    left = Area(room.left, room.top, round(side * across), room.height)
    right = Area(left.right + gap, room.top, max(room.right - left.right - gap, 1), room.height)
    return Layout(header, _sheets(left, runs, line), _charts(right, charts, scale, line), line, scale)


def table(count: int, width: float, height: float, line: int) -> tuple[int, float]:
    """Columns of squares with a caption each that fill a room best, and their side."""
    sides = [
        (min(width / columns, height / -(-count // columns) - line), columns) for columns in range(1, max(count, 1) + 1)
    ]
    side, columns = max(sides, key=lambda one: (round(one[0], 3), -one[1]))
    return columns, side


def _sheets(room: Area, runs: int, line: int) -> tuple[Area, ...]:
    columns, _ = table(runs, room.width, room.height, line)
    rows = -(-runs // columns) if runs else 1
    width, height = max(room.width // columns, 1), max(room.height // rows, 1)
    places = [divmod(number, columns) for number in range(runs)]
    return tuple(
        Area(room.left + column * width, room.top + row * height, max(width - 4 * (columns > 1), 1), height)
        for row, column in places
    )


def _charts(room: Area, charts: int, scale: float, line: int) -> tuple[Area, ...]:
    """As many charts as there is room for, as large as they can be; none where there is not enough for one."""
    most_columns = max(int(room.width / (_LEAST_CHART[0] * scale)), 1)
    most_rows = max(int(room.height / (_LEAST_CHART[1] * scale)), 1)
    columns = 1 if charts <= min(most_rows, 3) else min(most_columns, max(math.ceil(math.sqrt(charts / 1.5)), 1))
    rows = min(-(-charts // columns), most_rows)
    count = min(charts, rows * columns)
    width, height = max(room.width // columns, 1), max(room.height // rows, 1)
    if width < 2 * _BEFORE * scale or height < 3 * line:
        return ()
    places, gap = [divmod(number, columns) for number in range(count)], round(GAP * scale)
    return tuple(
        Area(room.left + column * width, room.top + row * height, max(width - gap * (columns > 1), 1), height)
        for row, column in places
    )
