"""The demo, end to end, in a copy of the checkout."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the export extra")
pytest.importorskip("onnxscript", reason="needs the export extra")
import cv2

ROOT = Path(__file__).resolve().parents[2]


def demo(checkout: Path, cwd: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the copy's demo with this interpreter, as in an active environment, from another folder."""
    return subprocess.run(
        [sys.executable, str(checkout / "launch" / "demo.py"), "--no-setup", "--display", "none", *arguments],
        cwd=cwd,
        env={**os.environ, "VIRTUAL_ENV": sys.prefix},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    copy = tmp_path / "checkout"
    for folder in ("trainer", "export", "viewer", "launch"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_a_senseless_time_is_one_line(checkout: Path, tmp_path: Path) -> None:
    done = demo(checkout, tmp_path, "--train-seconds", "0")
    assert (done.returncode, done.stderr) == (2, "error: --train-seconds is 0.0, expected more than 0\n")


def test_a_model_of_ones_own_is_not_replaced(checkout: Path, tmp_path: Path) -> None:
    (checkout / "cats.onnx").write_bytes(b"mine")
    done = demo(checkout, tmp_path, "--fresh")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "move it away" in done.stderr
    assert (checkout / "cats.onnx").read_bytes() == b"mine"


@pytest.mark.slow
def test_from_nothing_to_images_and_again_without_training(checkout: Path, tmp_path: Path) -> None:
    first = demo(checkout, tmp_path, "--train-seconds", "2")
    assert first.returncode == 0, first.stderr
    assert (checkout / "cats.encoder.onnx").is_file()
    image = cv2.imread(str(checkout / "cats.png"))
    assert image is not None
    assert image.std() > 5  # something is on it
    assert (checkout / "cats.gif").read_bytes().startswith(b"GIF89a")
    config = checkout / "runs" / "demo" / "training" / "config.json"
    assert len(json.loads(config.read_text())["resumes"]) == 1
    rows = (checkout / "runs" / "demo" / "training" / "log.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["step"] >= 400, "whatever the clock says, the cats are cats"

    (checkout / "cats.png").unlink()
    second = demo(checkout, tmp_path, "--train-seconds", "2")
    assert second.returncode == 0, second.stderr
    assert "Train" not in second.stdout
    assert (checkout / "cats.png").is_file()
    assert len(json.loads(config.read_text())["resumes"]) == 1
