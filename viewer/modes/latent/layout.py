"""Where everything of the latent mode lies on its frame, in frame pixels."""

from dataclasses import dataclass
from typing import Final

from viewer.frame.area import Area, fitting_side, fitting_size

LEFT, TOP, RIGHT, BOTTOM = 56, 14, 14, 46  # round the plane: room for its ticks and the names of its axes
SPACE: Final = 26  # between the plane and the panel
PANEL_WIDTH: Final = 288
_LEAST_HEIGHT: Final = 520  # of the frame
_LEAST_WIDTH: Final = 400  # of what lies left of the panel
_CELL: Final = 32  # that an image of the plane is wide at most, unless it is asked for
_PLANE: Final = 640  # that the plane is wide, about
_STOP: Final = 84  # that an image of the line is wide, about
_TRACK: Final = 40  # that an image behind a slider is high
_NAME_WIDTH: Final = 92  # left of a slider
_VALUE_WIDTH: Final = 52  # right of it


@dataclass(frozen=True)
class Layout:
    """The sizes that the areas follow from."""

    rows: int  # images of the plane at its finest
    columns: int
    plane_width: int
    plane_height: int
    image_height: int  # of the model's images
    image_width: int
    scale: float = 1.0  # that it was made for

    @property
    def width(self) -> int:
        """Of the frame."""
        return LEFT + self.main_width + SPACE + PANEL_WIDTH + RIGHT

    @property
    def main_width(self) -> int:
        """Of what lies left of the panel."""
        return max(self.plane_width, _LEAST_WIDTH)

    @property
    def height(self) -> int:
        """Of the frame, without the strip of text."""
        return max(TOP + self.plane_height + BOTTOM, _LEAST_HEIGHT)

    @property
    def plane(self) -> Area:
        """The plane, and the scatter."""
        return Area(LEFT, TOP, self.plane_width, self.plane_height)

    @property
    def plane_above_line(self) -> Area:
        """The plane where the line's images lie below it."""
        factor = min((self.stops.top - TOP - BOTTOM) / self.plane_height, 1.0)
        width, height = max(round(self.plane_width * factor), 1), max(round(self.plane_height * factor), 1)
        return Area(LEFT + (self.main_width - width) // 2, TOP, width, height)

    @property
    def panel(self) -> Area:
        """The panel at the right."""
        return Area(LEFT + self.main_width + SPACE, TOP, PANEL_WIDTH, self.height - TOP - RIGHT)

    @property
    def stop_size(self) -> tuple[int, int]:
        """Width and height of an image of the line."""
        return fitting_size(self.image_width, self.image_height, _STOP)

    @property
    def stop_count(self) -> int:
        """How many images the line has."""
        return max((self.width - 2 * RIGHT) // (self.stop_size[0] + 2), 3)

    @property
    def stops(self) -> Area:
        """The line's images, with a gap of 2 round each."""
        width, height = (side + 2 for side in self.stop_size)
        across = width * self.stop_count
        return Area((self.width - across) // 2, self.height - height - 10, across, height)

    def stop(self, number: int) -> Area:
        """An image of the line."""
        width, height = self.stop_size
        return Area(self.stops.left + number * (width + 2) + 1, self.stops.top + 1, width, height)

    @property
    def track_images(self) -> tuple[int, int, int]:
        """How many images lie behind a slider, and their width and height."""
        room = LEFT + self.main_width - RIGHT - _NAME_WIDTH - _VALUE_WIDTH
        width = min(max(round(self.image_width * _TRACK / self.image_height), 4), room)
        return room // width, width, _TRACK

    @property
    def slider_count(self) -> int:
        """How many sliders there is room for."""
        return max((self.height - 2 * TOP) // (self.track_images[2] + 8), 1)

    def slider(self, place: int) -> Area:
        """The whole row of a slider, counted from the uppermost."""
        height = self.track_images[2] + 8
        return Area(RIGHT, TOP + place * height, LEFT + self.main_width - RIGHT, height)

    def track(self, place: int) -> Area:
        """What a slider slides on."""
        count, width, height = self.track_images
        row = self.slider(place)
        return Area(row.left + _NAME_WIDTH, row.top + 4, count * width, height)


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
    return Layout(rows, columns, columns * cell_width, rows * cell_height, height, width, scale)
