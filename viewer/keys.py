"""What a person can ask for, and which keys ask for it.

The tables here are the only place that knows key codes: of the characters, of the names used in scripts, and of the
numbers that window systems hand out. ``BINDINGS`` is data; it prints its own help.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final


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
    SAVE = auto()  # s: the selected picture
    SAVE_ALL = auto()  # S: the whole screen
    INTERPOLATE = auto()  # i
    RANDOM = auto()  # r
    MORE = auto()  # +
    LESS = auto()  # -
    PAUSE = auto()  # Space; a mode without a clock reads it as NEW
    CLICK = auto()  # the left button went down; carries a position, as do the next three
    MOVE = auto()  # the mouse moved, no button held
    DRAG = auto()  # the mouse moved, the left button held
    RELEASE = auto()  # the left button went up
    NEXT_VIEW = auto()  # Tab
    NEW = auto()  # any other printing key, Enter


@dataclass(frozen=True)
class Event:
    """One thing a person did."""

    action: Action
    x: int = -1  # of the mouse: frame pixels, from the left
    y: int = -1  # of the mouse: frame pixels, from the top
    key: str = ""  # NEW: the character or key name, for modes that tell these keys apart


@dataclass(frozen=True)
class Binding:
    """A line of the key table: what is written on the keys, and what they do."""

    keys: str
    does: str
    actions: tuple[Action, ...]
    in_mode: Mapping[str, str] = field(default_factory=dict)  # what they do in modes where that differs
    only: tuple[str, ...] = ()  # modes that have them; empty: all


BINDINGS: Final = (
    Binding("ESC", "quit", (Action.QUIT,)),
    Binding("Tab", "next view: plane, line, scatter, sliders", (Action.NEXT_VIEW,), only=("latent",)),
    Binding("mouse", "plane: see what is under it; line: drag from A to B; scatter: click a point; sliders: drag one",
            (Action.MOVE, Action.DRAG, Action.RELEASE), only=("latent",)),
    Binding("arrows, click", "move the cursor (wraps round)",
            (Action.LEFT, Action.RIGHT, Action.UP, Action.DOWN, Action.CLICK),
            {"latent": "move the point; line: along it; sliders: choose one, move it"}),
    Binding("PageUp PageDown Home End", "further, where there are more pictures than fit",
            (Action.PAGE_UP, Action.PAGE_DOWN, Action.HOME, Action.END),
            {"latent": "sliders: further; line: its ends; Home elsewhere: back to the middle"}),
    Binding("s", "save the selected picture", (Action.SAVE,), {"animate": "save the picture"}),
    Binding("S", "save the whole screen", (Action.SAVE_ALL,)),
    Binding("i", "interpolate between four random corners", (Action.INTERPOLATE,),
            {"latent": "the line between two random points"}),
    Binding("r", "random pictures", (Action.RANDOM,), {"latent": "to a random point"}),
    Binding("m", "mixes of three training pictures (if the model keeps some)", (Action.NEW,), only=("grid",)),
    Binding("0-9, n p", "this class, the next, the one before (if the model has classes)", (Action.NEW,)),
    Binding("c", "rows by class, all of one class (if the model has classes)", (Action.NEW,), only=("grid", "animate")),
    Binding("x y, X Y", "next axis, the one before; sliders: this one becomes the axis", (Action.NEW,),
            only=("latent",)),
    Binding("l", "straight line, great circle", (Action.NEW,), only=("latent",)),
    Binding("+ -", "effect up, down (= and _ too)", (Action.MORE, Action.LESS),
            {"animate": "faster, slower (= and _ too)", "grid": "more varied, more typical (= and _ too)",
             "latent": "nearer, further; sliders: move it (= and _ too)"}),
    Binding("Space", "new pictures", (Action.PAUSE,), {"animate": "pause, go on", "latent": "to a random point"}),
    Binding("any other key", "new pictures", (Action.NEW,),
            {"animate": "walk to somewhere new", "latent": "to a random point"}),
)  # fmt: skip


def help_text(mode: str = "") -> str:
    """The key table as lines of text, in the words of ``mode`` where it has its own; without a mode, all of it."""
    bindings = [binding for binding in BINDINGS if not (mode and binding.only) or mode in binding.only]
    width = max(len(binding.keys) for binding in bindings)
    return "\n".join(f"{binding.keys:<{width}}  {binding.in_mode.get(mode, binding.does)}" for binding in bindings)


# Shift changes what is meant only for s: of the other letters either case will do, and = and _ are + and - with
# Shift held or not, whichever the keyboard needs.
_CHARACTERS: Final = {
    "\x1b": Action.QUIT,
    "s": Action.SAVE,
    "S": Action.SAVE_ALL,
    "i": Action.INTERPOLATE,
    "I": Action.INTERPOLATE,
    "r": Action.RANDOM,
    "R": Action.RANDOM,
    "+": Action.MORE,
    "=": Action.MORE,
    "-": Action.LESS,
    "_": Action.LESS,
    " ": Action.PAUSE,
    "\t": Action.NEXT_VIEW,
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
    "space": Event(Action.PAUSE),
    "tab": Event(Action.NEXT_VIEW),
    "enter": Event(Action.NEW, key="enter"),
    "comma": Event(Action.NEW, key=","),
}

_MOUSE: Final = {"click": Action.CLICK, "move": Action.MOVE, "drag": Action.DRAG}

# Window systems' numbers, by name. X11 key symbols come from GTK and Qt (GTK adds modifier bits above the low 16).
_X11: Final = {
    "left": (0xFF51, 0xFF96),  # the second of each pair is on the keypad
    "up": (0xFF52, 0xFF97),
    "right": (0xFF53, 0xFF98),
    "down": (0xFF54, 0xFF99),
    "pageup": (0xFF55, 0xFF9A),
    "pagedown": (0xFF56, 0xFF9B),
    "home": (0xFF50, 0xFF95),
    "end": (0xFF57, 0xFF9C),
    "enter": (0xFF0D, 0xFF8D),
    "tab": (0xFF09, 0xFF89),
    "esc": (0xFF1B,),
}
_WINDOWS: Final = {  # virtual keys, shifted left by 16
    "pageup": 0x210000,
    "pagedown": 0x220000,
    "end": 0x230000,
    "home": 0x240000,
    "left": 0x250000,
    "up": 0x260000,
    "right": 0x270000,
    "down": 0x280000,
}
_MACOS: Final = {  # NSUpArrowFunctionKey and its neighbours
    "up": 0xF700,
    "down": 0xF701,
    "left": 0xF702,
    "right": 0xF703,
    "home": 0xF729,
    "end": 0xF72B,
    "pageup": 0xF72C,
    "pagedown": 0xF72D,
}
_X11_KEYPAD_FIRST: Final = 0xFFAA  # from here on the low seven bits are the ASCII of * + , - . / 0..9
_X11_KEYPAD_LAST: Final = 0xFFB9
_CODES: Final = (
    {code: name for name, codes in _X11.items() for code in codes}
    | {code: name for name, code in _WINDOWS.items()}
    | {code: name for name, code in _MACOS.items()}
)


def decode_character(character: str) -> Event | None:
    """What typing a character means; ``None`` for control characters that mean nothing here."""
    action = _CHARACTERS.get(character)
    if action is not None:
        return Event(action)
    if character in "\r\n":
        return NAMES["enter"]
    return Event(Action.NEW, key=character) if character.isprintable() else None


def decode_window_key(code: int, shift: bool = False) -> Event | None:
    """What a number from ``cv2.waitKeyEx``, or an X11 key symbol, means on any platform.

    ``shift``: capitals are on by Shift or Caps Lock, for window systems that tell it apart from the key.
    ``None`` for lone modifiers, function keys and codes that are not known; only -1 means that there was no key.
    """
    if code == -1:
        return None
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
    if symbol < 0xF700:  # other alphabets' X11 key symbols: printing keys, of whatever character
        return Event(Action.NEW, key=f"{symbol:#x}")
    return None


def parse_keys(text: str) -> list[Event]:
    """The events of a script such as ``'right,s,i,+,click:40:60,esc'``.

    Single characters stand for themselves; names are those of ``NAMES``, and ``click:X:Y``, ``move:X:Y`` and
    ``drag:X1:Y1:X2:Y2`` in frame pixels. A comma is written ``comma``. Raises ``ValueError`` with one line for
    anything else.
    """
    return [event for part in text.split(",") for event in _parse_key(part.strip())] if text.strip() else []


def _parse_key(part: str) -> list[Event]:
    if part in NAMES:
        return [NAMES[part]]
    name, colon, rest = part.partition(":")
    if colon and name in _MOUSE:
        numbers = rest.split(":")
        places = "X1:Y1:X2:Y2" if name == "drag" else "X:Y"
        if not all(number.isdecimal() for number in numbers) or len(numbers) != places.count(":") + 1:
            raise ValueError(f"key {part!r} in the script, expected {name}:{places} with whole frame pixels")
        x, y = int(numbers[0]), int(numbers[1])
        if name != "drag":
            return [Event(_MOUSE[name], x, y)]
        to_x, to_y = int(numbers[2]), int(numbers[3])
        return [Event(Action.CLICK, x, y), Event(Action.DRAG, to_x, to_y), Event(Action.RELEASE, to_x, to_y)]
    event = decode_character(part) if len(part) == 1 else None
    if event is None:
        expected = f"a single character, {', '.join(NAMES)}, click:X:Y, move:X:Y or drag:X1:Y1:X2:Y2"
        raise ValueError(f"key {part!r} in the script, expected {expected}")
    return [event]
