"""Random keys in every mode, in a window and recorded: no exception, no growth, every save whole.

``SOAK_SECONDS=1800 pytest tests/viewer/test_soak.py -m slow -s`` does it for half an hour.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from small_denoisers import make_denoiser
from small_models import make_detail, make_encoder, make_generator, make_translator, photo_like

from viewer.files.png import read_recipe

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is asked of Linux's /proc"),
]
ROOT = Path(__file__).parents[2]
SCREEN = "1280x1024"
SOAK = Path(__file__).with_name("soak.py")
SECONDS = float(os.environ.get("SOAK_SECONDS", "20"))  # of all modes together
MOST_GROWTH_MB = 5.0 if SECONDS >= 600 else 60.0  # a second of warm-up fills no cache
SCREENS = ("window", "none")


def _grid(folder: Path) -> list[str]:
    samples = tuple((0.1 * number, 0.5, -0.5, 0.2) for number in range(5))
    make_generator(folder / "g.onnx", labels=3, classes=("a", "b", "c"), sample_latents=samples)
    return ["grid", "g.onnx"]


def _hpf(folder: Path) -> list[str]:
    make_generator(folder / "g.onnx")
    make_detail(folder / "d.onnx")
    return ["hpf", "g.onnx", "d.onnx"]


def _animate(folder: Path) -> list[str]:
    make_generator(folder / "g.onnx", labels=3)
    return ["animate", "g.onnx", "--rows", "2", "--cols", "2", "--frames", "1000000"]


def _latent(folder: Path) -> list[str]:
    make_generator(folder / "g.onnx", size=3)
    make_encoder(folder / "g.encoder.onnx", size=3)
    (folder / "set").mkdir()
    for number in range(30):
        cv2.imwrite(str(folder / "set" / f"{number}.png"), photo_like(16, 16, number))
    return ["latent", "g.onnx", "--data", "set"]


def _photos(folder: Path) -> list[str]:
    for number, (height, width) in enumerate(((40, 60), (64, 48), (33, 47))):
        cv2.imwrite(str(folder / f"photo-{number}.png"), photo_like(height, width, number))
    return [f"photo-{number}.png" for number in range(3)]


def _translate(folder: Path) -> list[str]:
    condition = {"kind": "edges", "sigma": 0.33, "blur": 3, "size": [48, 64]}
    make_translator(folder / "t.onnx", multiple=8, latent=3, condition=condition)
    return ["translate", "t.onnx", *_photos(folder)]


def _draw(folder: Path) -> list[str]:
    palette = [[10, 20, 30], [255, 0, 0], [0, 255, 0]]
    make_translator(folder / "t.onnx", latent=3, condition={"kind": "given", "size": [32, 32], "palette": palette})
    return ["translate", "t.onnx", "--draw"]


def _upscale(folder: Path) -> list[str]:
    make_translator(folder / "u.onnx", scale=2, context=4)
    return ["upscale", "u.onnx", *_photos(folder), "--tile", "32"]


def _diffuse(folder: Path) -> list[str]:
    make_denoiser(folder / "n.onnx", spread=0.3, classes=("a", "b"))
    return ["diffuse", "n.onnx", "--steps", "5", "--rows", "2", "--cols", "2"]


def _diffuse_after(folder: Path) -> list[str]:
    make_denoiser(folder / "n.onnx", spread=0.3)
    make_generator(folder / "g.onnx")
    return ["diffuse", "n.onnx", "--init", "g.onnx", "--steps", "4", "--rows", "2", "--cols", "2"]


MODES: dict[str, Callable[[Path], list[str]]] = {
    "grid": _grid,
    "hpf": _hpf,
    "animate": _animate,
    "latent": _latent,
    "translate": _translate,
    "draw": _draw,
    "upscale": _upscale,
    "diffuse": _diffuse,
    "diffuse --init": _diffuse_after,
}


@pytest.mark.parametrize("where", SCREENS)
@pytest.mark.parametrize("mode", MODES)
def test_anything_may_be_pressed(mode: str, where: str, tmp_path: Path, screen: str) -> None:
    words = MODES[mode](tmp_path)
    seconds = SECONDS / len(MODES) / len(SCREENS)
    record = tmp_path / ("film.mp4" if seconds > 5 or where == "window" else "film.gif")
    out = tmp_path / "saved"
    command = [sys.executable, str(SOAK), str(seconds), str(len(mode)), *words, "--display", where, "--out", str(out)]
    environment = os.environ | {"DISPLAY": screen, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, "--record", str(record), "--threads", "1"], cwd=tmp_path, env=environment,
                          capture_output=True, text=True, check=False, timeout=seconds * 3 + 400)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    counts = json.loads(done.stdout.splitlines()[-1])
    print(f"{mode} ({where}): {counts}")
    assert counts["events"] >= 100
    assert counts["frames"] > 1
    assert counts["memory"] > 0  # it ran to the end that was meant
    assert counts["grown"] < MOST_GROWTH_MB
    saved = sorted(out.glob("*")) if out.exists() else []
    assert not counts["saves"] or saved
    for path in saved:
        assert path.suffix == ".png", path  # nothing half written is left
        assert cv2.imread(str(path)) is not None
        if not path.stem.endswith("drawing"):
            assert read_recipe(path)["sha256"]
    film = cv2.VideoCapture(str(record))
    assert film.read()[0]
    film.release()
