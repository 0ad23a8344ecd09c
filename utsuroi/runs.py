"""The runs below a folder, as a table: what each trains, how far it is, and whether it trains now. No torch."""

import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainer import checkpoint
from trainer.contract.errors import UserError
from trainer.contract.text import printable

RECENT_SECONDS = 300.0  # where locks cannot be seen: a log written to since then is that of a run that trains
SHARED = ("nfs", "lustre", "gpfs", "beegfs", "ceph", "cifs", "smb", "9p", "fuse", "gluster", "pvfs", "afs")
TAIL_BYTES = 1 << 16  # of a log: its last rows
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
                name = printable(run / "config.json")
                print(f"warning: {name}: not the config.json of a run; the run is left out", file=sys.stderr)
    if not found:
        names = ", ".join(map(str, folders))
        raise UserError(f"{names}: no run in or below it, expected folders with a config.json that a training wrote")
    return sorted(found.values(), key=lambda row: row.run)


def runs_below(folder: Path) -> Iterator[Path]:
    """Folders with a config.json, not those within a run."""
    if (folder / "config.json").is_file():
        yield folder
        return
    with contextlib.suppress(OSError):
        for child in sorted(folder.iterdir()):
            if child.is_dir() and not child.is_symlink() and not child.name.startswith("."):
                yield from runs_below(child)


def read_run(run: Path) -> RunRow | None:
    """One run; ``None`` where its config.json is not that of a run."""
    try:
        values = json.loads((run / "config.json").read_bytes())
        config, family = values["config"], str(values["family"])
        model, data = family.split(":", maxsplit=1)[0].rpartition(".")[2], str(config["data"])
        steps = int(config["steps"])
        minutes, least = float(config.get("minutes", 0)), int(config.get("min_steps", 0))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
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
        reached = max(reached, logged(run))
    step, images, seconds = reached
    done = step / max(steps, 1)
    if minutes:
        done = max(done, min(seconds / 60 / minutes, step / least if least else 1.0))
    return RunRow(
        run=run.as_posix(),
        model=model,
        data=data,
        step=step,
        steps=steps,
        done=min(done, 1.0),
        images=images,
        minutes=seconds / 60,
        score=None if best is None else checkpoint.score_of(best),
        checkpoint_age=age,
        state="training" if training else "finished" if done >= 1 else "stopped",
        size=size_of(run),
    )


def logged(run: Path) -> tuple[int, int, float]:
    """Step, images seen and seconds in the last row of the log; zeros where there is none."""
    with contextlib.suppress(OSError), (run / "log.jsonl").open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
        for line in reversed(file.read().splitlines()):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                row = json.loads(line)
                return int(row["step"]), int(row["images_seen"]), float(row["seconds"])
    return 0, 0, 0.0


def size_of(run: Path) -> int:
    """Bytes of all files of a run. A run that trains removes some of them meanwhile."""
    total = 0
    for folder, _, names in os.walk(run):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(folder) / name).lstat().st_size
    return total


def is_training(run: Path) -> bool:
    """Whether a process trains there now. Asks without taking the lock, which a training that begins would miss. Where
    locks of other machines cannot be seen, a log that was written to minutes ago tells it."""
    with contextlib.suppress(OSError):
        if sys.platform == "linux":
            inode = (run / "lock").stat().st_ino
            locks = Path("/proc/locks").read_text().splitlines()
            if any("FLOCK" in line and f":{inode} " in line for line in locks):
                return True
            if not is_shared(run, Path("/proc/self/mountinfo").read_text()):
                return False
        return time.time() - (run / "log.jsonl").stat().st_mtime < RECENT_SECONDS
    return False


def is_shared(folder: Path, mounts: str) -> bool:
    """Whether a folder may be on a file system of several machines. ``mounts``: Linux's mountinfo."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    kinds = [line.partition(" - ")[2] for line in mounts.splitlines() if line.split()[2] == number]
    return any(kind.startswith(SHARED) for kind in kinds)


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


def ago(seconds: float) -> str:
    """A length of time in its largest unit: 40 s, 3 min, 5 h, 2 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def in_bytes(size: int) -> str:
    """A number of bytes in decimal units."""
    amount: Any = size
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} TB"
