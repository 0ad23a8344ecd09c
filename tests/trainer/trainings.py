"""Trainings that are broken on purpose: how they are asked for, and what must hold whatever happened."""

import os
from pathlib import Path
from typing import Any

from commands import run_training

from trainer import checkpoint

NET = ("--batch-size", 4, "--hidden-size", 8, "--latent-size", 3, "--hold-out", 5, "--log-every", 1)


def many(name: str, few: int) -> int:
    """How often to break something: a few times, or as often as an environment variable says."""
    return int(os.environ.get(name, few))


def training(run: Path, *options: Any, model: str = "vae", ranks: int = 1, **more: Any) -> dict[str, Any]:
    """A command for ``run_trainings``."""
    arguments = ["--out", str(run), *map(str, options)]
    return {"model": model, "arguments": arguments, "ranks": ranks, "run": str(run), **more}


def run_trainings(commands: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All of them, one after another; how each ended."""
    return [run_training(command) for command in commands]


def error_lines(ending: dict[str, Any], rank: int = 0) -> list[str]:
    """What was said on standard error, without the progress bar."""
    lines = ending["errors"][rank].replace("\r", "\n").splitlines()
    return [line for line in lines if line.startswith(("error:", "Traceback"))]


def weights(run: Path) -> dict[str, bytes]:
    """Every tensor and optimiser state of the newest checkpoint, as bytes."""
    path, complaints = checkpoint.newest_intact(run)
    assert path is not None
    assert not complaints
    return {name: (path / name).read_bytes() for name in checkpoint.FILES if name != checkpoint.STATE}
