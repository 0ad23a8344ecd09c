"""The diffuse mode in a window, with a network that takes half a second a run."""

import re
import shutil
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_denoisers import known_images, make_denoiser
from waiting import wait_until
from windows import Application

from viewer.files.png import read_recipe

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not sys.platform.startswith("linux") or not (shutil.which("Xvfb") and shutil.which("xdotool")),
        reason="needs Xvfb and xdotool",
    ),
]

ROOT = Path(__file__).parents[4]
SLOW_APPLICATION = """
import time
import numpy as np
from viewer.model import Model
denoise, busy = Model.denoise, np.random.default_rng(0).normal(size=(1000, 1000))
def denoise_slowly(self, *arguments):
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        busy @ busy  # native code that cannot be broken off
    return denoise(self, *arguments)
Model.denoise = denoise_slowly
"""


def test_every_key_counts_while_images_are_under_way_and_esc_is_heard(screen: str, tmp_path: Path) -> None:
    path = make_denoiser(tmp_path / "point.onnx")
    arguments = ["diffuse", path, "--rows", "1", "--cols", "3", "--steps", "3", "--out", tmp_path]
    viewer = Application(screen, "point", *arguments, heard=tmp_path / "heard.txt", change=SLOW_APPLICATION)
    try:
        viewer.press(*["x"] * 30, *["Right"] * 4, "plus", "plus", "minus", "i", gap_ms=10)
        working = re.compile(r"point - step [1-4] of 5, \d s left - interpolation - seed 30 - ddim 5 steps")
        wait_until(lambda: working.fullmatch(viewer.xdotool("getwindowname", viewer.window).strip()))
        viewer.press("s")
        saved = tmp_path / "point-0001.png"
        wait_until(saved.exists, saved)
        recipe = read_recipe(saved)
        found = recipe["image"], recipe["seed"], recipe["steps"], recipe["interpolated"]
        assert found == (1, 30, 5, True)
        levels = np.rint(known_images()[0] * 127.5 + 127.5).transpose(1, 2, 0)[..., ::-1]
        assert np.abs(cv2.imread(str(saved)) - levels).max() <= 1
        viewer.press("r")
        wait_until(lambda: "step" in viewer.xdotool("getwindowname", viewer.window))
        started = time.monotonic()
        viewer.xdotool("key", "Escape")
        output, _ = viewer.process.communicate(timeout=10)
        assert time.monotonic() - started < 1.0
        assert (viewer.process.returncode, output) == (0, "")
    finally:
        viewer.kill()
