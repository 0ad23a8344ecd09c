"""Limits on the memory and time that a model may take: files come from anywhere.

onnxruntime's allocator limits memory on every system; on Linux the kernel limits that of the whole process too, so
that other allocations fail before the machine runs out. Time is limited by running the work in a thread, which is left
behind when it takes too long.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from export.kinds import KINDS
from viewer.worker import Worker

if sys.platform != "win32":
    import resource

GIB: Final = 2**30
_MOST_MEMORY: Final = 8 * GIB  # default limit of a model; at most half of the machine's
_OPENING_SECONDS: Final = 3.0
_OPENING_RATE: Final = 100e6  # bytes of a file a second, on top
_OPENING_NODES: Final = 400  # a second, on top: what depends on weights alone is worked out then, such as masks
_MOST_FOR_NODES: Final = 27.0  # seconds: nobody waits longer for a file that takes its time
_RUN_SECONDS: Final = 4.0  # of a model without a kind
_ENDING_SECONDS: Final = 0.3  # that a run which is called off may take to notice
_TICK_SECONDS: Final = 0.05

Result = TypeVar("Result")


class _Allowed:
    """The limits that the user set for this process; 0: none."""

    memory = 0
    seconds = 0.0


def allowed_memory() -> int:
    """Bytes of memory that a model may take."""
    try:
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # cannot be asked: no bound
        machine = 2 * _MOST_MEMORY
    return _Allowed.memory or min(_MOST_MEMORY, machine // 2)


def opening_seconds(size: int, nodes: int) -> float:
    """Seconds that opening a file of so many bytes, and nodes of its graph, may take."""
    usual = _OPENING_SECONDS + size / _OPENING_RATE + min(nodes / _OPENING_NODES, _MOST_FOR_NODES)
    return _Allowed.seconds or usual


def run_seconds(kind: str) -> float:
    """Seconds that one run of a model of this kind may take."""
    return _Allowed.seconds or (KINDS[kind].seconds if kind in KINDS else _RUN_SECONDS)


@contextlib.contextmanager
def limits(memory: int = 0, seconds: float = 0.0) -> Iterator[None]:
    """Limit this process, as far as the system can. ``memory``: bytes; 0: the default, as for ``seconds``.

    On Linux, the kernel lets this process take so many bytes more than it has, and not one further.
    """
    taken = _taken()
    with contextlib.ExitStack() as undone:
        for name, value in (("memory", memory), ("seconds", seconds)):
            undone.callback(setattr, _Allowed, name, getattr(_Allowed, name))
            setattr(_Allowed, name, value)
        if sys.platform != "win32" and taken is not None:
            soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
            bounds = [bound for bound in (soft, hard) if bound != resource.RLIM_INFINITY]
            resource.setrlimit(resource.RLIMIT_DATA, (min([taken + allowed_memory(), *bounds]), hard))
            undone.callback(resource.setrlimit, resource.RLIMIT_DATA, (soft, hard))
        yield


def finish(work: Callable[[], Result], seconds: float, stop: Callable[[], None]) -> Result:
    """Run ``work`` in a thread and return its result. Raises what it raises, or ``TimeoutError`` after ``seconds``.

    Only seconds in which this process had the processor count: on a busy machine a model may take longer.
    ``stop``: asks the work to end; where it does not, its thread goes on until the process ends.
    """
    worker: Worker[None, Result] = Worker(lambda _: iter((work(),)))
    wall, busy = time.monotonic(), time.process_time()
    try:
        worker.ask(None)
    except RuntimeError:  # out of memory
        raise MemoryError("cannot start a thread") from None
    worker.wait(_TICK_SECONDS)
    while not (answers := worker.take()):
        if min(time.monotonic() - wall, time.process_time() - busy) > seconds:
            stop()
            worker.close(_ENDING_SECONDS)
            raise TimeoutError(f"took more than {seconds:.3g} s, expected less; --max-seconds allows more")
        worker.wait(_TICK_SECONDS)
    worker.close()
    return answers[0].get()


def _taken() -> int | None:
    """Bytes of memory that are this process's own; ``None`` where the kernel does not count them."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        with Path("/proc/self/status").open() as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData:"))
    except (OSError, StopIteration, ValueError):
        return None
