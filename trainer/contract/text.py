"""Text that others wrote, made fit for a terminal."""

import os


def printable(text: str | os.PathLike[str]) -> str:
    """Text in one line: control characters, escape sequences and bytes that are not UTF-8 are shown as escapes."""
    return "".join(character if character.isprintable() else _escaped(character) for character in os.fspath(text))


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte of a file's name that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
