"""An OpenCV window: the only caller of ``imshow`` and ``waitKeyEx``.

Without a usable screen ``imshow`` aborts the process, so that ``_probe`` looks for one first.
"""

import ctypes
import os
import sys
import time
from collections import deque
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.contract.errors import INSTALL_LIBRARIES
from viewer.displays.display import Display, DisplayError, queue
from viewer.displays.x11 import XKeys
from viewer.keys import CLOSED, Action, Event, decode_window_key

_SLICE_MS: Final = 50  # of waiting; a key ends it at once, Ctrl-C in the terminal is noticed at its end
_SCREEN_SHARE: Final = 0.9  # of the screen that a new window may take
_ATTACH_SECONDS: Final = 3.0  # a window manager needs a moment to put the window up

_BUTTONS: Final = {
    cv2.EVENT_LBUTTONDOWN: Action.CLICK,
    cv2.EVENT_LBUTTONUP: Action.RELEASE,
    cv2.EVENT_RBUTTONDOWN: Action.SECOND_CLICK,
    cv2.EVENT_RBUTTONUP: Action.SECOND_RELEASE,
}


class Window(Display):
    """One window; closing it is QUIT, and it stays closed. Raises ``DisplayError`` where there is no screen."""

    interactive = True

    def __init__(self, title: str, motion: bool = False, strokes: bool = False) -> None:
        """``motion``: movements of the mouse are events too. ``strokes``: every place that a drag goes through."""
        self._motion = motion
        self._strokes = strokes
        self._x = _probe()
        self._name = title  # OpenCV's handle; the title bar may say something else later
        self._title = title
        self._size: tuple[int, int] | None = None  # width, height of the last frame
        self._events: deque[Event] = deque()
        self._mouse = -1, -1  # where it was last
        self._closed = False
        self._attach_until = 0.0

    def show(self, frame: NDArray[np.uint8], title: str) -> None:
        """Show a frame, BGR [h, w, 3], under a title."""
        if self._closed:
            return
        size = frame.shape[1], frame.shape[0]
        if self._size is None:
            flags = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
            cv2.namedWindow(self._name, flags)
            cv2.setMouseCallback(self._name, self._on_mouse)
            self._attach_until = time.monotonic() + _ATTACH_SECONDS
        elif not self._is_open():  # imshow would open it anew
            return
        if size != self._size:
            self._size = size
            cv2.resizeWindow(self._name, *self._fit(size))
        cv2.imshow(self._name, frame)
        if title != self._title:
            cv2.setWindowTitle(self._name, title)
            self._title = title

    def poll(self, seconds: float) -> Event | None:
        """The next key, what the mouse did, or QUIT, waiting at most so long."""
        deadline = time.monotonic() + seconds
        while True:
            left_ms = (deadline - time.monotonic()) * 1000
            self._pump(int(min(max(left_ms, 1), _SLICE_MS)) if not self._events else 1)
            if self._events:
                return self._events.popleft()
            if self._closed:
                return Event(Action.QUIT, key=CLOSED)
            if time.monotonic() >= deadline:
                return None

    def close(self) -> None:
        """Take the window down."""
        if self._size is not None and self._is_open():
            cv2.destroyWindow(self._name)
            cv2.waitKeyEx(1)  # Qt and GTK take it down while they wait
        self._closed = True
        if self._x is not None:
            self._x.close()

    def _pump(self, wait_ms: int) -> None:
        """Let the window live for so long, or until a key comes, and collect what happened."""
        if self._size is None or self._closed:
            time.sleep(0 if self._closed else wait_ms / 1000)
            return
        if self._x is not None and not self._x.listening and time.monotonic() < self._attach_until:
            self._x.listen(self._title, wheel=self._motion)
        code = cv2.waitKeyEx(wait_ms)
        if self._x is not None and self._x.listening:
            self._events.extend(self._x.pressed(self._mouse))
        elif event := decode_window_key(code, code != -1 and self._x is not None and self._x.capitals()):
            self._events.append(event)
        self._is_open()

    def _is_open(self) -> bool:
        if not self._closed:
            try:
                self._closed = cv2.getWindowProperty(self._name, cv2.WND_PROP_VISIBLE) < 1
            except cv2.error:
                self._closed = True
        return not self._closed

    def _on_mouse(self, kind: int, x: int, y: int, flags: int, data: object) -> None:
        if self._size is None:
            return
        width, height = self._size
        inside = 0 <= x < width and 0 <= y < height
        self._mouse = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
        if kind == cv2.EVENT_MOUSEMOVE:
            left, right = flags & cv2.EVENT_FLAG_LBUTTON, flags & cv2.EVENT_FLAG_RBUTTON
            action = Action.DRAG if left else Action.SECOND_DRAG if right else Action.MOVE
        elif kind == cv2.EVENT_MOUSEWHEEL:  # the turn is the signed upper half
            action = Action.WHEEL_UP if 0 <= flags < 0x8000_0000 else Action.WHEEL_DOWN
        elif kind in _BUTTONS:
            action = _BUTTONS[kind]
        else:
            return
        begins = action in (Action.CLICK, Action.SECOND_CLICK, Action.MOVE)  # what has begun on the frame may leave it
        if (inside or not begins) and (self._motion or action is Action.CLICK):
            event = Event(action, *self._mouse)
            if self._strokes and action is not Action.MOVE:  # every place of a line counts
                self._events.append(event)
            else:
                queue(self._events, event)

    def _fit(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size of a window for a frame: that of the frame, or less on a small screen."""
        if self._x is None:
            return size
        screen = self._x.screen_size()
        scale = min(1.0, *(_SCREEN_SHARE * most / side for side, most in zip(size, screen, strict=True)))
        return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _probe() -> XKeys | None:
    """Make sure that a window can be opened; on Linux the connection to its screen. Raises ``DisplayError``."""
    if not hasattr(cv2, "imshow") or "GUI:                           NONE" in cv2.getBuildInformation():
        raise DisplayError("this OpenCV has no windows, expected opencv-python and not opencv-python-headless")
    if not sys.platform.startswith("linux"):
        return None
    connection = XKeys()
    plugin = Path(cv2.__file__).with_name("qt") / "plugins/platforms/libqxcb.so"
    if plugin.exists():  # the wheel from PyPI; its Qt knows X11 only and aborts when asked for anything else
        os.environ["QT_QPA_PLATFORM"] = "xcb"
        os.environ["QT_XCB_NO_XI2"] = "1"  # so that it has the wheel as a button, which can be taken from it
        os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")  # the wheel has no fonts and says so ten times
        try:
            ctypes.CDLL(str(plugin))
        except OSError as error:
            connection.close()
            library = str(error).partition(":")[0]
            raise DisplayError(f"{library} is missing: {INSTALL_LIBRARIES}") from None
    return connection
