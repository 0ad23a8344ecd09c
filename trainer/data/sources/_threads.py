"""Many images: several at once in threads, since OpenCV releases the interpreter, with a progress bar. No torch."""

import os
import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from operator import length_hint
from typing import TypeVar

import cv2
from tqdm import tqdm

from trainer.contract.headers import Unreadable
from trainer.contract.text import printable

SHOWN = 3  # names of what is left out

Item = TypeVar("Item")
Made = TypeVar("Made")
Piece = TypeVar("Piece", bound=Sized)


def in_threads(items: Iterable[Item], one: Callable[[Item], Made], workers: int = 0) -> Iterator[tuple[Item, Made]]:
    """Do ``one`` for several items at once, of which a few a thread are in memory at a time. Gives each item, in order,
    with what was made of it. ``workers``: 0 for one a core."""
    workers = workers or _cores()
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # one thread an image; more would fight over the cores
    pool = ThreadPoolExecutor(workers)
    waiting: deque[tuple[Item, Future[Made]]] = deque()
    rest = iter(items)
    try:
        waiting.extend((item, pool.submit(one, item)) for item in islice(rest, 4 * workers))
        while waiting:
            item, future = waiting.popleft()
            yield item, future.result()
            waiting.extend((following, pool.submit(one, following)) for following in islice(rest, 1))
    finally:
        pool.shutdown(cancel_futures=True)
        cv2.setNumThreads(threads)


def usable(
    items: Iterable[Item],
    one: Callable[[Item], Made],
    count: int | None = None,
    *,
    what: str = "images",
    name: Callable[[int, Item], object] | None = None,
    workers: int = 0,
    skipped: dict[object, str] | None = None,
    progress: bool = True,
) -> Iterator[tuple[int, Item, Made]]:
    """``in_threads``, without the items for which ``one`` raises ``Unreadable``: each one's number, itself and what was
    made of it, in order, with a progress bar of ``count``, or as many as ``items`` are, that says ``what``.

    Those left out are reported, by ``name`` where the reason does not have it; why is put into ``skipped``, by that
    name or, without one, by number."""

    def attempt(item: Item) -> Made | Unreadable:
        try:
            return one(item)
        except Unreadable as error:
            return error
        except (cv2.error, MemoryError):
            return Unreadable("too large to decode here")

    made = in_threads(items, attempt, workers)
    count = length_hint(items) or None if count is None else count
    bar = tqdm(made, what, count, unit="image", leave=False, disable=None if progress else True)
    for number, (item, result) in enumerate(bar):
        if not isinstance(result, Unreadable):
            yield number, item, result
            continue
        if skipped is not None:
            skipped[number if name is None else name(number, item)] = str(result)
        say(f"skipped {result}" if name is None else f"skipped {name(number, item)}: {result}")


def counted(
    pieces: Iterable[Piece], count: int, size: Callable[[Piece], int] = len, what: str = "images", progress: bool = True
) -> Iterator[Piece]:
    """The pieces of ``count`` images, with a progress bar. ``size``: how many images a piece has."""
    with tqdm(total=count, desc=what, unit="image", leave=False, disable=None if progress else True) as bar:
        for piece in pieces:
            yield piece
            bar.update(size(piece))


def summary(reason: str) -> str:
    """Why an image is left out, in so few words that others have the same reason."""
    if reason[:1].isdigit():  # its pixels, its bytes
        return "of another size"
    return re.split(r"[(:,;]| but ", reason)[0].strip()


def say_counts(
    what: object, taken: int, found: int, left_out: Mapping[str, Sequence[str]], noun: str = "files"
) -> None:
    """Say how many of what was found is taken, and why others are left out: names by reason. Nothing where all are."""
    if left_out:
        say(counts_note(what, taken, found, left_out, noun))


def counts_note(what: object, taken: int, found: int, left_out: Mapping[str, Sequence[str]], noun: str) -> str:
    """What ``say_counts`` says."""
    reasons = []
    for reason, names in left_out.items():
        few = ", ".join(dict.fromkeys(names)) if len(names) <= SHOWN else f"{', '.join(names[:SHOWN])}, ..."
        thing = re.sub(r"^an? ", "× ", reason)  # of which there are several
        reasons.append(f"{len(names) or found - taken:,} {thing}" + (f" ({few})" if few else ""))
    return f"note: {what}: {taken:,} of {found:,} {noun} taken, left out: {', '.join(reasons)}"


def say(line: str) -> None:
    """Print a line to standard error, beside a progress bar."""
    tqdm.write(printable(line), file=sys.stderr)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
