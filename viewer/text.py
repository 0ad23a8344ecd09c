"""Text that goes with a frame, in lines of character cells: what a display too coarse for a strip of text writes."""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import NamedTuple

Rows = tuple[tuple[str, str], ...]
"""Of a key table: keys, and what they do."""


class Text(NamedTuple):
    """What a frame has besides its images."""

    status: tuple[str, ...] = ()  # what is shown, in pieces
    hints: tuple[str, ...] = ()  # the keys, most needed first
    page: Rows = ()  # the key table, in place of the images; empty: it is not shown


def width_of(text: str) -> int:
    """Columns of character cells that a text takes."""
    if text.isascii():
        return len(text)
    import unicodedata  # rarely needed

    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def cut(text: str, columns: int) -> str:
    """As much of a text as fits into so many columns; characters that do not print (escapes) become ``?``."""
    fits, used = [], 0
    for character in text:
        used += width_of(character)
        if used > columns:
            break
        fits.append(character if character.isprintable() else "?")
    return "".join(fits)


def line_of(status: Sequence[str], hints: Sequence[str], columns: int) -> str:
    """A line of status and hints, shortened by whole pieces: by hints but the first, then by what is shown."""
    status, hints = list(status), list(hints)
    while True:
        line = " | ".join(filter(None, (" - ".join(status), ", ".join(hints))))
        if width_of(line) <= columns or len(status) + len(hints) < 2:
            return cut(line, columns)
        if len(hints) > 1 or not status:
            hints.pop()
        else:
            status.pop()


def wrapped(text: str, room: int, measure: Callable[[str], int] = width_of) -> list[str]:
    """A text as lines that are no wider than ``room``, broken between words; a longer word has a line of its own."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and measure(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def page_of(rows: Rows, columns: int, lines: int) -> list[str]:
    """A key table as lines of text. What finds no room is left out: ends of sentences first, then the last keys."""
    wide = min(max((width_of(keys) for keys, _ in rows), default=0), columns // 3) + 2
    for most in (None, 1):  # lines of a part
        page: list[str] = []
        for keys, does in rows:
            left, right = wrapped(keys, wide - 2)[:most], wrapped(does, columns - wide)[:most]
            page += [f"{one:<{wide}}{other}".rstrip() for one, other in zip_longest(left, right, fillvalue="")]
        if len(page) <= lines:
            break
    else:
        page = [*page[: max(lines - 1, 0)], "more: --help"]
    return [cut(one, columns) for one in page]
