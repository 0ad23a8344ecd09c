"""The runs below a folder, as a table: what each trains, how far it is, and whether it trains now. No torch."""

import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
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
# Options that say nothing of what a run learns: where it lies, how its options were named, what it computes on.
_PLACE = frozenset(
    ("data", "out", "preset", "config", "force", "save_every", "save_minutes", "sample_every", "score_seconds",
     "log_every", "keep", "workers", "memory", "threads", "device", "processes", "compile")
)  # fmt: skip
_WIDEST = 100  # of a row's options, in letters
COMPARE = "note: scores compare runs of one model on the same images only: models measure different things"


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
    options: Mapping[str, Any]  # of the training, by name


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
        options=plan.options,
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
    """In the order of one of ``SORTS``: names ascending, the newest checkpoints first, runs that train before others;
    of figures, the largest first. Scores compare within a model: its runs are together, the best first."""
    if by == "state":
        return sorted(rows, key=lambda row: STATES.index(row.state))
    if by in ("name", "model", "data"):
        return sorted(rows, key=lambda row: str(getattr(row, "run" if by == "name" else by)))
    if by == "score":
        return sorted(rows, key=lambda row: (row.model, _known(row.score)))
    if by == "age":
        return sorted(rows, key=lambda row: _known(row.checkpoint_age))
    return sorted(rows, key=lambda row: -float(getattr(row, by)))


def _known(value: float | None) -> float:
    """For sorting: unknown ones come last."""
    return math.inf if value is None else value


def compares(rows: Sequence[RunRow]) -> bool:
    """Whether all scores of some runs measure the same: no two models have any."""
    return len({row.model for row in rows if row.score is not None}) < 2


def differing(rows: Sequence[RunRow]) -> list[dict[str, Any]]:
    """Of each run, the options in which runs of its model differ. One that a run of an older version does not have is
    left out there."""
    names: dict[str, list[str]] = {}
    for model in {row.model for row in rows}:
        runs = [row.options for row in rows if row.model == model]
        known = dict.fromkeys(name for options in runs for name in options if name not in _PLACE)
        values = {name: {json.dumps(one[name]) for one in runs if name in one} for name in known}
        names[model] = [name for name in known if len(values[name]) > 1]
    return [{name: row.options[name] for name in names[row.model] if name in row.options} for row in rows]


def in_flags(options: Mapping[str, Any]) -> str:
    """Options as on a command line, cut where there are many."""
    words = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        words += [f"--{flag if value else f'no-{flag}'}"] if isinstance(value, bool) else [f"--{flag} {value}"]
    return printable(" ".join(words), _WIDEST)


def as_json(rows: Sequence[RunRow]) -> str:
    """The rows as a JSON array of objects, with the names of the fields of ``RunRow``."""
    return json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False)


def as_table(rows: Sequence[RunRow]) -> str:
    """The rows as text in columns; the last one has the options that differ, where any do."""
    others = differing(rows)
    head = ["run", "model", "data", "state", "done", "step", "images", "minutes", "best score", "checkpoint", "size"]
    right = {*head[4:]}
    cells = [[*head, "options"]] + [
        [
            printable(row.run), row.model, printable(row.data, 40), row.state, f"{math.floor(100 * row.done)} %",
            f"{row.step:,}", f"{row.images:,}", f"{row.minutes:.1f}", "-" if row.score is None else f"{row.score:.4g}",
            "none" if row.checkpoint_age is None else f"{ago(row.checkpoint_age)} ago", in_bytes(row.size),
            in_flags(options),
        ]
        for row, options in zip(rows, others, strict=True)
    ]  # fmt: skip
    if not any(others):
        cells = [line[:-1] for line in cells]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if name in right else cell.ljust(width)
            for name, cell, width in zip(cells[0], line, widths, strict=True)
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
