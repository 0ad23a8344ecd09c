"""The dataset and pick modes as people use them: in a window, in a terminal, and killed at any moment."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from waiting import wait_until
from windows import Application

from viewer.files.png import encode_png, read_recipe

ROOT = Path(__file__).parents[4]
SCREEN = "1280x900"
IMAGES = np.random.default_rng(0).integers(0, 256, (70, 16, 16, 3), np.uint8)
needs_screen = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not (shutil.which("Xvfb") and shutil.which("xdotool")),
    reason="needs Xvfb and xdotool",
)


def listed(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


@needs_screen
def test_marks_outlive_the_viewer_in_a_window(screen: str, tmp_path: Path) -> None:
    np.save(tmp_path / "set.npy", IMAGES)
    listing = tmp_path / "set.npy.marks.txt"
    arguments = ["dataset", tmp_path / "set.npy", "--out", tmp_path]
    viewer = Application(screen, "set.npy", *arguments, heard=tmp_path / "heard.txt")
    try:
        viewer.press("Right", "d", "Next", "d", "2", "1", "Return", "d")
        wait_until(lambda: listing.exists() and "21" in listed(listing), listing)
        viewer.kill()
        assert listed(listing) == ["1", "21", "65"]
    finally:
        viewer.kill()


@needs_screen
def test_a_click_and_a_cut_in_a_window(screen: str, tmp_path: Path) -> None:
    table = np.full((2 * 18 + 2, 3 * 18 + 2, 3), 22, np.uint8)
    for index in range(6):
        top, left = (2 + 18 * place for place in divmod(index, 3))
        table[top : top + 16, left : left + 16] = IMAGES[index]
    (tmp_path / "table.png").write_bytes(encode_png(table, {}))
    arguments = ["pick", tmp_path / "table.png", "--scale", "8", "--out", tmp_path]
    viewer = Application(screen, "table.png", *arguments, heard=tmp_path / "heard.txt")
    try:
        viewer.do(
            "mousemove", "--window", viewer.window, str(8 * (2 + 18 * 2 + 5)), str(8 * (2 + 18 + 5)), "click", "1"
        )
        viewer.press("plus", "s")
        wait_until((tmp_path / "table-0001.png").exists)
        viewer.leave()
    finally:
        viewer.kill()
    assert np.array_equal(cv2.imread(str(tmp_path / "table-0001.png")), IMAGES[5])
    assert read_recipe(tmp_path / "table-0001.png")["image"] == 5


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
@pytest.mark.parametrize("ending", ["escape", "kill"])
def test_marks_outlive_the_viewer_in_a_terminal(tmp_path: Path, ending: str) -> None:
    np.save(tmp_path / "set.npy", IMAGES)
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "viewer", "dataset", str(tmp_path / "set.npy"), "--display", "terminal"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    try:
        seen = b""

        def wait(text: bytes) -> None:
            nonlocal seen
            until = time.monotonic() + 240
            while text not in seen:
                assert time.monotonic() < until, seen[-300:]
                seen += os.read(ours, 65536)

        wait(b"image 0 of 0-69")
        os.write(ours, b"d\x1b[C\x1b[Cd")
        wait(b"2 marked")
        if ending == "kill":
            process.kill()
        else:
            os.write(ours, b"\x1b")
            wait(b"\x1b[?1049l")
        process.communicate(timeout=240)
        assert process.returncode == (0 if ending == "escape" else -9)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert listed(tmp_path / "set.npy.marks.txt") == ["0", "2"]
