"""What version 0.1 wrote still opens, and its command lines still work: files of ``tests/fixtures/v0_1``, whose
MANIFEST.md has the command that made each."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("accelerate", reason="needs the train extra")
from launch_words import split

from export.__main__ import _parser as export_parser
from export.__main__ import main as export
from trainer.command_line import parse
from trainer.data.__main__ import main as data
from trainer.data.sources import need_source
from trainer.data.tools import load_tool
from trainer.evaluation.options import EvaluateConfig
from trainer.families import load_family
from trainer.family import Family
from trainer.runs.store import restore
from viewer.__main__ import _parse as parse_viewer
from viewer.files.png import read_recipe
from viewer.modes import mode_names

ROOT = Path(__file__).resolve().parents[1]
OLD = ROOT / "tests" / "fixtures" / "v0_1"
RECORDED = json.loads((OLD / "command_lines.json").read_text("utf-8"))
RUNS = sorted(path.name for path in (OLD / "runs").iterdir())
EXPORTED = ("vae",)  # in the fast set; what is restored of the others is as any networks of their families
SAVED = sorted(path.relative_to(OLD).as_posix() for path in (OLD / "saved").rglob("*.png"))


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the files, which is the working folder."""
    shutil.copytree(OLD, tmp_path / "old")
    monkeypatch.chdir(tmp_path / "old")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    return tmp_path / "old"


def ended(main: Callable[[list[str]], Any], *words: object) -> int:
    """The exit code of a command, run in this process."""
    try:
        return int(main([str(word) for word in words]) or 0)
    except SystemExit as ending:
        return int(ending.code or 0)


def family_of(script: str) -> type[Family]:
    return load_family(Path(script).stem.removeprefix("train_"))


def test_there_are_files_of_every_kind() -> None:
    assert {"vae", "wgan_gp", "ddpm", "pix2pix"} <= set(RUNS)
    assert len(SAVED) > 20
    assert len(RECORDED["commands"]) > 100


@pytest.mark.parametrize("command", RECORDED["commands"], ids=lambda command: command[:100])
def test_every_recorded_command_is_still_understood(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(command, comments=True)
    if "accelerate" in words:
        _, _, script, flags = split(words)
        parse(EvaluateConfig if script.endswith("evaluate.py") else family_of(script).Config, flags, "")
    elif words[:3] == ["python", "-m", "viewer"]:
        parse_viewer(words[3:], "viewer")
    elif words[:3] == ["python", "-m", "export"]:
        export_parser("export").parse_args(words[3:])
    else:
        assert words[:3] == ["python", "-m", "trainer.data"]
        load_tool(words[3])


@pytest.mark.parametrize("name", [name for name in RECORDED["flags"] if " -m " in name])
def test_every_recorded_flag_is_still_there(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, _, package, *words = name.split()
    main = {"viewer": lambda words: parse_viewer(words, "viewer"), "trainer.data": data, "export": export}[package]
    assert ended(main, *words, "--help") == 0
    found = set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", capsys.readouterr().out))
    assert set(RECORDED["flags"][name]) <= found


@pytest.mark.parametrize("run", RUNS)
def test_a_run_is_restored(run: str, old: Path) -> None:
    restored = restore(old / "runs" / run, "best")
    assert restored.state.step > 0
    assert restored.family.exports(restored.nets, restored.state.description)


@pytest.mark.parametrize("run", [run if run in EXPORTED else pytest.param(run, marks=pytest.mark.slow) for run in RUNS])
def test_a_run_exports(run: str, old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = ended(export, old / "runs" / run, "-o", old / "new.onnx")
    assert code == 0, capsys.readouterr().err
    assert (old / "new.onnx").is_file()


@pytest.mark.parametrize("name", SAVED)
def test_a_saved_image_says_what_it_was_made_of(name: str) -> None:
    recipe = read_recipe(OLD / name)
    assert "picture" not in recipe
    assert recipe["mode"].split()[0] in mode_names() or recipe["mode"].startswith("draw")


@pytest.mark.parametrize("name", [f"saved/{folder}/{model}-000{number}.png" for folder, model in (
    ("grid", "vae"), ("animate", "vae"), ("latent", "vae"), ("diffuse", "ddpm")) for number in (1, 2)])  # fmt: skip
def test_a_saved_image_is_replayed(name: str, old: Path) -> None:
    """The same pixels as it has: an image is saved anew from where it leads."""
    recipe = read_recipe(old / name)
    mode = recipe["mode"].split()[0]
    whole = "image" not in recipe and mode != "latent"
    keys = "S,esc" if whole or "latents" in recipe else "s,esc"
    words = [mode, f"models/{recipe['file']}", "--from", name, "--display", "none", "--threads", "1", "--out", "anew"]
    command = [sys.executable, "-m", "viewer", *words, "--keys", keys]
    done = subprocess.run(
        command, check=False, cwd=old, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (anew,) = (old / "anew").glob("*.png")
    assert np.array_equal(cv2.imread(str(anew)), cv2.imread(str(old / name)))


def test_sets_lists_and_shards_open(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted((old / "sets").glob("*.npy")):
        assert ended(data, "info", path) == 0
    assert ended(data, "select", "sets/classes.npy", "--drop", "sets/classes.npy.marks.txt", "-o", "anew.npy") == 0
    assert np.array_equal(np.load("anew.npy"), np.load("sets/clean.npy"))
    assert ended(data, "info", "shards/cats-{000..001}.tar") == 0
    shards = need_source("shards/cats-{000..001}.tar").open()
    index = json.loads(Path("shards/cats.index.json").read_text("utf-8"))
    assert sum(len(images) for images, _ in shards.pieces()) == index["pictures"] > 0
