"""Either side of the comparison: a step, and what is measured of it, of images in 0..1."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from quality.tasks import Task
from trainer import metrics
from trainer.data.batches import open_data
from trainer.data.batches.augment import Augment
from trainer.data.batches.stream import Stream
from trainer.distributed import World
from trainer.families.hpf import MARGIN, framed
from trainer.family import Batch, Crops, Exportable
from trainer.loop import Run
from trainer.progress import Progress
from trainer.runs.store import restore

CPU = torch.device("cpu")
NEVER = 1_000_000_000  # steps


class Side(Protocol):
    """What is trained and measured."""

    images_seen: int

    def step(self, done: float) -> None:
        """One training step. ``done``: fraction of the time spent, 0..1."""

    def ready(self) -> None:
        """Prepare for being measured, outside of the time that counts."""

    def reconstruct(self, image: Tensor) -> Tensor: ...
    def log_weights(self, image: Tensor, count: int) -> Tensor: ...
    def sample(self, count: int, generator: torch.Generator) -> Tensor: ...
    def translate(self, condition: Tensor) -> Tensor: ...


class Ours:
    """A run of the trainer: its step by its own loop, measured by its averaged weights as they are exported."""

    def __init__(self, task: Task, flags: list[str], places: dict[str, Path], seed: int, minutes: float, out: Path):
        own = ["--out", str(out), "--seed", str(seed), "--minutes", str(minutes), "--steps", str(NEVER)]
        config = task.config([*task.ours, *flags, *own, "--threads", "1", "--device", "cpu"], places)
        self.run = Run(task.family, config, World(config), Progress(speaks=False))
        self.family, self.nets = self.run.family, self.run.turns.averaged
        self.files: dict[str, Exportable] = {}
        for net in self.run.raw.values():
            net.train()

    @property
    def images_seen(self) -> int:
        return self.run.stream.position

    def step(self, done: float) -> None:
        self.run.time_done = done  # by the time that counts, instead of the clock's
        self.run.advance()

    def ready(self) -> None:
        self.description = self.run.validation.describe(self.run.step)
        self.files = {item.kind: item for item in self.family.exports(self.nets, self.description)}

    def reconstruct(self, image: Tensor) -> Tensor:
        if "autoencoder" in self.nets:  # its exported latents are the strongest directions of its code
            return (self.nets.autoencoder(image * 2 - 1) * 0.5 + 0.5).clamp(0, 1)
        return self.files["generator"].module(self.files["encoder"].module(image)).clamp(0, 1)

    def log_weights(self, image: Tensor, count: int) -> Tensor:
        return self.family.log_weights(self.nets, Batch(image=image), count)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        inputs = self.family.sample_inputs(count, self.run.images.spec, generator, iter(()))
        return self.family.sample(self.nets, self.description, *inputs)

    def translate(self, condition: Tensor) -> Tensor:
        if "detail" in self.nets:
            return (condition + metrics.inside(self.nets.detail(framed(condition)), MARGIN)).clamp(0, 1)
        low, high = self.family.image_range
        return self.family.sample(self.nets, {}, condition * (high - low) + low).clamp(0, 1)


class PlainSide:
    """A plain implementation on the same stream of images; mirrored where ours are."""

    def __init__(self, task: Task, name: str, places: dict[str, Path], seed: int) -> None:
        kind, settings = task.variants[name]
        config = task.config(task.plain_data, places)
        reading = task.family(config).reading()
        images = open_data(config, reading, progress=False)
        torch.manual_seed(seed)
        self.plain = kind(images.spec, **settings)
        turns = isinstance(reading, Crops) and reading.turn
        self.stream = Stream(
            images, images.split(config.hold_out)[0], batch_size=self.plain.batch_size, rank=0, world_size=1, seed=seed,
            device=CPU, image_range=self.plain.image_range, augment=Augment(flip=config.flip, turn=turns),
        )  # fmt: skip
        self.low = low_of(places["low"]) if task.measure == "detail" else None
        self.batches = self.prepared()
        self.plain.train(True)

    @property
    def images_seen(self) -> int:
        return self.stream.position

    def prepared(self) -> Iterator[Batch]:
        """Batches as a tutorial has them in memory; those of detail with the image without it as condition."""
        low, high = self.plain.image_range
        for batch in self.stream:
            image = batch.image.contiguous()
            condition = None if batch.condition is None else batch.condition.contiguous()
            if self.low is not None:
                condition = self.low((image - low) / (high - low)) * (high - low) + low
            yield dataclasses.replace(batch, image=image, condition=condition)

    def step(self, done: float) -> None:
        self.plain.train(True)
        self.plain.step(self.batches)

    def ready(self) -> None:
        self.plain.train(False)

    def reconstruct(self, image: Tensor) -> Tensor:
        return self.plain.reconstruct(image).clamp(0, 1)

    def log_weights(self, image: Tensor, count: int) -> Tensor:
        return self.plain.log_weights(image, count)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        return self.plain.sample(count, generator).clamp(0, 1)

    def translate(self, condition: Tensor) -> Tensor:
        return self.plain.translate(condition).clamp(0, 1)


def low_of(run: Path) -> Callable[[Tensor], Tensor]:
    """Reconstructions by the exported pair of an autoencoder's run, of images in 0..1."""
    restored = restore(run)
    files: dict[str, Any] = {
        item.kind: item.module for item in restored.family.exports(restored.nets, restored.state.description)
    }

    @torch.no_grad()
    def low(image: Tensor) -> Tensor:
        return files["generator"](files["encoder"](image)).clamp(0, 1)

    return low
