"""The window under a real X server: every key, Shift and Caps Lock, clicks, closing, and screens that are none."""

import ctypes
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from waiting import HANG_SECONDS, wait_until
from windows import Application

from viewer.displays.x11 import XKeys
from viewer.files.png import read_recipe
from viewer.keys import decode_character
from viewer.modes.latent.layout import make_layout
from viewer.modes.translate.draw.session import make_easel

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not (shutil.which("Xvfb") and shutil.which("xdotool")),
    reason="needs Xvfb and xdotool",
)

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys, time
import numpy as np
from viewer.displays import DisplayError, open_display
try:
    display = open_display("window", title="stand-in", motion=len(sys.argv) > 2)
except DisplayError as error:
    sys.exit(f"error: {error}")
frame = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
display.show(frame, "stand-in 0")
for _ in range(1000):
    if display._x.listening:
        break
    display.poll(0.05)
print("ready", flush=True)
used, since, count = time.process_time(), time.monotonic(), 0
while True:
    event = display.poll(0.05)
    if event is not None:
        count += 1
        print(event.action.name, event.x, event.y, event.key, flush=True)
        if event.action.name == "QUIT":
            break
        time.sleep(float(sys.argv[1]))
        display.show(frame[::-1], f"stand-in {count}")
display.show(frame, "after the end")
display.close()
display.close()
print("cpu", (time.process_time() - used) / (time.monotonic() - since), flush=True)
"""

SLOW_APPLICATION = """
import time
import numpy as np
from viewer.model import Model
generate, busy = Model.generate, np.random.default_rng(0).normal(size=(1000, 1000))
def generate_slowly(self, latents, labels=None, settings=None):
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        busy @ busy  # native code that cannot be broken off
    return generate(self, latents, labels)
Model.generate = generate_slowly
"""


class Program:
    """A stand-in for the application in a window; it prints the events that it gets."""

    def __init__(self, screen: str, busy_seconds: float = 0.0, motion: bool = False) -> None:
        self.environment = os.environ | {"DISPLAY": screen}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(busy_seconds), *["motion"] * motion],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n", self.process.communicate()
        self.lines: list[str] = []
        self._reader = threading.Thread(target=lambda out: self.lines.extend(iter(out.readline, "")), daemon=True,
                                        args=[self.process.stdout])  # fmt: skip
        self._reader.start()
        self.window = self.xdotool("search", "--name", "stand-in").split()[0]
        self.xdotool("windowfocus", "--sync", self.window)

    def xdotool(self, *words: str) -> str:
        command = ["xdotool", *words]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def press(self, *keys: str, gap_ms: int = 12) -> None:
        self.xdotool("key", "--delay", str(gap_ms), *keys)

    def end(self) -> list[str]:
        """Press ESC; the events before it."""
        self.press("Escape")
        lines = self.output()
        assert lines[-2].startswith("QUIT")
        return [line.replace(" -1 -1", "").strip() for line in lines[:-2]]

    def output(self) -> list[str]:
        """All lines that it printed, when it has ended."""
        assert self.process.stderr is not None
        assert self.process.stderr.read() == ""
        self.process.wait(HANG_SECONDS)
        self._reader.join(HANG_SECONDS)
        return list(self.lines)

    def wait_for(self, name: str, x: int, y: int) -> None:
        """Return when the last event is this one, at this place or a pixel beside it."""

        def came() -> bool:
            if not self.lines:
                return False
            action, *place = self.lines[-1].split()[:3]
            return action == name and max(abs(int(place[0]) - x), abs(int(place[1]) - y)) <= 1

        wait_until(came, lambda: self.lines)


@pytest.fixture
def program(screen: str) -> Iterator[Program]:
    made = Program(screen)
    yield made
    made.process.kill()
    made.process.communicate()


KEYS = {
    "Left": "LEFT", "Right": "RIGHT", "Up": "UP", "Down": "DOWN", "Prior": "PAGE_UP", "Next": "PAGE_DOWN",
    "Home": "HOME", "End": "END", "s": "SAVE", "shift+s": "SAVE_ALL", "i": "INTERPOLATE", "r": "RANDOM",
    "plus": "MORE", "minus": "LESS", "KP_Add": "MORE", "KP_Subtract": "LESS", "space": "PAUSE",
    "Tab": "NEXT_VIEW", "Return": "NEW enter", "KP_Enter": "NEW enter", "q": "LEAVE", "7": "NEW 7", "comma": "NEW ,",
    "BackSpace": "BACK", "u": "BACK", "h": "HELP", "question": "HELP", "F1": "HELP",
}  # fmt: skip


@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_every_key_every_time(program: Program, times: int) -> None:
    for key in KEYS:
        program.press(*[key] * times)
    assert program.end() == [name for name in KEYS.values() for _ in range(times)]


ROWS = {
    "qwertyuiop[]": 24,
    "asdfghjkl": 38,
    "zxcvbnm": 52,
    "1234567890-=": 10,
}  # keycodes of a PC keyboard, from here on
PLACES = {letter: str(first + number) for row, first in ROWS.items() for number, letter in enumerate(row)}


OWN_PLACES = {"il": "[]", "bg": "="}  # these characters are on other keys there


def expected_of(character: str) -> str:
    """What the stand-in prints for a character typed on a Latin keyboard."""
    event = decode_character(character)
    assert event is not None
    return f"{event.action.name} {event.key}".strip()


@pytest.fixture
def keyboard(screen: str) -> Iterator[Callable[[str], None]]:
    """Chooses the layout of the screen's keyboard; in the end it is the usual one again."""
    if not shutil.which("setxkbmap"):
        pytest.skip("needs setxkbmap")

    def choose(*layout: str) -> None:
        subprocess.run(["setxkbmap", "-display", screen, *layout], check=True, capture_output=True)

    yield choose
    choose("us", "-option", "")


@pytest.mark.parametrize(
    ("layout", "times"),
    [
        (("ru",), 1),
        *[pytest.param((one,), 10, marks=pytest.mark.slow) for one in ("ru", "gr", "ua", "il", "bg", "ge", "ara")],
        pytest.param(("us,ru", "-option", "grp:rctrl_toggle"), 10, marks=pytest.mark.slow),
    ],
)
def test_keys_at_the_places_of_a_latin_keyboard(
    screen: str, keyboard: Callable[..., None], layout: tuple[str, ...], times: int
) -> None:
    """The layout is chosen while the window is open."""
    program = Program(screen)
    try:
        program.press("x")
        wait_until(lambda: program.lines)
        keyboard(*layout)
        expected = ["NEW x"]
        if len(layout) > 1:
            program.press("Control_R")
        own = OWN_PLACES.get(layout[0], "")
        letters = {letter: place for letter, place in PLACES.items() if letter not in f"1234567890-={own}"}
        for letter, place in letters.items():
            program.press(*[place] * times)
            expected += [expected_of(letter)] * times
            if letter.isalpha():
                program.press(*[f"shift+{place}"] * times)
                expected += [expected_of(letter.upper())] * times
        for character in (one for one in "17890-=" if one not in own):
            program.press(*[PLACES[character]] * times)
            expected += [expected_of(character)] * times
        program.press(*[f"ctrl+{PLACES['z']}"] * times, "Caps_Lock", PLACES["s"], "Caps_Lock")
        expected += ["UNDO"] * times + ["SAVE_ALL"]
        for key in ("BackSpace", "F1", "Tab", "Return", "Left", "Home", "space"):
            program.press(*[key] * times)
            expected += [KEYS[key]] * times
        assert program.end() == expected
    finally:
        program.process.kill()
        program.process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["de", "fr", "us(dvorak)"])
def test_latin_keyboards_are_left_as_they_are(program: Program, keyboard: Callable[..., None], layout: str) -> None:
    """By characters; on some of these, marks are where others have letters."""
    keyboard(*([layout] if "(" not in layout else ["us", "-variant", "dvorak"]))
    names = {"[": "bracketleft", "]": "bracketright", "+": "plus", "-": "minus", "=": "equal", "?": "question",
             ";": "semicolon", "'": "apostrophe", "/": "slash", ",": "comma"}  # fmt: skip
    expected = []
    for character in "qwertyuiopasdfghjklzxcvbnmSXYHU0129+-=[]?;',/":
        program.press(*[names.get(character, character)] * 10)
        expected += [expected_of(character)] * 10
    if layout == "de":
        program.press("udiaeresis", "dead_circumflex", "Escape")  # a dead key is nothing by itself
        expected.append("NEW ü")
        assert [line.replace(" -1 -1", "").strip() for line in program.output()[:-2]] == expected
    else:
        assert program.end() == expected


def test_shift_and_caps_lock(program: Program) -> None:
    program.press("shift+s", "Caps_Lock", "s", "shift+s", "Caps_Lock", "s")
    assert program.end() == ["SAVE_ALL", "SAVE_ALL", "SAVE", "SAVE"]


def test_modifiers_shortcuts_and_unknown_keys_are_nothing(program: Program) -> None:
    program.press("Shift_L", "Shift_R", "Control_L", "Alt_L", "Super_L", "Caps_Lock", "Caps_Lock", "Num_Lock",
                  "Num_Lock", "F5", "ctrl+s", "ctrl+h", "alt+s", "x")  # fmt: skip
    assert program.end() == ["NEW x"]


def test_no_key_is_lost_while_the_loop_is_busy(screen: str) -> None:
    program = Program(screen, busy_seconds=0.02)
    program.press(*["Right", "s", "shift+s", "Down"] * 25, gap_ms=5)
    assert program.end() == ["RIGHT", "SAVE", "SAVE_ALL", "DOWN"] * 25


def test_clicks_are_pixels_of_the_frame_at_any_size_of_the_window(program: Program) -> None:
    program.xdotool("mousemove", "--window", program.window, "100", "60", "click", "1")
    program.wait_for("CLICK", 100, 60)
    program.xdotool("windowsize", "--sync", program.window, "640", "600")  # 640 x 480 in the middle
    program.xdotool("mousemove", "--window", program.window, "400", "20", "click", "1")  # beside the image
    program.xdotool("mousemove", "--window", program.window, "400", "180", "click", "3")
    program.xdotool("mousemove", "--window", program.window, "400", "180", "click", "1")
    program.wait_for("CLICK", 200, 60)
    first, second = (tuple(map(int, line.split()[1:3])) for line in program.end())
    assert first == pytest.approx((100, 60), abs=1)
    assert second == pytest.approx((200, 60), abs=1)


def test_clicks_of_any_speed_count(program: Program) -> None:
    program.xdotool(
        "mousemove", "--window", program.window, "100", "60", "click", "--repeat", "20", "--delay", "1", "1"
    )
    wait_until(lambda: len(program.lines) == 20, lambda: program.lines)
    assert program.end() == ["CLICK 100 60"] * 20


def test_the_mouse_is_followed_where_that_is_asked_for(screen: str) -> None:
    program = Program(screen, motion=True)

    def go(x: int, y: int, expected: str) -> None:
        program.xdotool("mousemove", "--window", program.window, str(x), str(y))
        program.wait_for(expected, min(x, 319), y)

    go(50, 40, "MOVE")
    go(100, 60, "MOVE")
    program.xdotool("mousedown", "1")
    program.wait_for("CLICK", 100, 60)
    go(150, 90, "DRAG")
    go(400, 120, "DRAG")  # beyond the edge: as far as the edge
    program.xdotool("mouseup", "1")
    program.wait_for("RELEASE", 319, 120)
    go(20, 10, "MOVE")
    seen = [(name, (int(x), int(y))) for name, x, y in (line.split()[:3] for line in program.end())]
    names = [name for name, _ in seen]
    click, release = names.index("CLICK"), names.index("RELEASE")
    assert set(names[:click]) == {"MOVE"}
    assert set(names[click + 1 : release]) == {"DRAG"}
    assert names[-1] == "MOVE"
    for number, place in ((click, (100, 60)), (click + 1, (150, 90)), (release - 1, (319, 120)), (-1, (20, 10))):
        assert seen[number][1] == pytest.approx(place, abs=1)


def test_latent_space_follows_the_mouse(screen: str, plane_path: Path, tmp_path: Path) -> None:
    arguments = ["latent", plane_path, "--scale", "0.5", "--out", tmp_path]
    viewer = Application(screen, "plane", *arguments, heard=tmp_path / "heard.txt")

    def saved(number: int) -> dict[str, Any]:
        path = tmp_path / f"plane-{number:04d}.png"
        wait_until(path.exists, path)
        return read_recipe(path)

    try:
        area = make_layout(16, 16, scale=0.5).plane
        viewer.move(10, 10)
        viewer.move(area.left + area.width // 4, area.top + area.height // 2)
        viewer.press("s")
        assert saved(1)["latent"] == pytest.approx([-2, 0], abs=0.06)
        viewer.press("Tab")
        small = make_layout(16, 16, scale=0.5).plane_above_line
        viewer.move(small.left + small.width // 4, small.top + small.height // 2)
        viewer.do("mousedown", "1")
        viewer.move(small.left + small.width // 2, small.top + small.height // 4)
        viewer.do("mouseup", "1")
        viewer.press("End", "s")
        assert saved(2)["mode"] == "latent line"
        assert saved(2)["latent"] == pytest.approx([0, 2], abs=0.06)
        viewer.leave()
    finally:
        viewer.kill()


def test_a_stroke_changes_the_image_and_undo_restores_it_to_the_bit(
    screen: str, edges_path: Path, tmp_path: Path
) -> None:
    arguments = ["translate", edges_path, "--draw", "--out", tmp_path]
    viewer = Application(screen, "edges", *arguments, heard=tmp_path / "heard.txt")

    def saved(number: int) -> tuple[np.ndarray, np.ndarray, list[Any]]:
        """The result and the drawing that pressing s saves, and the strokes of its recipe."""
        viewer.press("s")
        path = tmp_path / f"edges-{number:04d}.png"
        drawing = path.with_stem(f"{path.stem}-drawing")
        wait_until(lambda: path.exists() and drawing.exists(), path)
        return cv2.imread(str(path)), cv2.imread(str(drawing)), read_recipe(path)["strokes"]

    try:
        empty, page, _ = saved(1)
        assert not page.any()
        viewer.move(60, 60)
        viewer.do("click", "4", "click", "4", events=2)
        viewer.do("mousedown", "1")
        for step in range(1, 20):
            viewer.move(60 + 15 * step, 60 + 10 * (step % 5))
        viewer.do("mouseup", "1")
        drawn, page, strokes = saved(2)
        assert page.any()
        assert not np.array_equal(empty, drawn)
        assert len(strokes) == 1
        assert strokes[0][1] == 3  # the wheel made the brush larger, twice
        assert len(strokes[0][2]) > 15  # it went through every place, not straight to the last one
        easel = make_easel(48, 64, 2)  # and the window did not enlarge itself by the wheel, too
        shrunk = 0.9 * 1024 / (2 * easel.page.right + 8)  # to fit the screen
        for number, (x, y) in ((0, (60, 60)), (-1, (345, 100))):
            assert strokes[0][2][number] == pytest.approx(easel.point(round(x / shrunk), round(y / shrunk)), abs=1)
        viewer.move(130, 40)
        viewer.do("mousedown", "3")
        viewer.move(130, 120)
        viewer.do("mouseup", "3")
        rubbed, thinner, strokes = saved(3)
        assert len(strokes) == 2
        assert thinner.sum() < page.sum()
        viewer.press("z")
        again, page_again, _ = saved(4)
        assert np.array_equal(again, drawn)
        assert np.array_equal(page_again, page)
        viewer.press("ctrl+z")
        back, _, strokes = saved(5)
        assert np.array_equal(back, empty)
        assert strokes == []
        assert not np.array_equal(rubbed, back)
        viewer.leave()
    finally:
        viewer.kill()


def test_the_title_bar_follows(program: Program) -> None:
    program.press("a", "b")
    wait_until(lambda: program.xdotool("getwindowname", program.window).strip() == "stand-in 2")
    program.end()


def close_button(screen: str, window: int) -> None:
    """What a window manager sends when its close button is pressed: WM_DELETE_WINDOW."""

    class Message(ctypes.Structure):
        _fields_ = (
            ("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int),
            ("display", ctypes.c_void_p), ("window", ctypes.c_ulong), ("message_type", ctypes.c_ulong),
            ("format", ctypes.c_int), ("data", ctypes.c_long * 5), ("pad", ctypes.c_long * 12),
        )  # fmt: skip

    x = ctypes.CDLL("libX11.so.6")
    x.XOpenDisplay.restype = ctypes.c_void_p
    x.XInternAtom.restype = ctypes.c_ulong
    display = ctypes.c_void_p(x.XOpenDisplay(screen.encode()))
    atoms = [x.XInternAtom(display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")]
    message = Message(type=33, window=window, message_type=atoms[0], format=32)
    message.data[0] = atoms[1]
    x.XSendEvent(display, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(message))
    x.XSync(display, 0)
    x.XCloseDisplay(display)


def test_the_close_button_quits_and_no_window_comes_back(program: Program, screen: str) -> None:
    close_button(screen, int(program.window))
    assert program.output()[0].startswith("QUIT")
    assert program.process.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["ESC", "close button"])
def test_the_application_with_a_slow_model(screen: str, generator_path: Path, tmp_path: Path, ending: str) -> None:
    """100 presses at gaps of 5 ms while every run takes half a second; then it ends within a second."""
    arguments = ["grid", generator_path, "--rows", "2", "--cols", "3", "--out", tmp_path]
    viewer = Application(screen, "tiny", *arguments, heard=tmp_path / "heard.txt", change=SLOW_APPLICATION)
    try:
        viewer.press(*["Right"] * 41, *["x"] * 30, *["minus"] * 8, *["i"] * 20, "s", gap_ms=5)
        saved = tmp_path / "tiny-0001.png"
        wait_until(saved.exists, saved)
        recipe = read_recipe(saved)
        shown = recipe["image"], recipe["seed"], recipe["mode"], recipe["truncation"]
        assert shown == (41 % 3, 30 + 19, "grid interpolation", 0.2)
        viewer.press("x")
        started = time.monotonic()
        if ending == "ESC":
            viewer.xdotool("key", "Escape")
        else:
            close_button(screen, int(viewer.window))
        output, _ = viewer.process.communicate(timeout=10)
        assert time.monotonic() - started < 1.0
        assert (viewer.process.returncode, output) == (0, "")
    finally:
        viewer.kill()


@pytest.mark.slow
def test_an_idle_window_costs_little(program: Program) -> None:
    time.sleep(4)
    program.press("Escape")
    assert float(program.output()[-1].split()[-1]) < 0.05


@pytest.mark.parametrize("display", ["", ":9876", "nowhere.invalid:0", "rubbish"])
def test_no_screen_is_one_line_and_never_an_abort(display: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, "0"],
        cwd=ROOT,
        env=os.environ | {"DISPLAY": display},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: DISPLAY is ")
    assert len(ended.stderr.splitlines()) == 1


def test_a_desktop_that_asks_for_another_platform_is_no_abort(screen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "wayland")
    assert Program(screen).end() == []


def test_without_the_key_queue_the_modifiers_are_still_asked_for(screen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", screen)
    connection = XKeys()
    capitals = []
    for word in ("keydown", "keyup"):
        subprocess.run(["xdotool", word, "Shift_L"], env=os.environ | {"DISPLAY": screen}, check=True)
        capitals.append(connection.capitals())
    connection.close()
    assert capitals == [True, False]
