"""Threads beside the one that shows frames and listens to keys: one computes images, one saves them.

Of requests for images the latest wins: one that has not begun is dropped when a newer one comes, and one that has begun
ends at its next part. Every result carries its request, so that old images never replace new ones.
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

_busy: Final[list[threading.Thread]] = []  # left behind in the middle of a run


@dataclass(frozen=True)
class Answer(Generic[Request, Result]):
    """A part of what was asked for, or the error that came instead."""

    request: Request
    result: Result | None
    error: Exception | None = None

    def get(self) -> Result:
        """The result. Raises the error."""
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]  # None where that is the result


class Worker(Generic[Request, Result]):
    """One thread that runs ``work``, which yields its results in parts; between parts it can be called off."""

    def __init__(self, work: Callable[[Request], Iterator[Result]], *, drops: bool = True) -> None:
        """``drops``: of requests the latest wins, as above; else all are done, in order."""
        self._work = work
        self._drops = drops
        self._changed = threading.Condition()
        self._waiting: deque[Request] = deque(maxlen=1 if drops else None)
        self._done: deque[Answer[Request, Result]] = deque()
        self._running = False
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name="worker", daemon=True)  # begun with the first request

    @property
    def busy(self) -> bool:
        """Whether anything is running or waiting, or has results to be taken."""
        with self._changed:
            return self._running or bool(self._waiting or self._done)

    def ask(self, request: Request) -> None:
        """Start on this as soon as may be."""
        with self._changed:
            self._waiting.append(request)
            self._changed.notify_all()
            if self._thread.ident is None:
                self._thread.start()

    def take(self) -> list[Answer[Request, Result]]:
        """Everything that has come since the last call, in order."""
        with self._changed:
            done = list(self._done)
            self._done.clear()
            return done

    def wait(self, seconds: float | None = None) -> None:
        """Return when nothing is running or waiting, or after so long."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._running or self._waiting) or self._closed, seconds)

    def close(self, seconds: float = 0.2) -> int:
        """Call everything off, and say how many requests are left undone. A run that cannot be broken off is waited for
        so long, and does not keep the program alive."""
        with self._changed:
            self._closed = True
            left = len(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(seconds)
        if self._thread.is_alive():  # in native code that nobody waits for any more
            _busy.append(self._thread)
        return left + self._thread.is_alive()

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._running = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: bool(self._waiting) or self._closed)
                if self._closed:
                    return
                request = self._waiting.popleft()
                self._running = True
            try:
                for result in self._work(request):
                    with self._changed:
                        self._done.append(Answer(request, result))
                        if self._closed or (self._drops and self._waiting):
                            break
            except Exception as error:
                with self._changed:
                    self._done.append(Answer(request, None, error))


def leave(code: int) -> None:
    """End the process with this exit code if native code still runs: to unload its libraries under it would crash."""
    if any(thread.is_alive() for thread in _busy):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        files.abandon()
        os._exit(code)


atexit.register(leave, 1)  # reached with such a thread only after an exception that nobody expected
