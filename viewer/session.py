"""What every mode at work has in common: events in, pictures from a worker, frames out, saving."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from viewer import render
from viewer.keys import Event
from viewer.latents import Latents
from viewer.model import Images, Model, ModelError
from viewer.pictures import PictureError, encode_png, save_numbered
from viewer.state import Effect, Sheet, State, reduce
from viewer.text import printable
from viewer.worker import Errands, Worker

_NOTICE_SECONDS: Final = 4.0
_BUSY_POLL_SECONDS: Final = 0.015  # between looks at the worker
_IDLE_POLL_SECONDS: Final = 0.5
_PART_SECONDS: Final = 0.06  # that one part of a page may take: how soon a new request is heard
_FIRST_PART: Final = 4  # pictures, before the speed of a model is known
_LARGEST_SAVED: Final = 2**27  # pixels of a saved sheet: as many as the viewer would read again
_LARGEST_RECIPE: Final = 65_536  # latent numbers that a saved sheet carries

Request = TypeVar("Request")


@dataclass(frozen=True)
class Part:
    """Some of the pictures that were asked for."""

    first: int  # number of the first one
    images: Images


class Decoder:
    """Makes pictures in parts small enough that something newer is never kept waiting long."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._seconds = 0.0  # a picture

    def parts(self, wanted: Latents, group: int = 1) -> Iterator[Part]:
        """The pictures of latents [n, d], a multiple of ``group`` at a time."""
        first = 0
        while first < len(wanted):
            size = _FIRST_PART if self._seconds == 0 else max(int(_PART_SECONDS / self._seconds), 1)
            size = -(-size // group) * group
            started = time.perf_counter()
            images = self._model.generate(wanted[first : first + size])
            self._seconds = max((time.perf_counter() - started) / len(images), 1e-6)
            yield Part(first, images)
            first += len(images)


class Session(ABC, Generic[State, Request]):
    """One mode at work."""

    def __init__(self, model: Model, state: State, folder: Path) -> None:
        self.model = model
        self.state: State = state
        self.changed = True  # since the last frame
        self.now = 0.0  # seconds, by the clock of the loop
        self.failures: list[str] = []  # all that went wrong, one line each
        self._folder = folder
        self._decoder = Decoder(model)
        self._worker: Worker[Request, Part] = Worker(self._work)
        self._errands = Errands()
        self._notice: tuple[str, render.Tone, float] | None = None

    def title(self, hints: bool = False) -> str:
        """Of the window. ``hints``: with all that the strip says, for displays too coarse for small letters."""
        words: tuple[str, ...] = (self._notice[0],) if self._notice else self._status()
        title = " - ".join((self.model.name, *words))
        return f"{title} | {', '.join(self._hints())}" if hints and not self._notice else title

    def handle(self, event: Event) -> bool:
        """Take in an event; True: quit."""
        before = self.state
        self.state, effects = reduce(self.state, event)
        self.changed = self.changed or self.state != before
        for effect in effects:
            if effect is Effect.QUIT:
                return True
            self._save(whole=effect is Effect.SAVE_ALL)
        return False

    def pump(self, now: float) -> None:
        """Ask the worker for what is missing, and take in what has come."""
        self.now = now
        if self._notice is not None and now >= self._notice[2]:
            self._notice, self.changed = None, True
        for answer in self._worker.take():
            if answer.error is not None:
                self._failed(answer.error, math.inf)
            elif answer.result is not None:
                if self._notice is not None and self._notice[2] == math.inf:
                    self._notice = None  # it works again
                self._receive(answer.request, answer.result)
        for said in self._errands.take():
            if isinstance(said, Exception):
                self._failed(said)
            else:
                self.notify(said)
        self._ask()

    def settle(self, now: float) -> None:
        """Wait until everything asked for has come."""
        self.pump(now)
        while self._worker.busy or self._errands.busy:
            self._worker.wait()
            self._errands.wait()
            self.pump(now)

    def notify(self, text: str, tone: render.Tone = "notice", seconds: float = _NOTICE_SECONDS) -> None:
        """Show a line of text for a while."""
        self._notice, self.changed = (printable(text), tone, self.now + seconds), True

    def frame(self, strip: bool = True) -> render.Image:
        """The frame to show now, with a strip of text below the pictures or without."""
        self.changed = False
        pictures = self._pictures()
        text = None
        if strip:
            message, tone = ((self._notice[0],), self._notice[1]) if self._notice else (self._hints(), "hint")
            text = render.draw_strip(pictures.shape[1], self._status(), message, tone)
        several = self.state.sheet.count > 1
        return render.compose(pictures, text, self.state.sheet if several else None, self.state.cursor)

    @property
    def settled(self) -> bool:
        """Whether the last frame shows all that the events until then asked for."""
        return not (self.changed or self._errands.busy) and (self._ready() is not None or not self._worker.busy)

    def wait_seconds(self) -> float:
        """How long nothing will change unless an event comes."""
        busy = self._worker.busy or self._errands.busy
        wait = _BUSY_POLL_SECONDS if busy else _IDLE_POLL_SECONDS
        return min(wait, self._notice[2] - self.now) if self._notice else wait

    def close(self) -> None:
        """Stop work. Raises ``PictureError`` where pictures are left unsaved."""
        self._worker.close()
        left = self._errands.close()
        last = [said for said in self._errands.take() if isinstance(said, Exception)]
        if left:
            raise PictureError(f"pictures not saved: {left}; there was no time to make them")
        if last:
            raise PictureError(str(last[-1]))

    @property
    def moving(self) -> bool:
        """Whether pictures change as time goes by."""
        return False

    def step(self) -> bool:
        """Let time pass by one frame; False: the picture for it is not there yet."""
        return True

    def _failed(self, error: Exception, seconds: float = _NOTICE_SECONDS) -> None:
        if not isinstance(error, ModelError | PictureError | MemoryError):
            raise error
        self.failures.append(str(error) or "not enough memory")
        self.notify(self.failures[-1], "error", seconds)

    def _save(self, whole: bool) -> None:
        """Have the selected picture, or the sheet of all, saved as it is asked for now."""
        sheet, wanted = self.state.sheet, self._latents()
        recipe = self._recipe()
        images = self._ready()
        if not whole:
            index = self.state.cursor
            wanted = wanted[index : index + 1]
            images = None if images is None else images[index : index + 1]
            recipe["picture"] = index
        if wanted.size <= _LARGEST_RECIPE:
            rows = [[float(str(number)) for number in row] for row in wanted]  # the shortest that is exact
            recipe["latents" if whole else "latent"] = rows if whole else rows[0]
        height, width = self.model.image_size
        gap = sheet.gap if sheet.count > 1 else 0
        native = Sheet(sheet.rows, sheet.columns, width, height, gap) if whole else Sheet(1, 1, width, height, 0)

        def errand() -> str:
            if native.width * native.height > _LARGEST_SAVED:
                raise PictureError(
                    f"cannot save {native.width}x{native.height}, expected {_LARGEST_SAVED} pixels at most"
                )
            made = self.model.generate(wanted) if images is None else images
            picture = render.blank(native)
            render.place(picture, native, 0, made)
            data = encode_png(picture, {**recipe, "sha256": self.model.sha256})
            return f"saved {save_numbered(self._folder, self.model.name, data)}"

        self._errands.send(errand)

    def _recipe(self) -> dict[str, Any]:
        sheet = self.state.sheet
        return {
            "model": self.model.name,
            "file": self.model.path.name,
            "seed": self.state.seed,
            "rows": sheet.rows,
            "cols": sheet.columns,
            **self._facts(),
        }

    @abstractmethod
    def _work(self, request: Request) -> Iterator[Part]:
        """Make what was asked for; runs in the worker's thread."""

    @abstractmethod
    def _ask(self) -> None:
        """Ask the worker for what the state needs and is not there."""

    @abstractmethod
    def _receive(self, request: Request, part: Part) -> None:
        """Take in some pictures."""

    @abstractmethod
    def _pictures(self) -> render.Image:
        """The sheet, as large as it is shown."""

    @abstractmethod
    def _latents(self) -> Latents:
        """Of the pictures that the state asks for, [n, d]."""

    @abstractmethod
    def _ready(self) -> Images | None:
        """The pictures that the state asks for; ``None`` where some are not there yet."""

    @abstractmethod
    def _facts(self) -> Mapping[str, Any]:
        """What the pictures follow from, for their recipe."""

    @abstractmethod
    def _status(self) -> tuple[str, ...]:
        """What is shown, in words."""

    @abstractmethod
    def _hints(self) -> tuple[str, ...]:
        """The keys, most needed first."""


def make_sheet(model: Model, rows: int, columns: int, scale: float, gap: int = 2) -> Sheet:
    """Where the pictures of a model go on the frame. Raises ``ModelError`` where the frame would be absurd."""
    height, width = model.image_size
    sheet = Sheet(rows, columns, max(round(width * scale), 1), max(round(height * scale), 1), gap)
    if sheet.width * sheet.height > 2**26:
        raise ModelError(f"a frame of {sheet.width}x{sheet.height} pixels is too large; try a smaller --scale")
    return sheet
