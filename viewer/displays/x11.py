"""The X server, asked for what OpenCV's window does not tell: whether there is a screen, all keys with modifiers, and
what the buttons of the mouse do.

OpenCV remembers one key only, so that of keys pressed while a frame is painted all but the last are lost, and its Qt
build reports ``s`` for Shift+S. A second connection to the X server selects the key presses of the same window and
has its own queue. It also takes the buttons from that build: about one event in ten thousand never gets out of Qt's
queue, so that clicks were lost and drags did not end, and the wheel would enlarge what the window shows. libX11 is
called by ctypes; where OpenCV's window works, it is installed.
"""

import ctypes
import os
from ctypes import byref, c_char_p, c_int, c_long, c_ubyte, c_uint, c_ulong, c_void_p
from typing import Any, Final

from trainer.contract.errors import INSTALL_LIBRARIES
from viewer.displays.display import DisplayError
from viewer.keys import Action, Event, decode_window_key
from viewer.layouts import KEYS

_KEY_PRESS, _BUTTON_PRESS, _BUTTON_RELEASE, _MOTION, _MAP_NOTIFY, _MAPPING_NOTIFY = 2, 4, 5, 6, 19, 34  # of events
_KEY_PRESS_MASK, _STRUCTURE_NOTIFY_MASK = 1, 1 << 17  # which events are sent
_BUTTON_MASK: Final = 4 | 8 | 1 << 13  # press, release, and movements in between
_ANY_MODIFIER: Final = 1 << 15
_ASYNCHRONOUS: Final = 1
_PRESSED: Final = {1: Action.CLICK, 3: Action.SECOND_CLICK, 4: Action.WHEEL_UP, 5: Action.WHEEL_DOWN}  # by button
_RELEASED: Final = {1: Action.RELEASE, 3: Action.SECOND_RELEASE}
_HELD: Final = {1 << 8: Action.DRAG, 1 << 10: Action.SECOND_DRAG}  # by the bit of the button in a movement's state
_VIEWABLE: Final = 2
_SHIFT_MASK, _LOCK_MASK, _CONTROL_MASK = 1, 2, 4
_COMMAND_MASK: Final = 4 | 8 | 64  # Control, Alt, Super: shortcuts of the desktop, not ours
_GROUP_SHIFT: Final = 13  # bits of a key's state before those of the group, the layout that is on
_GROUPS: Final = 4
_KEYCODES: Final = 8, 256
_ROWS: Final = 24, 38, 52  # keycodes of q, a and z, that their rows go on from
_ASCII_END, _OTHER_KEYS = 0x80, 0xF700  # symbols between are characters, or letters of other alphabets
_SPACE: Final = 0x20
_NAME_PROPERTIES: Final = (b"_NET_WM_NAME", b"WM_NAME")
_DEPTH: Final = 3  # window managers put windows into frames of their own
_WORDS: Final = 4096  # most 32-bit words read of a property


class _InputEvent(ctypes.Structure):  # of a key or a button; a movement has other fields from ``keycode`` on
    _fields_ = (
        ("type", c_int), ("serial", c_ulong), ("send_event", c_int), ("display", c_void_p), ("window", c_ulong),
        ("root", c_ulong), ("subwindow", c_ulong), ("time", c_ulong), ("x", c_int), ("y", c_int),
        ("x_root", c_int), ("y_root", c_int), ("state", c_uint), ("keycode", c_uint), ("same_screen", c_int),
    )  # fmt: skip


class _MapEvent(ctypes.Structure):
    _fields_ = (
        ("type", c_int), ("serial", c_ulong), ("send_event", c_int), ("display", c_void_p), ("event", c_ulong),
        ("window", c_ulong), ("override_redirect", c_int),
    )  # fmt: skip


class _Event(ctypes.Union):
    _fields_ = (("type", c_int), ("input", _InputEvent), ("map", _MapEvent), ("pad", c_long * 24))


class _Attributes(ctypes.Structure):
    _fields_ = (
        ("geometry", c_int * 6), ("visual", c_void_p), ("root", c_ulong), ("kind", c_int), ("gravities", c_int * 2),
        ("backing_store", c_int), ("backing", c_ulong * 2), ("save_under", c_int), ("colormap", c_ulong),
        ("map_installed", c_int), ("map_state", c_int), ("masks", c_long * 3), ("redirect", c_int),
        ("screen", c_void_p),
    )  # fmt: skip


_ERROR_HANDLER = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p)
# Xlib's own handler ends the process when a window is gone by the time that it is asked about.
_IGNORE_ERROR = _ERROR_HANDLER(lambda display, event: 0)


class XKeys:
    """A connection to the X server that DISPLAY names. Raises ``DisplayError`` where there is none."""

    def __init__(self) -> None:
        name = os.environ.get("DISPLAY", "")
        if not name:
            raise DisplayError("DISPLAY is not set, expected a screen such as :0")
        try:
            self._x = _load()
        except OSError:
            raise DisplayError(f"libX11.so.6 is missing: {INSTALL_LIBRARIES}") from None
        self._display: int | None = self._x.XOpenDisplay(None)
        if not self._display:
            raise DisplayError(f"DISPLAY is {name!r}, which does not answer")
        self._x.XSetErrorHandler(_IGNORE_ERROR)
        self._root: int = self._x.XDefaultRootWindow(self._display)
        self._window = 0
        self._groups_with_latin: dict[int, bool] = {}  # those of the keyboard that were looked at
        self.listening = False  # the window was found, so that ``pressed`` has all its keys

    def screen_size(self) -> tuple[int, int]:
        """Width and height of the screen in pixels."""
        return self._x.XDisplayWidth(self._display, 0), self._x.XDisplayHeight(self._display, 0)

    def window_size(self) -> tuple[int, int]:
        """Width and height in pixels of the window that was found; 0 where there is none."""
        attributes = _Attributes()
        if not self._window or not self._x.XGetWindowAttributes(self._display, self._window, byref(attributes)):
            return 0, 0
        _, _, width, height, *_ = attributes.geometry
        return width, height

    def listen(self, title: str) -> None:
        """Select the key presses of this process's window of that title, if it is on the screen by now, and take its
        buttons.

        Qt at times misses that its window was put up and then never paints it (seen in one start of ten on a
        busy machine), so that the message is repeated.
        """
        wanted = title.encode()
        # newest first: those that the window manager lists, or all near the root
        for window in self._words(self._root, b"_NET_CLIENT_LIST")[::-1] or self._below(self._root, _DEPTH):
            if self._words(window, b"_NET_WM_PID")[:1] == [os.getpid()] and any(
                self._property(window, name) == wanted for name in _NAME_PROPERTIES
            ):
                attributes = _Attributes()
                self._x.XGetWindowAttributes(self._display, window, byref(attributes))
                if attributes.map_state != _VIEWABLE:
                    return
                self._x.XSelectInput(self._display, window, _KEY_PRESS_MASK)
                for button in _PRESSED:
                    self._x.XGrabButton(
                        self._display, button, _ANY_MODIFIER, window, 0, _BUTTON_MASK, _ASYNCHRONOUS, _ASYNCHRONOUS,
                        0, 0,
                    )  # fmt: skip
                event = _Event(map=_MapEvent(type=_MAP_NOTIFY, event=window, window=window))
                self._x.XSendEvent(self._display, window, 0, _STRUCTURE_NOTIFY_MASK, byref(event))
                self._x.XSync(self._display, 0)
                self._window = window
                self.listening = True
                return

    def pressed(self) -> list[Event]:
        """Keys pressed since the last call, of shortcuts only Ctrl+Z; and what the buttons and the wheel of the mouse
        did, at pixels of the window."""
        found: list[Event | None] = []
        event, symbol = _Event(), c_ulong()
        text = ctypes.create_string_buffer(16)
        while self._x.XPending(self._display):
            self._x.XNextEvent(self._display, byref(event))
            if event.type == _MAPPING_NOTIFY:  # the keyboard layout was changed
                self._x.XRefreshKeyboardMapping(byref(event))
                self._groups_with_latin.clear()
            elif event.type == _KEY_PRESS:
                commands = event.input.state & _COMMAND_MASK
                self._x.XLookupString(byref(event), text, len(text), byref(symbol), None)
                typed = self._latin(event.input, symbol.value)
                if not commands:
                    found.append(decode_window_key(typed))  # a capital by Shift and Caps Lock
                elif commands == _CONTROL_MASK and typed in map(ord, "zZ"):
                    found.append(Event(Action.UNDO))
            elif event.type in (_BUTTON_PRESS, _BUTTON_RELEASE, _MOTION):
                found.append(_of_mouse(event.input))
        return [one for one in found if one is not None]

    def _latin(self, key: _InputEvent, symbol: int) -> int:
        """The symbol of a key on a Latin keyboard, where the group that is on has no Latin letters.

        It is that of another group of the same key, as in ``us,ru``, or that of a usual keyboard's key at this place.
        Digits and keys with names stay, and marks where a Latin keyboard has marks too.
        """
        group = key.state >> _GROUP_SHIFT & 3
        ascii_mark = (
            symbol < _ASCII_END and not chr(symbol).isalnum() and chr(symbol).isprintable() and symbol != _SPACE
        )
        if not (ascii_mark or _ASCII_END <= symbol < _OTHER_KEYS or symbol >> 24 == 1) or self._has_latin(group):
            return symbol
        others = (self._symbol(key.keycode, other) for other in range(_GROUPS) if self._has_latin(other))
        found = next((other for other in others if 0 < other < _ASCII_END), self._by_place().get(key.keycode, 0))
        if not found:
            return symbol
        latin = chr(found)
        if latin.isalpha():
            capital = bool(key.state & _SHIFT_MASK) != bool(key.state & _LOCK_MASK)
            return ord(latin.upper() if capital else latin)
        brackets = latin in "[]" and chr(symbol) not in "[]"
        return ord(latin) if brackets or not ascii_mark else symbol

    def _has_latin(self, group: int) -> bool:
        """Whether a group of the keyboard has a key for s, as all with Latin letters have."""
        if group not in self._groups_with_latin:
            symbols = (self._symbol(code, group) for code in range(*_KEYCODES))
            self._groups_with_latin[group] = ord("s") in symbols
        return self._groups_with_latin[group]

    def _symbol(self, keycode: int, group: int) -> int:
        """What a key stands for in a group, without Shift; 0 for nothing."""
        return int(self._x.XkbKeycodeToKeysym(self._display, keycode, group, 0))

    def _by_place(self) -> dict[int, int]:
        """Symbols of a Latin keyboard by keycode; empty where the server numbers keys in a way of its own."""
        rules = self._property(self._root, b"_XKB_RULES_NAMES").partition(b"\0")[0]
        if rules not in (b"evdev", b"base", b"xorg"):
            return {}
        rows = KEYS.split()
        return {
            first + place: ord(latin) for first, row in zip(_ROWS, rows, strict=True) for place, latin in enumerate(row)
        }

    def capitals(self) -> bool:
        """Whether Shift or Caps Lock, and not both, is on at this moment."""
        window, number, state = c_ulong(), c_int(), c_uint()
        self._x.XQueryPointer(
            self._display, self._root, byref(window), byref(window),
            byref(number), byref(number), byref(number), byref(number), byref(state),
        )  # fmt: skip
        return bool(state.value & _SHIFT_MASK) != bool(state.value & _LOCK_MASK)

    def close(self) -> None:
        """Disconnect; may be called twice."""
        if self._display:
            self._x.XCloseDisplay(self._display)
            self._display = None

    def _below(self, window: int, depth: int) -> list[int]:
        root, parent, children, count = c_ulong(), c_ulong(), ctypes.POINTER(c_ulong)(), c_uint()
        if not self._x.XQueryTree(self._display, window, byref(root), byref(parent), byref(children), byref(count)):
            return []
        found = children[: count.value][::-1] if children else []
        if children:
            self._x.XFree(children)
        return found + [deeper for child in found if depth > 1 for deeper in self._below(child, depth - 1)]

    def _words(self, window: int, name: bytes) -> list[int]:
        """A property of 32-bit words; Xlib hands them out as C longs."""
        data = self._property(window, name)
        width = ctypes.sizeof(c_long)
        return memoryview(data[: len(data) // width * width]).cast("L").tolist()

    def _property(self, window: int, name: bytes) -> bytes:
        """A window's property; empty where it has none."""
        atom = self._x.XInternAtom(self._display, name, 0)
        kind, width, count, left, data = c_ulong(), c_int(), c_ulong(), c_ulong(), c_void_p()
        failed = self._x.XGetWindowProperty(
            self._display, window, atom, 0, _WORDS, 0, 0,
            byref(kind), byref(width), byref(count), byref(left), byref(data),
        )  # fmt: skip
        if failed or not data.value:
            return b""
        size = {8: 1, 16: 2, 32: ctypes.sizeof(c_long)}[width.value]
        value = ctypes.string_at(data.value, count.value * size)
        self._x.XFree(data)
        return value


def _of_mouse(event: _InputEvent) -> Event | None:
    """What a button did, or a movement while one is held."""
    if event.type == _MOTION:
        action = next((held for bit, held in _HELD.items() if event.state & bit), None)
    else:  # of buttons, the "keycode" is their number
        action = (_PRESSED if event.type == _BUTTON_PRESS else _RELEASED).get(event.keycode)
    return None if action is None else Event(action, event.x, event.y)


def _load() -> Any:
    """libX11 with the types of what is called. Raises ``OSError`` where it is not installed."""
    x = ctypes.CDLL("libX11.so.6")
    signatures: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "XOpenDisplay": (c_void_p, (c_char_p,)),
        "XCloseDisplay": (c_int, (c_void_p,)),
        "XSetErrorHandler": (c_void_p, (_ERROR_HANDLER,)),
        "XDefaultRootWindow": (c_ulong, (c_void_p,)),
        "XDisplayWidth": (c_int, (c_void_p, c_int)),
        "XDisplayHeight": (c_int, (c_void_p, c_int)),
        "XSelectInput": (c_int, (c_void_p, c_ulong, c_long)),
        "XGetWindowAttributes": (c_int, (c_void_p, c_ulong, c_void_p)),
        "XSendEvent": (c_int, (c_void_p, c_ulong, c_int, c_long, c_void_p)),
        "XGrabButton": (c_int, (c_void_p, c_uint, c_uint, c_ulong, c_int, c_uint, c_int, c_int, c_ulong, c_ulong)),
        "XSync": (c_int, (c_void_p, c_int)),
        "XPending": (c_int, (c_void_p,)),
        "XNextEvent": (c_int, (c_void_p, c_void_p)),
        "XRefreshKeyboardMapping": (c_int, (c_void_p,)),
        "XLookupString": (c_int, (c_void_p, c_char_p, c_int, c_void_p, c_void_p)),
        "XInternAtom": (c_ulong, (c_void_p, c_char_p, c_int)),
        "XFree": (c_int, (c_void_p,)),
        "XQueryTree": (c_int, (c_void_p, c_ulong, *[c_void_p] * 4)),
        "XkbKeycodeToKeysym": (c_ulong, (c_void_p, c_ubyte, c_int, c_int)),
        "XQueryPointer": (c_int, (c_void_p, c_ulong, *[c_void_p] * 7)),
        "XGetWindowProperty": (c_int, (c_void_p, c_ulong, c_ulong, c_long, c_long, c_int, c_ulong, *[c_void_p] * 5)),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(x, name)
        function.restype, function.argtypes = result, arguments
    return x
