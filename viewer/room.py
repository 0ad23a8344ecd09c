"""How much room a display has, and how the images of a sheet fill it."""

from typing import Final, NamedTuple

from viewer.sheet import Sheet, auto_scale, checked

_TOLD_APART: Final = 22  # pixels of the display that a side of an image must have for its content to be seen
_GAP: Final = 2  # pixels round an image, where text has the usual size
STRIP_HEIGHT: Final = 28  # pixels of the strip of text below the images, likewise


def strip_height(scale: float = 1.0) -> int:
    """Of the strip of text, in pixels. ``scale``: how many times as large as usual letters are."""
    return round(STRIP_HEIGHT * scale)


class Room(NamedTuple):
    """How much room a display has for a frame."""

    width: int  # frame pixels
    height: int  # frame pixels
    text: float = 1.0  # how many times as large as usual letters and lines are
    grain: int = 1  # frame pixels across that become one of the display's: more than 1 where it is coarse
    strip: bool = True  # whether frames have a strip of text below the images

    @property
    def images(self) -> tuple[int, int]:
        """Width and height for images alone."""
        return self.width, max(self.height - (strip_height(self.text) if self.strip else 0), 1)


class Tiling(NamedTuple):
    """How many images a sheet has, and how large they are."""

    height: int  # of an image, in its own pixels
    width: int
    rows: int | None = None  # None: ``usual``, or fewer where they could not be told apart
    columns: int | None = None
    usual: tuple[int, int] = (1, 1)  # rows and columns
    scale: float | None = None  # frame pixels an image's pixel; None: as fits
    without_room: float | None = None  # the scale where there is no display; None: as fits a small screen
    gap: int = _GAP
    across: int = 1  # images beside each other in a cell

    def sheet(self, room: Room | None = None) -> Sheet:
        """The sheet for a display, or for none. Raises ``UserError`` where the frame would be too large."""
        if room is None:
            rows, columns = self.rows or self.usual[0], self.columns or self.usual[1]
            scale = self.scale or self.without_room or auto_scale(rows, columns * self.across, self.height, self.width)
            return self._sheet(rows, columns, scale, self.gap, 1)
        width, height = room.images
        rows, columns = self._counts(room)
        gap = round(self.gap * room.text) if room.grain == 1 else min(self.gap, 1) * room.grain
        inner = width - gap * (columns + 1), height - gap * (rows + 1)
        scale = self.scale or auto_scale(rows, columns * self.across, self.height, self.width, inner, room.grain == 1)
        return self._sheet(rows, columns, scale, gap, room.grain)

    def _sheet(self, rows: int, columns: int, scale: float, gap: int, grain: int) -> Sheet:
        width, height = (max(round(side * scale) // grain * grain, grain) for side in (self.width, self.height))
        return checked(Sheet(rows, columns, width * self.across, height, gap))

    def _counts(self, room: Room) -> tuple[int, int]:
        """Rows and columns."""
        counts = list(self.usual)
        if room.grain > 1:
            least = _TOLD_APART * room.grain / max(self.width, self.height)
            sides = self.height * least, self.width * self.across * least
            for axis, most in enumerate(room.images[::-1]):
                counts[axis] = min(max(int(most / sides[axis]), 1), counts[axis])
        return self.rows or counts[0], self.columns or counts[1]
