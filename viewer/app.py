"""The modes at work: events change a state, the worker makes the pictures that it needs, a frame is shown.

A session joins the parts of one mode. Two loops drive sessions: ``run_live`` where a person watches, and
``run_scripted`` where nobody does; there every picture is waited for, so that the same script gives the same frames.
"""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar

import numpy as np

from viewer import latents, render
from viewer.displays.display import Display
from viewer.keys import Event
from viewer.latents import Latents, Walk
from viewer.model import Images, Model, ModelError
from viewer.pictures import PictureError, encode_png, save_numbered
from viewer.state import LEG_TICKS, AnimateState, Effect, GridState, Sheet, State, advance, reduce
from viewer.text import printable
from viewer.worker import Errands, Worker

DELAY_MS: Final = 50  # between the frames of a walk
LEG_FRAMES: Final = 30  # of a walk at its first speed

_NOTICE_SECONDS: Final = 4.0
_SHOW_SECONDS: Final = 1 / 60  # between frames at least: keys come first
_BUSY_POLL_SECONDS: Final = 0.015  # between looks at the worker
_IDLE_POLL_SECONDS: Final = 0.5
_PART_SECONDS: Final = 0.06  # that one part of a page may take: how soon a new request is heard
_FIRST_PART: Final = 4  # pictures, before the speed of a model is known
_PATIENCE_SECONDS: Final = 0.2  # after which a page is shown half done
_AHEAD_BYTES: Final = 48_000_000  # of pictures made before their time
_LARGEST_RECIPE: Final = 65_536  # latent numbers that a saved sheet carries

Request = TypeVar("Request")


@dataclass(frozen=True)
class Part:
    """Some of the pictures that were asked for."""

    first: int  # number of the first one
    images: Images


@dataclass(frozen=True)
class Page:
    """What the pictures of a grid follow from."""

    seed: int
    mode: Literal["random", "interpolation"]
    truncation: float


@dataclass(frozen=True)
class Stretch:
    """Some frames of a walk."""

    seed: int
    positions: tuple[int, ...]  # ticks


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

    @property
    def title(self) -> str:
        """Of the window; says the same as the strip, for displays too coarse for small letters."""
        words: tuple[str, ...] = (self._notice[0],) if self._notice else self._status()
        return " - ".join((self.model.name, *words))

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

    def frame(self) -> render.Image:
        """The frame to show now."""
        self.changed = False
        pictures = self._pictures()
        message, tone = ((self._notice[0],), self._notice[1]) if self._notice else (self._hints(), "hint")
        strip = render.draw_strip(pictures.shape[1], self._status(), message, tone)
        several = self.state.sheet.count > 1
        return render.compose(pictures, strip, self.state.sheet if several else None, self.state.cursor)

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
            raise PictureError(f"{left} pictures were not saved: there was no time to make them")
        if last:
            raise PictureError(str(last[-1]))

    def step(self) -> bool:
        """Let time pass by one frame, where it does; False: the picture for it is not there yet."""
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


class GridSession(Session[GridState, Page]):
    """A page of pictures with a cursor; random, or interpolated between its four corners."""

    def __init__(
        self, model: Model, state: GridState, folder: Path, encoded: Latents | None = None, source: str = ""
    ) -> None:
        """``encoded``: latent [d] of a real picture for the first corner. ``source``: its name."""
        self._encoded = encoded
        self._source = source
        self._asked: Page | None = None
        self._asked_at = 0.0
        self._late = False  # the page is shown half done
        height, width = model.image_size
        self._images: Images = np.zeros((state.sheet.count, height, width, 3), np.uint8)
        self._count = 0  # pictures of the page asked for that are there
        self._canvas = render.blank(state.sheet)
        super().__init__(model, state, folder)

    @property
    def _missing(self) -> int:
        return self.state.sheet.count - self._count

    def _page(self) -> Page:
        return Page(self.state.seed, self.state.mode, self.state.truncation)

    def _latents(self) -> Latents:
        return self._latents_of(self._page())

    def _latents_of(self, page: Page) -> Latents:
        sheet, latent = self.state.sheet, self.model.latent
        if page.mode == "random":
            drawn = latents.draw_many(latent, page.seed, range(sheet.count))
            return latents.truncate(latent, drawn, page.truncation)
        indices = (0, sheet.columns - 1, sheet.count - sheet.columns, sheet.count - 1)  # the page's own corners
        corners = np.stack([latents.draw(latent, page.seed, index) for index in indices])
        corners = latents.truncate(latent, corners, page.truncation)
        if self._encoded is not None:
            corners = np.concatenate([self._encoded[None], corners[1:]])
        return latents.bilinear(corners, sheet.rows, sheet.columns)

    def _work(self, request: Page) -> Iterator[Part]:
        return self._decoder.parts(self._latents_of(request))

    def _ask(self) -> None:
        page = self._page()
        if page != self._asked:
            self._asked, self._asked_at, self._count, self._late = page, self.now, 0, False
            self._worker.ask(page)
        elif not self._late and self._missing and self.now - self._asked_at > _PATIENCE_SECONDS:
            self._late = self.changed = True

    def _receive(self, request: Page, part: Part) -> None:
        if request != self._asked:
            return
        if part.first == 0:
            self._images = np.empty_like(self._images)  # a picture that is being saved keeps the old ones
        self._count = part.first + len(part.images)
        self._images[part.first : self._count] = part.images
        render.place(self._canvas, self.state.sheet, part.first, part.images)
        self._late = self._late and self._missing > 0
        self.changed = self.changed or self._late or not self._missing

    def _pictures(self) -> render.Image:
        return self._canvas

    def _ready(self) -> Images | None:
        return self._images if self._page() == self._asked and not self._missing else None

    def _facts(self) -> Mapping[str, Any]:
        state = self.state
        facts: dict[str, Any] = {"mode": f"grid {state.mode}", "truncation": state.truncation}
        if self._encoded is not None and state.mode == "interpolation":
            facts["encoded"] = self._source
        return facts

    def _status(self) -> tuple[str, ...]:
        state = self.state
        status = (state.mode, f"seed {state.seed}", f"truncation {state.truncation:.1f}")
        return (*status, f"{self._missing} to come") if self._late else status

    def _hints(self) -> tuple[str, ...]:
        other = "i interpolate" if self.state.mode == "random" else "r random"
        return "any key: new", "s save", "S save all", other, "+ - truncation", "esc quit"


class AnimateSession(Session[AnimateState, Stretch]):
    """Pictures that walk through latent space; they are made some frames ahead."""

    def __init__(
        self, model: Model, state: AnimateState, folder: Path, *, straight: bool = False, legs: int = 0
    ) -> None:
        """``straight``: lerp instead of slerp. ``legs``: of a closed walk; 0: an endless one."""
        self._straight = straight
        self._legs = legs
        self._frames: dict[tuple[int, int], Images] = {}  # by seed and position
        self._asked: Stretch | None = None
        self._shown: Images | None = None
        height, width = model.image_size
        self._ahead = int(min(max(_AHEAD_BYTES / (height * width * 3 * state.sheet.count), 2), 24))
        self._canvas = render.blank(state.sheet)
        super().__init__(model, state, folder)

    def step(self) -> bool:
        """On to the next frame, if it is there."""
        if self.state.paused:
            return True
        following = advance(self.state)
        if (following.seed, following.position) not in self._frames:
            return False
        self.state, self.changed = following, True
        return True

    def _walk_latents(self, seed: int, position: int) -> Latents:
        walks = (
            Walk(self.model.latent, seed, self._straight, self._legs, number)
            for number in range(self.state.sheet.count)
        )
        return np.stack([walk.at(position / LEG_TICKS) for walk in walks])

    def _latents(self) -> Latents:
        return self._walk_latents(self.state.seed, self.state.position)

    def _work(self, request: Stretch) -> Iterator[Part]:
        count = self.state.sheet.count
        wanted = np.concatenate([self._walk_latents(request.seed, position) for position in request.positions])
        for part in self._decoder.parts(wanted, group=count):
            yield Part(part.first // count, part.images)

    def _ask(self) -> None:
        state = self.state
        coming = [state.position + number * state.speed for number in range(self._ahead + 1)]
        keys = {(state.seed, position) for position in coming}
        for key in self._frames.keys() - keys:
            del self._frames[key]
        missing = tuple(position for position in coming if (state.seed, position) not in self._frames)
        if len(missing) <= self._ahead // 2 or (state.paused and missing[0] != state.position):
            return  # enough for now: larger stretches are made with less effort
        stretch = Stretch(state.seed, missing)
        under_way = self._asked is not None and self._asked.seed == state.seed and self._worker.busy
        if under_way and self._asked is not None and missing[0] in self._asked.positions:
            return
        if stretch != self._asked:
            self._asked = stretch
            self._worker.ask(stretch)

    def _receive(self, request: Stretch, part: Part) -> None:
        count = self.state.sheet.count
        for number in range(len(part.images) // count):
            key = request.seed, request.positions[part.first + number]
            self._frames[key] = part.images[number * count : (number + 1) * count]
            self.changed = self.changed or key == (self.state.seed, self.state.position)

    def _pictures(self) -> render.Image:
        images = self._ready()
        if images is not None and images is not self._shown:
            render.place(self._canvas, self.state.sheet, 0, images)
            self._shown = images
        return self._canvas

    def _ready(self) -> Images | None:
        return self._frames.get((self.state.seed, self.state.position))

    def _facts(self) -> Mapping[str, Any]:
        way = "lerp" if self._straight else "slerp"
        return {"mode": f"animate {way}", "position": self.state.position / LEG_TICKS, "legs": self._legs}

    def _status(self) -> tuple[str, ...]:
        state = self.state
        speed = state.speed * LEG_FRAMES / LEG_TICKS
        return (f"seed {state.seed}", "paused" if state.paused else f"speed {speed:g}")

    def _hints(self) -> tuple[str, ...]:
        return ("space pause", "+ - speed", "s save", "esc quit")


AnySession = GridSession | AnimateSession


def run_live(session: AnySession, display: Display, frames: int = 0) -> None:
    """Show a session to a person until it is quit, or after so many frames of a walk. Raises ``DisplayError``."""
    show_at = step_at = 0.0
    delay = DELAY_MS / 1000
    moves = isinstance(session, AnimateSession)
    shown = 0
    while True:
        now = time.monotonic()
        session.pump(now)
        if moves and now >= step_at and shown and session.step():
            step_at = step_at + delay if now < step_at + delay else now + delay
        if session.changed and now >= show_at:
            display.show(session.frame(), session.title)
            shown += 1
            now = time.monotonic()
            show_at = now + _SHOW_SECONDS
            if moves and shown == 1:
                step_at = now + delay
            if frames and shown >= frames:
                return
        wait = session.wait_seconds()
        if session.changed:
            wait = min(wait, show_at - now)
        if isinstance(session, AnimateSession) and not session.state.paused and step_at > now:
            wait = min(wait, step_at - now)
        event = display.poll(max(wait, 0.0))
        if event is not None and session.handle(event):
            return


def run_scripted(session: AnySession, display: Display, keys: int, frames: int = 0) -> None:
    """Run a session without a person: a frame, then a key of the script, and so on; each frame is complete.

    ``keys``: length of the script. ``frames``: of a walk, which goes on when the script has ended.
    """
    delay = DELAY_MS / 1000 if frames else 1.0  # a virtual person presses a key a second
    now, shown = 0.0, 0
    session.pump(now)
    session.frame()  # OpenCV takes its time to load a font: meanwhile the worker begins
    while True:
        session.settle(now)
        display.show(session.frame(), session.title)
        shown += 1
        if shown == frames:
            return
        if not frames or shown <= keys:
            event = display.poll(0.0)
            if event is not None and session.handle(event):
                return
        now += delay
        if frames:
            session.settle(now)
            session.step()


def auto_scale(rows: int, columns: int, height: int, width: int) -> float:
    """The scale at which a sheet of pictures fills a good part of a small screen."""
    factor = min(1100 / (columns * width), 800 / (rows * height))
    return float(min(int(factor), 8)) if factor >= 1 else factor


def make_sheet(model: Model, rows: int, columns: int, scale: float, gap: int = 2) -> Sheet:
    """Where the pictures of a model go on the frame. Raises ``ModelError`` where the frame would be absurd."""
    height, width = model.image_size
    sheet = Sheet(rows, columns, max(round(width * scale), 1), max(round(height * scale), 1), gap)
    if sheet.width * sheet.height > 2**26:
        raise ModelError(f"a frame of {sheet.width}x{sheet.height} pixels is too large; try a smaller --scale")
    return sheet


def describe_model(model: Model) -> Sequence[tuple[str, str]]:
    """What is known of a model, in lines of a name and a text."""
    inputs, outputs = model.ports
    lines = [("file", str(model.path)), ("name", model.name), ("kind", model.kind)]
    card = model.card
    if model.inferred:
        lines.append(("card", "none: found out by inspection"))
    elif card is not None:
        seal = "sealed, and as it was sealed" if model.sealed else "not sealed"
        lines += [("card", f"schema {card.schema}, {seal}"), ("family", card.family)]
    lines += [("inputs", inputs), ("outputs", outputs)]
    if card is not None:
        lines += _describe_card(card)
    if model.kind == "generator":
        lines.append(("layout", model.layout.describe()))
    lines.append(("sha256", model.sha256))
    return [(name, text) for name, text in lines if text]


def _describe_card(card: Any) -> list[tuple[str, str]]:
    lines = []
    if card.image_size is not None:
        lines.append(("picture", f"{card.image_size[1]}x{card.image_size[0]} pixels, {card.channels} channels"))
    if card.latent is not None and (card.kind != "encoder" or card.family):
        known = [word for word in ("mean", "covariance") if getattr(card.latent, word)]
        lines.append(("latent", ", ".join([f"{card.latent.size} numbers, {card.latent.prior} prior", *known])))
    if card.classes:
        lines.append(("classes", ", ".join(card.classes)))
    if card.directions:
        lines.append(("directions", str(len(card.directions))))
    if card.family:
        lines.append(("precision", card.precision))
    for name in ("training", "parity", "schedule"):
        facts = getattr(card, name)
        lines.append((name, ", ".join(f"{key} {value}" for key, value in facts.items())))
    return [*lines, ("data", card.data), ("licence", card.licence)]
