"""Many images one after another: in threads, with a progress bar, and a line for each that cannot be used."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

import cv2
from tqdm import tqdm

from trainer.contract.headers import Unreadable
from trainer.contract.text import printable
from trainer.data.sources.threads import in_threads

Item = TypeVar("Item")
Made = TypeVar("Made")
Piece = TypeVar("Piece", bound=Sized)


def process(
    items: Iterable[Item],
    one: Callable[[Item], Made],
    workers: int,
    count: int,
    name: Callable[[int, Item], object],
    skipped: list[str],
    what: str = "images",
) -> Iterator[tuple[int, Item, Made]]:
    """Do ``one`` for several items at once → each one's number, itself and what was made of it, in order.

    An item for which it raises ``Unreadable`` is reported by its ``name`` and left out; why is added to ``skipped``.
    """

    def attempt(item: Item) -> Made | Unreadable:
        try:
            return one(item)
        except Unreadable as error:
            return error
        except (cv2.error, MemoryError):
            return Unreadable("too large to decode here")

    made = in_threads(items, attempt, workers)
    for number, (item, result) in enumerate(tqdm(made, what, count, unit="image", disable=None)):
        if isinstance(result, Unreadable):
            skipped.append(str(result))
            say(f"skipped {name(number, item)}: {result}")
        else:
            yield number, item, result


def counted(pieces: Iterable[Piece], count: int, size: Callable[[Piece], int] = len) -> Iterator[Piece]:
    """The pieces of ``count`` images, with a progress bar. ``size``: how many images a piece has."""
    with tqdm(total=count, desc="images", unit="image", disable=None) as bar:
        for piece in pieces:
            yield piece
            bar.update(size(piece))


def say(line: str) -> None:
    """Print a line to standard error beside a progress bar."""
    tqdm.write(printable(line), file=sys.stderr)
