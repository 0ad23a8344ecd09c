"""The terminal display in a real pseudo-terminal: what is on the screen, clicks, and that all is put back."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyte
import pytest
from numpy.typing import NDArray

from viewer.displays import DisplayError, open_display
from viewer.displays.cells import Painter

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are of Unix", allow_module_level=True)

import fcntl
import pty
import struct
import termios

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys, time
import numpy as np
from viewer.displays import open_display
from viewer.text import Text
display = open_display("auto", title="stand-in", motion=len(sys.argv) > 1)
frame = np.zeros((40, 80, 3), np.uint8)
frame[:20, :40], frame[:20, 40:], frame[20:, :40], frame[20:, 40:] = (0, 0, 255), (0, 255, 0), (255, 0, 0), 255
try:
    display.show(frame, "stand-in \\x1b[31m title")
    count = 0
    while True:
        event = display.poll(0.1)
        if event is None:
            continue
        count += 1
        if event.action.name == "HELP":
            page = ("ESC", "quit"), ("x", "new")
            display.show(frame, "", Text(("name", "what is shown"), ("h: keys", "x new"), page))
            continue
        if event.key == "f":
            raise RuntimeError("failed on purpose")
        display.show(frame, f"{count} {event.action.name} {event.x} {event.y} {event.key}")
        if event.action.name == "QUIT":
            break
finally:
    display.close()
    print("closed")
"""


class Session:
    """A program in a pseudo-terminal, its screen as pyte sees it."""

    def __init__(self, columns: int, rows: int, motion: bool = False, **environment: str) -> None:
        self.leader, self.follower = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.follower)
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.written = b""
        self.seen = 0  # up to where ``read`` has found what it was to find
        inherited = {
            key: value
            for key, value in os.environ.items()
            if key not in ("DISPLAY", "WAYLAND_DISPLAY", "TMUX", "STY", "COLORTERM", "TERM_PROGRAM", "LC_TERMINAL")
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *["motion"] * motion],
            stdin=self.follower,
            stdout=self.follower,
            stderr=self.follower,
            cwd=ROOT,
            env=inherited | {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | environment,
            process_group=0,  # a group of its own, that Ctrl-Z can stop
        )

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, until: bytes, seconds: float = 60.0) -> None:
        """Take output until it holds these bytes; answer what terminals answer."""
        deadline = time.monotonic() + seconds
        while (found := self.written.find(until, self.seen)) < 0:
            assert time.monotonic() < deadline, f"no {until!r} in {self.written[self.seen :]!r}"
            if select.select([self.leader], [], [], 0.1)[0]:
                data = os.read(self.leader, 65536)
                self.written += data
                if data.endswith(b"\x1b[c\x1b[2J"):
                    self.type(self.answers)
                for begin, end in ((b"\x1bP", b"\x1b\\"), (b"\x1b_", b"\x1b\\")):  # pyte knows no such strings
                    while begin in data and end in data:
                        head, _, tail = data.partition(begin)
                        data = head + tail.partition(end)[2]
                self.stream.feed(data)
        self.seen = found + len(until)

    answers = b"\x1b[?62;c"

    def type(self, data: bytes) -> None:
        os.write(self.leader, data)

    def colours(self, column: int, row: int) -> tuple[str, str, str]:
        cell = self.screen.buffer[row][column]
        return cell.data, cell.fg, cell.bg

    def bottom(self) -> str:
        return self.screen.display[-1].rstrip()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for descriptor in (self.leader, self.follower):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def assert_put_back(self) -> None:
        assert termios.tcgetattr(self.follower) == self.before
        for mode in (b"\x1b[?1049", b"\x1b[?1000", b"\x1b[?1006"):
            assert self.written.rindex(mode + b"l") > self.written.rindex(mode + b"h")
        assert self.written.rindex(b"\x1b[?25h") > self.written.rindex(b"\x1b[?25l")


@pytest.fixture
def session() -> Iterator[Session]:
    made = Session(80, 21)  # 40 x 80 pixels are 80 columns and 20 rows, and there is a row for the title
    made.read(b"title")
    yield made
    made.end()


def test_the_image_is_on_the_screen_and_the_title_below(session: Session) -> None:
    assert session.colours(0, 0) == ("▀", "ff0000", "ff0000")
    assert session.colours(79, 9) == ("▀", "00ff00", "00ff00")
    assert session.colours(0, 10) == ("▀", "0000ff", "0000ff")
    assert session.colours(79, 19) == ("▀", "ffffff", "ffffff")
    assert session.bottom() == "stand-in ?[31m title"


def converse(session: Session, exchanges: list[tuple[bytes, str]]) -> None:
    """Type each, and read the title that it leads to if it does; the last one quits."""
    for data, title in exchanges:
        session.type(data)
        if title:
            session.read(title.encode())
    assert session.process.wait(60) == 0
    session.read(b"closed")
    session.assert_put_back()


def test_keys_and_clicks(session: Session) -> None:
    exchanges = [
        (b"\x1b[C", "1 RIGHT -1 -1"),
        (b"S", "2 SAVE_ALL -1 -1"),
        ("é".encode(), "3 NEW -1 -1 é"),
        (b"\x1b[<0;41;11M", "4 CLICK 40 21"),
        (b"\x1b[<0;1;21M", ""),  # on the title
        (b"\x1b", "5 QUIT -1 -1"),
    ]
    converse(session, exchanges)


def test_the_mouse_is_followed_where_that_is_asked_for() -> None:
    session = Session(80, 21, motion=True)
    session.read(b"title")
    assert b"\x1b[?1003h" in session.written
    exchanges = [
        (b"\x1b[<35;41;11M", "1 MOVE 40 21"),
        (b"\x1b[<0;41;11M", "2 CLICK 40 21"),
        (b"\x1b[<32;41;99M", "3 DRAG 40 39"),  # as far as the edge
        (b"\x1b[<0;42;11m", "4 RELEASE 41 21"),
        (b"\x1b[<35;1;1M\x1b[<35;2;2M\x1b[<35;3;3M", "5 MOVE 2 5"),  # the last of a burst
        (b"\x1b", ""),
    ]
    converse(session, exchanges)
    session.end()


def test_movements_are_nothing_where_they_are_not(session: Session) -> None:
    assert b"\x1b[?1003h" not in session.written
    session.type(b"\x1b[<35;41;11M\x1b[<32;41;11M\x1b[<0;41;11mx")
    session.read(b"1 NEW")


def test_a_hundred_keys_at_once(session: Session) -> None:
    session.type(b"x" * 50 + b"\x1b[A" * 50)
    session.read(b"100 UP")


def test_another_size_is_filled_anew(session: Session) -> None:
    session.screen.resize(21, 40)
    session.resize(40, 21)
    session.read(b"\x1b[21;1H")
    assert session.colours(0, 5) == ("▀", "ff0000", "ff0000")
    assert session.colours(39, 14) == ("▀", "ffffff", "ffffff")
    assert session.colours(0, 4) == ("▀", "151618", "151618")
    session.type(b"\x1b[<0;20;10M")
    session.read(b"CLICK 39 18")


def test_an_exception_is_readable_afterwards(session: Session) -> None:
    session.type(b"f")
    session.read(b"failed on purpose")
    assert session.process.wait(60) == 1
    session.assert_put_back()
    assert session.written.rindex(b"failed on purpose") > session.written.rindex(b"\x1b[?1049l")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_put_the_terminal_back_and_run_what_must_run(session: Session, number: signal.Signals) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("ignored in this shell, as under nohup")
    session.process.send_signal(number)
    session.read(b"closed")
    assert session.process.wait(60) != 0
    session.assert_put_back()


def test_stop_and_go_on(session: Session) -> None:
    session.process.send_signal(signal.SIGTSTP)
    session.read(b"\x1b[?1049l")
    os.waitid(os.P_PID, session.process.pid, os.WSTOPPED)
    session.assert_put_back()
    session.process.send_signal(signal.SIGCONT)
    session.read(b"title")
    assert session.colours(0, 0) == ("▀", "ff0000", "ff0000")
    assert termios.tcgetattr(session.follower) != session.before
    session.type(b"i")
    session.read(b"1 INTERPOLATE")


def test_a_terminal_that_goes_away_ends_it(session: Session) -> None:
    os.close(session.follower)
    os.close(session.leader)
    assert session.process.wait(60) is not None


def test_the_key_table_is_shown_as_text_and_the_image_comes_back(session: Session) -> None:
    before = [session.colours(column, 5) for column in range(session.screen.columns)]
    session.type(b"h")
    session.read(b"h: keys")
    lines = [line.strip() for line in session.screen.display]
    assert [line for line in lines if line] == ["ESC  quit", "x    new", "name - what is shown | h: keys, x new"]
    session.type(b"x")
    session.read(b"NEW")
    assert [session.colours(column, 5) for column in range(session.screen.columns)] == before


@pytest.mark.parametrize(
    ("environment", "answers", "expected"),
    [
        ({"COLORTERM": ""}, b"\x1b[?62;c", b"\x1b[38;5;196m"),
        ({"COLORTERM": ""}, b"\x1bP1$r48:2::1:2:3m\x1b\\\x1b[?62;c", b"\x1b[38;2;255;0;0m"),
        ({}, b"\x1b_Gi=31;OK\x1b\\\x1b[?62;c", b"\x1b_Ga=T,f=100,i=1,q=2,C=1,c=80,r=20,m=0;"),
        ({"LC_TERMINAL": "iTerm2"}, b"\x1b[?62;c", b"\x1b]1337;File=inline=1;width=80;height=20;"),
        ({"LC_TERMINAL": "iTerm2", "TMUX": "x"}, b"\x1b[?62;c", b"\x1b[38;2;255;0;0m"),
        ({}, b"\x1b[?62;4;22c", b'\x1b[1;1H\x1bP0;1q"1;1;800;400'),
        ({}, b"\x1b[6;16;8t\x1b[?62;22;4c", b'\x1b[1;1H\x1bP0;1q"1;1;640;320'),
        ({"TMUX": "x", "TERM": "tmux-256color"}, b"\x1b[?1;2;4c", b'\x1bP0;1q"1;1;800;400'),
        ({}, b"\x1b[?4;6c", b"\x1b[38;2;255;0;0m"),  # a terminal of kind 4
    ],
)
def test_what_the_terminal_says_that_it_can(environment: dict[str, str], answers: bytes, expected: bytes) -> None:
    made = Session(80, 21, **environment)
    made.answers = answers
    try:
        made.read(b"title")
        assert expected in made.written
        made.type(b"x")  # a second image
        made.read(b"1 NEW")
        made.type(b"\x1b")
        assert made.process.wait(60) == 0
    finally:
        made.end()


def painted(pixels: list[NDArray[np.uint8]], true_colour: bool) -> tuple[pyte.Screen, list[int]]:
    rows, columns = pixels[0].shape[0] // 2, pixels[0].shape[1]
    screen = pyte.Screen(columns, rows)
    stream = pyte.ByteStream(screen)
    painter = Painter(true_colour)
    lengths = []
    for image in pixels:
        data = painter.paint(image)
        lengths.append(len(data))
        stream.feed(data)
    return screen, lengths


def test_only_changed_cells_are_written_and_the_screen_is_right() -> None:
    generator = np.random.default_rng(0)
    first = generator.integers(0, 256, (24, 30, 3), dtype=np.uint8)
    second = first.copy()
    second[6:10, 4:9] = generator.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    screen, lengths = painted([first, first, second], True)
    assert lengths[1] == 0
    assert 0 < lengths[2] < 10 * 50
    for row in range(12):
        for column in range(30):
            cell = screen.buffer[row][column]
            for found, pixel in ((cell.fg, second[row * 2, column]), (cell.bg, second[row * 2 + 1, column])):
                assert found == bytes(pixel[::-1]).hex()


def test_256_colours_are_near() -> None:
    ramp = np.linspace(0, 255, 40).astype(np.uint8)
    pixels = np.stack(
        [np.broadcast_to(ramp, (40, 40)), np.broadcast_to(ramp[:, None], (40, 40)), np.full((40, 40), 90)], 2
    )
    screen, _ = painted([pixels.astype(np.uint8)], False)
    found = np.array([[list(bytes.fromhex(screen.buffer[r][c].fg)) for c in range(40)] for r in range(20)])
    assert np.abs(found[..., ::-1] - pixels[0::2].astype(int)).mean() < 22


def test_a_changing_image_of_160x48_cells_leaves_time_to_spare() -> None:
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (96, 160, 3), dtype=np.uint8) for _ in range(2)]
    painter = Painter(True)
    times = []
    for index in range(12):
        start = time.process_time()
        painter.paint(images[index % 2])
        times.append(time.process_time() - start)
    assert sorted(times)[len(times) // 2] < 1 / 60


def test_no_terminal_and_no_screen_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "__stdin__", nothing)
        with pytest.raises(DisplayError, match="--display none") as failure:
            open_display("auto", title="t")
    assert "\n" not in str(failure.value)
