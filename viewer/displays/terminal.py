"""Frames on a bare terminal, over SSH too: coloured half blocks, or Kitty's and iTerm2's images where it has them.

Kitty's images: https://sw.kovidgoyal.net/kitty/graphics-protocol; iTerm2's: https://iterm2.com/documentation-images.html
"""

import base64
import os
import re
import time
from collections import deque
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from viewer.displays.cells import Painter, characters_of, place_labels
from viewer.displays.display import Display, queue
from viewer.displays.terminal_input import Parser
from viewer.displays.tty import Tty
from viewer.files.resizing import resize
from viewer.keys import Action, Event
from viewer.labels import labels_of, painted

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
_REPLY_SECONDS: Final = 0.3
_ESCAPE_SECONDS: Final = 0.05  # after which a lone escape is the key
_SEQUENCE_SECONDS: Final = 1.0  # after which half a sequence is dropped
_SLICE_SECONDS: Final = 0.1  # of waiting, after which a change of the terminal's size is noticed
_KITTY_CHUNK: Final = 4096
_TO_THE_EDGE: Final = (Action.DRAG, Action.RELEASE, Action.SECOND_DRAG, Action.SECOND_RELEASE)  # and no further
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
        self._title = ""
        self._drawn_title = ""
        self._size = (0, 0)
        self._place = (0, 0, 1, 1.0)  # left, top, width and height of the image, in character cells
        self._kitty_image = 0  # number of the image on the screen
        try:
            self._protocol, self._true_colour = self._capabilities()
        except BaseException:
            self._tty.leave()
            raise
        self._painter = Painter(self._true_colour)

    def show(self, frame: NDArray[np.uint8], title: str) -> None:
        """Show a frame, BGR [h, w, 3], as large as it goes, with the title below it."""
        self._frame = frame.copy()
        self._title = title
        self._draw()

    def poll(self, seconds: float) -> Event | None:
        """The next key or click, waiting at most so long; QUIT where the terminal is gone."""
        deadline = time.monotonic() + seconds
        while True:
            if self._events:
                return self._events.popleft()
            if self._tty.resumed or (self._frame is not None and self._tty.size() != self._size):
                self._draw()
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

    def _capabilities(self) -> tuple[str, bool]:
        """Which images the terminal has ("kitty", "iterm" or "") and whether it has 24-bit colours."""
        kind = os.environ.get("TERM", "")
        true_colour = (
            os.environ.get("COLORTERM") in ("truecolor", "24bit") or "direct" in kind or "WT_SESSION" in os.environ
        )
        inside = "TMUX" in os.environ or "STY" in os.environ or kind.startswith(("screen", "tmux"))
        program = os.environ.get("TERM_PROGRAM", "") + os.environ.get("LC_TERMINAL", "")
        if kind == "linux":
            return "", true_colour
        self._tty.write(_TRUE_COLOUR + (b"" if inside else _KITTY) + _ATTRIBUTES + b"\x1b[2J")
        deadline = time.monotonic() + _REPLY_SECONDS
        while not any(reply.endswith("c") for reply in self._replies) and time.monotonic() < deadline:
            if not self._receive(max(0.0, deadline - time.monotonic())):
                break
        true_colour = true_colour or any(_TRUE_COLOUR_REPLY.search(reply) for reply in self._replies)
        if any(reply.startswith("\x1b_Gi=31;OK") for reply in self._replies):
            return "kitty", true_colour
        return "iterm" if not inside and ("iTerm" in program or "WezTerm" in program) else "", true_colour

    def _draw(self) -> None:
        """Write the frame and the title, whole where the screen changed, else what is new."""
        size = self._tty.size()
        output = [_BEGIN]
        if size != self._size or self._tty.resumed:
            self._size = size
            self._tty.resumed = False
            self._painter = Painter(self._true_colour)
            self._drawn_title = "\n"  # unlike any title
            output.append(b"\x1b[0m\x1b[2J")
        columns, rows = size
        if self._frame is not None and rows > 1:
            output.append(self._image(self._frame, columns, rows - 1))
        if self._title != self._drawn_title:
            self._drawn_title = self._title
            title = "".join(characters_of(self._title)[: columns - 1])
            output.append(f"\x1b[{rows};1H\x1b[0m{title}\x1b[K".encode())
        self._tty.write(b"".join(output) + _END)

    def _image(self, frame: NDArray[np.uint8], columns: int, rows: int) -> bytes:
        cell_width, cell_height = self._tty.cell_pixels()
        aspect = cell_height / cell_width if cell_width and cell_height else _CELL_ASPECT
        height, width = frame.shape[:2]
        scale = min(columns / width, rows * aspect / height)  # cells across a pixel
        step = 1 if self._protocol else 2
        across = min(columns, max(1, round(width * scale)))
        halves = min(rows * 2, max(step, round(height * scale / aspect * step) * (2 // step)))
        left, top = (columns - across) // 2, (rows * 2 - halves) // 4
        self._place = left, top, across, halves / 2
        if not self._protocol:
            canvas = np.zeros((rows * 2, columns, 3), np.uint8)
            canvas[top * 2 : top * 2 + halves, left : left + across] = resize(frame, halves, across)
            texts = place_labels(labels_of(frame), (width, height), self._place, (columns, rows))
            return self._painter.paint(canvas, texts)
        frame = painted(frame)
        most = across * (cell_width or 10), halves * (cell_height or 20) // 2
        if most[0] < width:  # no more pixels than the terminal has
            frame = resize(frame, most[1], most[0])
        encoded = base64.b64encode(cv2.imencode(".png", frame, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes())
        move = f"\x1b[{top + 1};{left + 1}H".encode()
        if self._protocol == "kitty":
            return move + self._kitty(encoded, across, halves // 2)
        size = f"inline=1;width={across};height={halves // 2};preserveAspectRatio=0;doNotMoveCursor=1"
        return move + f"\x1b]1337;File={size}:".encode() + encoded + b"\x07"

    def _kitty(self, encoded: bytes, columns: int, rows: int) -> bytes:
        """The image as a new one over the last, which then goes, so that nothing flickers."""
        old, self._kitty_image = self._kitty_image, self._kitty_image % 2 + 1
        keys = f"a=T,f=100,i={self._kitty_image},q=2,C=1,c={columns},r={rows},"
        parts = []
        for start in range(0, len(encoded), _KITTY_CHUNK):
            more = int(start + _KITTY_CHUNK < len(encoded))
            chunk = encoded[start : start + _KITTY_CHUNK]
            parts.append(f"\x1b_G{keys if start == 0 else ''}m={more};".encode() + chunk + b"\x1b\\")
        if old:
            parts.append(f"\x1b_Ga=d,d=I,i={old},q=2\x1b\\".encode())
        return b"".join(parts)
