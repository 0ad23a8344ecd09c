"""What the folder of a run tells, read without disturbing the training in it: nothing is locked, nothing is written.

Files may be missing, half copied, or vanish between two looks at them.
"""

import contextlib
import json
import math
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

CONFIG: Final = "config.json"
LOG: Final = "log.jsonl"
LOCK: Final = "lock"  # held by the process that trains
SAMPLES: Final = "samples"  # folder of sheets
CHECKPOINTS: Final = "checkpoints"
CHECKPOINT: Final = re.compile(r"step_(\d{8,18})")
DAMAGED: Final = "damaged_"  # what a damaged one is called once a run has gone on from an older one
RECENT_SECONDS: Final = 300.0  # where locks cannot be seen: a log written to since then is that of a run that trains
SHARED: Final = ("nfs", "lustre", "gpfs", "beegfs", "ceph", "cifs", "smb", "9p", "fuse", "gluster", "pvfs", "afs")
_SHEET: Final = re.compile(r"step_(\d{8,18})\.png")
_MOST_STEPS: Final = 10**15  # that are taken at their word, so that all arithmetic with them is possible
_MOST_FOLDERS: Final = 5000  # that are looked into for runs
_MOST_BYTES: Final = 1 << 24  # of a config.json


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run is to do, from its config.json."""

    model: str  # family: vae, dcgan, ...
    data: str  # as --data named it
    steps: int  # at most
    minutes: float = 0.0  # of training; 0: as long as the steps take
    least_steps: int = 0  # with minutes
    batch: int = 0  # images of a step, over all processes; 0: not said
    resumes: int = 0  # how often it was begun anew, the first time not counted
    options: Mapping[str, Any] = field(default_factory=dict)  # of the training, by name

    def done(self, step: int, seconds: float) -> float:
        """The finished fraction of the run, 0..1."""
        done = step / max(self.steps, 1)
        if self.minutes:
            by_steps = step / self.least_steps if self.least_steps else 1.0
            done = max(done, min(seconds / 60 / self.minutes, by_steps))
        return min(done, 1.0)

    def left(self, step: int, seconds: float, step_seconds: float) -> float:
        """Seconds to the end at this pace, as the trainer computes them."""
        by_steps = max(self.steps - step, 0) * step_seconds
        if not self.minutes:
            return by_steps
        least = max((self.least_steps - step) * step_seconds, 0.0)
        return min(by_steps, max(self.minutes * 60 - seconds, least, 0.0))


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a training: by its config.json, which other programs have as well."""
    try:
        values = _config_of(folder)
        return isinstance(values, dict) and "family" in values and isinstance(values.get("config"), dict)
    except (OSError, ValueError, RecursionError):
        return False


def _config_of(run: Path) -> Any:
    """What is in config.json; one that is too long for a run's is cut. Raises ``OSError``, ``ValueError``,
    ``RecursionError``."""
    path = run / CONFIG
    if not path.is_file():  # to open a pipe would wait for someone to write
        raise FileNotFoundError
    with path.open("rb") as file:
        return json.loads(file.read(_MOST_BYTES))


def read_plan(run: Path) -> Plan | None:
    """The plan of a run; ``None`` where its config.json is missing, or not that of a run."""
    try:
        values = _config_of(run)
        config, family = values["config"], str(values["family"])
        resumes = values.get("resumes")
        resumes = resumes if isinstance(resumes, list) else []
        return Plan(
            model=family.split(":", maxsplit=1)[0].rpartition(".")[2],
            data=str(config["data"]),
            steps=min(int(config["steps"]), _MOST_STEPS),
            minutes=_finite(config.get("minutes", 0)),
            least_steps=min(int(config.get("min_steps", 0)), _MOST_STEPS),
            batch=_batch(config, resumes),
            resumes=max(len(resumes) - 1, 0),
            options=dict(config),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None


def _finite(value: Any) -> float:
    found = float(value)
    if not math.isfinite(found):
        raise ValueError
    return found


def _batch(config: dict[str, Any], resumes: list[Any]) -> int:
    """Images of a step; 0 where the file does not say."""
    with contextlib.suppress(TypeError, ValueError, KeyError, AttributeError, OverflowError):
        processes = resumes[-1].get("world_size", 1) if resumes else 1
        batch = int(config["batch_size"]) * int(config.get("accumulate", 1)) * int(processes)
        return min(max(batch, 0), _MOST_STEPS)
    return 0


def runs_below(folder: Path) -> Iterator[Path]:
    """Folders with a config.json, not those within a run; so many folders are looked into at most."""
    for parent, folders, names in islice(os.walk(folder), _MOST_FOLDERS):
        if CONFIG in names:
            folders.clear()
            yield Path(parent)
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def checkpoints(run: Path) -> list[Path]:
    """All checkpoints of a run by step, oldest first, intact or not. Raises ``OSError`` where there may be some that
    cannot be seen."""
    try:
        return sorted((path for path in (run / CHECKPOINTS).iterdir() if CHECKPOINT.fullmatch(path.name)), key=step_of)
    except FileNotFoundError:
        return []


def step_of(path: Path) -> int:
    """The step of a checkpoint, from its name."""
    return int(path.name.removeprefix("step_"))


def sheet_steps(run: Path) -> tuple[int, ...]:
    """The steps whose sheets of samples are there, in order."""
    with contextlib.suppress(OSError), os.scandir(run / SAMPLES) as entries:
        return tuple(sorted(int(match[1]) for entry in entries if (match := _SHEET.fullmatch(entry.name))))
    return ()


def sheet_path(run: Path, step: int) -> Path:
    """Where the sheet of a step lies."""
    return run / SAMPLES / f"step_{step:08d}.png"


def is_training(run: Path) -> bool:
    """Whether a process trains there now. Asks without taking the lock, which a training that begins would miss. Where
    locks of other machines cannot be seen, a log that was written to minutes ago tells it."""
    with contextlib.suppress(OSError):
        if sys.platform == "linux":
            inode = (run / LOCK).stat().st_ino
            locks = Path("/proc/locks").read_text().splitlines()
            if any("FLOCK" in line and f":{inode} " in line for line in locks):
                return True
            if not is_shared(run, Path("/proc/self/mountinfo").read_text()):
                return False
        return time.time() - (run / LOG).stat().st_mtime < RECENT_SECONDS
    return False


def is_shared(folder: Path, mounts: str) -> bool:
    """Whether a folder may be on a file system of several machines. ``mounts``: Linux's mountinfo."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    kinds = [line.partition(" - ")[2] for line in mounts.splitlines() if line.split()[2] == number]
    return any(kind.startswith(SHARED) for kind in kinds)
