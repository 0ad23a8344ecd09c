"""Runs as a person starts them, and what they leave."""

import json
import os
import subprocess
import sys
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


def train(*options: Any, ranks: int = 1, model: str = "vae", **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        train_command(*options, ranks=ranks, model=model),
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def log_rows(run: Path, kind: str = "train") -> list[dict[str, Any]]:
    """Rows of log.jsonl without what depends on the clock."""
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    clock = {"seconds", "images_per_second"}
    return [{key: row[key] for key in row if key not in clock} for row in rows if row["kind"] == kind]
