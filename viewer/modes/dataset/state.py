"""The state of the dataset mode: which images there are, which are shown, which one is selected, which are marked."""

from bisect import bisect
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

from viewer.keys import Action, Event
from viewer.sheet import Sheet
from viewer.state import next_seed

ALL: Final = -1  # in place of a class: all images are shown
_MOST_DIGITS: Final = 12


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Which images there are, in one set or in several, counted through: not the images themselves."""

    counts: tuple[int, ...]  # images of each set
    labels: NDArray[np.int64]  # [count], into classes; -1: none
    classes: tuple[str, ...] = ()  # of all sets

    def place(self, image: int) -> tuple[int, int]:
        """Which set an image is of, and its number there."""
        which = bisect(self.firsts, image) - 1
        return which, image - self.firsts[which]

    @cached_property
    def firsts(self) -> list[int]:
        """The first image of each set."""
        return list(accumulate(self.counts, initial=0))[:-1]

    @lru_cache(maxsize=4)  # noqa: B019  (one catalogue is as long-lived as the program)
    def of_class(self, label: int) -> NDArray[np.int64]:
        """The images of a class, or all, in order."""
        return np.arange(len(self.labels)) if label == ALL else np.flatnonzero(self.labels == label)

    def next_class(self, label: int, step: int) -> int:
        """The next class that has images, forwards or backwards; the same one where there is no other."""
        there = np.unique(self.labels[self.labels >= 0]).tolist()
        if label == ALL:
            return there[0 if step > 0 else -1] if there else ALL
        return int(there[(there.index(label) + step) % len(there)])


@dataclass(frozen=True)
class DatasetState:
    """Pages of images with a cursor."""

    catalogue: Catalogue
    sheet: Sheet  # of a page
    cursor: int = 0  # place of the selected image among those that are shown
    label: int = ALL  # only images of this class are shown
    alone: bool = False  # the selected image is shown by itself, large
    typed: str = ""  # digits of the number that is being typed
    marked: frozenset[int] = frozenset()
    seed: int = 0  # of the next random image

    @property
    def shown(self) -> NDArray[np.int64]:
        """The images that can be turned to, in order."""
        return self.catalogue.of_class(self.label)

    @property
    def image(self) -> int:
        """The selected one."""
        return int(self.shown[self.cursor])

    @property
    def first(self) -> int:
        """Place of the first image of the page, or of the one that is shown alone."""
        return self.cursor if self.alone else self.cursor - self.cursor % self.sheet.count

    @property
    def page(self) -> tuple[int, ...]:
        """The images on the screen."""
        return tuple(self.shown[self.first : self.first + (1 if self.alone else self.sheet.count)].tolist())

    @property
    def cells(self) -> Sheet:
        """Where they are; one that is shown alone has all of the page."""
        return Sheet(1, 1, self.sheet.width, self.sheet.height, 0) if self.alone else self.sheet

    @property
    def number(self) -> tuple[int, int]:
        """Which set the selected image is of, and its number there."""
        return self.catalogue.place(self.image)

    def after(self, event: Event) -> "DatasetState":
        """The state after an event."""
        if event.action is Action.NEW and event.key in tuple("0123456789"):
            return replace(self, typed=(self.typed + event.key)[:_MOST_DIGITS])
        typed, state = self.typed, replace(self, typed="")
        match event.action:
            case Action.NEW:
                return _letter(state, event.key.lower(), typed)
            case Action.RANDOM:
                random = int(np.random.default_rng(self.seed).integers(len(self.shown)))
                return replace(state, cursor=random, seed=next_seed(self.seed))
            case Action.NEXT_VIEW:
                which = (self.number[0] + 1) % len(self.catalogue.counts)
                return selected(state, self.catalogue.firsts[which])
            case Action.PAUSE:
                return _moved(state, Event(Action.PAGE_DOWN))
            case _:
                return _moved(state, event)


def _letter(state: DatasetState, key: str, typed: str) -> DatasetState:
    catalogue = state.catalogue
    match key:
        case "enter" if typed:
            which = state.number[0]
            inside = int(typed) < catalogue.counts[which]
            return selected(state, catalogue.firsts[which] + int(typed)) if inside else state
        case "enter":
            return replace(state, alone=not state.alone)
        case "d":
            return replace(state, marked=state.marked ^ {state.image})
        case "[" | "]":
            return _to_marked(state, 1 if key == "]" else -1)
        case "n" | "p" if catalogue.classes:
            return only(state, catalogue.next_class(state.label, 1 if key == "n" else -1))
        case "c" if catalogue.classes:
            wanted = int(typed) if typed else ALL if state.label != ALL else int(catalogue.labels[state.image])
            return only(state, wanted)
        case _:
            return _moved(state, Event(Action.PAGE_DOWN))


def selected(state: DatasetState, image: int) -> DatasetState:
    """The state with this image selected; all are shown where it is not of the class that is."""
    places = np.flatnonzero(state.shown == image)
    return replace(state, cursor=int(places[0])) if len(places) else replace(state, label=ALL, cursor=image)


def only(state: DatasetState, label: int) -> DatasetState:
    """The state with the images of one class alone, or all; as it was where that class has none."""
    shown = state.catalogue.of_class(label)
    if not len(shown):
        return state
    places = np.flatnonzero(shown == state.image)
    return replace(state, label=label, cursor=int(places[0]) if len(places) else 0)


def _to_marked(state: DatasetState, step: int) -> DatasetState:
    """To the next marked image of those that can be turned to, or the one before."""
    marked = np.flatnonzero(np.isin(state.shown, np.fromiter(state.marked, np.int64, len(state.marked))))
    if not len(marked):
        return state
    place = np.searchsorted(marked, state.cursor, "right") if step > 0 else np.searchsorted(marked, state.cursor) - 1
    return replace(state, cursor=int(marked[int(place) % len(marked)]))


def _moved(state: DatasetState, event: Event) -> DatasetState:
    """Left and right go through the images, up and down through the rows, all of them on to other pages."""
    last, sheet = len(state.shown) - 1, state.sheet
    columns = 1 if state.alone else sheet.columns
    steps = {
        Action.LEFT: -1,
        Action.RIGHT: 1,
        Action.UP: -columns if state.cursor >= columns else 0,
        Action.DOWN: columns if state.cursor // columns < last // columns else 0,
        Action.PAGE_UP: -sheet.count,
        Action.PAGE_DOWN: sheet.count,
        Action.HOME: -last,
        Action.END: last,
    }
    cursor = state.cursor + steps.get(event.action, 0)
    if event.action is Action.CLICK and not state.alone:
        cell = sheet.cell_at(event.x, event.y)
        cursor = state.cursor if cell is None or state.first + cell > last else state.first + cell
    return replace(state, cursor=min(max(cursor, 0), last))
