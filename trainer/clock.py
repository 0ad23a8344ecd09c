"""When a run draws samples and saves by the clock of its main process, besides by steps."""

import time

import psutil

from trainer.config import RunConfig

FIRST_SHEET = 15.0  # seconds after the process began at which the first sheet is drawn: it is there within 30
FIRST_SAVE = 60.0  # seconds after training began
LEAST_SHEET = 5.0  # seconds that a sheet may take, at least
SHEET_SHARE = 0.1  # of the time so far, which a sheet may take


def time_done(config: RunConfig, seconds: float, step: int) -> float:
    """Fraction of --minutes after seconds of training, 0..1; --min-steps holds it back. 0 without a limit of time."""
    if not config.minutes:
        return 0.0
    by_steps = step / config.min_steps if config.min_steps else 1.0
    return min(seconds / (config.minutes * 60), by_steps, 1.0)


class Clock:
    """Intervals between sheets double: 15 s, 30 s, 1 min, 2 min, ...; those between checkpoints are ``save_minutes``,
    after a first one within a minute (0: never by the clock)."""

    def __init__(self, save_minutes: float) -> None:
        self.started = time.monotonic() - max(0.0, time.time() - psutil.Process().create_time())
        self.sheet_at = FIRST_SHEET
        self.save_seconds = save_minutes * 60
        self.saved_at = time.monotonic()  # when the networks were as the newest checkpoint has them
        self.save_within = min(FIRST_SAVE, self.save_seconds)
        self.step_seconds = self.saving_seconds = 0.0  # that the last ones took

    @property
    def age(self) -> float:
        """Seconds since the process began."""
        return time.monotonic() - self.started

    def wants(self) -> tuple[bool, bool]:
        """Whether a sheet and whether a checkpoint is due."""
        return self.wants_sheet(), self.wants_save()

    def wants_sheet(self) -> bool:
        return self.age + self.step_seconds >= self.sheet_at

    def wants_save(self) -> bool:
        """Whether after another step a checkpoint could not be written in time."""
        ahead = self.step_seconds + self.saving_seconds
        return self.save_seconds > 0 and time.monotonic() - self.saved_at + ahead >= self.save_within

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
        self.save_within = self.save_seconds
