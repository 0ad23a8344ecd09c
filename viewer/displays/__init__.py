"""Where frames are shown and where keys come from: a window, a terminal, or nowhere; recorded or not.

A recorder is a display too, around another one.
"""

from pathlib import Path
from typing import Literal

from viewer.displays.display import Display, DisplayError

__all__ = ["Display", "DisplayError", "open_display"]

Choice = Literal["auto", "window", "terminal", "none"]


def open_display(
    choice: Choice,
    *,
    title: str,
    record: Path | None = None,
    delay_ms: int = 50,
    motion: bool = False,
    strokes: bool = False,
) -> Display:
    """Open a display: ``auto`` is a window where there is a screen, else the terminal.

    ``record``: a .png, .gif, .webp or .mp4 file that gets every shown frame, each for ``delay_ms``.
    ``motion``: it tells of every movement of the mouse too, and not of clicks alone. ``strokes``: of drags it tells
    every place, for drawing; a terminal is too coarse for it, and refused. Raises ``DisplayError``.
    """
    if choice == "terminal" and strokes:
        raise DisplayError("--display is terminal, expected a window: drawing needs one")

    # Each display is imported when it is needed: together they cost a sixth of the viewer's start.
    def open_window() -> Display:
        from viewer.displays.window import Window

        return Window(title, motion, strokes)

    def open_terminal() -> Display:
        from viewer.displays.terminal import Terminal

        return Terminal(motion)

    def open_any() -> Display:
        try:
            return open_window()
        except DisplayError as no_window:
            if strokes:
                raise DisplayError(f"drawing needs a window: {no_window}") from None
            try:
                return open_terminal()
            except DisplayError as no_terminal:
                raise DisplayError(
                    f"no window: {no_window}; no terminal: {no_terminal}; try --display none --record out.png"
                ) from None

    open_chosen = {"auto": open_any, "window": open_window, "terminal": open_terminal, "none": Display}[choice]
    if record is None:
        return open_chosen()
    from viewer.displays.recorder import Recorder

    return Recorder(record, delay_ms, open_chosen)
