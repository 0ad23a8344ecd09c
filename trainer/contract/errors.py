"""Errors that a person can put right: one line on stderr and exit code 2, never a traceback.

Imports nothing that could be missing, so that it is there when other imports fail."""

import sys
from typing import Any, Final, NoReturn

from trainer.contract.text import printable

INSTALL_LIBRARIES: Final = "apt-get install libxcb1 libgl1 libglib2.0-0 libsm6"  # what OpenCV's wheel needs of Debian


class UserError(Exception):
    """Something that a person can put right. The message is one line: the file or flag, what was found, what was
    expected. What a terminal must not see of names in it is escaped."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class ImageError(UserError):
    """An image file that cannot be read or saved."""


def require(condition: bool, name: str, found: Any, expected: str) -> None:
    """Raise ``UserError`` naming the flag, the value found and the value expected, unless the condition holds."""
    if not condition:
        raise UserError(f"--{name.replace('_', '-')} is {found}, expected {expected}")


def fail(message: str, code: int = 2) -> NoReturn:
    """End the program with one line on stderr."""
    print(f"error: {printable(message)}", file=sys.stderr, flush=True)
    sys.exit(code)
