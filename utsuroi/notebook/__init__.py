"""Models that show themselves in notebooks: the player for browsers in a widget, by anywidget (extra ``notebook``)."""

from importlib.util import find_spec


def why_not() -> str:
    """Why no player can be shown here, and the way out, in one line; empty where it can."""
    from export.player import built

    if find_spec("anywidget") is None:
        return "a player in a notebook needs anywidget, which is not installed: pip install 'utsuroi[notebook]'"
    return built.missing()


class Still:
    """HTML that a notebook shows."""

    def __init__(self, text: str) -> None:
        self._text = text

    def _repr_html_(self) -> str:
        return self._text
