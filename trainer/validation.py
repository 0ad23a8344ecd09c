"""What a run makes of its averaged networks: their description, sample sheets and held-out scores. Of sheets and
scores it makes as much as there is time for, always from the same inputs."""

import math
import time
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainer.config import RunConfig
from trainer.data.batches.dataset import ImageDataset
from trainer.data.batches.stream import ordered
from trainer.distributed import World, seed_step
from trainer.family import Family, Nets
from trainer.progress import Progress

DESCRIBED_IMAGES = 2048  # training images that the statistics on the card come from
DRAFT_IMAGES = 64  # those of the sheet before training
MAX_SIDE = 16  # samples along each side of a sheet, however many classes there are
LEAST = 8  # images scored, however long they take; the time of one is measured with as many


class Validation:
    """Describes, samples and scores the averaged networks of a run.

    nets: the averaged networks. count: images that earlier checkpoints of this run were scored on; 0: not known yet.
    """

    def __init__(
        self,
        family: Family,
        config: RunConfig,
        world: World,
        progress: Progress,
        images: ImageDataset,
        nets: Nets,
        count: int = 0,
    ) -> None:
        self.family, self.config, self.world, self.progress = family, config, world, progress
        self.images, self.nets = images, nets
        self.training, self.held_out = images.split(config.hold_out)
        self.batches = partial(
            ordered, images, batch_size=family.score_batch, device=world.device, image_range=family.image_range
        )
        self.count = min(count, len(self.held_out))
        self.described: tuple[int, dict[str, Any]] = (-1, {})  # step, and what ``describe`` returned

    @torch.no_grad()
    def describe(self, step: int) -> dict[str, Any]:
        """What ``Family.describe`` returns, computed once a step."""
        if self.described[0] != step:
            spread = self.training[:: max(1, len(self.training) // (DESCRIBED_IMAGES if step else DRAFT_IMAGES))]
            self.described = step, self.family.describe(self.nets, self.batches(spread))
        return self.described[1]

    @torch.no_grad()
    def sheet(self, step: int, seconds: float) -> tuple[Tensor, int, int]:
        """Draw one sample, then three more, then as many rows and columns as ``seconds`` allow, of one sheet: a smaller
        one is the upper left corner. Random numbers come from a generator of its own.

        Returns images [n, c, h, w] in 0..1, and the samples along each side, drawn and of the whole sheet.
        """
        description, family = self.describe(step), self.family if step else self.family.draft()
        began, spec = time.monotonic(), self.images.spec
        whole = max(family.sheet_side, min(len(spec.classes) if family.needs_labels else 0, MAX_SIDE))
        shown = self.batches(np.concatenate([self.held_out, self.training]))
        generator = torch.Generator().manual_seed(self.config.seed)
        inputs = family.sample_inputs(whole * whole, spec, generator, shown)
        drawn: dict[int, Tensor] = {}  # by place on the whole sheet
        places: list[int] = []
        side, pace = 0, 0.0  # seconds a sample
        while True:
            taken = time.monotonic()
            more = int(max(0.0, seconds - (taken - began)) / max(pace, 1e-9))  # samples that there is time for
            larger = max(1, min(math.isqrt(side * side + more), whole if side > 1 else side + 1, whole))
            if larger == side:
                break
            side = larger
            places = [row * whole + column for row in range(side) for column in range(side)]
            fresh = [place for place in places if place not in drawn]
            chosen = [value[fresh].to(self.world.device) for value in inputs]
            drawn.update(zip(fresh, family.sample(self.nets, description, *chosen).cpu(), strict=True))
            pace = (time.monotonic() - taken) / len(fresh)
        samples = torch.stack([drawn[place] for place in places]).to(self.world.device)
        return family.sheet(samples, *(value[places].to(self.world.device) for value in inputs)), side, whole

    @torch.no_grad()
    def score(self, until: float = math.inf) -> dict[str, float]:
        """Mean metrics over all processes; empty where the family has none, or where they take longer than ``until``,
        in monotonic seconds."""
        if not self.count and len(self.held_out):
            self.count = self.affordable()
        chosen = self.held_out[np.linspace(0, len(self.held_out) - 1, self.count).round().astype(np.int64)]
        world, sums, count, in_time = self.world, dict[str, float](), 0, True
        with self.progress.doing(f"scoring {len(chosen):,} images", len(chosen)) as stage:
            for number, batch in enumerate(self.batches(chosen, rank=world.rank, world_size=world.size)):
                seed_step(self.config.seed, -2, number * world.size + world.rank)  # an ELBO samples latents
                for name, values in self.family.score(self.nets, batch).items():
                    sums[name] = sums.get(name, 0.0) + float(values.cpu().double().sum())
                count += len(batch.image)
                stage.n += len(batch.image) * world.size
                in_time = time.monotonic() < until
                if not sums or not in_time:
                    break
            parts = world.gather((sums, count, in_time))
        if not all(part[2] for part in parts):
            return {}
        total = sum(part[1] for part in parts)
        names = sorted(set().union(*(part[0] for part in parts)))
        return {name: sum(part[0].get(name, 0.0) for part in parts) / total for name in names}

    def record(self, metrics: dict[str, float]) -> dict[str, Any]:
        """A score as fields of ``trainer.checkpoint.State``."""
        images, seconds = self.count if self.count < len(self.held_out) else 0, self.config.score_seconds
        how = {"scored_by": self.family.scored_by, "scored_images": images, "score_seconds": seconds}
        return {"score": metrics.get("score"), "metrics": metrics, **how}

    def affordable(self) -> int:
        """Images that --score-seconds allow, measured with a few; the same on all processes."""
        everything, seconds = len(self.held_out), self.config.score_seconds
        if not seconds or everything <= LEAST:
            return everything
        pace, metrics = 0.0, list[Tensor]()
        with self.progress.doing("scoring a few images, to see how long all take"):
            for few in (1, LEAST):  # the first image takes longer than those after it
                began = time.monotonic()
                scores = (self.family.score(self.nets, batch) for batch in self.batches(self.held_out[:few]))
                metrics = [values.cpu() for score in scores for values in score.values()]
                pace = (time.monotonic() - began) / few
                if not metrics or pace * LEAST > seconds:
                    break
        if not metrics:  # reading them is all that took time
            return everything
        (pace,) = self.world.agree(pace)
        count = min(everything, max(LEAST, int(seconds / max(pace, 1e-9)) * self.world.size))
        if count < everything:
            self.progress.say(
                f"scoring {count:,} of {everything:,} held-out images, the same of every checkpoint: all would take "
                f"{pace * everything / self.world.size:.0f} s, --score-seconds allows {seconds:g}"
            )
        return count
