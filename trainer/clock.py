"""The time of a run: how much of it is done, and when its main process draws samples and saves by the clock, besides
by steps."""

import time

import psutil

from trainer.config import RunConfig

FIRST_SHEET = 15.0  # seconds after the process began at which the first sheet is drawn: it is there within 30
FIRST_SAVE = 60.0  # seconds after training began
LEAST_SHEET = 5.0  # seconds that a sheet may take, at least
SHEET_SHARE = 0.1  # of the time so far, which a sheet may take


class Clock:
    """Intervals between sheets double: 15 s, 30 s, 1 min, 2 min, ...; those between checkpoints are --save-minutes,
    after a first one within a minute (0: never by the clock). ``before``: seconds of training before it resumed."""

    def __init__(self, config: RunConfig, before: float = 0.0) -> None:
        self.config, self.before = config, before
        self.began = time.monotonic()
        self.process_began = self.began - max(0.0, time.time() - psutil.Process().create_time())
        self.training = 0.0  # seconds of steps of this process, without saving, sheets and scores
        self.sheet_at = FIRST_SHEET
        self.saved_at = self.began  # when the networks were as the newest checkpoint has them
        self.save_within = min(FIRST_SAVE, config.save_minutes * 60)
        self.step_seconds = self.saving_seconds = 0.0  # that the last ones took

    @property
    def elapsed(self) -> float:
        """Seconds since this process set up the run."""
        return time.monotonic() - self.began

    @property
    def seconds(self) -> float:
        """Seconds of training in all."""
        return self.before + self.elapsed

    @property
    def age(self) -> float:
        """Seconds since the process began."""
        return time.monotonic() - self.process_began

    def time_done(self, step: int) -> float:
        """Fraction of --minutes, 0..1; --min-steps holds it back. 0 without a limit of time."""
        if not self.config.minutes:
            return 0.0
        by_steps = step / self.config.min_steps if self.config.min_steps else 1.0
        return min(self.seconds / (self.config.minutes * 60), by_steps, 1.0)

    def stepped(self, since: float) -> None:
        """A step has been taken, begun at ``since``, in monotonic seconds."""
        self.step_seconds = time.monotonic() - since
        self.training += self.step_seconds

    def wants_sheet(self) -> bool:
        return self.age + self.step_seconds >= self.sheet_at

    def wants_save(self) -> bool:
        """Whether after another step a checkpoint could not be written in time."""
        ahead = self.step_seconds + self.saving_seconds
        return self.config.save_minutes > 0 and time.monotonic() - self.saved_at + ahead >= self.save_within

    def sheet_seconds(self) -> float:
        """That a sheet may take now."""
        return max(LEAST_SHEET, SHEET_SHARE * self.age)

    def drew(self) -> None:
        """A sheet has been drawn."""
        while self.sheet_at <= self.age + self.step_seconds:
            self.sheet_at *= 2

    def saved(self, since: float) -> None:
        """A checkpoint has been written, of networks as they were ``since``, in monotonic seconds."""
        self.saved_at, self.saving_seconds = since, time.monotonic() - since
        self.save_within = self.config.save_minutes * 60
