"""A run in words: how far it is, how long it will take, and what a user should know about."""

import math
import time
from typing import Final

import numpy as np

from trainer.contract.text import ago
from viewer.frame.charts import short
from viewer.modes.watch.run import RunView

_RECENT: Final = 20  # rows of the log that the speed is computed from
_QUIET_SECONDS: Final = 120.0  # without a new row, after which a training is said to be quiet,
_QUIET_ROWS: Final = 10  # and so many times longer than rows are apart


def progress(run: RunView) -> tuple[int, int, float]:
    """Step, images seen, and seconds of training, by the newest row."""
    train = run.tables["train"]
    if not train.count:
        return (run.sheets[-1], run.times[-1], 0.0) if run.sheets else (0, 0, 0.0)
    seconds = float(train.column("seconds")[-1]) if "seconds" in train.names else 0.0
    return int(train.steps[-1]), int(train.images[-1]), seconds if math.isfinite(seconds) else 0.0


def pace(run: RunView) -> tuple[float, float]:
    """Seconds a step, and images a second, of the last rows; 0 where they are not known."""
    train = run.tables["train"]
    if train.count < 2 or "seconds" not in train.names:
        return 0.0, 0.0
    last = slice(max(train.count - _RECENT, 0), None)
    steps, images, seconds = (
        np.ptp(values) for values in (train.steps[last], train.images[last], train.column("seconds")[last])
    )
    if not (np.isfinite(seconds) and seconds > 0 and steps > 0):
        return 0.0, 0.0
    return float(seconds / steps), float(images / seconds)


def done(run: RunView) -> float | None:
    """The finished fraction; ``None`` where the plan is not known."""
    step, _, seconds = progress(run)
    return None if run.plan is None else run.plan.done(step, seconds)


def state_of(run: RunView) -> str:
    """In a word."""
    if run.training:
        return "training"
    fraction = done(run)
    return "" if fraction is None else "finished" if fraction >= 1 else "stopped"


def score_of(run: RunView) -> tuple[float, float, int] | None:
    """The last held-out score, the best one, and the step of the best; ``None`` where there is none."""
    held_out = run.tables["held_out"]
    scores = held_out.column("score") if "score" in held_out.names else np.empty(0)
    finite = np.flatnonzero(np.isfinite(scores))
    if not finite.size:
        return None
    best = int(finite[np.argmin(scores[finite])])
    return float(scores[finite[-1]]), float(scores[best]), int(held_out.steps[best])


def facts(run: RunView, now: float | None = None) -> tuple[str, ...]:
    """What is to say of a run, most needed first. ``now``: seconds of the clock."""
    now = time.time() if now is None else now
    step, images, seconds = progress(run)
    step_seconds, speed = pace(run)
    fraction, plan = done(run), run.plan
    words = [run.name, state_of(run)]
    if fraction is not None:
        words.append(f"{math.floor(100 * fraction)} %")
    if run.training and plan is not None and step_seconds:
        words.append(f"{clock(plan.left(step, seconds, step_seconds))} left")
    words.append(f"step {step:,}" + (f" of {plan.steps:,}" if plan is not None and not plan.minutes else ""))
    score = score_of(run)
    if score is not None:
        last, best, at = score
        words.append(f"score {last:.4g}" + (", the best" if last <= best else f" (best {best:.4g} at step {at:,})"))
    if run.training and speed:
        words.append(f"{short(speed)} images/s")
    if run.checkpoint is not None:
        words.append(f"checkpoint {ago(max(now - run.checkpoint_at, 0.0))} ago")
    words += [plan.model] if plan is not None and plan.model not in run.name else []
    words += [f"{images:,} images", *([f"{clock(seconds)} of training"] if seconds else [])]
    if plan is not None and plan.resumes:
        words.append(f"resumed {plan.resumes} time{'s' * (plan.resumes > 1)}")
    return tuple(filter(None, words))


def warnings(run: RunView, now: float | None = None) -> tuple[str, ...]:
    """What may be wrong with a run."""
    now = time.time() if now is None else now
    said = []
    if not run.there:
        said.append("its folder is gone; this is what was there")
    if run.read < 1:
        said.append(f"{run.read:.0%} of its log is read")
    train = run.tables["train"]
    quiet = now - run.written_at if run.written_at else 0.0
    if run.training and train.count > 1 and "seconds" in train.names:
        apart = np.diff(train.column("seconds")[-_RECENT:])
        apart = apart[np.isfinite(apart)]
        if quiet > max(_QUIET_SECONDS, _QUIET_ROWS * float(np.median(apart)) if apart.size else 0.0):
            said.append(f"nothing in its log for {ago(quiet)}")
    broken = [name for name in train.names if train.count and np.isinf(train.column(name)[-1])]
    broken += [
        name for name in train.names
        if name.startswith("loss/") and train.count and np.isnan(train.column(name)[-1]) and name not in broken
    ]  # fmt: skip
    said += [f"{broken[0]} is no longer a finite number"] if broken else []
    if run.damaged:
        said.append(f"{run.damaged} damaged checkpoint{'s' * (run.damaged > 1)} set aside")
    if run.training and run.checkpoint is None and progress(run)[2] > 600:
        said.append("no checkpoint yet")
    if run.unreadable:
        said.append(f"{run.unreadable} line{'s' * (run.unreadable > 1)} of its log cannot be read")
    if run.plan is None and run.there:
        said.append("its config.json cannot be read: how far it is to go is not known")
    return tuple(said)


def clock(seconds: float) -> str:
    """A length of time: 0:42, 13:05, 5:02:11, 3 d 4 h."""
    whole = round(min(seconds, 1e9))
    if whole >= 2 * 86400:
        return f"{whole // 86400} d {whole % 86400 // 3600} h"
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
