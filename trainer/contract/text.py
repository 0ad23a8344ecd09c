"""Text that others wrote, made fit for a terminal."""

import contextlib
import os
import re
import sys


def printable(text: str | os.PathLike[str], longest: int | None = None) -> str:
    """Text in one line, cut to ``longest`` characters: control characters, escape sequences and bytes that are not
    UTF-8 are shown as escapes."""
    text = os.fspath(text)
    shown = "".join(character if character.isprintable() else _escaped(character) for character in text[:longest])
    return shown if longest is None or len(text) <= longest else shown + "…"


def say(line: str) -> None:
    """Print a line on stderr, made fit for a terminal."""
    with contextlib.suppress(OSError):  # nobody may be listening
        print(printable(line, 1000), file=sys.stderr, flush=True)


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte of a file's name that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def in_processes(count: int) -> str:
    """A number of processes in words."""
    return f"{count} process{'es' * (count != 1)}"


def ago(seconds: float) -> str:
    """A length of time in its largest unit: 40 s, 3 min, 5 h, 2 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def natural(text: str) -> tuple[tuple[int, str], ...]:
    """A key to sort names by: 2 before 10, and all else as usual."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]{1,18})", text))
