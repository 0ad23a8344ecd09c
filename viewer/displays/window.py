"""An OpenCV window: the only caller of ``imshow`` and ``waitKeyEx``.

Without a usable screen ``imshow`` aborts the process, so that ``_probe`` looks for one first.
"""

import contextlib
import ctypes
import math
import os
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.contract.errors import INSTALL_LIBRARIES
from viewer.displays.display import Display, DisplayError, queue
from viewer.displays.x11 import XKeys
from viewer.files.resizing import resize
from viewer.keys import CLOSED, Action, Event, decode_window_key
from viewer.labels import Frame, one_colour, paint_all, painted
from viewer.room import Room
from viewer.text import Text

_SLICE_MS: Final = 50  # of waiting; a key ends it at once, Ctrl-C in the terminal is noticed at its end
_SCREEN_SHARE: Final = 0.9  # of the screen that a new window may take
_WIDEST: Final = 2.4  # times as wide as high that a screen is; what is wider are several
_USUAL_ROOM: Final = (1200, 850)  # width and height of a window whose text has the usual size
_TEXT_STEP: Final = 0.25
_LEAST_STRIP: Final = 320  # pixels of text of the usual size that a window is wide at least
_SETTLE_SECONDS: Final = 0.5  # that a window manager may take to give a window the size that was asked for
_ATTACH_SECONDS: Final = 3.0  # a window manager needs a moment to put the window up

_BUTTONS = {
    cv2.EVENT_LBUTTONDOWN: Action.CLICK,
    cv2.EVENT_LBUTTONUP: Action.RELEASE,
    cv2.EVENT_RBUTTONDOWN: Action.SECOND_CLICK,
    cv2.EVENT_RBUTTONUP: Action.SECOND_RELEASE,
}
if not sys.platform.startswith("linux"):  # the second of two fast clicks: there it comes in place of a press
    _BUTTONS |= {cv2.EVENT_LBUTTONDBLCLK: Action.CLICK, cv2.EVENT_RBUTTONDBLCLK: Action.SECOND_CLICK}
_OF_MOUSE: Final = {
    *_BUTTONS.values(), Action.DRAG, Action.SECOND_DRAG, Action.WHEEL_UP, Action.WHEEL_DOWN,
}  # fmt: skip


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
        self._frame: NDArray[np.uint8] | None = None  # the last one
        self._window = Size(0, 0)  # pixels of the window that the last image was made for
        self._asked = Size(0, 0)  # that the window was to have, in the units of the window system
        self._ratio = scale_of_qt() if self._x is not None else 1.0  # pixels of such a unit
        self._measured = False  # the ratio, on the screen
        self._by_hand = False  # the user gave the window its size
        self._settled_at = 0.0
        self._events: deque[Event] = deque()
        self._closed = False
        self._attach_until = 0.0
        self.room = None if self._x is None else room_on(Size(*self._x.screen_size()), self._ratio)

    def show(self, frame: NDArray[np.uint8], title: str, text: Text | None = None) -> None:
        """Show a frame, BGR [h, w, 3], under a title."""
        if self._closed:
            return
        before, self._frame = self._frame, frame.copy()
        if before is None:
            flags = cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL
            cv2.namedWindow(self._name, flags)
            cv2.setMouseCallback(self._name, self._on_mouse)
            self._attach_until = time.monotonic() + _ATTACH_SECONDS
        elif not self._is_open():  # imshow would open it anew
            return
        if not self._by_hand and (before is None or before.shape != frame.shape):
            self._ask_for(self._size_for(frame))
        self._paint()
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
        if self._frame is not None and self._is_open():
            cv2.destroyWindow(self._name)
            cv2.waitKeyEx(1)  # Qt and GTK take it down while they wait
        self._closed = True
        if self._x is not None:
            self._x.close()

    def _pump(self, wait_ms: int) -> None:
        """Let the window live for so long, or until a key comes, and collect what happened."""
        if self._frame is None or self._closed:
            time.sleep(0 if self._closed else wait_ms / 1000)
            return
        if self._x is not None and not self._x.listening and time.monotonic() < self._attach_until:
            self._x.listen(self._title)
        code = cv2.waitKeyEx(wait_ms)
        if self._x is not None and self._x.listening:
            for pressed in self._x.pressed():
                if pressed.action in _OF_MOUSE:
                    self._add(pressed.action, pressed.x + 0.5, pressed.y + 0.5)
                else:
                    self._events.append(pressed)
        elif event := decode_window_key(code, code != -1 and self._x is not None and self._x.capitals()):
            self._events.append(event)
        if self._is_open():
            self._follow_size()

    def _follow_size(self) -> None:
        """Show the last frame at the size that the window has now."""
        size, now = self._size_in_units(), time.monotonic()
        if not self._measured and self._x is not None and self._x.listening:
            ratio = self._x.window_size()[0] / size.width
            self._measured = ratio > 0 and abs(ratio / self._ratio - 1) < 0.02
            if ratio > 0 and not self._measured:  # not what the environment says; the next look will tell for sure
                self._ratio = ratio
                if not self._by_hand and self._frame is not None:
                    self._ask_for(self._size_for(self._frame))
        if size.near(self._asked):
            self._settled_at = min(self._settled_at, now)
        elif now >= self._settled_at:
            self._by_hand, self._asked = True, size
        window = size.times(self._ratio)
        if not window.near(self._window):
            self._window = window
            self._paint()
        if self._by_hand and self.room is not None and not self._events and not window.near(_size_of(self.room)):
            self.room = self.room._replace(width=window.width, height=window.height)

    def _size_in_units(self) -> "Size":
        """Of the window, in the units of the window system."""
        _, _, width, height = cv2.getWindowImageRect(self._name)
        return Size(max(width, 1), max(height, 1))

    def _is_open(self) -> bool:
        if not self._closed:
            try:
                self._closed = cv2.getWindowProperty(self._name, cv2.WND_PROP_VISIBLE) < 1
            except cv2.error:
                self._closed = True
        return not self._closed

    def _on_mouse(self, kind: int, x: int, y: int, flags: int, data: object) -> None:
        if self._frame is None:
            return
        if kind == cv2.EVENT_MOUSEMOVE:
            left, right = flags & cv2.EVENT_FLAG_LBUTTON, flags & cv2.EVENT_FLAG_RBUTTON
            action = Action.DRAG if left else Action.SECOND_DRAG if right else Action.MOVE
        elif kind == cv2.EVENT_MOUSEWHEEL:  # the turn is the signed upper half
            action = Action.WHEEL_UP if 0 <= flags < 0x8000_0000 else Action.WHEEL_DOWN
        elif kind in _BUTTONS:
            action = _BUTTONS[kind]
        else:
            return
        window = self._size_in_units().times(self._ratio)  # the image is stretched if it has another size by now
        across, down = (x + 0.5) * window.width / self._window.width, (y + 0.5) * window.height / self._window.height
        self._add(action, across, down)

    def _add(self, action: Action, across: float, down: float) -> None:
        """An event of the mouse at a place of the window, in pixels from its left and top edge."""
        if self._frame is None:
            return
        height, width = self._frame.shape[:2]
        left, top, zoom = self._placed(self._frame, self._size_in_units().times(self._ratio))
        x, y = math.floor((across - left) / zoom), math.floor((down - top) / zoom)
        inside = 0 <= x < width and 0 <= y < height
        x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
        begins = action in (Action.CLICK, Action.SECOND_CLICK, Action.MOVE)  # what has begun on the frame may leave it
        if (inside or not begins) and (self._motion or action is Action.CLICK):
            event = Event(action, x, y)
            if self._strokes and action is not Action.MOVE:  # every place of a line counts
                self._events.append(event)
            else:
                queue(self._events, event)

    def _placed(self, frame: NDArray[np.uint8], window: "Size") -> tuple[int, int, float]:
        """Left and top edge of a frame in a window of this size, in pixels, and how many times as large it is there."""
        height, width = frame.shape[:2]
        zoom = min(window.width / width, window.height / height)
        if abs(zoom - 1) * max(width, height) <= 1 or (zoom > 1 and _fits(frame)):
            zoom = 1.0
        return round((window.width - width * zoom) / 2), round((window.height - height * zoom) / 2), zoom

    def _paint(self) -> None:
        """Show the last frame in the middle of the window, its text as large as it is."""
        assert self._frame is not None
        left, top, zoom = self._placed(self._frame, self._window)
        if zoom == 1.0:
            image = painted(self._frame)
        else:
            height, width = (max(round(side * zoom), 1) for side in self._frame.shape[:2])
            image = resize(self._frame, height, width)
            paint_all(image, self._frame, zoom)
        if image.shape[:2] != (self._window.height, self._window.width):
            whole = one_colour(self._window.height, self._window.width)
            image = image[max(-top, 0) :, max(-left, 0) :][: self._window.height, : self._window.width]
            top, left = max(top, 0), max(left, 0)
            part = whole[top : top + image.shape[0], left : left + image.shape[1]]
            part[:] = image[: part.shape[0], : part.shape[1]]
            image = whole
        cv2.imshow(self._name, image)

    def _size_for(self, frame: NDArray[np.uint8]) -> "Size":
        """The size in pixels of a window for a frame: as large as the frame, or less on a small screen, or more on a
        large one if the frame was not made for it."""
        size = Size(frame.shape[1], frame.shape[0])
        if self.room is None:
            return size
        zoom = min(self.room.width / size.width, self.room.height / size.height)
        return size.times(min(zoom, 1.0 if _fits(frame) else self.room.text))

    def _ask_for(self, size: "Size") -> None:
        """Give the window this size in pixels."""
        self._asked = size.times(1 / self._ratio)
        self._settled_at = time.monotonic() + _SETTLE_SECONDS
        self._window = self._asked.times(self._ratio)
        cv2.resizeWindow(self._name, self._asked.width, self._asked.height)


@dataclass(frozen=True)
class Size:
    """Of a window or a screen."""

    width: int
    height: int

    def times(self, factor: float) -> "Size":
        """So many times as large."""
        return Size(max(round(self.width * factor), 1), max(round(self.height * factor), 1))

    def near(self, other: "Size") -> bool:
        """The same but for rounding."""
        return abs(self.width - other.width) <= 1 and abs(self.height - other.height) <= 1


def _fits(frame: NDArray[np.uint8]) -> bool:
    """Whether a frame was made for the room that the window has."""
    return isinstance(frame, Frame) and frame.fits


def _size_of(room: Room) -> Size:
    return Size(room.width, room.height)


def room_on(screen: Size, ratio: float) -> Room:
    """What a new window may take of a screen, in pixels. ``ratio``: pixels of a unit of the window system."""
    height = round(screen.height * _SCREEN_SHARE)
    width = round(min(screen.width * _SCREEN_SHARE, _WIDEST * height))
    text = max(min(width / _USUAL_ROOM[0], height / _USUAL_ROOM[1]), ratio) // _TEXT_STEP * _TEXT_STEP
    return Room(width, height, min(max(text, 1.0), max(width / _LEAST_STRIP, 1.0)))


def scale_of_qt() -> float:
    """By how much the environment has Qt enlarge its windows."""
    factor = 1.0
    for name in ("QT_SCALE_FACTOR", "QT_SCREEN_SCALE_FACTORS"):
        first = os.environ.get(name, "").partition(";")[0].rpartition("=")[2]
        with contextlib.suppress(ValueError):
            factor *= float(first) if 0 < float(first) < math.inf else 1.0
    return factor


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
