"""The runs below a folder, as a table: what each trains, how far it is, and whether it trains now. No torch."""

import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainer import checkpoint
from trainer.contract.errors import UserError
from trainer.contract.run_folder import CONFIG, LOG, is_training, read_plan, runs_below
from trainer.contract.run_log import last_row
from trainer.contract.text import ago, printable

SORTS = ("name", "model", "data", "images", "minutes", "score", "age", "state", "size")
STATES = ("training", "stopped", "finished")


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """One run. Fields that its folder does not tell are ``None``."""

    run: str  # folder
    model: str  # family: vae, dcgan, ...
    data: str  # as --data named it
    step: int  # at the last checkpoint, as are images and minutes; of a run that trains, in the last row of its log
    steps: int  # that it is to make at most
    done: float  # fraction, 0..1: of --minutes and its least steps, or of the steps
    images: int  # seen over all processes
    minutes: float  # of training
    score: float | None  # best held-out score of the checkpoints that are kept; lower is better
    checkpoint_age: float | None  # seconds since the last checkpoint; without one, the run begins anew
    state: str  # one of STATES
    size: int  # bytes on disk


def find_runs(folders: Sequence[Path]) -> list[RunRow]:
    """Every run in and below some folders, by name; those that cannot be read are named on stderr. Raises ``UserError``
    where a folder is missing, or none holds a run."""
    found: dict[Path, RunRow] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder}: there is no such folder, expected one that holds runs")
        for run in runs_below(folder):
            row = read_run(run)
            if row is not None:
                found.setdefault(run.resolve(), row)
            elif (run / checkpoint.FOLDER).is_dir():
                name = printable(run / CONFIG)
                print(f"warning: {name}: not the config.json of a run; the run is left out", file=sys.stderr)
    if not found:
        names = ", ".join(map(str, folders))
        raise UserError(f"{names}: no run in or below it, expected folders with a config.json that a training wrote")
    return sorted(found.values(), key=lambda row: row.run)


def read_run(run: Path) -> RunRow | None:
    """One run; ``None`` where its config.json is not that of a run."""
    plan = read_plan(run)
    if plan is None:
        return None
    kept = checkpoint.checkpoints(run)
    state = None
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, UserError):
        state = checkpoint.read_state(kept[-1]) if kept else None
    best = checkpoint.best_of(kept)
    age = None
    with contextlib.suppress(OSError, IndexError):
        age = max(time.time() - (kept[-1] / checkpoint.STATE).stat().st_mtime, 0.0)
    reached = (0, 0, 0.0) if state is None else (state.step, state.images_seen, state.seconds)
    training = is_training(run)
    if training:
        last = last_row(run / LOG)
        reached = max(
            reached, (int(last["step"]), int(last["images_seen"]), float(last["seconds"])) if last else reached
        )
    step, images, seconds = reached
    done = plan.done(step, seconds)
    return RunRow(
        run=run.as_posix(),
        model=plan.model,
        data=plan.data,
        step=step,
        steps=plan.steps,
        done=done,
        images=images,
        minutes=seconds / 60,
        score=None if best is None else checkpoint.score_of(best),
        checkpoint_age=age,
        state="training" if training else "finished" if done >= 1 else "stopped",
        size=size_of(run),
    )


def size_of(run: Path) -> int:
    """Bytes of all files of a run. A run that trains removes some of them meanwhile."""
    total = 0
    for folder, _, names in os.walk(run):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(folder) / name).lstat().st_size
    return total


def sort_runs(rows: Sequence[RunRow], by: str) -> list[RunRow]:
    """In the order of one of ``SORTS``: names ascending, the best scores and the newest checkpoints first, runs that
    train before others; of figures, the largest first."""
    if by == "state":
        return sorted(rows, key=lambda row: STATES.index(row.state))
    if by in ("name", "model", "data"):
        return sorted(rows, key=lambda row: str(getattr(row, "run" if by == "name" else by)))
    if by in ("score", "age"):  # unknown ones come last
        name = "checkpoint_age" if by == "age" else by
        return sorted(rows, key=lambda row: float("inf") if getattr(row, name) is None else getattr(row, name))
    return sorted(rows, key=lambda row: -float(getattr(row, by)))


def as_json(rows: Sequence[RunRow]) -> str:
    """The rows as a JSON array of objects, with the names of the fields of ``RunRow``."""
    return json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False)


def as_table(rows: Sequence[RunRow]) -> str:
    """The rows as text in columns."""
    head = ("run", "model", "data", "state", "done", "step", "images", "minutes", "best score", "checkpoint", "size")
    cells = [head] + [
        (
            printable(row.run), row.model, printable(row.data, 40), row.state, f"{math.floor(100 * row.done)} %",
            f"{row.step:,}", f"{row.images:,}", f"{row.minutes:.1f}", "-" if row.score is None else f"{row.score:.4g}",
            "none" if row.checkpoint_age is None else f"{ago(row.checkpoint_age)} ago", in_bytes(row.size),
        )
        for row in rows
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = set(head[4:])
    return "\n".join(
        "  ".join(
            cell.rjust(width) if name in right else cell.ljust(width)
            for name, cell, width in zip(head, line, widths, strict=True)
        ).rstrip()
        for line in cells
    )


def in_bytes(size: int) -> str:
    """A number of bytes in decimal units."""
    amount: Any = size
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} TB"
