"""Limits on the memory and time that a model may take: files come from anywhere.

onnxruntime's allocator limits memory on every system; on Linux the kernel limits that of the whole process too, so
that other allocations fail before the machine runs out. Time is limited by running the work in a thread, which is left
behind when it takes too long.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from export.kinds import KINDS
from viewer.worker import left_behind

if sys.platform != "win32":
    import resource

GIB: Final = 2**30
_MOST_MEMORY: Final = 8 * GIB  # default limit of a model; at most half of the machine's
_OPENING_SECONDS: Final = 3.0
_OPENING_RATE: Final = 100e6  # bytes of a file a second, on top
_RUN_SECONDS: Final = 4.0  # of a model without a kind
_ENDING_SECONDS: Final = 0.3  # that a run which is called off may take to notice
_TICK_SECONDS: Final = 0.05

Result = TypeVar("Result")


class Overdue(Exception):
    """Something took longer than ``seconds``, its limit."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"took more than {seconds:.3g} s, expected less; --max-seconds allows more")


class _Allowed:
    """The limits that the user set for this process; 0: none."""

    memory = 0
    seconds = 0.0


def allowed_memory() -> int:
    """Bytes of memory that a model may take."""
    return _Allowed.memory or min(_MOST_MEMORY, _machine_memory() // 2)


def opening_seconds(size: int) -> float:
    """Seconds that opening a file of so many bytes may take."""
    return _Allowed.seconds or _OPENING_SECONDS + size / _OPENING_RATE


def run_seconds(kind: str) -> float:
    """Seconds that one run of a model of this kind may take."""
    return _Allowed.seconds or (KINDS[kind].seconds if kind in KINDS else _RUN_SECONDS)


@contextlib.contextmanager
def limits(memory: int = 0, seconds: float = 0.0) -> Iterator[None]:
    """Limit this process, as far as the system can. ``memory``: bytes; 0: the default, as for ``seconds``."""
    before = _Allowed.memory, _Allowed.seconds
    _Allowed.memory, _Allowed.seconds = memory, seconds
    try:
        with _kernel_limit(allowed_memory()):
            yield
    finally:
        _Allowed.memory, _Allowed.seconds = before


def finish(work: Callable[[], Result], seconds: float, stop: Callable[[], None]) -> Result:
    """Run ``work`` in a thread and return its result. Raises what it raises, or ``Overdue`` after ``seconds``.

    Only seconds in which this process had the processor count: on a busy machine a model may take longer.
    ``stop``: asks the work to end; where it does not, its thread goes on until the process ends.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="model", daemon=True)
    wall, busy = time.monotonic(), time.process_time()
    try:
        thread.start()
    except RuntimeError:  # out of memory
        raise MemoryError("cannot start a thread") from None
    thread.join(_TICK_SECONDS)
    while thread.is_alive():
        if min(time.monotonic() - wall, time.process_time() - busy) > seconds:
            stop()
            thread.join(_ENDING_SECONDS)
            left_behind(thread)
            raise Overdue(seconds)
        thread.join(_TICK_SECONDS)
    if errors:
        raise errors.pop()
    return results.pop()


@contextlib.contextmanager
def _kernel_limit(memory: int) -> Iterator[None]:
    """On Linux, let this process take so many bytes more than it has, and not one further."""
    taken = _taken()
    if sys.platform == "win32" or taken is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bounds = [bound for bound in (soft, hard) if bound != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min([taken + memory, *bounds]), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _taken() -> int | None:
    """Bytes of memory that are this process's own; ``None`` where the kernel does not count them."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        with Path("/proc/self/status").open() as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData:"))
    except (OSError, StopIteration, ValueError):
        return None


def _machine_memory() -> int:
    """Bytes of memory that the machine has; where that cannot be asked, enough to be no bound."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 2 * _MOST_MEMORY
