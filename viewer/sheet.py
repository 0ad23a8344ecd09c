"""Where the images of a sheet lie on the frame, and how the cursor moves over them."""

from dataclasses import dataclass
from typing import Final

from trainer.contract.errors import UserError
from viewer.keys import Action, Event

_LARGEST_FRAME: Final = 2**26  # pixels
_SMALL_SCREEN: Final = (1100, 800)  # width and height of it that images take
_LARGEST_SCALE: Final = 8  # there
_WELL_FILLED: Final = 0.8  # part of a room along one side, from which on images need not fill more of it
STEPS: Final = {Action.LEFT: (0, -1), Action.RIGHT: (0, 1), Action.UP: (-1, 0), Action.DOWN: (1, 0)}  # rows, columns


@dataclass(frozen=True)
class Sheet:
    """Where the images of a sheet lie on the frame, in frame pixels."""

    rows: int
    columns: int
    cell_width: int
    cell_height: int
    gap: int = 2  # round every image

    @property
    def count(self) -> int:
        """How many images there are."""
        return self.rows * self.columns

    @property
    def width(self) -> int:
        """Of the sheet, gaps included."""
        return self.columns * (self.cell_width + self.gap) + self.gap

    @property
    def height(self) -> int:
        """Of the sheet, gaps included."""
        return self.rows * (self.cell_height + self.gap) + self.gap

    @property
    def places(self) -> "Sheet":
        """The same rows and columns, whatever the size of the images."""
        return Sheet(self.rows, self.columns, 0, 0)

    def corner(self, index: int) -> tuple[int, int]:
        """Left and top edge of an image."""
        row, column = divmod(index, self.columns)
        return column * (self.cell_width + self.gap) + self.gap, row * (self.cell_height + self.gap) + self.gap

    def cell_at(self, x: int, y: int) -> int | None:
        """The image under a point; the gaps belong to the image before them. ``None`` beside the sheet."""
        if not (0 <= x < self.width and 0 <= y < self.height):
            return None
        column = min(max(x - self.gap, 0) // (self.cell_width + self.gap), self.columns - 1)
        row = min(max(y - self.gap, 0) // (self.cell_height + self.gap), self.rows - 1)
        return row * self.columns + column


def moved(sheet: Sheet, cursor: int, event: Event) -> int:
    """Where the cursor is after an event."""
    if event.action is Action.CLICK:
        cell = sheet.cell_at(event.x, event.y)
        return cursor if cell is None else cell
    if event.action in (Action.HOME, Action.END):
        return 0 if event.action is Action.HOME else sheet.count - 1
    down, along = STEPS.get(event.action, (0, 0))
    row, column = divmod(cursor, sheet.columns)
    return (row + down) % sheet.rows * sheet.columns + (column + along) % sheet.columns


def auto_scale(
    rows: int, columns: int, height: int, width: int, room: tuple[int, int] | None = None, whole: bool = True
) -> float:
    """The scale at which a sheet of images fills a room, its width and height; without one, a good part of a small
    screen. ``whole``: the images' pixels stay squares where that leaves little of the room free."""
    most = room or _SMALL_SCREEN
    factor = max(min(most[0] / (columns * width), most[1] / (rows * height)), 1e-6)
    if factor < 1 or not whole:
        return factor
    if room is None:
        return float(min(int(factor), _LARGEST_SCALE))
    return float(int(factor)) if int(factor) > _WELL_FILLED * factor else factor


def checked(sheet: Sheet) -> Sheet:
    """The sheet. Raises ``UserError`` where the frame would be too large."""
    if sheet.width * sheet.height > _LARGEST_FRAME:
        raise UserError(f"a frame of {sheet.width}x{sheet.height} pixels is too large; try a smaller --scale")
    return sheet
