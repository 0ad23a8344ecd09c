"""Drawing: a page, and beside it what a model makes of it, as one draws."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from trainer.contract.errors import UserError
from viewer import render
from viewer.files.inputs import read_photo
from viewer.files.png import Image, encode_png, is_drawing, save_numbered
from viewer.files.resizing import fit
from viewer.frame.area import Area, fitting_size
from viewer.frame.plots import GAP, LEAST_WIDTH, blank, frame_round, put, sharp
from viewer.keys import Action, Event
from viewer.labels import one_colour, write
from viewer.model import ModelError, open_model
from viewer.modes.translate.options import DRAW_BINDINGS, Options
from viewer.options import model_threads
from viewer.sessions.model_session import ModelSession
from viewer.sessions.replay import exact_numbers, signed
from viewer.sessions.translation import LARGEST_SIZE, Translator, visible
from viewer.state import next_seed

Colour = tuple[int, int, int]  # blue, green, red

INKS: Final = ((0, 0, 0), (255, 255, 255))  # paper and ink of edges
COLOURS: Final = (  # blue, green, red; the first is the paper
    (0, 0, 0), (0, 0, 255), (0, 255, 0), (255, 0, 0), (0, 255, 255), (255, 255, 255), (255, 0, 255), (255, 255, 0),
    (0, 128, 255), (128, 128, 128),
)  # fmt: skip
FIRST_BRUSH: Final = 4  # of BRUSHES, for areas; lines begin with the thinnest
_PAGE_SIDE: Final = 512  # pixels of the frame, about
_SWATCH: Final = 30  # pixels
BRUSHES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # page pixels across
_MOST_STROKES: Final = 100_000
_MOST_POINTS: Final = 20_000  # of a stroke, and of all those that a saved image carries


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


Drawn = tuple[tuple[Stroke, ...], int]  # what a result follows from: strokes, and the seed of the latent


class DrawSession(ModelSession[DrawState, Drawn, Image]):
    """A page that is drawn on; the image beside it follows as quickly as the model can."""

    bindings = DRAW_BINDINGS
    follows_mouse = draws = True

    def __init__(self, translator: Translator, state: DrawState, folder: Path, start: Image | None = None) -> None:
        """``start``: u8 [h, w, 3] BGR of the page's size, what is on the page before the first stroke."""
        self.translator = translator
        paper = one_colour(state.easel.height, state.easel.width, state.palette[0])
        self._start = paper if start is None else start
        self._asked: Drawn | None = None
        self._result: Image | None = None
        self._result_of: Drawn | None = None
        self._page = self._start.copy()  # with all strokes but the last
        self._on_page: tuple[Stroke, ...] = ()
        self._saved_strokes: tuple[Stroke, ...] = ()
        super().__init__(translator.model, state, folder)

    def page(self) -> Image:
        """The page as it is now, u8 [h, w, 3] BGR."""
        finished, last, count = self.state.strokes[:-1], self.state.strokes[-1:], len(self._on_page)
        if finished[:count] != self._on_page:  # something was undone
            self._page, self._on_page, count = self._start.copy(), (), 0
        add_strokes(self._page, self.state, finished[count:])
        self._on_page = finished
        page = self._page.copy()
        add_strokes(page, self.state, last)
        return page

    def _back(self) -> None:
        """Undo what was done last: a new latent, or a stroke."""
        if self._history and self._history[-1].strokes == self.state.strokes:
            self.state, self.changed = replace(self.state, seed=self._history.pop().seed), True
        else:
            self._handle(Event(Action.UNDO))

    def _at_risk(self) -> str:
        return super()._at_risk() or ("" if self.state.strokes == self._saved_strokes else "the drawing is not saved")

    def _work(self, request: Drawn) -> Iterator[Image]:
        strokes, seed = request
        page = self._start.copy()
        add_strokes(page, self.state, strokes)
        yield self._translated(page, seed)

    def _translated(self, page: Image, seed: int) -> Image:
        return self.translator.translate(self.translator.channels_of(page), self.translator.latent(seed))

    def _ask(self) -> None:
        wanted = self.state.strokes, self.state.seed
        if wanted != self._asked:
            self._asked = wanted
            self._worker.ask(wanted)

    def _receive(self, request: Drawn, part: Image) -> None:
        self._result, self._result_of, self.changed = part, request, True

    def _screen(self) -> render.Image:
        return draw_easel(self.state, self.page(), self._result)

    def _recipe(self) -> Mapping[str, Any]:
        state = self.state
        recipe: dict[str, Any] = {"mode": "draw", "width": state.easel.width, "height": state.easel.height}
        if sum(len(stroke.points) for stroke in state.strokes) <= _MOST_POINTS:
            recipe["palette"] = [list(colour[::-1]) for colour in state.palette]
            strokes = [[stroke.colour, stroke.size, list(map(list, stroke.points))] for stroke in state.strokes]
            recipe["strokes"] = strokes
        latent = self.translator.latent(state.seed)
        if latent is not None:
            recipe |= {"seed": state.seed, "latent": exact_numbers(latent[None])[0]}
        return recipe

    def _save(self, whole: bool) -> None:
        state, page, recipe = self.state, self.page(), signed(self.model, self._recipe())
        made = self._result if self._result_of == (state.strokes, state.seed) else None

        def job() -> str:
            result = self._translated(page, state.seed) if made is None else made
            shown = draw_easel(state, page, result) if whole else result
            more = {} if whole else {"drawing.png": encode_png(page, {**recipe, "mode": "drawing"})}
            path = save_numbered(self._folder, self.model.name, encode_png(shown, recipe), more)
            self._saved_strokes = state.strokes
            return f"saved {path}" + ("" if whole else " and its drawing")

        self._have_saved(job)

    def _status(self) -> tuple[str, ...]:
        state = self.state
        words: tuple[str, ...] = (f"brush {BRUSHES[state.brush]}",)
        if not state.lines:
            words += (f"colour {state.colour}",)
        if state.has_latent:
            words += (f"latent {state.seed}",)
        return (*words, f"{len(state.strokes)} stroke{'s' * (len(state.strokes) != 1)}")

    def _situation(self) -> Mapping[str, object]:
        return {"colours": not self.state.lines, "latent": self.state.has_latent}


def open_draw(options: Options) -> DrawSession:
    """The page that the options ask for. Raises ``UserError``."""
    if options.images or options.output is not None:
        found = "-o" if options.output is not None else options.images[0]
        raise UserError(f"--draw begins with an empty page, found {found!r} beside it; to begin with one: --start")
    threads = model_threads(options.threads, all_cores=True)
    model = open_model(options.model, threads=threads, wanted="translator", reading=options.reading)
    translator = Translator(model, options.condition, options.size)
    state, start = begin(translator, options.size, options.seed), None
    if options.start is not None:
        photo = read_photo(options.start).on_white()
        start = page_of(translator, state, photo, is_drawing(options.start))
    return DrawSession(translator, state, options.out, start)


def begin(translator: Translator, size: int, seed: int = 0) -> DrawState:
    """An empty page. ``size``: its longer side in pixels; 0: as the model was trained. Raises ``ModelError``."""
    height, width = translator.trained_size or (256, 256)
    if size:
        height, width = (max(round(side * size / max(height, width)), 1) for side in (height, width))
    height, width = translator.layout.accepted(height, width)
    if max(height, width) > LARGEST_SIZE:
        raise ModelError(f"a page of {width}x{height} pixels, expected {LARGEST_SIZE} a side at most")
    lines = translator.how.kind == "edges"
    if lines:
        palette: tuple[Colour, ...] = INKS[::-1] if translator.how.invert else INKS
    else:
        palette = translator.palette if len(translator.palette) > 1 else COLOURS
    return DrawState(
        make_easel(height, width, 0 if lines else len(palette)),
        palette,
        brush=0 if lines else FIRST_BRUSH,
        lines=lines,
        has_latent=translator.latent_size > 0,
        seed=seed,
    )


def page_of(translator: Translator, state: DrawState, photo: Image, is_drawing: bool) -> Image:
    """What is on the page when it begins with an image: its edges, or itself where it is a drawing already."""
    drawn = is_drawing or bool(translator.palette)
    fitted = fit(photo, state.easel.height, state.easel.width, nearest=drawn)  # no colour between two
    if is_drawing or translator.how.kind != "edges":
        return fitted
    return visible(translator.edges(fitted, translator.how.sigma))


def make_easel(height: int, width: int, colours: int) -> Easel:
    """Where a page of this size, in pixels, goes on the frame, and the ``colours`` to choose from below it."""
    page = Area(GAP, GAP, *fitting_size(width, height, _PAGE_SIDE))
    swatches = [Area(GAP + number * (_SWATCH + 6), page.bottom + GAP, _SWATCH, _SWATCH) for number in range(colours)]
    return Easel(page, width, height, tuple(swatches))


def add_strokes(page: Image, state: DrawState, strokes: Sequence[Stroke]) -> None:
    """Strokes onto a page, one after another; every pixel gets one colour of the palette, and none between two."""
    for stroke in strokes:
        colour = state.palette[stroke.colour]
        if stroke.size == 0:
            page[:] = colour
            continue
        points = np.array(stroke.points, np.int32)
        if stroke.size <= 2 and len(points) == 1:
            points = np.repeat(points, 2, axis=0)  # a dot
        if len(points) > 1:
            cv2.polylines(page, [points.reshape(-1, 1, 2)], False, colour, stroke.size, cv2.LINE_8)
        if stroke.size > 2:
            for x, y in points[[0, -1]].tolist():
                cv2.circle(page, (x, y), stroke.size // 2, colour, -1, cv2.LINE_8)


def draw_easel(state: DrawState, page: Image, result: Image | None) -> Image:
    """The frame: the page, what the model makes of it, and the colours."""
    place = state.easel.page
    below = state.easel.swatches[0].bottom if state.easel.swatches else place.bottom
    width = max(2 * place.width + 3 * GAP, LEAST_WIDTH, *(swatch.right + GAP for swatch in state.easel.swatches))
    frame = blank(below + GAP, width)
    put(frame, place, sharp(page, place.height, place.width))
    frame_round(frame, place)
    other = Area(place.right + GAP, place.top, place.width, place.height)
    if result is not None:
        put(frame, other, sharp(result, other.height, other.width))
    frame_round(frame, other)
    for number, swatch in enumerate(state.easel.swatches):
        frame[swatch.pixels] = state.palette[number]
        if number == state.colour:
            corners = (swatch.left - 3, swatch.top - 3), (swatch.right + 2, swatch.bottom + 2)
            cv2.rectangle(frame, *corners, render.CURSOR, 2)
        if number < 10:
            ink = render.INK if sum(state.palette[number]) > 380 else (255, 255, 255)
            middle = swatch.left + swatch.width / 2, swatch.top + swatch.height / 2
            write(frame, *middle, str(number), ink, "middle")
    return frame
