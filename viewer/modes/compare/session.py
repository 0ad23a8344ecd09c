"""The compare mode: a page of seeds or images, and what each of several models makes of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from trainer.contract.text import printable
from viewer import render
from viewer.files.png import Image, encode_png, save_numbered
from viewer.keys import Event
from viewer.labels import Frame, stacked
from viewer.model import Model
from viewer.modes.compare import views
from viewer.modes.compare.figures import Figures, Measuring
from viewer.modes.compare.makers import Made, Maker, Photos, exact_latents, input_image, together
from viewer.modes.compare.options import BINDINGS, Options
from viewer.modes.compare.starting import Comparison, begin, notes_of, sheets_of
from viewer.modes.compare.state import CompareState, Page, Zoom
from viewer.room import Room
from viewer.sessions.classes import class_words
from viewer.sessions.generator_page.session import TRUNCATION_STEPS
from viewer.sessions.replay import signed_by_all
from viewer.sessions.session import Session, check_saved_size
from viewer.sheet import Sheet

_PATIENCE_SECONDS: Final = 0.2  # after which a page is shown half done
_WHOLE: Final = Zoom()

Cells = list[list[Image | None]]  # of each comparison, of each column


@dataclass(frozen=True, eq=False)
class Column:
    """Some images of a column of the comparison."""

    place: int
    made: Made


class CompareSession(Session[CompareState, Page, Column | Figures]):
    """Pages of comparisons. The figures are computed whenever no page is, by the same thread."""

    bindings = BINDINGS
    follows_mouse = True
    page_fields = ("seed", "mode", "first", "classes")

    def __init__(self, comparison: Comparison, state: CompareState, folder: Path) -> None:
        self.makers: Sequence[Maker] = comparison.makers
        self.photos: Photos = comparison.photos
        self.measuring: Measuring | None = comparison.measuring
        self._inputs = int(state.mode == "images")  # columns before those of the models
        self._figures: Figures | None = None
        self._measured = iter(()) if self.measuring is None else self.measuring.run()
        self._asked: Page | None = None
        self._asked_at = 0.0
        self._finished: set[tuple[int, int]] = set()  # comparison and column of what is there of the page
        self._steps: dict[int, int] = {}  # that the images of a column have taken
        self._coming: Cells = []
        self._shown: Cells = []
        self._late = False  # the page is shown half done
        self._version = 0  # of what is shown
        self._canvas: tuple[object, Image] | None = None  # the last sheet that was drawn, and what it shows
        self._strip = True  # the last frame had a strip of text
        self._tilings = comparison.tilings
        super().__init__(" | ".join(maker.model.name for maker in self.makers), state, folder)
        notes = notes_of(self.makers, state)
        if notes:
            self.notify("; ".join(notes), seconds=8.0)

    def _handle(self, event: Event) -> None:
        if event.x >= 0 and self.state.view != "figures":
            event = replace(event, y=event.y - self._header)
        super()._handle(event)

    def _lay_out(self, room: Room) -> bool:
        sheets = sheets_of(self._tilings, room._replace(height=room.height - views.line_height(room)))
        state, count = self.state, sheets[0].count
        selected = state.first + state.cursor  # stays what it is, where images go in
        first = selected // count * count if state.mode == "images" else 0
        state = replace(state, sheets=sheets, first=first, cursor=min(selected - first, count - 1))
        self.state = replace(state.shown(state.view), zoom=state.zoom)
        return True

    # Making.

    def _work(self, request: Page) -> Iterator[Column | Figures]:
        if self._inputs:
            for number in request.numbers:
                photo = self.photos.read(request.photos[number])
                yield Column(0, Made([number], [input_image(self.makers[0], photo)]))
        for place, made in together(self.makers, request, request.numbers):
            yield Column(place + self._inputs, made)
        for figures in self._measured:  # noqa: UP028  # "yield from" would close it with this generator
            yield figures

    def _ask(self) -> None:
        page = self.state.page
        if page != self._asked:
            self._asked, self._asked_at, self._late = page, self.now, False
            self._finished.clear()
            self._steps.clear()
            self._coming = [[None] * len(self.state.columns) for _ in page.numbers]
            self._worker.ask(page)
        elif not self._late and not self._there and self.now - self._asked_at > _PATIENCE_SECONDS:
            self._late = any(image is not None for cells in self._coming for image in cells)
            if self._late:
                self._show()

    def _receive(self, request: Page, part: Column | Figures) -> None:
        if isinstance(part, Figures):
            self._figures = part
            self.changed = True
            return
        if request != self._asked:
            return
        for number, image in zip(part.made.numbers, part.made.images, strict=True):
            self._coming[number][part.place] = image
            if part.made.finished:
                self._finished.add((number, part.place))
        if part.made.step:
            self._steps[part.place] = part.made.step
        if self._there or self._late:
            self._show()

    def _show(self) -> None:
        self._shown = [list(cells) for cells in self._coming]
        self._version += 1
        self.changed = True

    @property
    def _there(self) -> bool:
        """Whether the page is there as it was asked for."""
        return len(self._finished) == len(self._coming) * len(self.state.columns)

    @property
    def settled(self) -> bool:
        """Whether the last frame shows all that the events until then asked for."""
        if self.changed or self._unsaved or self.state.page != self._asked:
            return False
        figures = self._figures
        done = self.state.view != "figures" or (figures is not None and figures.finished)
        return (self._there and done) or not self._worker.busy

    # Showing.

    def frame(self, strip: bool = True) -> Frame:
        """The frame to show now, with a strip of text below the images or without."""
        self._strip = strip
        return super().frame(strip)

    @property
    def _header(self) -> int:
        """Pixels above the sheet, for the names of what is compared: for the text of a frame, or of a display."""
        return views.line_height(self.room) if self._strip or self.room is not None else 0

    def _screen(self) -> render.Image:
        state = self.state
        if state.view == "figures":
            names = [state.columns[place] for place in range(self._inputs, len(state.columns))]
            figures = self._figures or Figures((), "to come")
            return views.table(figures, names, *self._least_size(), self.room)
        canvas = self._sheet().copy()
        if state.sheet.count > 1:
            left, top = state.sheet.corner(state.cursor)
            inside = 2 if self._text_scale >= 1 else 0  # as in all modes
            outside = max(state.sheet.gap, 2)
            render.outline(canvas, left, top, state.sheet.cell_width, state.sheet.cell_height, outside, inside)
        if self._header:
            canvas = stacked(views.header(state, self.room), canvas)
        return views.widened(canvas, self.room)

    def _least_size(self) -> tuple[int, int]:
        if self.room is not None:
            width, height = self.room.images
            return height, width
        sheet = self.state.sheet
        return sheet.height + self._header, sheet.width

    def _sheet(self) -> Image:
        """The comparisons on their sheet, without a cursor; drawn again where something has changed."""
        state = self.state
        key = (replace(state, cursor=0, zoom=replace(state.zoom, grip=None)), self._version)
        if self._canvas is None or self._canvas[0] != key:
            canvas = render.blank(state.sheet)
            for number, images in enumerate(self._shown[: state.sheet.count]):
                left, top = state.sheet.corner(number)
                width = state.sheet.cell_width // state.across
                cell = views.cell(state, images, state.sheet.cell_height, width, state.zoom)
                canvas[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
            self._canvas = key, canvas
        return self._canvas[1]

    # Saving.

    def _save(self, whole: bool) -> None:
        state, page = self.state, self.state.page
        if state.view == "figures":
            self._save_figures()
            return
        numbers = list(page.numbers) if whole else [state.cursor]
        gap = self._tilings[0].gap if whole else 0
        ready = page == self._asked and self._there
        there = [list(self._coming[number]) for number in numbers] if ready else None

        def job() -> str:
            cells = there or self._made(page, numbers)
            images = [image for images in cells for image in images if image is not None]
            height, width = (max(image.shape[axis] for image in images) for axis in (0, 1))
            sheet = state.sheet if whole else Sheet(1, 1, 0, 0, 0)
            native = replace(sheet, cell_width=width * state.across, cell_height=height, gap=gap)
            check_saved_size(native.width, native.height)
            canvas = render.blank(native)
            for place, one in enumerate(cells):
                left, top = native.corner(place)
                cell = views.cell(state, one, height, width, _WHOLE)
                canvas[top : top + height, left : left + cell.shape[1]] = cell
            recipe = self._recipe(state, page, gap, None if whole else numbers[0])
            return self._written(canvas, recipe)

        self._have_saved(job)

    def _written(self, image: Image, recipe: Mapping[str, Any]) -> str:
        """Save an image with its recipe; what to tell the user."""
        data = encode_png(image, signed_by_all(self._models, recipe))
        return f"saved {save_numbered(self._folder, self._stem, data)}"

    def _save_figures(self) -> None:
        figures = self._figures
        if figures is None or not figures.finished:
            self.notify("figures can be saved when they are there")
            return
        names = list(self.state.columns[self._inputs :])
        image = views.table(figures, names)
        known = {} if self.measuring is None else self.measuring.settings
        files = [model.path.name for model in self._models]
        recipe = {"mode": "compare figures", **known, **figures.as_json(names, files)}
        self._have_saved(lambda: self._written(image, recipe))

    @property
    def _models(self) -> list[Model]:
        return [maker.model for maker in self.makers]

    @property
    def _stem(self) -> str:
        return "-".join(maker.model.name[:30] for maker in self.makers)

    def _made(self, page: Page, numbers: Sequence[int]) -> Cells:
        """Comparisons, made once more."""
        cells: Cells = [[None] * len(self.state.columns) for _ in numbers]
        if self._inputs:
            for cell, number in zip(cells, numbers, strict=True):
                cell[0] = input_image(self.makers[0], self.photos.read(page.photos[number]))
        for place, made in together(self.makers, page, numbers):
            for number, image in zip(made.numbers, made.images, strict=True):
                cells[numbers.index(number)][place + self._inputs] = image
        return cells

    def _recipe(self, state: CompareState, page: Page, gap: int, number: int | None) -> Mapping[str, Any]:
        """What a page follows from, or one comparison of it, and how it is shown."""
        shown = number
        if page.photos and number is not None:  # it is the same among any others
            own = replace(page.classes, label=page.classes.of_row(number // page.columns), by_row=False)
            classes = own if page.classes.count else page.classes
            page = replace(page, rows=1, columns=1, photos=(page.photos[number],), classes=classes)
            shown = 0
        recipe: dict[str, Any] = {"mode": f"compare {page.mode}", "view": state.view, "seed": page.seed}
        recipe |= {"rows": page.rows, "cols": page.columns, "gap": gap}
        if state.kind == "denoiser":
            recipe |= {"steps": page.level, "sampler": self.makers[0].sampler}
        elif state.kind == "generator":
            recipe["truncation"] = page.level / TRUNCATION_STEPS
        if state.classes.count:
            recipe |= {"first_label": page.classes.label, "by_class": page.classes.by_row}
        if state.view != "side":
            recipe |= {"pair": list(state.pair), "divider": state.divider, "amplified": state.factor}
        if page.photos:
            names = [self.photos.paths[one].name for one in page.photos]
            recipe |= {"encoded": names} if state.kind == "generator" else {"images": names}
            recipe["size"] = self.makers[0].size
        if shown is not None:
            recipe["image"] = shown
            latents = [exact_latents(maker, page, shown) for maker in self.makers]
            if any(latent is not None for latent in latents):
                recipe["latents_by_model"] = latents
        return recipe

    # In words.

    def _status(self) -> tuple[str, ...]:
        state = self.state
        if state.view == "figures":
            return ("figures", self._figures.progress if self._figures is not None else "to come")
        words: tuple[str, ...] = ()
        if state.view == "difference":
            words += (f"differences x{state.factor}: white is {255 // state.factor} levels",)
        if page := state.page.photos:
            words += (printable(self.photos.paths[page[state.cursor]].name, 40),)
            words += (f"{page[state.cursor] + 1} of {state.photos}",) if state.photos > 1 else ()
        else:
            words += (state.mode,)
        if state.classes.count:
            label = state.classes.of_row(state.cursor // state.sheet.columns)
            words += (class_words(label, self.makers[0].label_name(label)),)
            words += ("rows by class",) if state.classes.by_row else ()
        words += (f"seed {state.seed}",) if state.has_latent else ()
        if state.kind == "denoiser":
            words += (f"{self.makers[0].sampler} {state.level} steps",)
        elif state.kind == "generator" and state.mode != "images":
            words += (f"truncation {state.level / TRUNCATION_STEPS:.1f}",)
        words += (f"zoom {2**state.zoom.power}",) if state.zoom.power else ()
        if not self._there and state.kind == "denoiser":
            words += (f"step {min(self._steps.values(), default=0)}",)
        elif self._late and not self._there:
            words += (f"{len(self._coming) * len(state.columns) - len(self._finished)} to come",)
        measured = self.measuring is None or (self._figures is not None and self._figures.finished)
        if not measured and self._worker.busy:
            words += ("measuring",)
        return words

    def _situation(self) -> Mapping[str, object]:
        state = self.state
        own = {state.view: True, "pair": state.view in ("wipe", "difference")}
        if state.view == "figures":
            return own
        return {
            **own,
            "classes": state.classes.count,
            "new": state.has_latent,
            state.mode: True,
            state.kind: state.mode != "images" or state.kind == "translator",
        }


def open_session(options: Options) -> CompareSession:
    """The comparison that the options ask for. Raises ``UserError``."""
    comparison, state = begin(options)
    return CompareSession(comparison, state, options.out)
