"""What a training is doing: a bar in a terminal, lines elsewhere. A thread writes them, so that no wait is silent."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator

from tqdm import tqdm

from trainer.clock import time_done
from trainer.config import RunConfig
from trainer.contract.text import printable

QUIET_SECONDS = 4.0  # between lines, at most
REFRESH_SECONDS = 0.5  # between updates of bars
COUNT_SECONDS = 1.0  # between readings of the loss: each makes the host wait for an accelerator
RECENT = 20  # readings that the speed is computed from


class Stage:
    """Something that takes a while: its words, and how much of it is done."""

    def __init__(self, what: str, total: int, bar: "tqdm[None] | None") -> None:
        self.what, self.total, self.bar, self.done = what, total, bar, 0
        self.began = time.monotonic()

    def advance(self, count: int) -> None:
        self.done += count

    def __str__(self) -> str:
        done = f"{self.done:,} done, " if self.total else ""
        return f"{self.what}: {done}{time.monotonic() - self.began:.0f} s"


class Progress:
    """Progress of a run; says nothing where it is not to speak, as of all processes but the main one."""

    def __init__(self, speaks: bool) -> None:
        self.speaks, self.terminal = speaks, sys.stderr.isatty()
        self.stages: list[Stage] = []  # the innermost last
        self.bar: tqdm[None] | None = None
        self.lock = threading.RLock()
        self.closed = threading.Event()
        self.written = self.counted = time.monotonic()
        self.status, self.steps, self.step, self.begun_at, self.said_step = "", 0, 0, 0, -1
        self.readings: list[tuple[float, int, int]] = []  # seconds of training steps, images seen, step
        self.step_seconds = 0.0  # of the last steps
        if speaks:
            # a loader process must not inherit a lock that this thread holds
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(
                    before=self.lock.acquire, after_in_parent=self.lock.release, after_in_child=self.lock.release
                )
            threading.Thread(target=self.tick, daemon=True).start()

    def say(self, text: str) -> None:
        """A line of its own."""
        if self.speaks:
            with self.lock:
                tqdm.write(printable(text))
                sys.stdout.flush()
                self.written = time.monotonic()

    @contextlib.contextmanager
    def doing(self, what: str, total: int = 0, *, at_once: bool = False) -> Iterator[Stage]:
        """Say what the block does, where it takes a while, or ``at_once``. ``total``: of what it counts."""
        if not self.speaks:
            yield Stage(what, total, None)
            return
        bar = None
        if self.terminal:
            layout = None if total else "{desc}: {elapsed}"
            bar = tqdm(total=total, desc=printable(what), unit=" images", bar_format=layout, leave=False)
        elif at_once:
            self.say(what)
        stage = Stage(what, total, bar)
        with self.lock:
            self.stages.append(stage)
        try:
            yield stage
        finally:
            with self.lock:
                self.stages.remove(stage)
                if bar is not None:
                    bar.close()

    def begin(self, config: RunConfig, *, step: int, seconds: float) -> None:
        """Begin to train: at a step, after seconds of training before."""
        self.config, self.minutes, self.steps = config, config.minutes, config.steps
        self.step = self.begun_at = step
        self.seconds_before, self.began = seconds, time.monotonic()
        if self.speaks and self.terminal:
            layout = "{desc}{percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} {unit} [{elapsed}{postfix}]"
            self.bar = tqdm(
                total=self.minutes * 60 or self.steps, initial=self.done, unit="s" if self.minutes else "steps",
                bar_format=layout, dynamic_ncols=True, postfix=self.in_words(),
            )  # fmt: skip

    @property
    def elapsed(self) -> float:
        """Seconds since ``begin``."""
        return time.monotonic() - self.began

    @property
    def done(self) -> float:
        """Of the steps, or of the seconds of --minutes."""
        if not self.minutes:
            return self.step
        return self.minutes * 60 * time_done(self.config, self.seconds_before + self.elapsed, self.step)

    @property
    def left(self) -> float:
        """Seconds to the end, at the pace of the last steps."""
        by_steps = (self.steps - self.step) * self.step_seconds
        if not self.minutes:
            return by_steps
        by_clock = self.minutes * 60 - self.seconds_before - self.elapsed
        return min(by_steps, max(by_clock, (self.config.min_steps - self.step) * self.step_seconds, 0.0))

    def in_words(self) -> str:
        """Beside the bar: what it does not show."""
        step = f"step {self.step}, " if self.minutes else ""
        return f"{step}{self.status}, {tqdm.format_interval(self.left)} left" if self.readings else "the first step"

    def counts(self, step: int) -> bool:
        """Note a finished step. Returns whether it is time to ``count``: after the first step, and every second."""
        self.step = step
        return self.speaks and (not self.readings or time.monotonic() - self.counted >= COUNT_SECONDS)

    def count(self, loss: float, images: int, seconds: float) -> None:
        """Show a loss. ``images``: seen by all processes since ``begin``; ``seconds``: of training steps since then."""
        first = not self.readings
        self.counted = time.monotonic()
        since, before, step = self.readings[0] if len(self.readings) > 1 else (0.0, 0, self.begun_at)
        self.readings = [*self.readings[1 - RECENT :], (seconds, images, self.step)]
        pace = (images - before) / max(seconds - since, 1e-9)
        self.step_seconds = (seconds - since) / max(self.step - step, 1)
        self.status = f"loss {loss:.4g}, {pace:{',.0f' if pace >= 100 else '.3g'}} images/s"
        if first:
            self.show()

    def show(self) -> None:
        """Draw the bars, or write a line."""
        with self.lock:
            if self.terminal:
                if self.bar is not None:
                    self.bar.n = self.done
                    self.bar.set_postfix_str(printable(self.in_words()), refresh=False)
                    self.bar.refresh()
                for stage in self.stages:
                    if stage.bar is not None:
                        stage.bar.n = stage.done
                        stage.bar.refresh()
            elif self.stages:
                self.say(str(self.stages[-1]))
            elif self.steps:
                self.say(self.line())

    def line(self) -> str:
        """Where the run is, as a line of a log."""
        so_far, left = (tqdm.format_interval(value) for value in (self.elapsed, self.left))
        stuck, self.said_step = self.step == self.said_step, self.step
        if not self.readings or stuck:
            return f"step {self.step + 1} is being computed, {so_far} so far"
        percent = f"{self.done / (self.minutes * 60 or self.steps):.0%}"
        goal = f"({percent} of {self.minutes:g} min)" if self.minutes else f"of {self.steps} ({percent})"
        now = f"{time.strftime('%m-%d %H:%M:%S')} step {self.step} {goal}"
        return f"{now}, {self.status}, {so_far} so far, {left} left"

    def tick(self) -> None:
        """Body of the thread."""
        while not self.closed.wait(REFRESH_SECONDS):
            with self.lock:
                if self.closed.is_set():
                    return
                if self.terminal or time.monotonic() - self.written > QUIET_SECONDS - REFRESH_SECONDS:
                    self.show()

    def close(self) -> None:
        """Leave the terminal to others."""
        with self.lock:
            self.closed.set()
            if self.bar is not None:
                self.show()
                self.bar.close()
                self.bar = None
