"""The state of a comparison: a page of seeds or images, and how what each model makes of them is shown."""

from dataclasses import dataclass, replace
from typing import Final, Literal, final, get_args

from viewer.frame.area import Area
from viewer.keys import Action, Event
from viewer.modes.compare.options import View
from viewer.sessions.classes import Classes
from viewer.sessions.generator_page.session import LARGEST_TRUNCATION, TRUNCATION_STEPS
from viewer.sessions.sampling import fewer_steps, more_steps
from viewer.sessions.sheet_state import SheetState
from viewer.sheet import STEPS, Sheet, moved
from viewer.state import next_seed

Mode = Literal["random", "interpolation", "images"]
MODES: Final = get_args(Mode)
VIEWS: Final[tuple[View, ...]] = get_args(View)
INPUT: Final = "input"  # name of the column of the images that go in
LARGEST_AMPLIFICATION: Final = 6  # a power of two
MOST_ZOOM: Final = 5  # a power of two
_DIVIDER_STEP: Final = 0.05
_PAN: Final = 1 / 8  # of what is seen of an image, that an arrow moves it


@dataclass(frozen=True)
class Page:
    """What the images of a page follow from, whichever model makes them."""

    mode: Mode
    seed: int
    rows: int
    columns: int
    level: int  # of generators: tenths of the truncation; of denoisers: steps; else 0
    classes: Classes
    photos: tuple[int, ...] = ()  # numbers of the images that go in, if any

    @property
    def numbers(self) -> range:
        """Of the comparisons."""
        return range(len(self.photos) if self.mode == "images" else self.rows * self.columns)


@dataclass(frozen=True)
class Zoom:
    """The part of every image that is shown: 1 / 2^power of its width and height, about a place in it."""

    power: int = 0
    across: float = 0.5  # of the middle, as a fraction of the image
    down: float = 0.5
    grip: tuple[int, int] | None = None  # where the right button holds the images, in frame pixels

    @property
    def share(self) -> float:
        """Of the width and of the height that is shown."""
        return float(0.5**self.power)

    @property
    def corner(self) -> tuple[float, float]:
        """Left and top edge of what is shown, as fractions of the image."""
        return self.across - self.share / 2, self.down - self.share / 2

    def at(self, across: float, down: float) -> "Zoom":
        """The part about this place, or as near to it as the image goes."""
        half = self.share / 2
        return replace(self, across=min(max(across, half), 1 - half), down=min(max(down, half), 1 - half))

    def changed(self, step: int, place: tuple[float, float] = (0.5, 0.5)) -> "Zoom":
        """Nearer or further; what is at ``place``, a fraction of what is shown, stays there."""
        left, top = self.corner
        x, y = left + place[0] * self.share, top + place[1] * self.share
        other = replace(self, power=min(max(self.power + step, 0), MOST_ZOOM), grip=None)
        return other.at(x + (0.5 - place[0]) * other.share, y + (0.5 - place[1]) * other.share)


@final
@dataclass(frozen=True)
class CompareState(SheetState):
    """A page of comparisons, each of which is what several models make of one seed, or of one image."""

    kind: str  # of the models
    columns: tuple[str, ...]  # names of what is compared: the models', and before them that of the images that go in
    sheets: tuple[Sheet, Sheet]  # with all beside each other in a cell, and with one image in a cell
    mode: Mode = "random"
    view: View = "side"
    level: int = TRUNCATION_STEPS
    most_level: int = LARGEST_TRUNCATION
    pair: tuple[int, int] = (0, 1)  # columns on the left and on the right of a wipe; the first one is subtracted
    divider: float = 0.5  # fraction of a cell that shows the left one
    amplification: int = 3  # differences are multiplied by 2 to this power
    zoom: Zoom = Zoom()
    photos: int = 0  # images that go in
    first: int = 0  # of the page
    has_latent: bool = True  # whether new seeds make new images
    can_measure: bool = False  # whether there are figures

    @property
    def factor(self) -> int:
        """What differences are multiplied by."""
        return int(2**self.amplification)

    @property
    def across(self) -> int:
        """Images beside each other in a cell."""
        return 1 if self.view == "wipe" else len(self.columns)

    @property
    def subtracted(self) -> frozenset[int]:
        """Columns of which the difference view shows the difference from the first of the pair. Of the images that go
        in only the results can be: they may be of another kind, as edges are."""
        return frozenset(place for place, name in enumerate(self.columns) if place != self.pair[0] and name != INPUT)

    @property
    def page(self) -> Page:
        """What the images follow from."""
        last = min(self.first + self.sheet.count, self.photos)
        numbers = tuple(range(self.first, last)) if self.mode == "images" else ()
        sheet = self.sheet
        return Page(self.mode, self.seed, sheet.rows, sheet.columns, self.level, self.classes, numbers)

    def tile(self, index: int, column: int) -> Area:
        """Where an image lies on the sheet: comparison ``index``, and which of those in its cell."""
        left, top = self.sheet.corner(index)
        width = self.sheet.cell_width // self.across
        return Area(left + column * width, top, width, self.sheet.cell_height)

    def shown(self, view: View) -> "CompareState":
        """In another view."""
        return replace(self, view=view, sheet=self.sheets[view == "wipe"], zoom=replace(self.zoom, grip=None))

    def _after(self, event: Event) -> "CompareState":
        match event.action:
            case Action.NEXT_VIEW:
                views = VIEWS if self.can_measure else VIEWS[:-1]
                return self.shown(views[(views.index(self.view) + 1) % len(views)])
            case Action.NEW if event.key in ("[", "]"):
                return self._bracket(-1 if event.key == "[" else 1)
            case Action.NEW if event.key in ("a", "b", "A", "B"):
                return replace(self, pair=_next_pair(self.pair, "ab".index(event.key.lower()), len(self.columns)))
            case Action.CLICK | Action.DRAG:
                return self._clicked(event)
            case Action.SECOND_CLICK | Action.SECOND_DRAG | Action.SECOND_RELEASE:
                return replace(self, zoom=self._panned(event))
            case Action.WHEEL_UP | Action.WHEEL_DOWN:
                return replace(self, zoom=self._wheel(1 if event.action is Action.WHEEL_UP else -1, event))
            case Action.MORE | Action.LESS:
                return self._more(1 if event.action is Action.MORE else -1)
            case Action.INTERPOLATE if self.mode != "images":
                return self._switched(mode="interpolation")
            case Action.RANDOM if self.mode != "images":
                return self._switched(mode="random")
            case Action.PAGE_UP | Action.PAGE_DOWN if self.mode == "images":
                return self._turned(1 if event.action is Action.PAGE_DOWN else -1)
            case Action.PAGE_UP:
                return replace(self, seed=max(self.seed - 1, 0))
            case Action.NEW | Action.PAUSE | Action.PAGE_DOWN | Action.INTERPOLATE | Action.RANDOM if self.has_latent:
                return replace(self, seed=next_seed(self.seed))
            case Action.LEFT | Action.RIGHT | Action.UP | Action.DOWN if self.zoom.power and self.sheet.count == 1:
                down, across = STEPS[event.action]
                step = _PAN * self.zoom.share
                return replace(self, zoom=self.zoom.at(self.zoom.across + across * step, self.zoom.down + down * step))
            case _:
                last = len(self.page.numbers) - 1
                return replace(self, cursor=min(moved(self.sheet, self.cursor, event), last))

    def _more(self, step: int) -> "CompareState":
        if self.kind == "denoiser":
            steps = more_steps(self.level, self.most_level) if step > 0 else fewer_steps(self.level)
            return replace(self, level=steps)
        if self.kind == "generator" and self.mode != "images":
            return replace(self, level=min(max(self.level + step, 0), self.most_level))
        return replace(self, zoom=self.zoom.changed(step))

    def _turned(self, step: int) -> "CompareState":
        """Another page of the images that go in."""
        pages = -(-self.photos // self.sheet.count)
        first = (self.first // self.sheet.count + step) % pages * self.sheet.count
        return replace(self, first=first, cursor=min(self.cursor, self.photos - first - 1))

    def _bracket(self, step: int) -> "CompareState":
        if self.view == "wipe":
            return replace(self, divider=min(max(round(self.divider + step * _DIVIDER_STEP, 6), 0.0), 1.0))
        if self.view == "difference":
            return replace(self, amplification=min(max(self.amplification + step, 0), LARGEST_AMPLIFICATION))
        return self

    def _clicked(self, event: Event) -> "CompareState":
        cell = self.sheet.cell_at(event.x, event.y) if event.action is Action.CLICK else self.cursor
        if self.view == "figures" or cell is None or cell not in self.page.numbers:
            return self
        if self.view != "wipe":
            return replace(self, cursor=cell) if event.action is Action.CLICK else self
        left, _ = self.sheet.corner(cell)
        divider = (event.x - left) / max(self.sheet.cell_width - 1, 1)
        return replace(self, cursor=cell, divider=min(max(divider, 0.0), 1.0))

    def _wheel(self, step: int, event: Event) -> Zoom:
        cell = self.sheet.cell_at(event.x, event.y)
        if self.view == "figures" or cell is None:
            return self.zoom
        area = self.tile(cell, 0)
        column = min(max(event.x - area.left, 0) // area.width, self.across - 1)
        return self.zoom.changed(step, self.tile(cell, column).fraction(event.x, event.y))

    def _panned(self, event: Event) -> Zoom:
        zoom = self.zoom
        if event.action is Action.SECOND_RELEASE or self.view == "figures":
            return replace(zoom, grip=None)
        if event.action is Action.SECOND_DRAG and zoom.grip is not None:
            area = self.tile(0, 0)
            across = (zoom.grip[0] - event.x) / area.width * zoom.share
            down = (zoom.grip[1] - event.y) / area.height * zoom.share
            zoom = zoom.at(zoom.across + across, zoom.down + down)
        elif event.action is Action.SECOND_DRAG:
            return zoom
        return replace(zoom, grip=(event.x, event.y))


def _next_pair(pair: tuple[int, int], place: int, count: int) -> tuple[int, int]:
    """Another column at this place of the pair; the two change places where there are no more."""
    other = pair[1 - place]
    if count == 2:
        return pair[1], pair[0]
    chosen = (pair[place] + 1) % count
    if chosen == other:
        chosen = (chosen + 1) % count
    return (chosen, other) if place == 0 else (other, chosen)
