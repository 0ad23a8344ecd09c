"""Where everything of the latent mode lies on its frame, in frame pixels."""

import math
from dataclasses import dataclass, replace
from typing import Final

from viewer.frame.area import Area, fitting_side, fitting_size, image_area

LEFT, TOP, RIGHT, BOTTOM = 56, 14, 14, 46  # round the plane: room for its ticks and the names of its axes
SPACE: Final = 26  # between the plane and the panel
PANEL_WIDTH: Final = 288
_LEAST_HEIGHT: Final = 520  # of the frame
_LEAST_WIDTH: Final = 400  # of what lies left of the panel
_CELL: Final = 32  # that an image of the plane is wide at most, unless it is asked for
_PLANE: Final = 640  # that the plane is wide, about
_STOP: Final = 84  # that an image of the line is wide, about
TRACK: Final = 40  # that an image behind a slider is high
_NAME_WIDTH: Final = 92  # left of a slider
_VALUE_WIDTH: Final = 52  # right of it
_SLIDER: Final = TRACK + 8  # that the row of a slider is high
TEXT_LINE: Final = 20  # from one line of text to the next
_ABOVE_TEXT: Final = 16  # between an image and what is below the text under it
_GAUGE: Final = 17  # that a gauge of the panel is high at least
_GAUGE_NAME_WIDTH, _GAUGE_VALUE_WIDTH = 92, 48  # left and right of it


@dataclass(frozen=True)
class Layout:
    """The areas of a frame."""

    rows: int  # images of the plane at its finest
    columns: int
    scale: float  # that it was made for
    image_size: tuple[int, int]  # height and width of the model's images
    width: int  # of the frame
    height: int  # of the frame, without the strip of text
    plane: Area  # and the scatter
    plane_above_line: Area  # the plane where the line's images lie below it
    panel: Area  # at the right
    line: Area  # the images of a line
    stops: tuple[Area, ...]  # each of them
    sliders: tuple[Area, ...]  # the whole rows of as many sliders as there is room for
    tracks: tuple[Area, ...]  # what each of them slides on
    track_count: int  # images behind a slider
    track_width: int  # of one of them
    gauge: int = _GAUGE  # that a gauge of the panel is high

    @property
    def image(self) -> Area:
        """The large image, at the upper end of the panel."""
        return image_area(self.panel, *self.image_size)

    def below(self, area: Area, lines: int) -> Area:
        """What is left of the panel below an image of it and so many lines of text."""
        top = area.bottom + _ABOVE_TEXT + lines * TEXT_LINE
        return Area(self.panel.left, top, self.panel.width, max(self.panel.bottom - top, 0))

    def gauges(self, lines: int) -> tuple[Area, ...]:
        """Rows for small sliders below the large image and so many lines of text."""
        room = self.below(self.image, lines)
        return tuple(
            Area(room.left, room.top + row * self.gauge, room.width, self.gauge)
            for row in range(room.height // self.gauge)
        )


def for_cells(layout: Layout, cell_height: float) -> Layout:
    """The same for a terminal whose character cells are so many frame pixels high: no two gauges in one of them."""
    return replace(layout, gauge=max(math.ceil(cell_height), _GAUGE))


def gauge_track(row: Area) -> Area:
    """What the knob of a small slider slides on."""
    width = row.width - _GAUGE_NAME_WIDTH - _GAUGE_VALUE_WIDTH
    return Area(row.left + _GAUGE_NAME_WIDTH, row.top, width, row.height)


def make_layout(
    height: int, width: int, rows: int | None = None, columns: int | None = None, scale: float = 1.0
) -> Layout:
    """The layout for images of this size in pixels.

    ``rows``, ``columns``: images of the plane; ``None``: as fits. ``scale``: of the plane; 1 suits a small screen.
    """
    most = max(_PLANE // max(rows or 0, columns or 0), 1) if rows or columns else _CELL
    count = max(_PLANE // fitting_side(max(height, width), most) // 4 * 4, 4)
    rows, columns = rows or columns or count, columns or rows or count
    cell_width, cell_height = (max(round(length * scale), 1) for length in fitting_size(width, height, most))
    plane = Area(LEFT, TOP, columns * cell_width, rows * cell_height)
    frame_height = max(plane.bottom + BOTTOM, _LEAST_HEIGHT)
    main_width = max(plane.width, _LEAST_WIDTH)
    panel = Area(LEFT + main_width + SPACE, TOP, PANEL_WIDTH, frame_height - TOP - RIGHT)
    frame_width = panel.right + RIGHT

    wide, high = fitting_size(width, height, _STOP)
    stop_count = max((frame_width - 2 * RIGHT) // (wide + 2), 3)  # with a gap of 2
    across = (wide + 2) * stop_count
    line = Area((frame_width - across) // 2, frame_height - high - 12, across, high + 2)
    stops = [Area(line.left + number * (wide + 2) + 1, line.top + 1, wide, high) for number in range(stop_count)]
    factor = min((line.top - TOP - BOTTOM) / plane.height, 1.0)
    small_width, small_height = (max(round(side * factor), 1) for side in (plane.width, plane.height))

    room = LEFT + main_width - RIGHT - _NAME_WIDTH - _VALUE_WIDTH
    track_width = min(max(round(width * TRACK / height), 4), room)
    track_count, slider_count = room // track_width, max((frame_height - 2 * TOP) // _SLIDER, 1)
    sliders = [Area(RIGHT, TOP + row * _SLIDER, LEFT + main_width - RIGHT, _SLIDER) for row in range(slider_count)]
    tracks = [Area(row.left + _NAME_WIDTH, row.top + 4, track_count * track_width, TRACK) for row in sliders]
    return Layout(
        rows=rows,
        columns=columns,
        scale=scale,
        image_size=(height, width),
        width=frame_width,
        height=frame_height,
        plane=plane,
        plane_above_line=Area(LEFT + (main_width - small_width) // 2, TOP, small_width, small_height),
        panel=panel,
        line=line,
        stops=tuple(stops),
        sliders=tuple(sliders),
        tracks=tuple(tracks),
        track_count=track_count,
        track_width=track_width,
    )
