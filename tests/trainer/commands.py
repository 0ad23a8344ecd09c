"""Runs as a person starts them, and what they leave."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TWO_RANKS = (
    "--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
)  # fmt: skip


def environment(**more: str) -> dict[str, str]:
    """The environment of a person's shell, on CPU, with one thread a process so that tests can share the machine."""
    keep = {key: value for key, value in os.environ.items() if not key.startswith("ACCELERATE_")}
    return {**keep, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true", **more}


def train_command(*options: Any, ranks: int = 1, model: str = "vae") -> list[str]:
    script = [str(ROOT / "trainer" / f"train_{model}.py"), *map(str, options)]
    if ranks == 1:
        return [sys.executable, *script]
    launcher = [sys.executable, "-m", "accelerate.commands.launch", *TWO_RANKS]
    return [*launcher, "--main_process_port", "0", *script]


@functools.cache
def forks() -> subprocess.Popen[str]:
    """The process that forks for every training; it ends with this one, which holds its input."""
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("run_trainings.py"))],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run_training(command: dict[str, Any]) -> dict[str, Any]:
    """One command of ``run_trainings.py``; how it ended."""
    server = forks()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(command) + "\n")
    server.stdin.flush()
    line = server.stdout.readline()
    assert line, f"the process that forks ended with {server.wait()}"
    ending: dict[str, Any] = json.loads(line)
    return ending


def train(*options: Any, ranks: int = 1, model: str = "vae", **more: Any) -> subprocess.CompletedProcess[str]:
    """A training to its end; one without a launcher is forked from a process that has torch already."""
    if ranks == 1:
        arguments = list(map(str, options))
        command = {"model": model, "arguments": arguments, "run": arguments[arguments.index("--out") + 1]}
        place = {"environment": environment(**more), "folder": str(Path.cwd()), "seconds": 300}
        ending = run_training({**command, **place})
        return subprocess.CompletedProcess(arguments, ending["codes"][0], ending["out"], ending["errors"][0])
    return subprocess.run(
        train_command(*options, ranks=ranks, model=model),
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def run_tools(commands: Sequence[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Commands of ``run_tools.py``, run in a folder; how each ended."""
    ended = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("run_tools.py"))],
        input=json.dumps(commands).encode(),
        capture_output=True,
        check=True,
        cwd=folder,
        env=environment(),
    )
    endings: list[dict[str, Any]] = json.loads(ended.stdout)
    return endings


def log_rows(run: Path, kind: str = "train") -> list[dict[str, Any]]:
    """Rows of log.jsonl without what depends on the clock."""
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    clock = {"seconds", "images_per_second"}
    return [{key: row[key] for key in row if key not in clock} for row in rows if row["kind"] == kind]
