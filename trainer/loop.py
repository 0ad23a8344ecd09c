"""The training loop of all families: steps, checkpoints, logs, sample sheets, stopping and resuming.

It knows networks and their turns, never what they compute. Time is counted in images seen over all ranks.
"""

import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
import torch

from trainer import checkpoint, exit_status
from trainer.checkpoint import Origin, RunLocked, State
from trainer.config import parse
from trainer.contract.errors import UserError
from trainer.contract.text import printable
from trainer.data.batches.augment import Augment
from trainer.data.batches.stream import Stream, ordered
from trainer.data.sources import help_of_data
from trainer.distributed import World, leave, rank_of_environment, seed_step
from trainer.ema import AveragedNets
from trainer.exit_status import FAILED, MISTAKE, STOPPED
from trainer.failures import TrainingFailure, explain
from trainer.family import Batch, Crops, Family, Nets
from trainer.log import ErrorIgnoringStream, Log
from trainer.runs import resume, store
from trainer.runs.start import set_up
from trainer.turns import Turns

MAX_SHEET_SIDE = 16  # samples along each side of a sheet, however many classes there are
DESCRIBED_IMAGES = 2048  # training images that the statistics on the card come from
STOP_SCORING_SECONDS = 5.0  # time for scoring after a request to stop: saving comes first
AGREE_EVERY = 8  # steps between agreements to stop on accelerators: each makes the host wait for the device


def main(family_class: type[Family], arguments: list[str] | None = None, program: str | None = None) -> NoReturn:
    """Body of every ``trainer/train_<model>.py``: parse flags, train, exit with a code of ``trainer.exit_status``."""
    world = None
    code = 0
    sys.stdout, sys.stderr = ErrorIgnoringStream(sys.stdout), ErrorIgnoringStream(sys.stderr)
    try:
        description = f"{family_class.__doc__} The same command resumes a run. --data takes {help_of_data()}."
        config: Any = parse(family_class.Config, arguments, description, program)
        world = World(config)
        code = train(family_class, config, world)
    except UserError as error:
        rank = rank_of_environment() if world is None else world.rank
        # an error found before ranks have met is the same on all of a machine
        silent = os.environ.get("LOCAL_RANK", "0") != "0" if world is None else error is world.known_to_all
        if not rank or not silent:
            where = f"rank {rank}: " if rank else ""
            print(f"error: {where}{error}", file=sys.stderr)
        code = FAILED if isinstance(error, RunLocked) else MISTAKE
    except TrainingFailure as failure:
        if world is None or world.is_main:
            print(f"error: {printable(str(failure))}", file=sys.stderr)
        elif not failure.on_all_ranks:
            print(f"error: rank {world.rank}: {printable(str(failure))}", file=sys.stderr)
        code = failure.code
    except SystemExit as ended:  # by the command line: --help, or an unknown flag
        code = ended.code if isinstance(ended.code, int) else MISTAKE
    except KeyboardInterrupt:  # before signals are caught: there is nothing to save yet
        code = 128 + signal.SIGINT
    leave(world, code)


def train(family_class: type[Family], config: Any, world: World) -> int:
    """Train to the end, or until stopped. Returns the exit code. Raises ``UserError``, and ``TrainingFailure`` once
    training has begun."""
    run = None
    with world.catch_signals(), contextlib.ExitStack() as stack:
        try:
            run = Run(family_class, config, world)
            stack.callback(run.close)
            return run.go()
        except (UserError, RuntimeError, MemoryError, OSError) as error:
            what = explain(error, world.size)
            if not what or (run is None and isinstance(error, UserError)):
                raise
            code = MISTAKE if isinstance(error, UserError) else FAILED
            where = f" in step {run.step + 1}; {run.last_good()}" if run is not None else ""
            raise TrainingFailure(f"{config.out}: {what}{where}", code=code) from None


class Run:
    """One process of a training run, from its start or resumption to its end."""

    def __init__(self, family_class: type[Family], config: Any, world: World) -> None:
        self.world = world
        self.config = config = world.on_all(lambda: resume.with_fit(config))
        self.family, self.images, self.raw = world.on_all(lambda: set_up(family_class, config, world.sharded))
        self.spec = self.images.spec
        layout = torch.channels_last if self.family.channels_last else torch.contiguous_format
        for net in self.raw.values():
            net.to(world.device).to(memory_format=layout)
        self.averaged = AveragedNets(self.raw, config.ema)
        self.prepare()
        self.previous = self.resume()
        self.training, self.held_out = self.images.split(config.hold_out)
        self.stream = self.open_stream()
        self.step = self.previous.step
        self.seconds_before = self.previous.seconds
        self.started = time.monotonic()
        self.asked_to_stop = False
        self.time_done = 0.0  # fraction of --minutes
        self.described: tuple[int, dict[str, Any]] = (-1, {})  # step, and what ``describe`` returned
        self.turns = Turns(config, world, self.nets, self.raw, self.averaged, self.optimizers, self.stream)
        self.unsaved = ""  # why the last checkpoint could not be written
        self.log = Log(None)
        world.on_main(self.open_log, self.config.out)

    def prepare(self) -> None:
        """Make optimisers, and prepare the networks for ranks, precision and compilation."""
        fused = self.world.device.type in ("cpu", "cuda")
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        prepared = {}
        for name, net in self.raw.items():
            self.world.shard(net)
            optimizer = self.family.optimizer(name, list(net.parameters()), fused)
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
            prepared[name], self.optimizers[name] = self.world.prepare(net, optimizer)
            if self.config.compile:
                net.compile()
        self.nets = Nets(**prepared)

    def resume(self) -> State:
        """Load the newest intact checkpoint, if there is one, and write config.json."""
        world = self.world
        start = State(step=0, images_seen=0, seconds=0.0, world_size=world.size)
        self.lock: BinaryIO | None = None
        self.origin = Origin()
        path = world.on_main(self.choose, self.config.out)  # by one rank, so that all resume from the same one
        if path is not None:
            start = world.on_all(lambda: store.load(path, self.raw, self.averaged.nets, self.optimizers))
        world.on_main(lambda: self.register(start, path), self.config.out)
        return start

    def choose(self) -> Path | None:
        self.lock = checkpoint.lock(self.config.out)
        self.data = resume.identify_data(self.config, self.images)
        return resume.choose(self.family, self.config, self.spec, self.data)

    def register(self, start: State, path: Path | None) -> None:
        """Write config.json; print the step that the run resumes from, and what has changed."""
        config, world = self.config, self.world
        store.keep_base(self.family, config.out)
        now = {"at_step": start.step, "world_size": world.size, "device": str(world.device)}
        self.origin = resume.write_run(config, self.family, self.spec, self.data, **now)
        if path is not None:
            changes = resume.changes(start, checkpoint.origin_of(path), self.origin, config, world.size)
            changed = f" ({'; '.join(changes)})" if changes else ""
            at = f"at step {start.step}, {start.images_seen} images seen"
            print(f"resuming {printable(config.out)} {at}{printable(changed)}")
        threads = f", {torch.get_num_threads()} thread(s) each" if world.device.type == "cpu" else ""
        pieces = ", weights in pieces (FSDP)" if world.sharded else ""
        print(f"{world.size} rank(s) on {world.device}, {config.precision}{threads}{pieces}", flush=True)

    def open_log(self) -> None:
        config = self.config
        self.log = Log(
            config.out,
            step=self.step,
            bar_total=config.minutes * 60 or config.steps,
            bar_done=self.seconds_before if config.minutes else self.step,
            bar_unit="s" if config.minutes else "steps",
        )

    def open_stream(self) -> Stream:
        config, world, reading = self.config, self.world, self.family.reading()
        turn = isinstance(reading, Crops) and reading.turn
        return Stream(
            self.images,
            self.training,
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
        if self.step >= config.steps:
            self.log.say(f"{config.out} is at step {self.step} of {config.steps} already; a larger --steps goes on")
            return 0
        for net in self.raw.values():
            net.train()
        stopped = self.over(first=True)
        while self.step < config.steps and not stopped:
            self.advance()
            stopped = self.over()
            last = stopped or self.step == config.steps
            if last or self.step % config.log_every == 0 or self.step % config.save_every == 0:
                self.write_losses()
            self.log.progress(self.seconds if config.minutes else self.step)
            saves = last or self.step % config.save_every == 0
            shows = not self.asked_to_stop and (last or self.step % config.sample_every == 0)
            if saves or shows:
                self.check_weights()
                self.world.synchronise(self.averaged.nets, self.raw)
            if saves:
                self.save()
            if shows:
                self.write_samples()
        if self.unsaved:
            self.refuse_to_go_on(f"step {self.step} was reached and could not be saved: {self.unsaved}", code=FAILED)
        if self.asked_to_stop:
            self.log.say(f"stopped at step {self.step}; the same command resumes it")
            return STOPPED
        if not self.world.same_parameters(self.raw):
            self.refuse_to_go_on("the ranks' weights differ at the end: this is a defect, please report it")
        self.log.say(f"finished step {self.step}: {self.stream.position} images seen; checkpoints in {config.out}")
        return 0

    def advance(self) -> None:
        """One training step."""
        seed_step(self.config.seed, self.step, self.world.rank)
        self.turns.begin(step=self.step, progress=self.progress)
        for _ in range(self.config.accumulate):
            self.family.step(self.nets, self.stream, self.turns)
        self.step += 1

    @property
    def seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.started

    @property
    def progress(self) -> float:
        """Finished fraction of the run, 0..1, the same on all ranks."""
        return max(self.step / self.config.steps, self.time_done)

    def over(self, first: bool = False) -> bool:
        """Agree across ranks whether to stop now, on a signal or because the time is up. ``first``: agree whatever the
        step, since a resumed run's learning rate depends on the time it took before."""
        if self.world.device.type != "cpu" and self.step % AGREE_EVERY and not first:
            return False
        time_done = self.seconds / (self.config.minutes * 60) if self.config.minutes else 0.0
        if self.config.min_steps:
            time_done = min(time_done, self.step / self.config.min_steps)
        asked = 2.0 if self.world.stop_asked_at is not None else 0.0
        agreed = self.world.agree(max(asked, min(time_done, 1.0)))
        self.asked_to_stop = agreed == 2.0
        self.time_done = min(agreed, 1.0) if self.config.minutes else 0.0
        return agreed >= 1.0

    def write_losses(self) -> None:
        """Write a row of log.jsonl. Raises ``TrainingFailure`` where a loss is not finite."""
        row = self.turns.take()
        for name, value in row.items():
            if name.startswith("loss/") and not math.isfinite(value):
                self.refuse_to_go_on(f"{name} became {value} by step {self.step}")
        total = sum(value for name, value in row.items() if name.startswith("loss/"))
        row["seconds"] = round(self.seconds, 3)
        fresh_images = self.stream.position - self.previous.images_seen
        row["images_per_second"] = round(fresh_images / (self.seconds - self.seconds_before), 1)
        self.log.row("train", self.step, self.stream.position, row, shown=f"step {self.step}, loss {total:.4g}")

    def refuse_to_go_on(self, what: str, code: int = MISTAKE) -> NoReturn:
        """End the run for a reason that all ranks find alike."""
        raise TrainingFailure(f"{self.config.out}: {what}; {self.last_good()}", code=code, on_all_ranks=True)

    def last_good(self) -> str:
        path, _ = checkpoint.newest_intact(self.config.out)
        return f"last good checkpoint: {path}" if path else "no checkpoint was saved before"

    @torch.no_grad()
    def write_samples(self) -> None:
        """Write a sheet of samples of the averaged weights, always from the same inputs."""
        if not self.world.is_main:
            return
        generator = torch.Generator().manual_seed(self.config.seed)
        classes = len(self.spec.classes) if self.family.needs_labels else 0
        side = max(self.family.sheet_side, min(classes, MAX_SHEET_SIDE))
        shown = np.concatenate([self.held_out, self.training])
        drawn = self.family.sample_inputs(side * side, self.spec, generator, self.batches(shown, 0, 1))
        inputs = [value.to(self.world.device) for value in drawn]
        samples = self.family.sample(self.averaged.nets, self.describe(), *inputs)
        sheet = self.family.sheet(samples, *inputs)
        self.log.grid(self.step, sheet, columns=len(sheet) // side)

    def check_weights(self) -> None:
        """Raise ``TrainingFailure`` where a weight is not finite."""
        for name, net in self.raw.items():
            if not self.world.all_finite(net):
                self.refuse_to_go_on(f"weights of {name} became infinite or NaN by step {self.step}")

    def save(self) -> None:
        """Score, describe, and write a checkpoint. A full disk costs this checkpoint, not the run."""
        metrics = self.score()
        if metrics:
            self.log.row("held_out", self.step, self.stream.position, metrics)
        world = self.world
        nets = world.whole(self.raw, self.averaged.nets)
        optimizers = {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}
        failure = ""
        if world.is_main:
            state = State(
                step=self.step,
                images_seen=self.stream.position,
                seconds=self.seconds,
                world_size=world.size,
                score=metrics.get("score"),
                metrics=metrics,
                description=self.describe(),
            )
            try:
                store.save(self.config.out, state, nets, self.averaged.nets, optimizers, self.origin)
            except OSError as error:
                failure = error.strerror or str(error)
                self.log.say(f"warning: checkpoint at step {self.step} was not written ({failure}); training goes on")
            else:
                with self.log.tolerating("removing old checkpoints"):
                    checkpoint.prune(self.config.out, self.config.keep)
        self.unsaved = world.on_main(lambda: failure, self.config.out)

    @torch.no_grad()
    def score(self) -> dict[str, float]:
        """Mean held-out metrics of the averaged weights over all ranks; empty where there is no time for them."""
        sums: dict[str, float] = {}
        count = 0
        until = time.monotonic() + STOP_SCORING_SECONDS if self.asked_to_stop else math.inf
        in_time = True
        for number, batch in enumerate(self.batches(self.held_out, self.world.rank, self.world.size)):
            seed_step(self.config.seed, -2, number * self.world.size + self.world.rank)  # an ELBO samples latents
            for name, values in self.family.score(self.averaged.nets, batch).items():
                sums[name] = sums.get(name, 0.0) + float(values.cpu().double().sum())
            count += len(batch.image)
            in_time = time.monotonic() < until
            if not in_time:
                break
        parts = self.world.gather((sums, count, in_time))
        if not all(part[2] for part in parts):
            return {}
        total = sum(part[1] for part in parts)
        names = sorted(set().union(*(part[0] for part in parts)))
        return {name: sum(part[0].get(name, 0.0) for part in parts) / total for name in names}

    @torch.no_grad()
    def describe(self) -> dict[str, Any]:
        """What ``Family.describe`` returns for the averaged weights, computed once a step."""
        if self.described[0] != self.step:
            spread = self.training[:: max(1, len(self.training) // DESCRIBED_IMAGES)]
            self.described = self.step, self.family.describe(self.averaged.nets, self.batches(spread, 0, 1))
        return self.described[1]

    def batches(self, indices: Any, rank: int, size: int) -> Iterator[Batch]:
        return ordered(
            self.images,
            indices,
            batch_size=self.family.score_batch,
            device=self.world.device,
            image_range=self.family.image_range,
            rank=rank,
            world_size=size,
        )

    def close(self) -> None:
        self.log.close()
        self.stream.close()
        if self.lock is not None:
            self.lock.close()
