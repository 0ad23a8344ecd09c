"""The operating system's side of a terminal: raw keys in, bytes out, and its modes restored at the end.

They are restored on leaving, on an exception, at exit, on SIGTERM, SIGHUP and SIGQUIT (which become ``SystemExit``, so
that recordings are finished too), and while the program is stopped by Ctrl-Z. After SIGKILL the next start restores
them when it leaves, or ``reset`` does.
"""

import atexit
import contextlib
import os
import shutil
import sys
import time

from viewer.displays.display import DisplayError

if sys.platform == "win32":
    import ctypes
    import msvcrt
else:
    import fcntl
    import select
    import signal
    import struct
    import termios
    import threading
    import tty
    from types import FrameType

    _SHELL_MODES = termios.ICANON | termios.ECHO  # lines and echo, that a shell has

_POLL_SECONDS = 0.01  # Windows cannot wait for keys with a time limit


class Tty:
    """Standard input and output as a terminal; ``enter`` is written first, ``leave`` last. Raises ``DisplayError``."""

    def __init__(self, enter: bytes, leave: bytes) -> None:
        streams = []
        for stream, name in ((sys.__stdin__, "input"), (sys.__stdout__, "output")):
            if stream is None or stream.closed or not stream.isatty():
                raise DisplayError(f"standard {name} is not a terminal")
            stream.flush()
            streams.append(stream.fileno())
        if os.environ.get("TERM") == "dumb":
            raise DisplayError("TERM is 'dumb', expected a terminal that can move its cursor")
        self._in, self._out = streams
        self._enter_bytes = enter
        self._leave_bytes = leave
        self._entered = False
        self.resumed = False  # set when the program was stopped and goes on: the screen must be drawn anew
        atexit.register(self.leave)
        try:
            self.enter()
        except OSError as error:
            raise DisplayError(f"the terminal does not answer: {error.strerror}") from None

    def write(self, data: bytes) -> None:
        """Write all of it. Raises ``DisplayError`` where the terminal is gone."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._out, view) :]
        except OSError as error:
            raise DisplayError(f"the terminal is gone: {error.strerror}") from None

    def leave(self) -> None:
        """Put the terminal back as it was; may be called twice."""
        if self._entered:
            self._entered = False
            with contextlib.suppress(DisplayError, OSError):
                self.write(self._leave_bytes)
            self._restore()

    def enter(self) -> None:
        """Take the terminal. Raises ``OSError``."""
        self._prepare()
        self._entered = True
        self.write(self._enter_bytes)

    def size(self) -> tuple[int, int]:
        """Columns and rows of character cells."""
        try:
            columns, rows = os.get_terminal_size(self._out)
        except OSError:
            columns, rows = 0, 0
        if columns < 1 or rows < 1:  # a serial line, for one
            columns, rows = shutil.get_terminal_size((80, 24))
        return columns, rows

    def cell_pixels(self) -> tuple[int, int]:
        """Width and height of a character cell in pixels; 0 where it is not known."""
        if sys.platform == "win32":
            return 0, 0
        try:
            sizes = fcntl.ioctl(self._out, termios.TIOCGWINSZ, b"\x00" * 8)
        except OSError:
            return 0, 0
        rows, columns, width, height = struct.unpack("HHHH", sizes)
        return (width // columns, height // rows) if columns and rows else (0, 0)

    if sys.platform == "win32":

        def _prepare(self) -> None:
            self._kernel = ctypes.windll.kernel32
            self._before = []
            # -10 input: virtual terminal input, no echo, no lines; -11 output: virtual terminal processing
            for number, on, off in ((-10, 0x200, 0x6), (-11, 0x4, 0)):
                handle, mode = self._kernel.GetStdHandle(number), ctypes.c_uint()
                if not self._kernel.GetConsoleMode(handle, ctypes.byref(mode)):
                    raise OSError(0, "not a console")
                self._before.append((handle, mode.value))
                if not self._kernel.SetConsoleMode(handle, mode.value & ~off | on):
                    raise OSError(0, "a console without escape sequences, expected Windows 10 or newer")

        def _restore(self) -> None:
            for handle, mode in self._before:
                self._kernel.SetConsoleMode(handle, mode)

        def read(self, seconds: float) -> bytes | None:
            """Keys that came within so long, empty for none."""
            deadline = time.monotonic() + seconds
            while not msvcrt.kbhit():
                if time.monotonic() >= deadline:
                    return b""
                time.sleep(_POLL_SECONDS)
            text = ""
            while msvcrt.kbhit():
                text += msvcrt.getwch()
            return text.encode("utf-8", "ignore")

    else:

        def _prepare(self) -> None:
            try:
                self._before = termios.tcgetattr(self._in)
                tty.setcbreak(self._in, termios.TCSANOW)  # Ctrl-C and Ctrl-Z stay signals
            except termios.error as error:
                raise OSError(*error.args) from None
            if not self._before[3] & _SHELL_MODES:  # one that was killed with -9 has left it so
                self._before[3] |= _SHELL_MODES
            handlers = dict.fromkeys((signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT), self._on_end)
            handlers |= {signal.SIGTSTP: self._on_stop, signal.SIGCONT: self._on_go_on}
            self._handlers = {}
            if threading.current_thread() is threading.main_thread():
                for number, handler in handlers.items():
                    if signal.getsignal(number) is signal.SIG_DFL:
                        self._handlers[number] = signal.signal(number, handler)

        def _restore(self) -> None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._in, termios.TCSAFLUSH, self._before)  # drops unread mouse reports
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

        def _on_end(self, number: int, frame: FrameType | None) -> None:
            self.leave()
            raise SystemExit(128 + number)

        def _on_stop(self, number: int, frame: FrameType | None) -> None:
            self.leave()
            os.kill(os.getpid(), signal.SIGTSTP)  # the default action now: sleeps here until SIGCONT
            self.enter()
            self.resumed = True

        def _on_go_on(self, number: int, frame: FrameType | None) -> None:
            """Stopped by a signal that cannot be heard, SIGSTOP: a shell has had the terminal in the meantime."""
            if self._entered and os.tcgetpgrp(self._in) == os.getpgrp():
                tty.setcbreak(self._in, termios.TCSANOW)
                self.write(self._enter_bytes)
                self.resumed = True

        def read(self, seconds: float) -> bytes | None:
            """Bytes that came within so long, empty for none; ``None`` where the terminal is gone."""
            try:
                ready = select.select([self._in], [], [], max(0.0, seconds))[0]
                return (os.read(self._in, 65536) or None) if ready else b""
            except OSError:
                return None
