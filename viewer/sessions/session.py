"""What every mode at work has in common: events in, images from a worker, frames out, saving."""

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar, final

from trainer.contract.errors import ImageError, UserError
from trainer.contract.text import printable
from viewer import render
from viewer.bindings import Binding, hints_of
from viewer.keys import NAMES, Action, Event
from viewer.labels import Frame
from viewer.room import Room
from viewer.sessions.text_entry import TextEntry
from viewer.sheet import Sheet
from viewer.state import Reducible
from viewer.text import Text
from viewer.worker import Worker

_NOTICE_SECONDS: Final = 4.0
_BUSY_POLL_SECONDS: Final = 0.015  # between looks at the worker
_IDLE_POLL_SECONDS: Final = 0.5
_SAVING_SECONDS: Final = 0.6  # that what is being saved may take once all is closed
_ENTRY_HINTS: Final = ("enter: done", "esc quit")
HISTORY: Final = 100  # pages that Backspace returns to
_HELD: Final = (Action.MOVE, Action.DRAG, Action.RELEASE, Action.SECOND_DRAG, Action.SECOND_RELEASE)
_LARGEST_SAVED: Final = 2**27  # pixels of a saved sheet: as many as the viewer would read back

State = TypeVar("State", bound=Reducible)
Request = TypeVar("Request")
Made = TypeVar("Made")  # a part of what was asked for, as the worker gives it


class Session(ABC, Generic[State, Request, Made]):
    """One mode at work."""

    bindings: Sequence[Binding] = ()  # the key table
    page_fields: tuple[str, ...] = ("seed",)  # of the state: where one changes, another page is shown
    frames = 0  # after which it ends by itself; 0: never
    delay_ms = 50  # between the frames of a walk, and between scripted keys at least
    follows_mouse = False  # whether movements of the mouse mean something
    draws = False  # whether every place that a drag goes through means something, and not only where it is

    def __init__(self, name: str, state: State, folder: Path) -> None:
        """``name``: of what is shown. ``folder``: where saved images go."""
        self.name = name
        self.state: State = state
        self.changed = True  # since the last frame
        self.room: Room | None = None  # that frames are laid out for; None: none, the display brings them to its size
        self.now = 0.0  # seconds, by the clock of the loop
        self.failures: list[str] = []  # all that went wrong, one line each
        self.lost: list[str] = []  # those of images that were not saved
        self.wrote = False  # whether anything was saved
        self._folder = folder
        self._worker: Worker[Request, Made] = Worker(self._work)
        self._saves: Worker[Callable[[], str], str] = Worker(lambda job: iter((job(),)), drops=False)
        self._unsaved = 0  # jobs of theirs whose outcome is still to be taken
        self._notice: tuple[str, render.Tone, float] | None = None
        self._entry: tuple[TextEntry, Callable[[str], None]] | None = None  # a line being typed, and who takes it
        self._history: deque[State] = deque(maxlen=HISTORY)  # of the pages before
        self._help = False  # whether the key table is shown

    def title(self) -> str:
        """Of the window."""
        return " - ".join((self.name, *self._said()))

    def text(self) -> Text:
        """All that a frame without a strip says besides its images."""
        page = tuple((binding.keys, binding.does) for binding in self.bindings) if self._help else ()
        hints = _ENTRY_HINTS if self._entry is not None else () if self._notice else self._hints()
        return Text((self.name, *self._said()), hints, page)

    def _said(self) -> tuple[str, ...]:
        if self._entry is not None:
            return (self._entry[0].line,)
        return (self._notice[0],) if self._notice else self._status()

    @final
    def handle(self, event: Event) -> bool:
        """Take in an event; True: quit. What all modes have in common is done here, the rest by ``_handle``."""
        action = event.action
        if action is Action.QUIT:
            return True
        if self._entry is not None:
            self._type(event)
        elif self._help:  # whatever takes it away does nothing else
            if action not in _HELD:
                self._help, self.changed = False, True
        elif action is Action.HELP:
            self._help = self.changed = True
        elif action is Action.BACK:
            self._back()
        elif action is not Action.LEAVE:
            self._handle(event)
        elif not (at_risk := self._at_risk()):
            return True
        else:
            self._handle(Event(Action.NEW, key="q"))
            self.notify(f"{at_risk}: q does not quit, ESC does")
        return False

    def _handle(self, event: Event) -> None:
        """Take in an event that the state or the disk follows."""
        before = self.state
        self.state = self.state.after(event)
        self.changed = self.changed or self.state != before
        if self._leaves(before, self.state):
            self._history.append(before)
        if event.action in (Action.SAVE, Action.SAVE_ALL):
            self._save(whole=event.action is Action.SAVE_ALL)

    def _back(self) -> None:
        """To the page before."""
        if self._history:
            self.state, self.changed = self._returned(self._history.pop()), True
            if self.room is not None:  # it may be another one by now
                self._lay_out(self.room)
        else:
            self.notify("there is no page before this one")

    def _leaves(self, before: State, after: State) -> bool:
        """Whether an event has led to another page, so that Backspace returns to the state before it."""
        return any(getattr(before, name, None) != getattr(after, name, None) for name in self.page_fields)

    def _returned(self, state: State) -> State:
        """The state of an earlier page, with what has to stay as it is."""
        return state

    def _at_risk(self) -> str:
        """What would be lost, or has to be waited for, if it ended now, in words; empty: nothing."""
        return "images are being saved" if self.unsaved else ""

    def ask_text(self, question: str, answer: Callable[[str], None], text: str = "") -> None:
        """Have a line typed: until Enter, keys type. ``answer``: takes the line, unless it is empty; it may ask anew.
        ``text``: that the line begins with."""
        self._entry, self.changed = (TextEntry(question, text), answer), True

    def _type(self, event: Event) -> None:
        assert self._entry is not None
        entry, answer = self._entry
        after = entry.after(event)
        if event == NAMES["enter"]:
            self._entry = None
            if entry.text.strip():
                answer(entry.text.strip())
        elif after != entry:
            self._entry = after, answer
        else:
            return
        self.changed = True

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
                    self._notice = None  # it works after all
                self._receive(answer.request, answer.result)
        for done in self._saves.take():
            self._unsaved -= 1
            if done.error is not None:
                self._failed(done.error)
                self.lost.append(self.failures[-1])
            else:
                self.wrote = True
                self.notify(str(done.result))
        self._ask()

    def settle(self, now: float) -> None:
        """Wait until everything asked for has come."""
        self.pump(now)
        while self._busy:
            self._wait()
            self.pump(now)

    def _wait(self) -> None:
        self._worker.wait()
        self._saves.wait()

    @property
    def _busy(self) -> bool:
        return self._worker.busy or self._unsaved > 0

    @property
    def unsaved(self) -> int:
        """Images that were asked to be saved and may yet be."""
        return self._unsaved

    def _have_saved(self, job: Callable[[], str]) -> None:
        """Have a job done in the thread that saves, after those before it; it returns what to tell the user."""
        self._unsaved += 1
        self._saves.ask(job)

    def notify(self, text: str, tone: render.Tone = "notice", seconds: float = _NOTICE_SECONDS) -> None:
        """Show a line of text for a while."""
        words, until = printable(text, 400), self.now + seconds
        if self._notice is not None and self._notice[0] == words:  # of two threads that met the same error
            until = max(until, self._notice[2])
        self._notice, self.changed = (words, tone, until), True

    def dismiss(self) -> None:
        """Show a notice no longer; errors stay for their time."""
        if self._notice is not None and self._notice[1] == "notice":
            self._notice, self.changed = None, True

    def fit(self, room: Room) -> None:
        """Lay frames out for the room that a display has, where this mode can."""
        if self._lay_out(room):
            self.room, self.changed = room, True

    def _lay_out(self, room: Room) -> bool:
        """Lay frames out for this room; False: they stay as they are, and the display brings them to its size."""
        return False

    def frame(self, strip: bool = True) -> Frame:
        """The frame to show now, with a strip of text below the images or without."""
        self.changed = False
        images = self._screen()
        text, scale = None, self._text_scale
        if strip:
            message, tone = self._message()
            text = render.draw_strip(images.shape[1], self._status(), message, tone, scale)
        frame = render.compose(images, text, *self._cursor(), scale)
        for caption in self._captions():
            render.draw_caption(frame, caption, scale)
        frame.fits = self.room is not None
        if not (self._help and strip):
            return frame
        from viewer.frame import key_page  # when it is needed: the start of the viewer has no time for it

        return key_page.over(frame, self.text().page, scale)

    @property
    def _text_scale(self) -> float:
        """How many times as large as usual letters are."""
        return 1.0 if self.room is None else self.room.text

    def _captions(self) -> Sequence[render.Caption]:
        """Text over the images."""
        return ()

    def _message(self) -> tuple[tuple[str, ...], render.Tone]:
        """What the strip says on the right, and in which tone."""
        if self._entry is not None:
            return (self._entry[0].line, *_ENTRY_HINTS), "notice"
        return ((self._notice[0],), self._notice[1]) if self._notice else (self._hints(), "hint")

    def _cursor(self) -> tuple[Sheet | None, int]:
        """The sheet that a cursor is drawn on, if one is, and the image that it is at."""
        return None, 0

    def _hints(self) -> tuple[str, ...]:
        """The keys, most needed first."""
        return hints_of(self.bindings, self._situation())

    def _situation(self) -> Mapping[str, object]:
        """What is true of the session, by the names that its bindings have for it."""
        return {}

    @property
    def settled(self) -> bool:
        """Whether the last frame shows all that the events until then asked for."""
        return not (self.changed or self._busy)

    def wait_seconds(self) -> float:
        """How long nothing will change unless an event comes."""
        wait = _BUSY_POLL_SECONDS if self._busy else _IDLE_POLL_SECONDS
        return min(wait, self._notice[2] - self.now) if self._notice else wait

    def close(self) -> None:
        """Stop work. Raises ``ImageError`` where images are left unsaved."""
        self._worker.close()
        try:
            self._saves.wait(_SAVING_SECONDS)
        finally:  # a user may not wait for so long
            left = self._saves.close()
        errors = [done.error for done in self._saves.take() if done.error is not None]
        if left:
            raise ImageError(f"images not saved: {left}; there was no time to make them")
        if errors:
            raise ImageError(str(errors[-1]))

    @property
    def moving(self) -> bool:
        """Whether images change as time goes by."""
        return False

    def step(self) -> bool:
        """Let time pass by one frame; False: the image for it is not there yet."""
        return True

    def _failed(self, error: Exception, seconds: float = _NOTICE_SECONDS) -> None:
        if not isinstance(error, UserError | MemoryError):
            raise error
        self.failures.append(str(error) or "not enough memory")
        self.notify(self.failures[-1], "error", seconds)

    @abstractmethod
    def _save(self, whole: bool) -> None:
        """Have the selected image, or the whole screen, saved as it is asked for now."""

    def _work(self, request: Request) -> Iterator[Made]:
        """Make what was asked for; runs in the worker's thread."""
        return iter(())

    def _ask(self) -> None:
        """Ask the worker for what the state needs and is not there."""

    def _receive(self, request: Request, part: Made) -> None:
        """Take in some images."""

    @abstractmethod
    def _screen(self) -> render.Image:
        """The sheet, as large as it is shown."""

    @abstractmethod
    def _status(self) -> tuple[str, ...]:
        """What is shown, in words."""


def check_saved_size(width: int, height: int) -> None:
    """Raise ``ImageError`` for an image larger than the viewer would read back."""
    if width * height > _LARGEST_SAVED:
        raise ImageError(f"cannot save {width}x{height}, expected {_LARGEST_SAVED} pixels at most")
