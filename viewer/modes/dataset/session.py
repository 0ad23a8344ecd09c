"""The dataset mode: pages of the images of a set, to look through, to save some, and to mark what should go."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from trainer.contract.errors import ImageError, UserError
from trainer.contract.headers import SUFFIXES
from trainer.contract.recipe import PER_IMAGE
from trainer.contract.text import printable
from viewer import render
from viewer.files.image_set import LabelledSet, open_set, set_of_files
from viewer.files.inputs import photo_size
from viewer.files.png import Image, encode_png, read_bytes, save_numbered
from viewer.frame.area import Area
from viewer.frame.plots import blank, sharp
from viewer.keys import Event
from viewer.labels import Frame, write
from viewer.modes.dataset.options import BINDINGS, SIDE, Options
from viewer.modes.dataset.selection import Selection
from viewer.modes.dataset.state import ALL, Catalogue, DatasetState
from viewer.room import Room, Tiling
from viewer.sessions.classes import class_words
from viewer.sessions.session import Session, check_saved_size
from viewer.sheet import Sheet

MARK: Final = (60, 60, 235)
_FAINT: Final = render.TONES["hint"]
_PROMPT_SECONDS: Final = 0.02  # that a page is waited for before the frame is shown without it
_PART_SECONDS: Final = 0.04  # that one part of a page may take


_LOOKED_AT: Final = 48  # image files of a set, for their size
_USUAL_SIDE: Final = 128  # pixels, where none can be read
_JPEG: Final = (".jpg", ".jpeg")
_REDUCED: Final = ((8, cv2.IMREAD_REDUCED_COLOR_8), (4, cv2.IMREAD_REDUCED_COLOR_4), (2, cv2.IMREAD_REDUCED_COLOR_2))


def open_sets(paths: Sequence[Path], bgr: bool = False) -> list[LabelledSet]:
    """Open sets; image files of one folder are one. ``bgr``: .npy files hold BGR. Raises ``ImageError``."""
    sets: list[LabelledSet] = []
    files: dict[Path, list[Path]] = {}
    for path in paths:
        if path.suffix.lower() in SUFFIXES and path.is_file():
            files.setdefault(path.parent, []).append(path)
        else:
            sets.append(open_set(path, bgr and path.suffix.lower() == ".npy"))
    if bgr and not any(one.bgr for one in sets):
        raise ImageError(f"--bgr: {paths[0]} says its order itself, expected a .npy file")
    return sets + [set_of_files(folder, list(dict.fromkeys(found))) for folder, found in files.items()]


def catalogue_of(sets: Sequence[LabelledSet]) -> Catalogue:
    """What can be said of the images without reading them. Classes of the same name are one."""
    classes = tuple(dict.fromkeys(name for one in sets for name in one.classes))
    labels = [
        np.full(one.count, -1) if one.labels is None
        else np.array([classes.index(name) for name in one.classes], np.int64)[one.labels]
        for one in sets
    ]  # fmt: skip
    return Catalogue(tuple(one.count for one in sets), np.concatenate(labels).astype(np.int64), classes)


def common_size(sets: Sequence[LabelledSet]) -> tuple[int, int]:
    """Height and width of the images; where they differ, a square of their median length, by some of the files."""
    sizes: list[tuple[int, int]] = []
    for one in sets:
        if one.size is not None:
            sizes.append(one.size)
            continue
        for number in range(0, one.count, max(one.count // _LOOKED_AT, 1)):
            try:
                sizes.append(photo_size(one.files[number]) if one.files else one.fetch(number).shape[:2])
            except ImageError:
                continue
    if len(set(sizes)) == 1:
        return sizes[0]
    side = int(np.median([max(size) for size in sizes])) if sizes else _USUAL_SIDE
    return side, side


def glance(one: LabelledSet, number: int, height: int, width: int) -> tuple[Image, tuple[int, int]]:
    """An image no smaller than it is shown, and its own height and width. JPEG files that are much larger are decoded
    at a half, a quarter or an eighth of their size. Raises ``ImageError``."""
    if one.files and one.files[number].suffix.lower() in _JPEG:
        file = one.files[number]
        size = photo_size(file)
        most = max(size[0] / height, size[1] / width)
        flag = next((flag for factor, flag in _REDUCED if factor <= most), None)
        data = b"" if flag is None else read_bytes(file)
        if flag is not None and b"\xff\xd9" in data[-4096:]:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
            if image is not None:
                return np.asarray(image, np.uint8), size
    image = one.fetch(number)
    return image, (image.shape[0], image.shape[1])


@dataclass(frozen=True, eq=False)
class Cell:
    """An image as it is shown."""

    image: Image | None  # no larger than the room for it; None: it cannot be read
    size: tuple[int, int] = (0, 0)  # height and width that it has
    failure: str = ""


class DatasetSession(Session[DatasetState, DatasetState, dict[int, Cell]]):
    """Pages of images that are read when they are turned to."""

    bindings = BINDINGS
    page_fields = ("first", "label", "alone")

    def __init__(
        self,
        selections: Sequence[Selection],
        state: DatasetState,
        folder: Path,
        size: tuple[int, int],
        tiling: Tiling | None = None,
    ) -> None:
        """``selections``: the list of each set. ``size``: height and width of an image on a page that is saved.
        ``tiling``: how the sheet follows from the room that there is; ``None``: it does not."""
        self._tiling = tiling
        self._saved_gap = state.sheet.gap
        self._selections, self._sets, self._size = selections, [one.source for one in selections], size
        self._asked: DatasetState | None = None
        self._cells: dict[int, Cell] = {}  # of the page asked for, as far as they are there
        self._canvas = _paper(state.sheet)
        first, more = self._sets[0].path.absolute().name, len(selections) - 1
        super().__init__(f"{first} and {more} more" if more else first, state, folder)
        self.state = replace(self.state, marked=self._all_marked())

    def _all_marked(self) -> frozenset[int]:
        firsts = self.state.catalogue.firsts
        return frozenset(firsts[which] + number for which, one in enumerate(self._selections) for number in one.numbers)

    def _handle(self, event: Event) -> None:
        """Take in an event. What was marked is on the disk when this returns."""
        before = self.state
        super()._handle(event)
        if self.state.marked != before.marked:
            for image in self.state.marked ^ before.marked:
                which, number = self.state.catalogue.place(image)
                try:
                    self._selections[which].put(number, image in self.state.marked)
                    self.wrote = True
                except ImageError as error:
                    self._failed(error)
            self.state = replace(self.state, marked=self._all_marked())
        if event.key == "enter" and before.typed and self.state.cursor == before.cursor:
            count = before.catalogue.counts[before.number[0]]
            if int(before.typed) >= count:
                self.notify(f"there is no image {before.typed}, expected 0..{count - 1}", "error")
        if event.key in ("c", "C") and before.typed and self.state.label != int(before.typed):
            self.notify(f"there are no images of a class {before.typed}", "error")

    def _back(self) -> None:
        if self.state.typed:
            self.state, self.changed = replace(self.state, typed=self.state.typed[:-1]), True
        else:
            super()._back()

    def _returned(self, state: DatasetState) -> DatasetState:
        return replace(state, marked=self.state.marked, typed="")

    def _lay_out(self, room: Room) -> bool:
        if self._tiling is None:
            return False
        self.state = replace(self.state, sheet=self._tiling.sheet(room))
        return True

    # Images.

    def pump(self, now: float) -> None:
        """Ask the worker for what is missing, and take in what has come: mostly all of it, at once."""
        asked = self._asked
        super().pump(now)
        if self._asked is not asked:
            self._worker.wait(_PROMPT_SECONDS)
            super().pump(now)

    def _work(self, request: DatasetState) -> Iterator[dict[int, Cell]]:
        made: dict[int, Cell] = {}
        began = time.monotonic()
        for place, image in enumerate(request.page):
            made[place] = self._cell(image, request.cells.cell_height, request.cells.cell_width, request.alone)
            if time.monotonic() - began > _PART_SECONDS:
                yield made
                made, began = {}, time.monotonic()
        if made:
            yield made

    def _cell(self, index: int, height: int, width: int, alone: bool = False) -> Cell:
        which, number = self.state.catalogue.place(index)
        try:
            image, size = glance(self._sets[which], number, height, width)
        except (ImageError, MemoryError) as error:
            return Cell(None, failure=printable(str(error) or "not enough memory"))
        factor = min(height / size[0], width / size[1])
        factor = float(int(factor)) if alone and factor >= 1 else factor  # its pixels stay squares
        return Cell(sharp(image, max(round(size[0] * factor), 1), max(round(size[1] * factor), 1)), size)

    def _ask(self) -> None:
        page = replace(self.state, cursor=self.state.first, typed="", marked=frozenset(), seed=0)
        if page != self._asked:
            self._asked, self._cells, self._canvas = page, {}, _paper(page.cells)
            self._worker.ask(page)

    def _receive(self, request: DatasetState, part: dict[int, Cell]) -> None:
        if request != self._asked:
            return
        for place, cell in part.items():
            _place(self._canvas, request.cells, place, cell)
        self._cells |= part
        self.changed = True

    def _screen(self) -> render.Image:
        state = self.state
        marked = [place for place, image in enumerate(state.page) if image in state.marked]
        canvas = self._canvas.copy() if marked else self._canvas
        for place in marked:
            strike(canvas, state.cells, place)
        return canvas

    def _cursor(self) -> tuple[Sheet | None, int]:
        state = self.state
        return None if state.alone or state.sheet.count == 1 else state.sheet, state.cursor - state.first

    # Saving.

    def _save(self, whole: bool) -> None:
        state = self.state
        if whole and not state.alone:
            self._have_saved(lambda: self._save_page(state))
            return
        which, number = state.number
        recipe = {"mode": "dataset", **self._recipe_of(which, number)}
        self._have_saved(lambda: self._saved(self._sets[which].fetch(number), which, recipe))

    def _save_page(self, state: DatasetState) -> str:
        """The page without the cursor and crosses, in the size that the images have in common, or most of them."""
        sheet, images = state.sheet, state.page
        rows = -(-len(images) // sheet.columns)
        height, width = self._size
        page = Sheet(rows, sheet.columns if rows > 1 else len(images), width, height, self._saved_gap)
        check_saved_size(page.width, page.height)
        target = render.blank(page)
        for place, image in enumerate(images):
            _place(target, page, place, self._cell(image, height, width))
        places = [state.catalogue.place(image) for image in images]
        recipes = [self._recipe_of(*one) for one in places]
        recipe: dict[str, Any] = {"mode": "dataset page", "rows": page.rows, "cols": page.columns, "gap": page.gap}
        for name in recipes[0]:
            values = [one.get(name) for one in recipes]
            alike = name in ("file", "bgr") and len(set(values)) == 1
            recipe |= {name: values[0]} if alike else {PER_IMAGE.get(name, name): values}
        return self._saved(target, places[0][0], recipe)

    def _saved(self, image: Image, which: int, recipe: Mapping[str, Any]) -> str:
        """Save an image under the name of a set."""
        path = self._sets[which].path.absolute()
        stem = path.with_suffix("").stem if path.suffix.lower() == ".gz" else path.stem
        return f"saved {save_numbered(self._folder, stem, encode_png(image, recipe))}"

    def _recipe_of(self, which: int, number: int) -> dict[str, Any]:
        """Where an image comes from."""
        one = self._sets[which]
        recipe: dict[str, Any] = {"file": one.path.absolute().name, "number": number}
        recipe |= {"name": one.names[number]} if one.names else {}
        if one.labels is not None:
            recipe |= {"label": int(one.labels[number]), "class": one.classes[one.labels[number]]}
        return recipe | ({"bgr": True} if one.bgr else {})

    # In words.

    def _status(self) -> tuple[str, ...]:
        state, catalogue = self.state, self.state.catalogue
        which, number = state.number
        one = self._sets[which]
        words: tuple[str, ...] = (f"to {state.typed}_",) if state.typed else ()
        words += (printable(one.path.absolute().name, 40),) if len(self._sets) > 1 else ()
        words += (f"image {number} of 0-{one.count - 1}",)
        words += (f"{len(state.marked)} marked",) if state.marked else ()
        words += (printable(one.names[number], 60),) if one.names else ()
        label = int(catalogue.labels[state.image])
        if label >= 0:
            said = class_words(label, catalogue.classes[label])
            words += (f"only {said}: {len(state.shown)} images" if state.label != ALL else said,)
        cell = self._cells.get(state.cursor - state.first)
        if cell is not None:
            words += (cell.failure or f"{cell.size[1]}x{cell.size[0]}",)
        missing = len(state.page) - len(self._cells)
        return (*words, f"{missing} to come") if missing else words

    def _situation(self) -> Mapping[str, object]:
        return {"classes": self.state.catalogue.classes, "files": len(self._sets) > 1}


def open_session(options: Options) -> DatasetSession:
    """The pages that the options ask for. Raises ``UserError``."""
    sets = open_sets(options.files, options.bgr)
    if options.marks is not None and len(sets) > 1:
        raise UserError(f"--marks is the list of one set, found {len(sets)}: each has its own beside it")
    height, width = common_size(sets)
    tiling = Tiling(height, width, options.rows, options.cols, (SIDE, SIDE), options.scale)
    state = DatasetState(catalogue_of(sets), tiling.sheet(), seed=options.seed)
    selections = [Selection(one, options.marks) for one in sets]
    return DatasetSession(selections, state, options.out, (height, width), tiling)


def strike(canvas: Image, sheet: Sheet, place: int) -> None:
    """A red frame and a red cross over an image, wide enough to be seen when the frame is shown small."""
    part = canvas[_room(sheet, place).pixels]
    right, bottom = sheet.cell_width - 1, sheet.cell_height - 1
    wide = max(min(sheet.cell_width, sheet.cell_height) // 24, 1)
    for colour, more in ((render.INK, 2), (MARK, 0)):
        for start, end in (((0, 0), (right, bottom)), ((0, bottom), (right, 0))):
            cv2.line(part, start, end, colour, wide + more, cv2.LINE_AA)
    cv2.rectangle(part, (0, 0), (right, bottom), MARK, 2 * wide + 1)


def _paper(sheet: Sheet) -> Frame:
    """A page without images."""
    return blank(sheet.height, max(sheet.width, render.LEAST_WIDTH))


def _room(sheet: Sheet, place: int) -> Area:
    return Area(*sheet.corner(place), sheet.cell_width, sheet.cell_height)


def _place(canvas: Image, sheet: Sheet, place: int, cell: Cell) -> None:
    """An image in the middle of its place; a note where it cannot be read."""
    room = _room(sheet, place)
    if cell.image is None:
        cv2.rectangle(canvas, (room.left, room.top), (room.right - 1, room.bottom - 1), _FAINT, 1)
        middle = room.left + room.width / 2, room.top + room.height / 2
        write(canvas, *middle, "unreadable" if room.width > 80 else "?", _FAINT, "middle")
        return
    height, width = cell.image.shape[:2]
    inner = Area(room.left + (room.width - width) // 2, room.top + (room.height - height) // 2, width, height)
    canvas[inner.pixels] = cell.image
