"""What a training is doing: a bar in a terminal, lines elsewhere. A thread writes them, so that no wait is silent."""

import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import TextIO

from tqdm import tqdm

from trainer.clock import Clock
from trainer.contract.text import printable

QUIET_SECONDS = 4.0  # between lines, at most
REFRESH_SECONDS = 0.5  # between updates of bars
COUNT_SECONDS = 1.0  # between readings of the loss: each makes the host wait for an accelerator
RECENT = 20  # readings that the speed is computed from


class Progress:
    """Progress of a run; says nothing where it is not to speak, as of all processes but the main one. ``file``: for
    lines; by default standard output."""

    def __init__(self, speaks: bool, file: TextIO | None = None) -> None:
        self.file, self.speaks, self.draws = file, speaks, speaks and sys.stderr.isatty()
        self.stages: list[tuple[str, float, tqdm[None]]] = []  # what, since when, how much; the innermost last
        self.lock = lock = threading.RLock()
        self.closed = threading.Event()
        self.written = self.counted = time.monotonic()
        self.clock: Clock  # once training has begun, as there are readings
        self.status, self.step, self.said_step = "", 0, -1
        self.readings: deque[tuple[float, int, int]] = deque(maxlen=RECENT)  # seconds of steps, images seen, step
        self.step_seconds = 0.0  # of the last steps
        tqdm.monitor_interval = 0  # a loader process must not inherit a lock that another thread holds
        self.bar: tqdm[None] = tqdm(disable=True)
        if speaks:
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
            threading.Thread(target=self.tick, daemon=True).start()

    def say(self, text: str) -> None:
        """A line of its own."""
        if self.speaks:
            with self.lock:
                file = self.file or sys.stdout  # as it is now: the loop puts one there that outlives its reader
                tqdm.write(printable(text), file=file)
                file.flush()
                self.written = time.monotonic()

    @contextlib.contextmanager
    def doing(self, what: str, total: int = 0, *, at_once: bool = False) -> "Iterator[tqdm[None]]":
        """Say what the block does, where it takes a while, or ``at_once``. ``total``: of what it counts, in ``n`` of
        what this yields."""
        if at_once and not self.draws:
            self.say(what)
        layout = None if total else "{desc}: {elapsed}"
        bar: tqdm[None] = tqdm(
            total=total, desc=printable(what), unit=" images", bar_format=layout, leave=False, disable=not self.draws
        )
        stage = (what, time.monotonic(), bar)
        with self.lock:
            self.stages.append(stage)
        try:
            yield bar
        finally:
            with self.lock:
                self.stages.remove(stage)
                bar.close()

    def begin(self, clock: Clock, step: int) -> None:
        """Begin to train at a step."""
        self.clock, self.step = clock, step
        self.readings.append((0.0, 0, step))
        layout = "{desc}{percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} {unit} [{elapsed}{postfix}]"
        self.bar = tqdm(total=self.total, unit=self.unit, bar_format=layout, dynamic_ncols=True, disable=not self.draws)
        if self.draws:
            self.show()

    @property
    def by_clock(self) -> bool:
        """Whether --minutes will end the run, as far as one can see, and not --steps."""
        config = self.clock.config
        return config.minutes > 0 and self.clock.time_done(self.step) >= self.step / config.steps

    @property
    def total(self) -> float:
        """Seconds of --minutes, or steps: what will end the run."""
        return self.clock.config.minutes * 60 if self.by_clock else self.clock.config.steps

    @property
    def done(self) -> float:
        """Of ``total``."""
        return self.total * self.clock.time_done(self.step) if self.by_clock else self.step

    @property
    def unit(self) -> str:
        """Of ``total``."""
        return "s" if self.by_clock else "steps"

    @property
    def left(self) -> float:
        """Seconds to the end, at the pace of the last steps."""
        config = self.clock.config
        by_steps = (config.steps - self.step) * self.step_seconds
        if not config.minutes:
            return by_steps
        least = max((config.min_steps - self.step) * self.step_seconds, 0.0)
        return min(by_steps, max(config.minutes * 60 - self.clock.seconds, least))

    def line(self) -> str:
        """Where the run is, as a line of a log."""
        so_far, left = (tqdm.format_interval(value) for value in (self.clock.elapsed, self.left))
        stuck, self.said_step = self.step == self.said_step, self.step
        if not self.status or stuck:
            return f"step {self.step + 1} is being computed, {so_far} so far"
        percent, minutes = f"{self.done / self.total:.0%}", self.clock.config.minutes
        goal = f"({percent} of {minutes:g} min)" if self.by_clock else f"of {self.total} ({percent})"
        now = f"{time.strftime('%m-%d %H:%M:%S')} step {self.step} {goal}"
        return f"{now}, {self.status}, {so_far} so far, {left} left"

    def counts(self, step: int) -> bool:
        """Note a finished step. Returns whether it is time to ``count``: after the first step, and every second."""
        self.step = step
        return self.speaks and (not self.status or time.monotonic() - self.counted >= COUNT_SECONDS)

    def count(self, loss: float, images: int) -> None:
        """Show a loss. ``images``: seen by all processes since ``begin``."""
        first, seconds = not self.status, self.clock.training
        self.counted = time.monotonic()
        since, before, step = self.readings[0]
        pace = (images - before) / max(seconds - since, 1e-9)
        self.step_seconds = (seconds - since) / max(self.step - step, 1)
        self.status = f"loss {loss:.4g}, {pace:{',.0f' if pace >= 100 else '.3g'}} images/s"
        if first:
            self.readings.clear()  # the first step takes longer than others
        self.readings.append((seconds, images, self.step))
        if first:
            self.show()

    def show(self) -> None:
        """Draw the bars, or write a line."""
        with self.lock:
            if self.draws:
                if self.readings:
                    step = f"step {self.step}, " if self.by_clock else ""
                    text = f"{step}{self.status}, {tqdm.format_interval(self.left)} left"
                    text = text if self.status else "the first step"
                    self.bar.n, self.bar.total, self.bar.unit = self.done, self.total, self.unit
                    self.bar.set_postfix_str(text, refresh=False)
                for bar in (self.bar, *(stage[2] for stage in self.stages)):
                    bar.refresh()
            elif self.stages:
                what, since, bar = self.stages[-1]
                done = f"{bar.n:,} done, " if bar.total else ""
                self.say(f"{what}: {done}{time.monotonic() - since:.0f} s")
            elif self.readings:
                self.say(self.line())

    def tick(self) -> None:
        """Body of the thread."""
        while not self.closed.wait(REFRESH_SECONDS):
            with self.lock:
                quiet = time.monotonic() - self.written > QUIET_SECONDS - REFRESH_SECONDS
                if (self.draws or quiet) and not self.closed.is_set():
                    self.show()

    def close(self) -> None:
        """Leave the terminal to others."""
        with self.lock:
            self.closed.set()
            if not self.bar.disable:
                self.show()
                self.bar.close()
