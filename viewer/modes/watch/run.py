"""What the files of a run say: read again and again by a thread of its own, and given out as views that do not change.

Nothing is locked or written, and only what is new is read. What cannot be read now may be there the next time.
"""

import contextlib
import time
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from trainer.contract.run_folder import (
    CHECKPOINT,
    CHECKPOINTS,
    DAMAGED,
    LOG,
    Plan,
    is_training,
    read_plan,
    sheet_steps,
    step_of,
)
from trainer.contract.run_log import MOST_IMAGES, RunLog, Table

_LOOK_SECONDS: Final = 2.0  # between looks at what changes seldom: folders, the lock


@dataclass(frozen=True, eq=False)
class RunView:
    """A run as it was when it was looked at."""

    name: str
    path: Path
    plan: Plan | None = None
    tables: Mapping[str, Table] = field(default_factory=lambda: {"train": Table(), "held_out": Table()})
    sheets: tuple[int, ...] = ()  # their steps, in order
    times: tuple[int, ...] = ()  # images seen at each
    checkpoint: int | None = None  # step of the newest
    checkpoint_at: float = 0.0  # when it was written, in seconds of the clock
    damaged: int = 0  # checkpoints that were set aside
    training: bool = False
    written_at: float = 0.0  # when the log was, in seconds of the clock; 0: there is none
    unreadable: int = 0  # lines of the log
    read: float = 1.0  # fraction of the log, 0..1
    there: bool = True  # whether the folder is

    @property
    def span(self) -> int:
        """Images seen by the end of it."""
        images = self.tables["train"].images
        return max(int(images[-1]) if images.size else 0, *self.times[-1:], 0)

    def sheet_at(self, images: int) -> int | None:
        """The step of the newest sheet at so many images seen; ``None`` where there is none yet."""
        place = bisect_right(self.times, images)
        return self.sheets[place - 1] if place else None


class RunReader:
    """Reads one run. Of one thread alone."""

    def __init__(self, path: Path, name: str) -> None:
        self._log = RunLog(path / LOG)
        self._glance: RunLog | None = RunLog.glance(path / LOG)
        self._looked_at = -_LOOK_SECONDS
        self._signs: object = None  # of what the view was made from
        self.view = RunView(name, path)

    @property
    def behind(self) -> bool:
        """Whether some of the log is known to be unread."""
        return self._glance is not None

    def read(self, seconds: float) -> bool:
        """Read what is new, for about so long. Returns whether there is a new ``view``."""
        until = time.monotonic() + seconds
        while (more := self._log.read()) and time.monotonic() < until:
            pass
        if not more:
            self._glance = None  # all has been read
        view = self.view
        if time.monotonic() - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = time.monotonic()
            view = self._look(view)
        return self._update(view)

    def _look(self, view: RunView) -> RunView:
        path = view.path
        there = path.is_dir()
        checkpoint, checkpoint_at, damaged = None, 0.0, 0
        with contextlib.suppress(OSError):
            names = [one.name for one in (path / CHECKPOINTS).iterdir()]
            kept = [path / CHECKPOINTS / name for name in names if CHECKPOINT.fullmatch(name)]
            damaged = sum(name.startswith(DAMAGED) for name in names)
            if kept:
                newest = max(kept, key=step_of)
                checkpoint, checkpoint_at = step_of(newest), newest.stat().st_mtime
        written_at = view.written_at
        with contextlib.suppress(OSError):
            written_at = (path / LOG).stat().st_mtime
        return RunView(
            view.name, path, read_plan(path) or view.plan, view.tables,
            (sheet_steps(path) or view.sheets) if there else view.sheets, view.times,
            checkpoint if there else view.checkpoint, checkpoint_at if there else view.checkpoint_at,
            damaged, is_training(path), written_at, view.unreadable, view.read, there,
        )  # fmt: skip

    def _update(self, view: RunView) -> bool:
        """Make a view of what is known, where that is new."""
        log = self._glance or self._log
        signs = (
            log is self._log, self._log.offset, self._log.rows, self._log.unreadable, view.plan, view.sheets,
            view.checkpoint, view.checkpoint_at, view.damaged, view.training, view.there,
        )  # fmt: skip
        if signs == self._signs:
            return False
        self._signs = signs
        tables = {kind: table.snapshot() for kind, table in log.tables.items()}
        fraction = min(self._log.offset / max(self._log.size, 1), 1.0) if self.behind else 1.0
        self.view = RunView(
            view.name, view.path, view.plan, tables, view.sheets, times_of(view.sheets, tables["train"], view.plan),
            view.checkpoint, view.checkpoint_at, view.damaged, view.training, view.written_at,
            self._log.unreadable, fraction, view.there,
        )  # fmt: skip
        return True


def times_of(steps: tuple[int, ...], train: Table, plan: Plan | None) -> tuple[int, ...]:
    """Images seen at these steps: by the log, in proportion between its rows and after them; by the size of a batch
    where there is no row yet."""
    if not train.count:
        batch = (plan.batch if plan is not None else 0) or 1
        return tuple(min(step * batch, int(MOST_IMAGES)) for step in steps)
    last, batch = train.steps[-1], train.images[-1] / max(train.steps[-1], 1.0)
    found = np.interp(steps, np.append(0.0, train.steps), np.append(0.0, train.images))
    wanted = np.asarray(steps, np.float64)
    images = np.where(wanted > last, wanted * batch, found)
    whole = np.round(np.minimum(images, MOST_IMAGES)).astype(np.int64)
    return tuple(np.maximum.accumulate(whole).tolist())
