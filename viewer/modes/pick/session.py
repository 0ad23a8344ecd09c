"""The pick mode: a cursor over the images of a saved table, to cut some out as files of their own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from trainer.contract.errors import ImageError
from trainer.contract.recipe import PER_IMAGE
from trainer.contract.sheet import SheetLayout, find_layout
from trainer.contract.text import printable
from viewer import render
from viewer.files.inputs import Photo, read_photo
from viewer.files.png import Image, read_recipe, save_numbered
from viewer.files.results import encode
from viewer.frame.area import Area
from viewer.frame.plots import mark
from viewer.keys import Action, Event
from viewer.labels import one_colour
from viewer.modes.pick.options import BINDINGS, Options
from viewer.room import Room
from viewer.sessions.session import Session
from viewer.sheet import Sheet, moved

VIEW: Final = (1120, 760)  # width and height of the frame at most, in pixels, where there is no window
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
    most: tuple[int, int] = VIEW  # width and height of the frame at most, in pixels

    @property
    def whole(self) -> tuple[int, int]:
        """Width and height of the scaled table, in frame pixels."""
        return max(round(self.width * self.scale), 1), max(round(self.height * self.scale), 1)

    @property
    def view(self) -> tuple[int, int]:
        """Width and height of what is seen of it, in frame pixels."""
        return min(self.whole[0], self.most[0]), min(self.whole[1], self.most[1])

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
    return PickState(table, width, height, scale or fitting_scale(width, height, VIEW))


def fitting_scale(width: int, height: int, most: tuple[int, int]) -> float:
    """The largest scale at which all of a table fits into a frame of at most this width and height."""
    fitting = [one for one in SCALES if one * width <= most[0] and one * height <= most[1]]
    return min(max(fitting, default=SCALES[0]), 16)


def _zoomed(state: PickState, scale: float) -> PickState:
    """At another size, with the image under the cursor in the middle where it can be."""
    after = replace(state, scale=scale, corner=(0, 0))
    place, view = after.place, after.view
    middle = place.left + (place.width - view[0]) // 2, place.top + (place.height - view[1]) // 2
    return _followed(replace(after, corner=middle))


def _followed(state: PickState) -> PickState:
    """Moved no further than it takes to see the image under the cursor."""
    place, corner, view = state.place, np.array(state.corner), np.array(state.view)
    low = corner + np.array((place.left, place.top)) - _ROOM  # of the corner, so that it is in view
    high = corner + np.array((place.right, place.bottom)) + _ROOM - view
    wanted = np.where(low < high, (low + high) // 2, np.clip(corner, high, low))  # larger than the view: its middle
    x, y = np.clip(wanted, 0, np.array(state.whole) - view).tolist()
    return replace(state, corner=(x, y))


class PickSession(Session[PickState, None, None]):
    """A table that is there from the start: nothing is left to a worker but the saving."""

    bindings = BINDINGS
    follows_mouse = True  # its wheel means something
    scaled = False  # a scale was asked for

    def __init__(self, path: Path, photo: Photo, recipe: Mapping[str, Any], state: PickState, folder: Path) -> None:
        """``recipe``: what the table says of itself, if it does."""
        self._path, self._photo, self._recipe = path, photo, recipe
        self._image = photo.on_white()
        self._shrunk: tuple[float, Image] = 1.0, self._image  # the table at a scale below 1
        super().__init__(path.name, state, folder)
        if photo.notes:
            self.notify(", ".join(photo.notes))

    def _lay_out(self, room: Room) -> bool:
        """Show more of the table, or all of it larger; a scale that the user chose stays."""
        if room.grain > 1:
            return False
        before = self.state
        state = replace(before, most=room.images, corner=(0, 0))
        if not self.scaled and before.scale == fitting_scale(before.width, before.height, before.most):
            state = replace(state, scale=fitting_scale(before.width, before.height, state.most))
        self.state = _followed(state)
        return True

    def _screen(self) -> render.Image:
        state = self.state
        width, height = state.view
        frame = one_colour(height, max(width, render.LEAST_WIDTH))
        frame[:, :width] = self._seen()
        mark(frame, state.place)
        return frame

    def _seen(self) -> Image:
        """The part of the table that is in view."""
        state, image = self.state, self._image
        (x, y), (width, height) = state.corner, state.view
        if state.scale < 1:
            if self._shrunk[0] != state.scale:
                small = cv2.resize(image, state.whole, interpolation=cv2.INTER_AREA)
                self._shrunk = state.scale, np.asarray(small, np.uint8)
            return self._shrunk[1][y : y + height, x : x + width]
        rows = np.minimum((np.arange(y, y + height) / state.scale).astype(int), image.shape[0] - 1)
        columns = np.minimum((np.arange(x, x + width) / state.scale).astype(int), image.shape[1] - 1)
        return np.asarray(image[rows, columns[0] : columns[-1] + 1][:, columns - columns[0]], np.uint8)

    # Cutting out.

    def _save(self, whole: bool) -> None:
        count, numbers = self.state.table.count, self._recipe.get("numbers")
        if isinstance(numbers, list):  # the last page of a set may have fewer than fit on it
            count = min(len(numbers), count)
        for index in range(count) if whole else (self.state.cursor,):
            self._have_saved(partial(self._cut, index))

    def _cut(self, index: int) -> str:
        photo, part = self._photo, self.state.table.part(index)
        cut = Photo(photo.image[part], None if photo.alpha is None else photo.alpha[part], photo.grey)
        data = encode(cut.image, cut, ".png", self._recipe_of(index))
        return f"saved {save_numbered(self._folder, self._path.stem, data)}"

    def _recipe_of(self, index: int) -> Mapping[str, Any]:
        """What an image follows from: what its table does, but for what that says of other images."""
        singular = {many: one for one, many in PER_IMAGE.items()}
        own: dict[str, Any] = {"mode": "pick"}
        for name, value in self._recipe.items():
            if name not in singular:
                own[name] = value
            elif isinstance(value, list) and index < len(value) and value[index] is not None:
                own[singular[name]] = value[index]
        table = self.state.table
        own |= {"image": index, "table": self._path.name, "rows": table.rows, "cols": table.columns}
        return own | {"area": [*table.corner(index), table.width, table.height]}

    # In words.

    def _status(self) -> tuple[str, ...]:
        state, table = self.state, self.state.table
        row, column = divmod(state.cursor, table.columns)
        recipe = self._recipe_of(self.state.cursor)
        words: tuple[str, ...] = (f"image {state.cursor} of 0-{table.count - 1}", f"row {row} column {column}")
        words += tuple(printable(str(recipe[name]), 60) for name in ("name", "class") if name in recipe)
        return (*words, f"{table.width}x{table.height}", f"at {state.scale:.3g}")


def open_session(options: Options) -> PickSession:
    """The table that the options name. Raises ``UserError``."""
    photo = read_photo(options.table)
    try:
        recipe = read_recipe(options.table)
    except ImageError:  # most tables do not say what they are made of
        recipe = {}
    table = find_layout(options.table, photo.image, recipe, options.rows, options.cols, options.margin, "--cols")
    state = begin(table, photo.image.shape[1], photo.image.shape[0], options.scale)
    session = PickSession(options.table, photo, recipe, state, options.out)
    session.scaled = options.scale is not None
    return session
