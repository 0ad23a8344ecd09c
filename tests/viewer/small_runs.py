"""Run folders as trainings write them, small."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

BATCH = 32  # images of a step
EVERY = 5  # steps between rows of the log, and ten times as many between sheets


def row(step: int, kind: str = "train", **values: float) -> bytes:
    """A line of a log."""
    usual: dict[str, float] = {"score": 1 / (step + 1)} if kind == "held_out" else {
        "loss/vae/reconstruction": 100 / (step + 10), "loss/vae/divergence": step / 100, "rate/vae": 1e-3,
        "seconds": step * 0.1, "images_per_second": 320.0,
    }  # fmt: skip
    return json.dumps({"kind": kind, "step": step, "images_seen": step * BATCH, **(values or usual)}).encode() + b"\n"


def rows(steps: Iterable[int]) -> bytes:
    """Lines of a log; every tenth has a score."""
    return b"".join(row(step) + (row(step, "held_out") if step % (10 * EVERY) == 0 else b"") for step in steps)


def write_sheet(run: Path, step: int, side: int = 8, count: int = 4) -> Path:
    """A sheet of ``count`` x ``count`` images of one colour each, brighter with every step."""
    path = run / "samples" / f"step_{step:08d}.png"
    path.parent.mkdir(exist_ok=True)
    sheet = np.full((count * (side + 2) + 2,) * 2 + (3,), 255, np.uint8)
    for number in range(count * count):
        top, left = (2 + place * (side + 2) for place in divmod(number, count))
        sheet[top : top + side, left : left + side] = (step % 200, number * 255 // (count * count), 90)
    cv2.imwrite(str(path), sheet)
    return path


def make_run(folder: Path, steps: int = 200, made: int = 100, sheets: int = 3, **config: Any) -> Path:
    """A run that has made so many of its steps, with a row every five and a checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    options = {"data": "cats.npy", "steps": steps, "minutes": 0.0, "batch_size": BATCH, **config}
    values = {"family": "trainer.families.vae:VAE", "config": options, "spec": {}, "run_id": "0"}
    (folder / "config.json").write_text(json.dumps(values))
    (folder / "log.jsonl").write_bytes(rows(range(EVERY, made + 1, EVERY)))
    for number in range(sheets):
        write_sheet(folder, number * 10 * EVERY)
    (folder / "checkpoints" / f"step_{made:08d}").mkdir(parents=True, exist_ok=True)
    return folder
