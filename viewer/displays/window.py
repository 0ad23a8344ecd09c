"""The window display."""

from viewer.displays import DisplayError


class Window:
    def __init__(self, *_: object) -> None:
        raise DisplayError("no window yet")
