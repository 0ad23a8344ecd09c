"""The state of the pick mode: which image of a table, and which part of the table is seen at what size."""

from dataclasses import dataclass, replace
from typing import Final

from trainer.contract.sheet import SheetLayout
from viewer.frame.area import Area
from viewer.keys import Action, Event
from viewer.sheet import Sheet, moved

VIEW: Final = (1120, 760)  # width and height of the frame at most, in pixels
SCALES: Final = (1 / 16, 1 / 12, 1 / 8, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
_ROOM: Final = 3  # frame pixels round the image under the cursor, for its line


@dataclass(frozen=True)
class PickState:
    """A part of a table, with a cursor over its images."""

    table: SheetLayout
    width: int  # of the whole table, in pixels
    height: int
    scale: float = 1.0  # frame pixels a pixel of the table
    cursor: int = 0
    corner: tuple[int, int] = (0, 0)  # of the frame on the scaled table, in frame pixels

    @property
    def whole(self) -> tuple[int, int]:
        """Width and height of the scaled table, in frame pixels."""
        return max(round(self.width * self.scale), 1), max(round(self.height * self.scale), 1)

    @property
    def view(self) -> tuple[int, int]:
        """Width and height of what is seen of it, in frame pixels."""
        return min(self.whole[0], VIEW[0]), min(self.whole[1], VIEW[1])

    @property
    def place(self) -> Area:
        """Where the image under the cursor is on the frame."""
        (first, upper), (x, y) = self.table.corner(self.cursor), self.corner
        left, top = round(first * self.scale), round(upper * self.scale)
        right = round((first + self.table.width) * self.scale)
        bottom = round((upper + self.table.height) * self.scale)
        return Area(left - x, top - y, max(right - left, 1), max(bottom - top, 1))

    def after(self, event: Event) -> "PickState":
        """The state after an event."""
        table = self.table
        match event.action:
            case Action.MORE | Action.WHEEL_UP:
                return _zoomed(self, min((one for one in SCALES if one > self.scale), default=self.scale))
            case Action.LESS | Action.WHEEL_DOWN:
                return _zoomed(self, max((one for one in SCALES if one < self.scale), default=self.scale))
            case Action.CLICK:
                width, height = self.view
                if not (0 <= event.x < width and 0 <= event.y < height):
                    return self
                x, y = event.x + self.corner[0], event.y + self.corner[1]
                cell = table.cell_at((x + 0.5) / self.scale, (y + 0.5) / self.scale)
                return _followed(replace(self, cursor=cell))
            case _:
                sheet = Sheet(table.rows, table.columns, table.width, table.height, table.margin)
                return _followed(replace(self, cursor=moved(sheet, self.cursor, event)))


def begin(table: SheetLayout, width: int, height: int, scale: float | None = None) -> PickState:
    """The first look at a table of this size: all of it, as large as it goes, unless there is a scale."""
    fitting = [one for one in SCALES if one * width <= VIEW[0] and one * height <= VIEW[1]]
    return PickState(table, width, height, scale or min(max(fitting, default=SCALES[0]), 16))


def _zoomed(state: PickState, scale: float) -> PickState:
    """At another size, with the image under the cursor in the middle where it can be."""
    after = replace(state, scale=scale, corner=(0, 0))
    place, view = after.place, after.view
    middle = place.left + (place.width - view[0]) // 2, place.top + (place.height - view[1]) // 2
    return _followed(replace(after, corner=middle))


def _followed(state: PickState) -> PickState:
    """Moved no further than it takes to see the image under the cursor."""
    corner = []
    place, view, whole = state.place, state.view, state.whole
    for start, first, side, seen, all_of_it in zip(
        state.corner, (place.left, place.top), (place.width, place.height), view, whole, strict=True
    ):
        low, high = start + first - _ROOM, start + first + side + _ROOM - seen  # of the corner, so that it is in view
        wanted = (low + high) // 2 if low < high else min(max(start, high), low)  # larger than the view: its middle
        corner.append(min(max(wanted, 0), all_of_it - seen))
    return replace(state, corner=(corner[0], corner[1]))
