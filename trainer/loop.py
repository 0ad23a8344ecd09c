"""The training loop of all families: steps, checkpoints, logs, sample sheets, stopping and resuming.

It knows networks and their turns, never what they compute. Time is counted in images seen over all ranks.
"""

import contextlib
import math
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import torch

from trainer import checkpoint, exit_status
from trainer.checkpoint import Origin, State
from trainer.clock import Clock
from trainer.command_line import parse
from trainer.contract.errors import UserError
from trainer.contract.text import printable
from trainer.data.batches.augment import Augment
from trainer.data.batches.stream import Stream
from trainer.data.sources import help_of_data
from trainer.data.sources._identity import fingerprint
from trainer.distributed import World, leave, rank_of_environment, seed_step
from trainer.exit_status import FAILED, MISTAKE, STOPPED
from trainer.failures import TrainingFailure, explain
from trainer.family import Crops, Family
from trainer.log import ErrorIgnoringStream, Log
from trainer.next_commands import ending
from trainer.progress import Progress
from trainer.runs import resume, store
from trainer.turns import Turns
from trainer.validation import Validation

STOP_SCORING_SECONDS = 5.0  # time for scoring after a request to stop
AGREE_EVERY = 8  # steps between agreements to stop on accelerators: each makes the host wait for the device


def main(
    family_class: type[Family],
    arguments: list[str] | None = None,
    program: str | None = None,
    progress: Progress | None = None,
) -> NoReturn:
    """Parse flags, train, exit with a code of ``trainer.exit_status``. ``progress``: of ``trainer.entry``."""
    world, failure = None, None
    sys.stdout, sys.stderr = ErrorIgnoringStream(sys.stdout), ErrorIgnoringStream(sys.stderr)
    try:
        description = f"{family_class.__doc__} The same command resumes a run. --data takes {help_of_data()}."
        config: Any = parse(family_class.Config, arguments, description, program)
        progress = progress or Progress(speaks=rank_of_environment() == 0)
        with progress.doing("starting"):
            world = World(config)
        code = train(family_class, config, world, progress)
        if world.is_main:
            for line in ending(family_class(config), config, program, arguments, code):
                print(printable(line))
    except UserError as error:
        failure, code = error, getattr(error, "code", MISTAKE)
    except SystemExit as ended:  # by the command line: --help, or an unknown flag
        code = ended.code if isinstance(ended.code, int) else MISTAKE
    except KeyboardInterrupt:  # before signals are caught: there is nothing to save yet
        code = 128 + signal.SIGINT
    if progress is not None:
        progress.close()
    rank = rank_of_environment() if world is None else world.rank
    # an error found before ranks have met is the same on all of a machine
    known = os.environ.get("LOCAL_RANK", "0") != "0" if world is None else getattr(failure, "on_all_ranks", False)
    if failure is not None and not (rank and known):
        where = f"process {rank}: " if rank else ""
        print(f"error: {where}{printable(str(failure))}", file=sys.stderr)
    leave(world, code)


def train(family_class: type[Family], config: Any, world: World, progress: Progress) -> int:
    """Train to the end, or until stopped. Returns the exit code. Raises ``UserError``, and ``TrainingFailure`` once
    training has begun."""
    run = None
    with world.catch_signals(), contextlib.ExitStack() as stack:
        try:
            with progress.doing("setting up"):
                run = Run(family_class, config, world, progress)
            stack.callback(run.close)
            return run.go()
        except (UserError, RuntimeError, MemoryError, OSError) as error:
            what = explain(error, world.size)
            if not what or isinstance(error, TrainingFailure) or (run is None and isinstance(error, UserError)):
                raise
            code = MISTAKE if isinstance(error, UserError) else FAILED
            where = f" in step {run.step + 1}; {run.last_good()}" if run is not None else ""
            raise TrainingFailure(f"{config.out}: {what}{where}", code=code) from None


class Run:
    """One process of a training run, from its start or resumption to its end."""

    def __init__(self, family_class: type[Family], config: Any, world: World, progress: Progress) -> None:
        self.world, self.progress = world, progress
        self.family, self.images, self.raw = world.on_all(lambda: resume.set_up(family_class, config, world, progress))
        self.config = config = self.family.config
        layout = torch.channels_last if self.family.channels_last else torch.contiguous_format
        for net in self.raw.values():
            net.to(world.device).to(memory_format=layout)
        self.turns = Turns(self.family, config, world, self.raw)
        with progress.doing("looking for checkpoints"):
            self.previous = self.resume()
        known = self.previous.scored_images if self.previous.score_seconds == config.score_seconds else 0
        self.validation = Validation(self.family, config, world, progress, self.images, self.turns.averaged, known)
        self.stream = self.open_stream()
        self.step = self.previous.step
        self.clock = Clock(config, self.previous.seconds)
        self.sheet_due = self.save_due = self.asked_to_stop = False
        self.time_done = 0.0  # fraction of --minutes
        self.unsaved = ""  # why the last checkpoint could not be written
        self.log = Log(progress)
        world.on_main(lambda: self.log.open(config.out, self.step), config.out)

    def resume(self) -> State:
        """Load the newest intact checkpoint, if there is one, and write config.json."""
        world, turns = self.world, self.turns
        start = State(step=0, images_seen=0, seconds=0.0, world_size=world.size)
        self.lock: BinaryIO | None = None
        self.origin = Origin()
        self.saved = path = world.on_main(self.choose, self.config.out)  # by one rank: all resume from the same one
        if path is not None:
            start = world.on_all(lambda: store.load(path, self.raw, turns.averaged, turns.optimizers))
        world.on_main(lambda: self.register(start, path), self.config.out)
        return start

    def choose(self) -> Path | None:
        self.lock = checkpoint.lock(self.config.out)
        images = self.images
        found = fingerprint(images.sources, images.labels, self.config.out)  # to recognise them when the run resumes
        self.data = {"images": len(images), "fingerprint": found}
        return resume.choose(self.family, self.config, images.spec, self.data)

    def register(self, start: State, path: Path | None) -> None:
        """Write config.json; print the step that the run resumes from, and what has changed."""
        config, world = self.config, self.world
        store.keep_base(self.family, config.out)
        now = {"at_step": start.step, "world_size": world.size, "device": str(world.device)}
        self.origin = resume.write_run(config, self.family, self.images.spec, self.data, **now)
        if path is not None:
            before = checkpoint.origin_of(path)
            self.progress.say(resume.in_words(start, before, self.origin, config, world.size))
        self.progress.say(world.in_words(config))
        if config.warmup > config.steps:
            self.progress.say(
                f"--warmup {config.warmup} is longer than --steps {config.steps}: learning rates only rise"
            )

    def open_stream(self) -> Stream:
        config, world, reading = self.config, self.world, self.family.reading()
        turn = isinstance(reading, Crops) and reading.turn
        return Stream(
            self.images,
            self.validation.training,
            batch_size=config.batch_size,
            rank=world.rank,
            world_size=world.size,
            seed=config.seed,
            device=world.device,
            image_range=self.family.image_range,
            augment=Augment(flip=config.flip, rotate=config.rotate, crop=config.crop, turn=turn),
            position=self.previous.images_seen,
            memory_gib=config.memory,
            workers=config.workers,
        )

    def go(self) -> int:
        config = self.config
        exit_status.report(began=self.step, rank=self.world.rank)
        if self.saved is not None and self.previous.score is None:  # ended before it was scored
            self.score()
        if self.step >= config.steps:
            self.progress.say(f"{config.out}: at step {self.step} of {config.steps} already; a larger --steps goes on")
            return 0
        if not list((config.out / "samples").glob("*.png")):
            self.write_samples()  # at once, whatever the first step takes
        for net in self.raw.values():
            net.train()
        stopped = self.over(first=True)
        self.progress.begin(self.clock, self.step)
        while self.step < config.steps and not stopped:
            begun = time.monotonic()
            self.advance()
            stopped = self.over()
            self.clock.stepped(begun)
            last = stopped or self.step == config.steps
            saves = last or self.step % config.save_every == 0 or self.save_due
            shows = not self.asked_to_stop and (last or self.step % config.sample_every == 0 or self.sheet_due)
            if self.progress.counts(self.step):
                self.progress.count(self.turns.loss(), self.images_seen)
            if saves or self.step % config.log_every == 0:
                self.write_losses()
            if saves or shows:
                for name, net in self.raw.items():
                    if not self.world.all_finite(net):
                        self.refuse_to_go_on(f"weights of {name} became infinite or NaN by step {self.step}")
                self.world.synchronise(self.turns.averaged, self.raw)
            if saves:
                with self.progress.doing("saving a checkpoint"):
                    self.save()
            if shows:
                self.write_samples()
            if saves and not self.unsaved:
                self.score()
        self.progress.close()
        if self.unsaved:
            self.refuse_to_go_on(f"step {self.step} was reached and could not be saved: {self.unsaved}", code=FAILED)
        if self.asked_to_stop:
            self.progress.say(f"stopped at step {self.step}; the same command resumes it")
            return STOPPED
        if not self.world.same_parameters(self.raw):
            self.refuse_to_go_on("the processes' weights differ at the end: this is a defect, please report it")
        self.progress.say(f"finished step {self.step}: {self.stream.position} images seen; checkpoints in {config.out}")
        return 0

    def advance(self) -> None:
        """One training step."""
        seed_step(self.config.seed, self.step, self.world.rank)
        self.turns.begin(self.stream, step=self.step, progress=self.fraction)
        for _ in range(self.config.accumulate):
            self.family.step(self.turns.nets, self.stream, self.turns)
        self.step += 1

    @property
    def images_seen(self) -> int:
        """By all processes since they began."""
        return self.stream.position - self.previous.images_seen

    @property
    def fraction(self) -> float:
        """Finished fraction of the run, 0..1, the same on all ranks."""
        return max(self.step / self.config.steps, self.time_done)

    def over(self, first: bool = False) -> bool:
        """Agree across ranks whether to stop now, on a signal or because the time is up, and whether the main one's
        clock wants a sheet or a checkpoint. ``first``: agree whatever the step, since a resumed run's learning rate
        depends on the time it took before."""
        self.sheet_due = self.save_due = False
        if not first and self.step % AGREE_EVERY and self.world.device.type != "cpu" and self.world.size > 1:
            return False
        asked = 2.0 if self.world.stop_asked_at is not None else 0.0
        decides = self.world.is_main and not first
        wants = (self.clock.wants_sheet(), self.clock.wants_save()) if decides else (False, False)
        agreed, *due = self.world.agree(max(asked, self.clock.time_done(self.step)), *wants)
        self.sheet_due, self.save_due = map(bool, due)
        self.asked_to_stop = agreed == 2.0
        self.time_done = min(agreed, 1.0) if self.config.minutes else 0.0
        return agreed >= 1.0

    def write_losses(self) -> None:
        """Write a row of log.jsonl. Raises ``TrainingFailure`` where a loss is not finite."""
        row = self.turns.take()
        for name, value in row.items():
            if name.startswith("loss/") and not math.isfinite(value):
                self.refuse_to_go_on(f"{name} became {value} by step {self.step}")
        row["seconds"] = round(self.clock.seconds, 3)
        row["images_per_second"] = round(self.images_seen / self.clock.elapsed, 1)
        self.log.row("train", self.step, self.stream.position, row)

    def refuse_to_go_on(self, what: str, code: int = MISTAKE) -> NoReturn:
        """End the run for a reason that all ranks find alike."""
        raise TrainingFailure(f"{self.config.out}: {what}; {self.last_good()}", code=code, on_all_ranks=True)

    def last_good(self) -> str:
        path, _ = checkpoint.newest_intact(self.config.out)
        return f"last good checkpoint: {path}" if path else "no checkpoint was saved before"

    def write_samples(self) -> None:
        """Write a sheet of samples of the averaged weights."""
        if not self.world.is_main:
            return
        with self.progress.doing("drawing samples"):
            images, side, whole = self.validation.sheet(self.step, self.clock.sheet_seconds())
            path = self.log.grid(self.step, self.stream.position, images, columns=len(images) // side)
        self.clock.drew()
        if path is not None:
            part = f": {side}x{side} of {whole}x{whole}, in the time that there was" if side < whole else ""
            self.progress.say(f"samples at step {self.step}: {path}{part}")

    def save(self) -> None:
        """Describe, and write a checkpoint. A full disk costs this checkpoint, not the run."""
        begun, world = time.monotonic(), self.world
        nets, optimizers = store.state_dicts(self.raw), store.state_dicts(self.turns.optimizers)
        failure, path = "", None
        if world.is_main:
            state = State(
                step=self.step,
                images_seen=self.stream.position,
                seconds=self.clock.seconds,
                world_size=world.size,
                description=self.validation.describe(self.step),
            )
            try:
                averaged = store.state_dicts(self.turns.averaged)
                path = store.save(self.config.out, state, nets, averaged, optimizers, self.origin)
            except OSError as error:
                failure = error.strerror or str(error)
                self.progress.say(
                    f"warning: checkpoint at step {self.step} was not written ({failure}); training goes on"
                )
            else:
                self.prune()
        self.unsaved, self.saved = world.on_main(lambda: (failure, path), self.config.out)
        self.clock.saved(begun)

    def prune(self) -> None:
        with self.log.tolerating("removing old checkpoints"):
            checkpoint.prune(self.config.out, self.config.keep)

    def score(self) -> None:
        """Score the checkpoint that is in memory, and write that beside it."""
        until = time.monotonic() + STOP_SCORING_SECONDS if self.asked_to_stop else math.inf
        metrics = self.validation.score(until)
        if not metrics or not self.world.is_main or self.saved is None:
            return
        with self.log.tolerating(checkpoint.SCORE):
            checkpoint.write_score(self.saved, **self.validation.record(metrics))
        self.log.row("held_out", self.step, self.stream.position, metrics)
        self.prune()

    def close(self) -> None:
        self.log.close()
        self.stream.close()
        if self.lock is not None:
            self.lock.close()
