"""Held-out scores of checkpoints: as many images as there is time for, always the same ones."""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from trainer.config import RunConfig
from trainer.distributed import World, seed_step
from trainer.family import Batch, Family, Nets
from trainer.progress import Progress

REHEARSED = 8  # images that the time of one is measured with
LEAST = 8  # images scored, however long they take


class Scorer:
    """Scores averaged networks on held-out images.

    batches: images by their indices, one process's part of them: ``batches(indices, rank, size)``.
    count: images that earlier checkpoints of this run were scored on; 0: not known yet.
    """

    def __init__(
        self,
        family: Family,
        config: RunConfig,
        world: World,
        progress: Progress,
        held_out: np.ndarray,
        batches: Callable[[Any, int, int], Iterator[Batch]],
        count: int = 0,
    ) -> None:
        self.family, self.config, self.world, self.progress = family, config, world, progress
        self.held_out, self.batches, self.count = held_out, batches, min(count, len(held_out))

    @torch.no_grad()
    def score(self, nets: Nets, until: float = math.inf) -> dict[str, float]:
        """Mean metrics over all processes; empty where the family has none, or where they take longer than ``until``,
        in monotonic seconds."""
        if not self.count and len(self.held_out):
            self.count = self.affordable(nets)
        chosen = self.held_out[np.linspace(0, len(self.held_out) - 1, self.count).round().astype(np.int64)]
        world, sums, count, in_time = self.world, dict[str, float](), 0, True
        with self.progress.doing(f"scoring {len(chosen):,} images", len(chosen)) as stage:
            for number, batch in enumerate(self.batches(chosen, world.rank, world.size)):
                seed_step(self.config.seed, -2, number * world.size + world.rank)  # an ELBO samples latents
                for name, values in self.family.score(nets, batch).items():
                    sums[name] = sums.get(name, 0.0) + float(values.cpu().double().sum())
                if not sums:
                    break
                count += len(batch.image)
                stage.advance(len(batch.image) * world.size)
                in_time = time.monotonic() < until
                if not in_time:
                    break
            parts = world.gather((sums, count, in_time))
        if not all(part[2] for part in parts):
            return {}
        total = sum(part[1] for part in parts)
        names = sorted(set().union(*(part[0] for part in parts)))
        return {name: sum(part[0].get(name, 0.0) for part in parts) / total for name in names}

    def bounds(self) -> dict[str, float]:
        """How many images a score is of, as fields of ``trainer.checkpoint.State``."""
        images = self.count if self.count < len(self.held_out) else 0
        return {"scored_images": images, "score_seconds": self.config.score_seconds}

    def affordable(self, nets: Nets) -> int:
        """Images that --score-seconds allow, measured with a few; the same on all processes."""
        everything, seconds = len(self.held_out), self.config.score_seconds
        if not seconds or everything <= LEAST:
            return everything
        pace, metrics = 0.0, 0
        with self.progress.doing("scoring a few images, to see how long all take"):
            for few in (1, REHEARSED):  # the first image takes longer than those after it
                began = time.monotonic()
                for batch in self.batches(self.held_out[:few], 0, 1):
                    for values in self.family.score(nets, batch).values():
                        metrics += len(values.cpu())
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
