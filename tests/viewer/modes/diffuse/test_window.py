"""The diffuse mode in a window, with a network that takes half a second a run."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_denoisers import known_images, make_denoiser

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
import sys, time
import numpy as np
from viewer.__main__ import main
from viewer.model import Model
denoise, busy = Model.denoise, np.random.default_rng(0).normal(size=(1000, 1000))
def denoise_slowly(self, *arguments):
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        busy @ busy  # native code that cannot be broken off
    return denoise(self, *arguments)
Model.denoise = denoise_slowly
sys.exit(main(sys.argv[1:]))
"""


def test_every_key_counts_while_images_are_under_way_and_esc_is_heard(screen: str, tmp_path: Path) -> None:
    path = make_denoiser(tmp_path / "point.onnx")
    environment = os.environ | {"DISPLAY": screen}
    arguments = [
        "diffuse",
        path,
        "--display",
        "window",
        "--rows",
        "1",
        "--cols",
        "3",
        "--steps",
        "3",
        "--out",
        tmp_path,
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_APPLICATION, *map(str, arguments)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip

    def xdotool(*words: str) -> str:
        return subprocess.run(["xdotool", *words], env=environment, check=True, capture_output=True, text=True).stdout

    try:
        window = xdotool("search", "--sync", "--onlyvisible", "--name", "^point - ").split()[0]
        xdotool("windowfocus", "--sync", window)
        time.sleep(0.5)
        xdotool("key", "--delay", "10", *["x"] * 30, *["Right"] * 4, "plus", "plus", "minus", "i")
        title, until = "", time.monotonic() + 20
        while not re.fullmatch(r"point - step [1-4] of 5, \d s left - interpolation - seed 30 - ddim 5 steps", title):
            assert time.monotonic() < until, title
            title = xdotool("getwindowname", window).strip()
            time.sleep(0.05)
        xdotool("key", "s")
        saved = tmp_path / "point-0001.png"
        while not saved.exists():
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(0.2)
        recipe = read_recipe(saved)
        found = recipe["image"], recipe["seed"], recipe["steps"], recipe["interpolated"]
        assert found == (1, 30, 5, True)
        levels = np.rint(known_images()[0] * 127.5 + 127.5).transpose(1, 2, 0)[..., ::-1]
        assert np.abs(cv2.imread(str(saved)) - levels).max() <= 1
        xdotool("key", "r")
        time.sleep(0.7)
        started = time.monotonic()
        xdotool("key", "Escape")
        output, _ = process.communicate(timeout=10)
        assert time.monotonic() - started < 1.0
        assert (process.returncode, output) == (0, "")
    finally:
        process.kill()
        process.communicate()
