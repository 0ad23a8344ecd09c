"""The state of drawing: a page and the strokes on it, as plain values; the page's pixels follow from them."""

from dataclasses import dataclass, replace
from typing import Final

from viewer.frame.area import Area
from viewer.keys import Action, Event
from viewer.state import next_seed

Colour = tuple[int, int, int]  # blue, green, red

BRUSHES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # page pixels across
_MOST_STROKES: Final = 100_000
_MOST_POINTS: Final = 20_000  # of a stroke


@dataclass(frozen=True)
class Stroke:
    """What one movement with a pressed button left on the page."""

    colour: int  # of the palette
    size: int  # page pixels across; 0: the whole page
    points: tuple[tuple[int, int], ...] = ()  # page pixels, across and down


@dataclass(frozen=True)
class Easel:
    """Where the page and the colours lie on the frame."""

    page: Area
    width: int  # of the page, in its own pixels
    height: int
    swatches: tuple[Area, ...] = ()  # one a colour; none where there are but two, paper and ink

    def point(self, x: int, y: int) -> tuple[int, int]:
        """The pixel of the page below one of the frame; it may lie outside."""
        across, down = x - self.page.left, y - self.page.top
        return across * self.width // self.page.width, down * self.height // self.page.height


@dataclass(frozen=True)
class DrawState:
    """A page that is drawn on."""

    easel: Easel
    palette: tuple[Colour, ...]  # the first is the paper, that erasing leaves
    brush: int = 0  # of BRUSHES
    colour: int = 1
    strokes: tuple[Stroke, ...] = ()
    undone: tuple[Stroke, ...] = ()  # the last one is the first to be redone
    drawing: bool = False  # a button is pressed
    has_latent: bool = False
    seed: int = 0  # of the latent
    lines: bool = False  # of one ink are drawn, and not areas in colours

    def after(self, event: Event) -> "DrawState":
        """The state after an event."""
        match event.action:
            case Action.CLICK | Action.SECOND_CLICK if not self.drawing:
                return _begin(self, event)
            case Action.DRAG | Action.SECOND_DRAG if self.drawing:
                return _extend(self, event)
            case Action.RELEASE | Action.SECOND_RELEASE:
                return replace(self, drawing=False)
            case Action.MORE | Action.WHEEL_UP:
                return replace(self, brush=min(self.brush + 1, len(BRUSHES) - 1))
            case Action.LESS | Action.WHEEL_DOWN:
                return replace(self, brush=max(self.brush - 1, 0))
            case Action.UNDO | Action.NEW if event.action is Action.UNDO or event.key in ("z", "Z"):
                undone = *self.undone, *self.strokes[-1:]
                return replace(self, strokes=self.strokes[:-1], undone=undone, drawing=False)
            case Action.NEW if event.key in ("y", "Y"):
                return replace(self, strokes=(*self.strokes, *self.undone[-1:]), undone=self.undone[:-1])
            case Action.NEW if event.key in ("c", "C"):
                return _add(self, Stroke(0, 0))
            case Action.NEW if event.key.isdecimal() and event.key.isascii():
                number = int(event.key)
                return replace(self, colour=number) if number < len(self.palette) and not self.lines else self
            case Action.NEW | Action.PAUSE | Action.RANDOM | Action.INTERPOLATE if self.has_latent:
                return replace(self, seed=next_seed(self.seed))
            case _:
                return self


def _begin(state: DrawState, event: Event) -> DrawState:
    for number, swatch in enumerate(state.easel.swatches):
        if swatch.holds(event.x, event.y):
            return replace(state, colour=number)
    if not state.easel.page.holds(event.x, event.y):
        return state
    point = state.easel.point(event.x, event.y)
    size = BRUSHES[state.brush]
    if event.action is Action.CLICK:
        stroke = Stroke(state.colour, size, (point,))
    else:
        stroke = Stroke(0, max(4 * size, 8) if state.lines else size, (point,))  # lines are thin; a finger is not
    return replace(_add(state, stroke), drawing=True)


def _add(state: DrawState, stroke: Stroke) -> DrawState:
    if len(state.strokes) >= _MOST_STROKES:
        return state
    return replace(state, strokes=(*state.strokes, stroke), undone=(), drawing=False)


def _extend(state: DrawState, event: Event) -> DrawState:
    *others, stroke = state.strokes
    point = state.easel.point(event.x, event.y)
    if point == stroke.points[-1] or len(stroke.points) >= _MOST_POINTS:
        return state
    return replace(state, strokes=(*others, replace(stroke, points=(*stroke.points, point))))
