"""Several images at once, in threads: OpenCV releases the interpreter. No torch."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import cv2

Item = TypeVar("Item")
Made = TypeVar("Made")


def in_threads(files: Iterable[Item], one: Callable[[Item], Made], workers: int = 0) -> Iterator[tuple[Item, Made]]:
    """Do ``one`` for several files at once.

    Gives each file, in order, with what was made of it. Only a few a thread are held at a time. ``workers``: 0 for one
    a core.
    """
    workers = workers or _cores()
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # one thread an image; more would fight over the cores
    pool = ThreadPoolExecutor(workers)
    waiting: deque[tuple[Item, Future[Made]]] = deque()
    rest = iter(files)
    try:
        waiting.extend((path, pool.submit(one, path)) for path in islice(rest, 4 * workers))
        while waiting:
            path, future = waiting.popleft()
            yield path, future.result()
            waiting.extend((following, pool.submit(one, following)) for following in islice(rest, 1))
    finally:
        pool.shutdown(cancel_futures=True)
        cv2.setNumThreads(threads)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
