"""Actions, and the keys and mouse events that stand for them.

Only the tables here know key codes: characters, the names used in scripts, and the numbers of window systems. What
the actions do in each mode is in ``viewer.bindings``.
"""

import locale
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from viewer.layouts import character_of, latin_of


class Action(Enum):
    """Everything a key or the mouse can mean, in any mode, on any display."""

    QUIT = auto()
    LEFT = auto()
    RIGHT = auto()
    UP = auto()
    DOWN = auto()
    PAGE_UP = auto()
    PAGE_DOWN = auto()
    HOME = auto()
    END = auto()
    SAVE = auto()  # s: the selected image
    SAVE_ALL = auto()  # S: the whole screen
    INTERPOLATE = auto()  # i
    RANDOM = auto()  # r
    MORE = auto()  # +
    LESS = auto()  # -
    PAUSE = auto()  # Space; a mode without a clock reads it as NEW
    CLICK = auto()  # the left button went down; carries a position, as do the next three
    MOVE = auto()  # the mouse moved, no button down
    DRAG = auto()  # the mouse moved, the left button down
    RELEASE = auto()  # the left button went up
    SECOND_CLICK = auto()  # the right button went down; these too carry a position
    SECOND_DRAG = auto()  # the mouse moved, the right button down
    SECOND_RELEASE = auto()  # the right button went up
    WHEEL_UP = auto()  # the wheel turned by a notch, away from the user
    WHEEL_DOWN = auto()  # and towards the user
    UNDO = auto()  # Ctrl+Z
    BACK = auto()  # Backspace, u: the page before
    HELP = auto()  # h, ?, F1: the key table
    LEAVE = auto()  # q: quit, where nothing is lost by it; else NEW
    NEXT_VIEW = auto()  # Tab
    NEW = auto()  # any other printing key, Enter


@dataclass(frozen=True)
class Event:
    """One thing a user did."""

    action: Action
    x: int = -1  # of the mouse: frame pixels, from the left
    y: int = -1  # of the mouse: frame pixels, from the top
    key: str = ""  # NEW: the character or key name, for modes that tell these keys apart; QUIT: CLOSED, if it was that
    text: str = field(default="", compare=False)  # the character that the key types, if it types one


CLOSED: Final = "closed"  # by what a display asks to quit that has been taken from the screen


# Shift changes what is meant only for s: of the other letters either case will do, and = and _ are + and - with
# or without Shift, whichever the keyboard needs. Letters that are not Latin stand for the Latin ones on the same keys.
_CHARACTERS: Final = {
    "\x1b": Action.QUIT,
    "s": Action.SAVE,
    "S": Action.SAVE_ALL,
    "i": Action.INTERPOLATE,
    "r": Action.RANDOM,
    "+": Action.MORE,
    "=": Action.MORE,
    "-": Action.LESS,
    "_": Action.LESS,
    " ": Action.PAUSE,
    "\t": Action.NEXT_VIEW,
    "\x1a": Action.UNDO,  # what Ctrl+Z types
    "u": Action.BACK,
    "\x08": Action.BACK,  # what Backspace types, in some terminals and windows
    "\x7f": Action.BACK,  # and in the others
    "h": Action.HELP,
    "?": Action.HELP,
    "q": Action.LEAVE,
}

NAMES: Final[Mapping[str, Event]] = {
    "left": Event(Action.LEFT),
    "right": Event(Action.RIGHT),
    "up": Event(Action.UP),
    "down": Event(Action.DOWN),
    "pageup": Event(Action.PAGE_UP),
    "pagedown": Event(Action.PAGE_DOWN),
    "home": Event(Action.HOME),
    "end": Event(Action.END),
    "esc": Event(Action.QUIT),
    "space": Event(Action.PAUSE, text=" "),
    "tab": Event(Action.NEXT_VIEW),
    "enter": Event(Action.NEW, key="enter"),
    "comma": Event(Action.NEW, key=",", text=","),
    "ctrl+z": Event(Action.UNDO),
    "backspace": Event(Action.BACK),
    "f1": Event(Action.HELP),
}

_POINT_AT: Final = {"click": Action.CLICK, "move": Action.MOVE, "rclick": Action.SECOND_CLICK}
_DRAGS: Final = {
    "drag": (Action.CLICK, Action.DRAG, Action.RELEASE),
    "rdrag": (Action.SECOND_CLICK, Action.SECOND_DRAG, Action.SECOND_RELEASE),
}
_MOUSE_WORDS: Final = "click:X:Y, rclick:X:Y, move:X:Y, drag:X1:Y1:X2:Y2, rdrag:X1:Y1:X2:Y2, wheel:N or wheel:N:X:Y"
_TYPE: Final = "type:"
_MOST_NOTCHES: Final = 1000  # of the wheel in one word of a script

# Window systems' numbers, by name: X11's key symbols (GTK adds modifier bits above the low 16), those of the keypad,
# Windows' virtual keys, shifted left by 16, and the function keys of macOS.
_NUMBERS: Final = {
    "left": (0xFF51, 0xFF96, 0x250000, 0xF702),
    "up": (0xFF52, 0xFF97, 0x260000, 0xF700),
    "right": (0xFF53, 0xFF98, 0x270000, 0xF703),
    "down": (0xFF54, 0xFF99, 0x280000, 0xF701),
    "pageup": (0xFF55, 0xFF9A, 0x210000, 0xF72C),
    "pagedown": (0xFF56, 0xFF9B, 0x220000, 0xF72D),
    "home": (0xFF50, 0xFF95, 0x240000, 0xF729),
    "end": (0xFF57, 0xFF9C, 0x230000, 0xF72B),
    "enter": (0xFF0D, 0xFF8D),
    "tab": (0xFF09, 0xFF89),
    "esc": (0xFF1B,),
    "backspace": (0xFF08,),
    "f1": (0xFFBE, 0x700000, 0xF704),
}
_CODES: Final = {code: name for name, codes in _NUMBERS.items() for code in codes}
_X11_KEYPAD_FIRST: Final = 0xFFAA  # from here on the low seven bits are the ASCII of * + , - . / 0..9
_X11_KEYPAD_LAST: Final = 0xFFB9


def decode_character(character: str) -> Event | None:
    """What typing a character means; ``None`` for control characters that mean nothing here."""
    text = character if character.isprintable() else ""
    if not character.isascii():
        character = latin_of(character)
    action = _CHARACTERS.get(character) or _CHARACTERS.get(character.lower())
    if action is not None:
        return Event(action, text=text)
    if character in "\r\n":
        return NAMES["enter"]
    return Event(Action.NEW, key=character, text=text) if text else None


def decode_window_key(code: int, shift: bool = False, platform: str = sys.platform) -> Event | None:
    """What a number from ``cv2.waitKeyEx``, or an X11 key symbol, means on any platform.

    ``shift``: capitals are on by Shift or Caps Lock, for window systems that tell it apart from the key. ``platform``:
    as ``sys.platform`` names it; where letters are not Latin, the same numbers are others on each.
    ``None`` for lone modifiers, function keys and codes that are not known; only -1 means that there was no key.
    """
    if code == -1:
        return None
    if platform == "darwin" and 0x100 <= code < 0xF700:  # a character, as Cocoa gives it
        return decode_character(chr(code))
    if platform == "win32" and (-128 <= code < 0 or 0x80 <= code < 0x100):  # a byte of the code page
        character = bytes([code & 0xFF]).decode(locale.getencoding(), "ignore")
        return decode_character(character) if character else None
    if code >> 24 == 1:  # X11 key symbols beyond Latin-1 carry the Unicode character
        return decode_character(chr(code & 0xFFFFFF)) if code & 0xFFFFFF < 0x110000 else None
    name = _CODES.get(code) or _CODES.get(code & 0xFFFF)
    if name is not None:
        return NAMES[name]
    if -128 <= code < 0:  # OpenCV keeps Latin-1 characters in a signed char
        return decode_character(chr(code + 256))
    symbol = code & 0xFFFF
    if _X11_KEYPAD_FIRST <= symbol <= _X11_KEYPAD_LAST:
        return decode_character(chr(symbol & 0x7F))
    if symbol < 0x100:
        character = chr(symbol)
        return decode_character(character.upper() if shift and character.islower() else character)
    if symbol < 0xF700:  # other alphabets' X11 key symbols: printing keys
        character = character_of(symbol)
        if character:
            return decode_character(character.upper() if shift else character)
        return Event(Action.NEW, key=f"{symbol:#x}")
    return None


def parse_keys(text: str) -> list[Event]:
    """The events of a script such as ``'right,s,i,+,click:40:60,esc'``.

    Single characters stand for themselves; names are those of ``NAMES``, and of the mouse, in frame pixels,
    ``click:X:Y``, ``move:X:Y``, ``drag:X1:Y1:X2:Y2`` (or through more places), ``rclick`` and ``rdrag`` with the right
    button, and ``wheel:N`` or ``wheel:N:X:Y``, away from the user by N notches. ``type:WORDS`` is a key a character. A
    comma is written ``comma``. Raises ``ValueError`` with one line for anything else.
    """
    return [event for part in text.split(",") for event in _parse_key(part)] if text.strip() else []


def _parse_key(part: str) -> list[Event]:
    if part.lstrip().startswith(_TYPE):
        typed = part.lstrip().removeprefix(_TYPE)
        return [event for character in typed if (event := decode_character(character))]
    part = part.strip()
    if part in NAMES:
        return [NAMES[part]]
    name, colon, rest = part.partition(":")
    if colon and (name in _POINT_AT or name in _DRAGS or name == "wheel"):
        return _parse_mouse(part, name, rest.split(":"))
    event = decode_character(part) if len(part) == 1 else None
    if event is None:
        expected = f"a single character, {', '.join(NAMES)}, {_MOUSE_WORDS}, {_TYPE}WORDS"
        raise ValueError(f"key {part!r} in the script, expected {expected}")
    return [event]


def _parse_mouse(part: str, name: str, numbers: list[str]) -> list[Event]:
    if name == "wheel":
        action = Action.WHEEL_DOWN if numbers[0].startswith("-") else Action.WHEEL_UP
        places = _places([numbers[0].removeprefix("-"), *numbers[1:]])
        if len(places) not in (1, 3) or places[0] > _MOST_NOTCHES:
            raise ValueError(f"key {part!r} in the script, expected wheel:N or wheel:N:X:Y, N at most {_MOST_NOTCHES}")
        x, y = places[1:] or (-1, -1)
        return [Event(action, x, y)] * places[0]
    drags, places = name in _DRAGS, _places(numbers)
    if len(places) % 2 or len(places) < 4 if drags else len(places) != 2:
        expected = "X1:Y1:X2:Y2" if drags else "X:Y"
        raise ValueError(f"key {part!r} in the script, expected {name}:{expected} with whole frame pixels")
    points = list(zip(places[::2], places[1::2], strict=True))
    if not drags:
        return [Event(_POINT_AT[name], *points[0])]
    down, along, up = _DRAGS[name]
    return [Event(down, *points[0]), *(Event(along, *point) for point in points[1:]), Event(up, *points[-1])]


def _places(numbers: list[str]) -> list[int]:
    """Whole numbers from their digits; none where one of them is something else."""
    whole = all(number.isascii() and number.isdigit() and len(number) < 6 for number in numbers)
    return [int(number) for number in numbers] if whole else []
