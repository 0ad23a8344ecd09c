"""Frames on a bare terminal, over SSH too: coloured half blocks, or images where it has them."""

import math
import os
import re
import time
from collections import deque
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from viewer.displays.cells import Painter, place_labels, place_lines
from viewer.displays.display import Display, queue
from viewer.displays.graphics import USUAL_CELL, Graphics, Place, Protocol
from viewer.displays.terminal_input import Parser
from viewer.displays.tty import Tty
from viewer.files.resizing import resize
from viewer.keys import Action, Event
from viewer.labels import Frame, Image, labels_of, lines_of, one_colour, paint_all
from viewer.room import Room
from viewer.text import Rows, Text, line_of, page_of, width_of

_ENTER: Final = b"\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?1006h\x1b[2J"  # other screen, no cursor, mouse
_MOTION: Final = b"\x1b[?1003h"  # every movement of the mouse
_STRING_END: Final = b"\x1b\\"  # of an image that may be half sent
_LEAVE: Final = _STRING_END + b"\x1b[?2026l\x1b[?1006l\x1b[?1003l\x1b[?1000l\x1b[0m\x1b[?25h\x1b[?1049l"
_BEGIN: Final = b"\x1b[?2026h"  # the terminal shows what comes before _END at once
_END: Final = b"\x1b[0m\x1b[?2026l"
_TRUE_COLOUR: Final = b"\x1b[48;2;1;2;3m\x1bP$qm\x1b\\\x1b[0m"  # set a background and ask which one is set
_TRUE_COLOUR_REPLY: Final = re.compile(r"48[:;]2[:;]+1[:;]2[:;]3")
_KITTY: Final = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
_ATTRIBUTES: Final = b"\x1b[c"  # every terminal answers this one, so that the answers before it are all
_CELL_SIZE: Final = b"\x1b[16t"  # of a character cell, in pixels
_CELL_SIZE_REPLY: Final = re.compile(r"\x1b\[6;(\d{1,3});(\d{1,3})t")
_REPLY_SECONDS: Final = 0.3  # that a terminal has for its answers
_FAR_REPLY_SECONDS: Final = 1.5  # over SSH; they are waited for only where there are none
_ESCAPE_SECONDS: Final = 0.05  # after which a lone escape is the key
_SEQUENCE_SECONDS: Final = 1.0  # after which half a sequence is dropped
_SLICE_SECONDS: Final = 0.1  # of waiting, after which a change of the terminal's size is noticed
_TO_THE_EDGE: Final = (Action.DRAG, Action.RELEASE, Action.SECOND_DRAG, Action.SECOND_RELEASE)  # and no further
_GRAIN: Final = 4  # pixels of a frame across a character cell, where it is made for the terminal
_TEXT_HEIGHT: Final = 16  # pixels of a line of text of the usual size
_CELL_ASPECT: Final = 2.0  # height over width of a character cell, where the terminal does not tell


class Terminal(Display):
    """Shows frames on the terminal. Raises ``DisplayError`` where standard input or output is none."""

    interactive = True
    coarse = True

    def __init__(self, motion: bool = False) -> None:
        """``motion``: movements of the mouse are events too."""
        self._motion = motion
        self._tty = Tty(_ENTER + (_MOTION if motion else b""), _LEAVE)
        self._parser = Parser()
        self._events: deque[Event] = deque()
        self._replies: list[str] = []
        self._frame: NDArray[np.uint8] | None = None
        self._text = Text()
        self._drawn_line = ""
        self._drawn_page: Rows = ()  # the key table, where it is on the screen
        self._size = (0, 0)
        self._place = (0.0, 0.0, 1.0, 1.0)  # left, top, width and height of the frame, in character cells
        try:
            self._protocol, self._true_colour = self._capabilities()
        except BaseException:
            self._tty.leave()
            raise
        self._painter, self._graphics = Painter(self._true_colour), Graphics(self._protocol)
        self.room = self._room_now()

    def show(self, frame: NDArray[np.uint8], title: str, text: Text | None = None) -> None:
        """Show a frame, BGR [h, w, 3], as large as it goes, with a line of text below it, or the key table instead."""
        self._frame = frame.copy()
        self._text = text or Text((title,))
        self._draw()

    def poll(self, seconds: float) -> Event | None:
        """The next key or click, waiting at most so long; QUIT where the terminal is gone."""
        deadline = time.monotonic() + seconds
        while True:
            if self._events:
                return self._events.popleft()
            if self._tty.resumed or (self._frame is not None and self._tty.size() != self._size):
                self._draw()
                self.room = self._room_now()
                return None  # to those who draw for this room
            wait = min(max(0.0, deadline - time.monotonic()), _SLICE_SECONDS)
            if not self._receive(wait):
                return Event(Action.QUIT)
            if not self._events and time.monotonic() >= deadline:
                return None

    def close(self) -> None:
        """Put the terminal back as it was."""
        self._tty.leave()

    def _receive(self, seconds: float) -> bool:
        """Collect events of what comes within so long; False where the terminal is gone."""
        data = self._tty.read(seconds)
        if data is None:
            return False
        found = self._parser.feed(data) if data else []
        while self._parser.waits_for_more:
            data = self._tty.read(_ESCAPE_SECONDS if self._parser.lone_escape else _SEQUENCE_SECONDS)
            found += self._parser.feed(data) if data else self._parser.flush()
        for item in found:
            if isinstance(item, str):
                self._replies.append(item)
            elif event := self._on_frame(item):
                queue(self._events, event)
        return True

    def _on_frame(self, event: Event) -> Event | None:
        """An event, that of the mouse with the pixel of the frame below the middle of its character cell."""
        if event.x < 0:
            return event
        if self._frame is None or not (self._motion or event.action is Action.CLICK):
            return None
        left, top, width, height = self._place
        across, down = (event.x + 0.5 - left) / width, (event.y + 0.5 - top) / height
        if event.action in _TO_THE_EDGE:
            across, down = min(max(across, 0.0), 1 - 1e-9), min(max(down, 0.0), 1 - 1e-9)
        if not (0 <= across < 1 and 0 <= down < 1):
            return None
        return Event(event.action, int(across * self._frame.shape[1]), int(down * self._frame.shape[0]))

    def _capabilities(self) -> tuple[Protocol, bool]:
        """Which images the terminal has and whether it has 24-bit colours."""
        kind = os.environ.get("TERM", "")
        true_colour = (
            os.environ.get("COLORTERM") in ("truecolor", "24bit") or "direct" in kind or "WT_SESSION" in os.environ
        )
        inside = "TMUX" in os.environ or "STY" in os.environ or kind.startswith(("screen", "tmux"))
        program = os.environ.get("TERM_PROGRAM", "") + os.environ.get("LC_TERMINAL", "")
        if kind == "linux":
            return "", true_colour
        self._tty.write(_TRUE_COLOUR + (b"" if inside else _KITTY) + _CELL_SIZE + _ATTRIBUTES + b"\x1b[2J")
        far = "SSH_CONNECTION" in os.environ or "SSH_TTY" in os.environ
        deadline = time.monotonic() + (_FAR_REPLY_SECONDS if far else _REPLY_SECONDS)
        while not any(reply.endswith("c") for reply in self._replies) and time.monotonic() < deadline:
            if not self._receive(max(0.0, deadline - time.monotonic())):
                break
        true_colour = true_colour or any(_TRUE_COLOUR_REPLY.search(reply) for reply in self._replies)
        if any(reply.startswith("\x1b_Gi=31;OK") for reply in self._replies):
            return "kitty", true_colour
        if not inside and ("iTerm" in program or "WezTerm" in program):
            return "iterm", true_colour
        return "sixel" if any(_has_sixels(reply) for reply in self._replies) else "", true_colour

    def _draw(self) -> None:
        """Write the frame and the line below it, whole where the screen changed, else what is new."""
        size, text = self._tty.size(), self._text
        output = [_BEGIN]
        fresh = size != self._size or self._tty.resumed or text.page != self._drawn_page
        if fresh:
            self._size, self._drawn_page = size, text.page
            self._tty.resumed = False
            self._painter = Painter(self._true_colour)
            self._drawn_line = "\n"  # unlike any line
            output += [self._graphics.cleared(), b"\x1b[0m\x1b[2J"]
        columns, rows = size
        if text.page:
            output.append(_page(text.page, columns, rows - 1) if fresh else b"")
        elif self._frame is not None and rows > 1:
            output.append(self._image(self._frame, columns, rows - 1))
        line = line_of(text.status, text.hints, columns - 1)
        if line != self._drawn_line:
            self._drawn_line = line
            output.append(f"\x1b[{rows};1H\x1b[0m{line}\x1b[K".encode())
        self._tty.write(b"".join(output) + _END)

    def _image(self, frame: Image, columns: int, rows: int) -> bytes:
        """The frame, in the middle of so many cells."""
        if self._protocol:
            return self._graphics_image(frame, columns, rows)
        height, width = frame.shape[:2]
        aspect = self._aspect()
        scale = min(columns / width, rows * aspect / height)  # cells across a pixel
        if isinstance(frame, Frame) and frame.fits:
            scale = min(scale, 1 / _GRAIN)
        across = min(columns, max(1, round(width * scale)))
        halves = min(rows * 2, max(2, round(height * scale / aspect * 2)))
        left, top = (columns - across) // 2, (rows * 2 - halves) // 4
        self._place = left, top, across, halves / 2
        canvas = one_colour(rows * 2, columns)
        canvas[top * 2 : top * 2 + halves, left : left + across] = resize(frame, halves, across)
        lines, place = lines_of(frame), (left, top, across, halves / 2)
        texts = [] if lines is None else place_lines(lines, place, (columns, rows))
        texts += place_labels(labels_of(frame), (width, height), place, (columns, rows))
        return self._painter.paint(canvas, texts)

    def _graphics_image(self, frame: Image, columns: int, rows: int) -> bytes:
        """The frame in pixels, its text too, on paper that fills whole cells."""
        cell_width, cell_height = self._cell()
        height, width = frame.shape[:2]
        zoom = min(columns * cell_width / width, rows * cell_height / height)
        if zoom > 1 and isinstance(frame, Frame) and frame.fits:
            zoom = 1.0
        wide, high = width * zoom, height * zoom
        place = Place(0, 0, min(math.ceil(wide / cell_width), columns), min(math.ceil(high / cell_height), rows))
        place = replace(place, left=(columns - place.columns) // 2, top=(rows - place.rows) // 2)
        less = zoom if zoom > 1 and self._protocol != "sixel" else 1.0  # the terminal enlarges it
        size = place.rows * cell_height / less, place.columns * cell_width / less
        paper = one_colour(max(round(size[0]), 1), max(round(size[1]), 1))
        inner = min(max(round(high / less), 1), len(paper)), min(max(round(wide / less), 1), paper.shape[1])
        top, left = (len(paper) - inner[0]) // 2, (paper.shape[1] - inner[1]) // 2
        part = paper[top : top + inner[0], left : left + inner[1]]
        part[:] = resize(frame, *inner)
        paint_all(part, frame, zoom / less)
        self._place = (
            place.left + left * less / cell_width,
            place.top + top * less / cell_height,
            wide / cell_width,
            high / cell_height,
        )
        fresh = b""
        if place != self._graphics.place:  # what is beside it by now would stay
            self._drawn_line, fresh = "\n", self._graphics.cleared() + b"\x1b[0m\x1b[2J"
        return fresh + self._graphics.written(paper, place)

    def _cell(self) -> tuple[int, int]:
        """Width and height of a character cell in pixels, as the terminal says, or as is usual."""
        found = self._tty.cell_pixels()
        if not all(found):
            found = next((size for reply in self._replies if (size := _cell_size(reply))), (0, 0))
        return found if all(found) else USUAL_CELL

    def _aspect(self) -> float:
        """Height over width of a character cell."""
        width, height = self._tty.cell_pixels()
        return height / width if width and height else _CELL_ASPECT

    def _room_now(self) -> Room:
        """For frames, on a screen of this size."""
        columns, rows = self._tty.size()
        rows = max(rows - 1, 1)  # the last one is for the title
        if self._protocol:
            width, height = self._cell()
            return Room(columns * width, rows * height, max(height / _TEXT_HEIGHT, 1.0), strip=False)
        height = max(round(rows * _GRAIN * self._aspect()), 1)
        return Room(columns * _GRAIN, height, _GRAIN / 8, _GRAIN, strip=False)


def _page(rows: Rows, columns: int, lines: int) -> bytes:
    """A key table in the middle of the screen."""
    page = page_of(rows, columns, lines)
    left, top = (columns - max(map(width_of, page), default=0)) // 2, (lines - len(page)) // 2
    return "".join(f"\x1b[{top + 1 + row};{left + 1}H{line}" for row, line in enumerate(page)).encode()


def _cell_size(reply: str) -> tuple[int, int]:
    """Width and height of a cell in pixels, of the answer to _CELL_SIZE; 0 where it is another one."""
    found = _CELL_SIZE_REPLY.fullmatch(reply)
    return (int(found[2]), int(found[1])) if found else (0, 0)


def _has_sixels(reply: str) -> bool:
    """Whether the answer to _ATTRIBUTES names sixels, 4, among what the terminal has; the first number is its kind."""
    return reply.startswith("\x1b[?") and reply.endswith("c") and "4" in reply[3:-1].split(";")[1:]
