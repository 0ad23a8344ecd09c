"""Work off the thread that shows and listens.

The latest request wins: one that has not begun is dropped when a newer one comes, and one that has begun is left at the
next part. Every result carries the request that it belongs to, so that old images never replace new ones.
"""

import atexit
import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from trainer.contract import files

Request = TypeVar("Request")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Answer(Generic[Request, Result]):
    """A part of what was asked for, or the error that came instead."""

    request: Request
    result: Result | None
    error: Exception | None = None


class Worker(Generic[Request, Result]):
    """One thread that runs ``work``, which yields its results in parts; between parts it can be called off."""

    def __init__(self, work: Callable[[Request], Iterator[Result]]) -> None:
        self._work = work
        self._changed = threading.Condition()
        self._next: deque[Request] = deque(maxlen=1)
        self._answers: deque[Answer[Request, Result]] = deque()
        self._busy = False
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name="inference", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether anything is running or waiting, or has results to be taken."""
        with self._changed:
            return self._busy or bool(self._next or self._answers)

    def ask(self, request: Request) -> None:
        """Start on this as soon as may be, instead of whatever was asked for before."""
        with self._changed:
            self._next.append(request)
            self._changed.notify_all()

    def take(self) -> list[Answer[Request, Result]]:
        """Everything that has come since the last call, in order."""
        with self._changed:
            answers = list(self._answers)
            self._answers.clear()
            return answers

    def wait(self, seconds: float | None = None) -> None:
        """Return when nothing is running, or after so long."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._busy or self._next) or self._closed, seconds)

    def close(self, seconds: float = 0.2) -> None:
        """Call everything off. A run that cannot be broken off does not keep the program alive."""
        with self._changed:
            self._closed = True
            self._next.clear()
            self._changed.notify_all()
        self._thread.join(seconds)
        left_behind(self._thread)

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: bool(self._next) or self._closed)
                if self._closed:
                    return
                request = self._next.popleft()
                self._busy = True
            self._run(request)

    def _run(self, request: Request) -> None:
        try:
            for result in self._work(request):
                with self._changed:
                    self._answers.append(Answer(request, result))
                    if self._next or self._closed:
                        return
        except Exception as error:
            with self._changed:
                self._answers.append(Answer(request, None, error))


class SaveQueue:
    """One thread that does jobs one after another, and drops none."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Callable[[], str]] = deque()
        self._done: deque[str | Exception] = deque()
        self._undone = 0
        self._thread: threading.Thread | None = None  # begun with the first job

    @property
    def count(self) -> int:
        """Jobs still to be done, or whose outcome is still to be taken."""
        with self._changed:
            return self._undone + len(self._done)

    def send(self, job: Callable[[], str]) -> None:
        """Have something done; what it returns or raises comes out of ``take``."""
        with self._changed:
            self._waiting.append(job)
            self._undone += 1
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="saves", daemon=True)
                self._thread.start()

    def take(self) -> list[str | Exception]:
        """What the jobs done since the last call had to say."""
        with self._changed:
            done = list(self._done)
            self._done.clear()
            return done

    def wait(self, seconds: float | None = None) -> None:
        """Return when everything is done, or after so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._undone == 0, seconds)

    def close(self, seconds: float = 0.6) -> int:
        """Finish, for so long at most, and say how many jobs were left undone."""
        try:
            self.wait(seconds)
        finally:  # a person may not wait for so long
            with self._changed:
                self._waiting.clear()
                left = self._undone
            if left and self._thread is not None:
                left_behind(self._thread)
        return left

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                job = self._waiting.popleft()
            try:
                said: str | Exception = job()
            except Exception as error:
                said = error
            with self._changed:
                self._done.append(said)
                self._undone -= 1
                self._changed.notify_all()


_busy: Final[list[threading.Thread]] = []  # left behind in the middle of a run


def left_behind(thread: threading.Thread) -> None:
    """Remember a thread that runs native code which nobody waits for any more, so that ``leave`` knows of it."""
    if thread.is_alive():
        _busy.append(thread)


def leave(code: int) -> None:
    """End the process with this exit code if native code still runs: to unload its libraries under it would crash."""
    if any(thread.is_alive() for thread in _busy):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        files.abandon()
        os._exit(code)


atexit.register(leave, 1)  # reached with such a thread only after an exception that nobody expected
