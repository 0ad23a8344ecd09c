"""Every ``accelerate launch`` that is written down: the launcher and the trainer understand all of it, and it starts as
many ranks as it asks for, or ends with an error."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("accelerate", reason="needs the train extra")
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from launch_words import split

from trainer.command_line import parse
from trainer.evaluation.options import EvaluateConfig
from trainer.families import load_family

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [
    ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "launch").rglob("*.yaml")),
    *sorted((ROOT / "launch").rglob("*.py")), *sorted((ROOT / "trainer").rglob("*.py")),
]  # fmt: skip
LAUNCH = "accelerate launch "
GPUS = 8  # of the machine that commands for many of them are written for


def commands() -> list[Any]:
    """Each command once, in words, without what stands for something else."""
    found: dict[str, str] = {}
    for path in TEXTS:
        text = re.sub(r"\s*\\\n[#\s]*", " ", path.read_text(encoding="utf-8"))  # continued lines
        for name, value in re.findall(r"^([A-Z]+)=[\"'](.*)[\"']$", text, re.MULTILINE):
            text = text.replace(f"${name} ", f"{value} ")
        for before, rest in re.findall(rf"((?:[A-Z_]+=\w+ )?){LAUNCH}([^`\"\n]*\.py[^`\"\n]*)", text):
            if not re.search(r"[…<{]", rest):
                found.setdefault(f"{before}{LAUNCH}{rest.split(' # ')[0].strip()}", path.relative_to(ROOT).as_posix())
    return [pytest.param(shlex.split(command), id=f"{path}: {command}"[:120]) for command, path in found.items()]


COMMANDS = commands()


def launchers() -> list[Any]:
    """One command of each way to launch on one machine."""
    found = {}
    for given in COMMANDS:
        variables, launcher, _, _ = split(given.values[0])
        if "--machine_rank" not in launcher:
            found.setdefault(shlex.join([*(f"{k}={v}" for k, v in variables.items()), *launcher]) or "plain", given)
    return [pytest.param(*given.values, id=name) for name, given in found.items()]


def test_commands_were_found() -> None:
    scripts = {split(given.values[0])[2] for given in COMMANDS}
    assert scripts == {f"trainer/{path.name}" for path in (ROOT / "trainer").glob("train_*.py")} | {
        "trainer/evaluate.py"
    }
    files = {Path(word).name for given in COMMANDS for word in given.values[0] if word.endswith(".yaml")}
    assert files == {path.name for path in (ROOT / "launch" / "accelerate").glob("*.yaml")}


@pytest.mark.parametrize("words", COMMANDS)
def test_launcher_and_trainer_understand_it(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    _, launcher, script, flags = split(words)
    told = launch_command_parser().parse_args([*launcher, script, *flags])
    monkeypatch.setattr(sys, "argv", ["accelerate-launch"])
    told, *_ = _validate_launch_command(told)
    assert told.training_script == script
    assert told.training_script_args == flags
    name = Path(script).stem
    if name == "evaluate":
        config: Any = parse(EvaluateConfig, flags, "")
    else:
        config = parse(load_family(name.removeprefix("train_")).Config, flags, "")
    if "--config_file" in launcher or "--num_processes" in launcher:
        assert config.processes in (0, told.num_processes)
    if told.num_processes > 1:
        assert config.processes == told.num_processes  # the trainer notices when fewer come
    assert told.num_processes % told.num_machines == 0


@pytest.mark.slow
@pytest.mark.parametrize("words", launchers())
def test_it_starts_the_ranks_that_it_asks_for_or_fails(words: list[str], tmp_path: Path) -> None:
    import torch

    variables, launcher, script, flags = split(words)
    script = "trainer/train_ddpm.py" if "fsdp" in " ".join(launcher) else script
    asked = 1
    if "--processes" in flags:
        asked = 2  # as good as eight to see whether ranks come
        launcher = [*launcher, "--num_processes", "2"]
    tiny = ["--out", str(tmp_path / "run"), "--steps", "2", "--image-size", "32", "--batch-size", "8", "--width", "16",
            "--threads", "1", "--processes", str(asked)]  # fmt: skip
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ACCELERATE_")}
    done = subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", "--main_process_port", "0", *launcher, script, *tiny],
        env={**plain, "PYTHONPATH": str(ROOT), **variables},
        cwd=ROOT, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    for_gpus = asked > 1 and "ACCELERATE_USE_CPU" not in variables
    if for_gpus and torch.cuda.device_count() < asked:
        assert done.returncode != 0
        assert not (tmp_path / "run" / "config.json").exists()
        return
    assert done.returncode == 0, done.stderr  # the trainer fails where ranks end with other weights
    (start,) = json.loads((tmp_path / "run" / "config.json").read_text())["resumes"]
    assert start["world_size"] == asked
