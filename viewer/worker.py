"""Threads beside the one that shows frames and listens to keys: one computes images, one saves them.

Of requests for images the latest wins: one that has not begun is dropped when a newer one comes, and one that has begun
ends at its next part. Every result carries its request, so that old images never replace new ones.
"""

import atexit
import contextlib
import os
import sys
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from trainer.contract import files

Job = TypeVar("Job")
Outcome = TypeVar("Outcome")
Request = TypeVar("Request")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Answer(Generic[Request, Result]):
    """A part of what was asked for, or the error that came instead."""

    request: Request
    result: Result | None
    error: Exception | None = None


class _Background(ABC, Generic[Job, Outcome]):
    """One thread that does jobs, begun with the first of them."""

    def __init__(self, name: str, most: int | None = None) -> None:
        """``most``: jobs that may wait; the oldest are dropped."""
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque(maxlen=most)
        self._done: deque[Outcome] = deque()
        self._running = False
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)

    def take(self) -> list[Outcome]:
        """Everything that has come since the last call, in order."""
        with self._changed:
            done = list(self._done)
            self._done.clear()
            return done

    def wait(self, seconds: float | None = None) -> None:
        """Return when nothing is running or waiting, or after so long."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._running or self._waiting) or self._closed, seconds)

    def _put(self, job: Job) -> None:
        with self._changed:
            self._waiting.append(job)
            self._changed.notify_all()
            if self._thread.ident is None:
                self._thread.start()

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._running = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: bool(self._waiting) or self._closed)
                if self._closed:
                    return
                job = self._waiting.popleft()
                self._running = True
            self._run(job)

    @abstractmethod
    def _run(self, job: Job) -> None:
        """Do a job, and put what comes of it into ``_done``."""


class Worker(_Background[Request, Answer[Request, Result]]):
    """One thread that runs ``work``, which yields its results in parts; between parts it can be called off."""

    def __init__(self, work: Callable[[Request], Iterator[Result]]) -> None:
        super().__init__("inference", most=1)
        self._work = work

    @property
    def busy(self) -> bool:
        """Whether anything is running or waiting, or has results to be taken."""
        with self._changed:
            return self._running or bool(self._waiting or self._done)

    def ask(self, request: Request) -> None:
        """Start on this as soon as may be, instead of whatever was asked for before."""
        self._put(request)

    def close(self, seconds: float = 0.2) -> None:
        """Call everything off. A run that cannot be broken off does not keep the program alive."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(seconds)
        left_behind(self._thread)

    def _run(self, job: Request) -> None:
        try:
            for result in self._work(job):
                with self._changed:
                    self._done.append(Answer(job, result))
                    if self._waiting or self._closed:
                        return
        except Exception as error:
            with self._changed:
                self._done.append(Answer(job, None, error))


class SaveQueue(_Background[Callable[[], str], str | Exception]):
    """One thread that does jobs one after another, and drops none; ``take`` gives what they returned or raised."""

    def __init__(self) -> None:
        super().__init__("saves")

    @property
    def count(self) -> int:
        """Jobs still to be done, or whose outcome is still to be taken."""
        with self._changed:
            return len(self._waiting) + self._running + len(self._done)

    def send(self, job: Callable[[], str]) -> None:
        """Have something done; what it returns or raises comes out of ``take``."""
        self._put(job)

    def close(self, seconds: float = 0.6) -> int:
        """Finish, for so long at most, and say how many jobs were left undone."""
        try:
            self.wait(seconds)
        finally:  # a user may not wait for so long
            with self._changed:
                left = len(self._waiting) + self._running
                self._waiting.clear()
            if left:
                left_behind(self._thread)
        return left

    def _run(self, job: Callable[[], str]) -> None:
        try:
            said: str | Exception = job()
        except Exception as error:
            said = error
        with self._changed:
            self._done.append(said)
            self._running = False  # at once: ``count`` counts no job twice


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
