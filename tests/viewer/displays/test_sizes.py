"""Windows on screens of several sizes and scales: all of it on the screen, large where that is, and clicks that hit."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from waiting import wait_until
from windows import Application, running_screen

from viewer.displays.window import Size, room_on, scale_of_qt
from viewer.labels import PAPER
from viewer.room import Room, strip_height
from viewer.sheet import Sheet

HAVE_X = bool(sys.platform.startswith("linux") and shutil.which("Xvfb") and shutil.which("xdotool"))
needs_x = pytest.mark.skipif(not HAVE_X, reason="needs Xvfb and xdotool")
SCREENS = {"1280x800": (1280, 800), "1920x1080": (1920, 1080), "3840x2160": (3840, 2160)}
SCALES: dict[str, dict[str, str]] = {
    "1": {},
    "1.5": {"QT_SCALE_FACTOR": "1.5"},
    "2": {"QT_SCALE_FACTOR": "2"},
    "screen 1.5": {"QT_SCREEN_SCALE_FACTORS": "screen=1.5"},
    "auto 2": {"QT_AUTO_SCREEN_SCALE_FACTOR": "1"},
}
SAY_SHEET = """
import json
from viewer.sessions.session import Session
fit = Session.fit
def fit_and_say(self, room):
    fit(self, room)
    sheet = self.state.sheet
    numbers = sheet.rows, sheet.columns, sheet.cell_width, sheet.cell_height, sheet.gap
    with open(os.environ["HEARD"] + ".sheet", "a") as file:
        print(json.dumps((room.width, room.height, room.text, *numbers)), file=file)
Session.fit = fit_and_say
"""


class Viewer(Application):
    """A grid in a window, whose sheet is known."""

    def __init__(self, screen: str, model: Path, folder: Path) -> None:
        self._said = folder / "heard.txt.sheet"
        words = "grid", model, "--out", folder
        super().__init__(screen, model.stem, *words, heard=folder / "heard.txt", change=SAY_SHEET)

    def geometry(self) -> tuple[int, int, int, int]:
        """Left, top, width and height of the window on the screen, in pixels."""
        said = dict(re.findall(r"(\w+)=(-?\d+)", self.xdotool("getwindowgeometry", "--shell", self.window)))
        return int(said["X"]), int(said["Y"]), int(said["WIDTH"]), int(said["HEIGHT"])

    def sheet(self) -> tuple[Room, Sheet]:
        """The room that there is, and the sheet in it."""
        width, height, text, *numbers = json.loads(self._said.read_text().rpartition("\n")[0].splitlines()[-1])
        return Room(width, height, text), Sheet(*numbers)

    def resize(self, width: int, height: int) -> None:
        """Give the window another size, as a user does."""
        self.xdotool("windowsize", self.window, str(width), str(height))

        def followed() -> bool:
            room = self.sheet()[0]
            return Size(room.width, room.height).near(Size(width, height))

        wait_until(followed, self.sheet)

    def image(self) -> np.ndarray:
        """What the window shows."""
        command = ["import", "-window", self.window, "png:-"]
        shot = subprocess.run(command, env=self.environment, capture_output=True, check=True)
        return cv2.imdecode(np.frombuffer(shot.stdout, np.uint8), cv2.IMREAD_COLOR)

    def click(self, x: int, y: int) -> tuple[int, int]:
        """Click a pixel of the window; the pixel of the frame that the viewer got."""
        self.do("mousemove", "--window", self.window, str(x), str(y), "click", "1")
        clicks = [line.split()[1:] for line in self.events() if line.startswith("CLICK")]
        return int(clicks[-1][0]), int(clicks[-1][1])

    def check_clicks(self, count: int, seed: int) -> None:
        """Click so many images, anywhere but on their edges, and see that the right one is hit."""
        generator = np.random.default_rng(seed)
        room, sheet = self.sheet()
        window = self.geometry()[2:]
        left, top = (window[0] - sheet.width) // 2, (window[1] - sheet.height - strip_height(room.text)) // 2
        for _ in range(count):
            wanted = int(generator.integers(sheet.count))
            across, down = generator.uniform(0.1, 0.9, 2)
            x, y = sheet.corner(wanted)
            place = left + x + int(across * sheet.cell_width), top + y + int(down * sheet.cell_height)
            assert sheet.cell_at(*self.click(*place)) == wanted


@needs_x
@pytest.mark.slow
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("size", SCREENS)
def test_windows_fit_screens_and_clicks_hit(
    size: str, scale: str, generator_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SCALES[scale].items():
        monkeypatch.setenv(name, value)
    width, height = SCREENS[size]
    with running_screen(f"{size}x24", "-dpi", "192" if scale == "auto 2" else "96") as screen:
        viewer = Viewer(screen, generator_path, tmp_path)
        try:
            left, top, wide, high = viewer.geometry()
            assert left >= 0
            assert top >= 0
            assert left + wide <= width
            assert top + high <= height
            assert high > 0.7 * height
            viewer.check_clicks(20, seed=1)
            viewer.resize(width // 2, height // 2)
            viewer.check_clicks(20, seed=2)
            viewer.leave()
        finally:
            viewer.kill()


@needs_x
@pytest.mark.slow
def test_two_hundred_clicks_while_the_window_changes(generator_path: Path, tmp_path: Path) -> None:
    with running_screen("1920x1080x24") as screen:
        viewer = Viewer(screen, generator_path, tmp_path)
        try:
            for number, (width, height) in enumerate([(1700, 400), (500, 900), (1233, 777), (1900, 1000)]):
                viewer.resize(width, height)
                viewer.check_clicks(50, seed=number)
            viewer.leave()
        finally:
            viewer.kill()


@needs_x
def test_a_resized_window_is_drawn_anew_with_dark_borders(generator_path: Path, tmp_path: Path) -> None:
    with running_screen("1920x1080x24") as screen:
        viewer = Viewer(screen, generator_path, tmp_path)

        def borders(along: int) -> bool:
            image = viewer.image().swapaxes(0, along)
            return bool((image[:3] == PAPER).all() and (image[-3:] == PAPER).all())

        try:
            for width, height in ((900, 300), (300, 700)):
                viewer.resize(width, height)
                room, sheet = viewer.sheet()
                frame = sheet.width, sheet.height + strip_height(room.text)
                assert max(frame[0] / width, frame[1] / height) > 0.8
                assert frame[0] <= width
                assert frame[1] <= height
                along = int(width - frame[0] > height - frame[1])
                wait_until(lambda: borders(along))  # noqa: B023
                viewer.check_clicks(2, seed=0)
            viewer.leave()
        finally:
            viewer.kill()


@pytest.mark.parametrize(
    ("size", "ratio", "text"),
    [
        (Size(1280, 800), 1.0, 1.0),
        (Size(1280, 800), 2.0, 2.0),
        (Size(1920, 1080), 1.0, 1.0),
        (Size(3840, 2160), 1.0, 2.25),
        (Size(7680, 2160), 1.0, 2.25),  # two screens side by side
        (Size(640, 480), 3.0, 1.8),
    ],
)
def test_the_room_of_a_new_window(size: Size, ratio: float, text: float) -> None:
    room = room_on(size, ratio)
    assert room.width <= min(0.9 * size.width, 2.4 * room.height + 1)
    assert room.height == round(0.9 * size.height)
    assert room.text == pytest.approx(text)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, 1.0),
        ({"QT_SCALE_FACTOR": "1.5"}, 1.5),
        ({"QT_SCALE_FACTOR": "2", "QT_SCREEN_SCALE_FACTORS": "HDMI-1=1.5;2"}, 3.0),
        ({"QT_SCALE_FACTOR": "large"}, 1.0),
        ({"QT_SCALE_FACTOR": "-1"}, 1.0),
        ({"QT_SCALE_FACTOR": "nan"}, 1.0),
        ({"QT_SCALE_FACTOR": "inf"}, 1.0),
    ],
)
def test_what_the_environment_says_of_the_scale(
    environment: dict[str, str], expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("QT_SCALE_FACTOR", "QT_SCREEN_SCALE_FACTORS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert scale_of_qt() == expected
