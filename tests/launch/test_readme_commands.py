"""Every command of the README, as written but tiny, in order, in one folder, and then all of them once more."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("accelerate", reason="needs the train extra")
pytest.importorskip("onnxscript", reason="needs the export extra")

ROOT = Path(__file__).resolve().parents[2]
INSTALLS = ("git clone ", "pip install ", "uv ", "pipx ", "python3 -m venv ", ". ", "source ")  # done already
TINY = {  # what makes a command small, by how it begins
    "python3 launch/demo.py": "--no-setup --display none --train-seconds 1",
    "python3 launch/test.py": "--no-setup --version",
    "python -m viewer info": "",
    "python -m viewer": "--display none",
    "python -m trainer.data": "",
    "python -m export": "",
    "accelerate launch": "--steps 2 --batch-size 2",
}
MORE = {  # what keeps a model small
    "train_hpf.py": "--width 16",
    "train_vaegan.py": "--image-size 32",
    "train_srgan.py": "--blocks 1 --features 8",
}


def readme_commands() -> list[str]:
    """The lines of code blocks, and the commands in the table of models."""
    found = []
    inside = False
    for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            inside = not inside
        elif inside and line and not line.startswith("#"):
            found.append(line)
        elif line.startswith("|"):
            found += re.findall(r"`(accelerate launch [^`]*)`", line)
    return [command for command in found if not command.startswith(INSTALLS)]


def tiny(command: str) -> str:
    start = next(start for start in TINY if command.startswith(start))
    more = " ".join(flags for script, flags in MORE.items() if script in command)
    return f"{command} {TINY[start]} {more}".strip()


def draw_sets(folder: Path) -> None:
    """The images that a reader of the README has."""
    noise = np.random.default_rng(0)
    for name, endings in (("photos", ("jpg",)), ("faces", ("png",)), ("animals", ("jpg", "png"))):
        (folder / name).mkdir()
        for number in range(24):
            image = cv2.resize(noise.integers(0, 256, (8, 8, 3), np.uint8), (160, 144 + number))
            assert cv2.imwrite(str(folder / name / f"{number}.{endings[number % len(endings)]}"), image)
    (folder / "mnist").mkdir()
    digits, numbers = noise.integers(0, 256, (40, 28, 28), np.uint8), (np.arange(40) % 10).astype(np.uint8)
    for name, values in (("images-idx3", digits), ("labels-idx1", numbers)):
        head = bytes((0, 0, 8, values.ndim)) + np.array(values.shape, ">u4").tobytes()
        (folder / "mnist" / f"train-{name}-ubyte").write_bytes(head + values.tobytes())


@pytest.mark.slow
def test_the_commands_of_the_readme_run_in_order_and_then_once_more(tmp_path: Path) -> None:
    commands = readme_commands()
    assert {start for start in TINY for command in commands if command.startswith(start)} == TINY.keys()
    scripts = {script for command in commands for script in re.findall(r"trainer/(train_\w+\.py)", command)}
    assert scripts == {path.name for path in (ROOT / "trainer").glob("train_*.py")} - {"train_classifier.py"}
    for folder in ("trainer", "export", "viewer", "utsuroi", "launch"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    draw_sets(tmp_path)
    shell = {name: value for name, value in os.environ.items() if not name.startswith("ACCELERATE_")} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(tmp_path), "VIRTUAL_ENV": sys.prefix, "ACCELERATE_USE_CPU": "true",
    }  # fmt: skip
    failed = []
    for time in ("first", "second"):
        for command in commands:
            ended = subprocess.run(
                ["bash", "-c", tiny(command)], cwd=tmp_path, env=shell, stdin=subprocess.DEVNULL, capture_output=True,
                text=True, check=False, timeout=600,
            )  # fmt: skip
            if ended.returncode != 0:
                said = (ended.stdout + ended.stderr)[-2000:]
                failed.append(f"the {time} time, {command}: {ended.returncode}\n{said}")
    assert not failed, "\n\n".join(failed)
