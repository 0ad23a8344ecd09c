"""The terminal display."""

from viewer.displays import DisplayError


class Terminal:
    def __init__(self, *_: object) -> None:
        raise DisplayError("no terminal yet")
