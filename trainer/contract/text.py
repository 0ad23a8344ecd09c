"""Text that others wrote, made fit for a terminal."""

import os


def printable(text: str | os.PathLike[str], longest: int | None = None) -> str:
    """Text in one line, cut to ``longest`` characters: control characters, escape sequences and bytes that are not
    UTF-8 are shown as escapes."""
    text = os.fspath(text)
    shown = "".join(character if character.isprintable() else _escaped(character) for character in text[:longest])
    return shown if longest is None or len(text) <= longest else shown + "…"


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
