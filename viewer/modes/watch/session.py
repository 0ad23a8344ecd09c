"""The watch mode: sheets, curves and progress of trainings, read from their folders alone."""

import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from trainer.contract.errors import ImageError, UserError
from trainer.contract.run_folder import sheet_path
from trainer.contract.text import printable
from viewer.files.png import encode_png, save_numbered
from viewer.labels import Frame, one_colour, painted
from viewer.modes.watch.facts import facts
from viewer.modes.watch.film import film_of, rate_for
from viewer.modes.watch.layout import GAP, LINE, table
from viewer.modes.watch.opening import open_readers
from viewer.modes.watch.options import BINDINGS, Options
from viewer.modes.watch.run import RunReader, RunView
from viewer.modes.watch.screen import Curves, charts_of, draw_curves, finish
from viewer.modes.watch.sheets import MOST_BYTES, Kept, SheetKey, SheetReader, Shown, read_whole
from viewer.modes.watch.state import FRAMES_A_SECOND, RATES, WatchState
from viewer.render import Image
from viewer.room import Room
from viewer.sessions.session import Session, check_saved_size

POLL_SECONDS: Final = 1.0  # between looks at the runs
_SLICE_SECONDS: Final = 0.03  # of reading a log, after which sheets come first again
_SHOW_SECONDS: Final = 2.0  # between frames that new rows alone ask for
_SHARE: Final = 0.01  # of one core, that drawing new rows may take
_PROMPT_SECONDS: Final = 0.15  # that sheets are waited for before the first frame is shown without them
_AHEAD: Final = 6  # frames whose sheets are read before they are shown
_SIZE: Final = (1180, 690)  # of the frame, where there is no display
_LEAST_FILM: Final = 480  # pixels across
_REFRESH_SECONDS: Final = 10.0  # after which times of a training, as the age of its checkpoint, are written anew


@dataclass(frozen=True)
class Request:
    """What the worker is to do."""

    missing: tuple[SheetKey, ...]  # sheets that are to be shown now
    coming: tuple[SheetKey, ...]  # and soon
    shown: tuple[tuple[SheetKey, int], ...]  # those on the screen, with their stamps, which may have changed
    poll: bool  # whether to look at the runs


@dataclass(frozen=True, eq=False)
class Part:
    """What the worker found: a run as it is now, or a sheet."""

    run: int = -1
    view: RunView | None = None
    key: SheetKey | None = None
    sheet: Shown | None = None


class WatchSession(Session[WatchState, Request, Part]):
    """Runs, as they are and as they were."""

    bindings = BINDINGS
    page_fields = ("at",)
    delay_ms = 1000 // FRAMES_A_SECOND

    def __init__(self, readers: Sequence[RunReader], state: WatchState, folder: Path, film: int | None = None) -> None:
        """``film``: number of its frames, 0: as many as it takes; ``None``: there is none."""
        self._readers = readers  # of the worker's thread, from its first request on
        for reader in readers:
            reader.read(0.0)
        self._views = [reader.view for reader in readers]
        self._news: dict[int, RunView] = {}  # that are not shown yet
        self._sheet_reader = SheetReader([view.path for view in self._views])
        self._kept = Kept()
        self._curves = Curves()
        self._drawn: tuple[object, Frame] | None = None  # the frame with its curves alone
        self._asked: tuple[SheetKey, ...] = ()
        self._poll_at = self._show_at = self._refresh_at = 0.0
        self._new = True  # nothing was asked for yet
        self._polled_at = time.monotonic()
        self._cost = 0.0  # seconds that the last drawing of the curves took
        names = ", ".join(view.name for view in self._views)
        super().__init__(printable(names, 60), state, folder)
        self._take_views()
        self._film_at = -1
        self._film_steps: Sequence[int] = ()
        if film is not None:
            self._film_steps = film_of(len(self.state.times), film)
            self.frames = len(self._film_steps)
            self.step()
        else:
            self.state = replace(self.state, rate=rate_for(len(self.state.times)))

    # What is in the files.

    def _work(self, request: Request) -> Iterator[Part]:
        overdue = time.monotonic() - self._polled_at > 2 * POLL_SECONDS
        if overdue:
            yield from self._look(request)
        for key, sheet in self._sheet_reader.read_all(request.missing):
            yield Part(key=key, sheet=sheet)
        if request.poll and not overdue:
            yield from self._look(request)
        for key, sheet in self._sheet_reader.read_all(request.coming):
            yield Part(key=key, sheet=sheet)

    def _look(self, request: Request) -> Iterator[Part]:
        for number, reader in enumerate(self._readers):
            if reader.read(_SLICE_SECONDS):
                yield Part(run=number, view=reader.view)
        for key, stamp in request.shown:  # drawn anew by a run that was resumed, or half copied at the last look
            if self._sheet_reader.stamp(key) != stamp:
                yield Part(key=key, sheet=self._sheet_reader.read(key))
        self._polled_at = time.monotonic()

    def _ask(self) -> None:
        shown = self._keys(self.state)
        missing = tuple(key for key in shown if key not in self._kept)
        coming = tuple(key for key in self._coming() if key not in self._kept and key not in missing)
        behind = any(reader.behind for reader in self._readers)
        poll = not self._new and (behind or self.now >= self._poll_at)  # first the sheets of the first frame
        if not (missing or coming or poll) or (self._worker.busy and missing == self._asked):
            return
        self._asked = missing
        if poll:
            self._poll_at = self.now + POLL_SECONDS
        stamps = tuple((key, sheet.stamp) for key in shown if (sheet := self._kept.get(key)) is not None)
        self._worker.ask(Request(missing, coming, stamps, poll))

    def _receive(self, request: Request, part: Part) -> None:
        if part.key is not None and part.sheet is not None:
            shown = self._keys(self.state)
            self._kept.put(part.key, part.sheet, 2 * len(shown))  # else the next ones would push these out, and so on
            self.changed = self.changed or part.key in shown
        elif part.view is not None:
            self._news[part.run] = part.view

    def pump(self, now: float) -> None:
        """Ask the worker for what is missing, and take in what has come; of news, as often as drawing them allows."""
        super().pump(now)
        if self._new:
            self._new = False
            self._worker.wait(_PROMPT_SECONDS)  # the first frame has its sheets
            super().pump(now)
        if self._news and now >= self._show_at:
            self._take_views()
            self._show_at = now + max(_SHOW_SECONDS, self._cost / _SHARE)
        if now >= self._refresh_at:
            self._refresh_at = now + _REFRESH_SECONDS
            self.changed = self.changed or any(view.training for view in self._views)

    def close(self) -> None:
        """Stop work. Raises ``ImageError`` where images are left unsaved."""
        self._sheet_reader.close()
        super().close()

    def settle(self, now: float) -> None:
        """Wait until everything asked for has come."""
        super().settle(now)
        while self._news:
            self._take_views()
            super().settle(now)

    def _take_views(self) -> None:
        for run, view in self._news.items():
            self._views[run] = view
        self._news = {}
        times = tuple(sorted({time for view in self._views for time in view.times}))
        span = max(1, *(view.span for view in self._views))
        self.state = self.state.with_data(times, span, charts_of(self._views))
        self.changed = True

    def _keys(self, state: WatchState) -> tuple[SheetKey, ...]:
        """The sheets on the frame."""
        part = state.part or (2 if state.grain > 1 else 1)
        found = []
        for area, run in zip(state.layout.sheets, state.shown, strict=False):
            step = self._views[run].sheet_at(state.time)
            if step is not None:
                found.append(SheetKey(run, step, area.width, max(area.height - state.layout.line, 1), part))
        return tuple(found)

    def _coming(self) -> Iterator[SheetKey]:
        """The sheets of the next frames, as many as are kept beside those on the screen; of one frame in any case."""
        state = self.state
        room = MOST_BYTES - sum(key.most_bytes for key in self._keys(state))
        for number in range(1, _AHEAD + 1):
            if self._film_steps:
                place = self._film_at + number
                if place >= len(self._film_steps):
                    return
                state = replace(state, at=self._film_steps[place])
            elif state.playing:
                state = state.ticked()
            else:
                return
            keys = self._keys(state)
            room -= sum(key.most_bytes for key in keys)
            if room < 0 and number > 1:
                return
            yield from keys

    # As time goes by.

    @property
    def moving(self) -> bool:
        """Whether sheets are played."""
        return self.state.playing or bool(self._film_steps)

    def step(self) -> bool:
        """On to the next frame; False: its sheets are not there yet."""
        if self._film_steps:
            self._film_at = min(self._film_at + 1, len(self._film_steps) - 1)
            following = replace(self.state, at=self._film_steps[self._film_at])
        else:
            following = self.state.ticked()
            if any(key not in self._kept for key in self._keys(following)):
                return False
        if following != self.state:
            self.changed = self.changed or following.index != self.state.index or not following.playing
            self.state = following
        return True

    @property
    def settled(self) -> bool:
        """Whether the last frame shows all that the events until then asked for."""
        return not (self.changed or self._unsaved) and all(key in self._kept for key in self._keys(self.state))

    # On the frame.

    def _lay_out(self, room: Room) -> bool:
        width, height = room.images
        self.state = replace(self.state, width=width, height=height, scale=room.text, grain=room.grain)
        return True

    def _returned(self, state: WatchState) -> WatchState:
        return self.state.moved(bisect_right(self.state.times, state.time) - 1)

    def _screen(self) -> Image:
        state, views = self.state, self._views
        signs = (
            state.layout, state.on_frame, state.window, state.shown, state.smoothing, state.logarithmic,
            state.outliers, tuple(map(id, views)),
        )  # fmt: skip
        if self._drawn is None or self._drawn[0] != signs:
            began = time.monotonic()
            self._drawn = signs, draw_curves(state, views, self._curves)
            self._cost = time.monotonic() - began
        frame = self._drawn[1].copy()
        sheets = {key.run: (sheet.image, sheet.note) for key in self._keys(state) if (sheet := self._kept.get(key))}
        finish(frame, state, views, self._curves, sheets)
        return frame

    def _status(self) -> tuple[str, ...]:
        state = self.state
        words = []
        if state.times:
            words.append(f"sheet {state.index + 1:,} of {len(state.times):,}")
            playing = f"playing, {RATES[state.rate]} a second"
            words.append(playing if state.playing else "the newest" if state.at is None else f"{state.time:,} images")
        if 0 < len(state.on_frame) < len(state.chosen):
            words.append(f"curve {state.selected + 1} of {len(state.chosen)}")
        words.append(state.group if not state.words else state.words)
        words += [f"smooth {state.smoothing:g}"] if state.smoothing else []
        words += ["log"] if state.logarithmic else []
        words += [f"zoom {2**state.closer}x"] if state.closer else []
        return tuple(words)

    def _hints(self) -> tuple[str, ...]:
        return () if self._film_steps else super()._hints()

    def _situation(self) -> Mapping[str, object]:
        state = self.state
        return {"sheets": len(state.times) > 1, "several": state.runs > 1, "behind": state.at is not None}

    # Saving.

    def _save(self, whole: bool) -> None:
        views = [self._views[run] for run in self.state.shown]
        steps = [view.sheet_at(self.state.time) for view in views]
        names, state = [view.name for view in views], self.state
        if whole:
            screen = np.asarray(painted(self._screen()))
            recipe: dict[str, Any] = {
                "mode": "watch screen", "runs": names, "steps": steps, "images_seen": state.time,
                "curves": [chart.title for chart in state.on_frame], "smooth": state.smoothing,
                "log": state.logarithmic,
                "facts": [", ".join(facts(view)) for view in views],
            }  # fmt: skip
            self._have_saved(lambda: self._saved(screen, recipe))
            return
        there = [(view, step) for view, step in zip(views, steps, strict=True) if step is not None]
        if not there:
            self._failed(ImageError("there is no sheet to save yet"))
            return
        paths = [sheet_path(view.path, step) for view, step in there]
        recipe = {"mode": "watch sheet", "runs": [view.name for view, _ in there], "steps": [step for _, step in there]}
        recipe["images_seen"] = [view.times[view.sheets.index(step)] for view, step in there]
        self._have_saved(lambda: self._saved(beside([read_whole(path) for path in paths]), recipe))

    def _saved(self, image: Image, recipe: Mapping[str, Any]) -> str:
        return f"saved {save_numbered(self._folder, self._views[0].path.absolute().name, encode_png(image, recipe))}"


def beside(sheets: Sequence[Image]) -> Image:
    """Sheets beside each other, as they are. Raises ``ImageError`` where they are too large together."""
    height, width = max(len(one) for one in sheets), sum(one.shape[1] for one in sheets)
    check_saved_size(width, height)
    whole, left = one_colour(height, width), 0
    for one in sheets:
        whole[: len(one), left : left + one.shape[1]] = one
        left += one.shape[1]
    return whole


def open_session(options: Options) -> WatchSession:
    """The runs that the options name. Raises ``UserError``."""
    readers = open_readers(options.runs)
    state = WatchState(
        *_SIZE, runs=len(readers), view=options.view, words=options.curves, smoothing=options.smooth,
        logarithmic=options.log_scale,
    )  # fmt: skip
    if options.frames is not None and not options.is_film:
        raise UserError("--frames is for a film, expected --display none --record FILE.gif, .webp or .mp4 beside it")
    if options.is_film and options.view == "sheets":  # no more than they take
        columns, side = table(len(readers), *_SIZE, LINE)
        rows = -(-len(readers) // columns)
        whole = min((_SIZE[1] - (1 + len(readers)) * LINE) // rows, round(side) + LINE)
        state = replace(state, width=max((whole - LINE) * columns + 2 * GAP, _LEAST_FILM))
    session = WatchSession(readers, state, options.out, (options.frames or 0) if options.is_film else None)
    titles = [chart.title for chart in session.state.charts]
    if titles and not any(options.curves.lower() in title.lower() for title in titles):
        session.close()
        raise UserError(f"--curves is {options.curves!r}, expected a part of one of these names: {', '.join(titles)}")
    return session
