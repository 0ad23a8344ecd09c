"""Decode the bytes that a terminal sends into events."""

import codecs
import re
from typing import Final

from viewer.keys import NAMES, Action, Event, decode_character

_SEQUENCE: Final = re.compile(  # a whole control sequence
    rb"\x1b\[M[\x20-\xff]{3}"  # a mouse report of old
    rb"|\x1b\[\[[\x20-\x7e]"  # function keys of the Linux console
    rb"|\x1b\[(?![M\[])[\x20-\x3f]*[\x40-\x7e]"  # CSI
    rb"|\x1bO[0-9;]*[\x40-\x7e]"  # SS3
    rb"|\x1b[P\]X^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # strings: replies to questions
)
_TEXT: Final = re.compile(rb"[^\x1b]+")
_BEGUN: Final = re.compile(  # what may still become one
    rb"\x1b(?:\[(?:M[\x20-\xff]{0,2}|\[|[\x20-\x3f]*)|O[0-9;]*|[P\]X^_][^\x07\x1b]*\x1b?)?"
)
_LETTERS: Final = {"A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end", "M": "enter", "P": "f1"}
_NUMBERS: Final = {"1": "home", "7": "home", "4": "end", "8": "end", "5": "pageup", "6": "pagedown", "11": "f1"}
_MOUSE: Final = re.compile(r"\x1b\[<(\d{1,5});(\d{1,5});(\d{1,5})([Mm])")
_MOUSE_MODIFIERS: Final = 4 | 8 | 16  # Shift, Alt, Control: a click all the same
_MOUSE_ACTIONS: Final = {  # of a report's button, which has 32 added while the mouse moves, and its last letter
    (0, "M"): Action.CLICK,
    (0, "m"): Action.RELEASE,
    (32, "M"): Action.DRAG,
    (35, "M"): Action.MOVE,
    (2, "M"): Action.SECOND_CLICK,
    (2, "m"): Action.SECOND_RELEASE,
    (34, "M"): Action.SECOND_DRAG,
    (64, "M"): Action.WHEEL_UP,
    (65, "M"): Action.WHEEL_DOWN,
}
_LONGEST: Final = 4096


Found = Event | str
"""An event, with the character cell that the mouse was on, from 0; or an answer to a question, the whole sequence."""


class Parser:
    """Bytes in, in pieces of any size, events out. What it does not know is ignored."""

    def __init__(self) -> None:
        self._pending = b""  # of a sequence
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")

    @property
    def waits_for_more(self) -> bool:
        """Whether bytes are kept that ``flush`` would decide on."""
        return bool(self._pending or self._decoder.getstate()[0])

    @property
    def lone_escape(self) -> bool:
        """Whether all that is kept is one escape: the key, unless more follows within moments."""
        return self._pending == b"\x1b"

    def feed(self, data: bytes) -> list[Found]:
        """Everything that is complete with these bytes."""
        data = self._pending + data
        found: list[Found] = []
        position = 0
        while position < len(data):
            if text := _TEXT.match(data, position):
                position = text.end()
                characters = self._decoder.decode(text.group(), final=position < len(data))
                found += [event for character in characters if (event := decode_character(character))]
                continue
            self._decoder.reset()
            sequence = _SEQUENCE.match(data, position)
            if sequence:
                found += _decode(sequence.group())
                position = sequence.end()
                continue
            begun = _BEGUN.match(data, position)
            assert begun is not None
            if begun.end() == len(data) and len(data) - position < _LONGEST:
                break
            if len(begun.group()) == 1 and data[begun.end()] == 0x1B:
                found.append(NAMES["esc"])  # twice; before any other byte it is how terminals say Alt
            position = begun.end()
        self._pending = data[position:]
        return found

    def flush(self) -> list[Found]:
        """What is kept, where nothing more comes: a lone escape is the key, half a sequence is dropped."""
        escape = self.lone_escape
        self._pending = b""
        self._decoder.reset()
        return [NAMES["esc"]] if escape else []


def _decode(sequence: bytes) -> list[Found]:
    text = sequence.decode("utf-8", "replace")
    introducer, final = text[1], text[-1]
    mouse = _MOUSE.fullmatch(text)
    if mouse:
        button, column, row = (int(mouse[number]) for number in (1, 2, 3))
        done = _MOUSE_ACTIONS.get((button & ~_MOUSE_MODIFIERS, mouse[4]))
        return [Event(done, max(column, 1) - 1, max(row, 1) - 1)] if done else []
    if introducer not in "[O" or (final == "c" and text[2] == "?") or final == "t":
        return [text]
    if introducer == "O" and "j" <= final <= "y":  # the keypad's * + , - . / 0..9
        event = decode_character(chr(ord(final) - 0x40))
        return [event] if event else []
    if introducer == "[" and text[2] in "M[":
        return [NAMES["f1"]] if text == "\x1b[[A" else []
    name = _NUMBERS.get(text[2:-1].partition(";")[0]) if final == "~" else _LETTERS.get(final)
    return [NAMES[name]] if name and "<" not in text and "?" not in text else []
