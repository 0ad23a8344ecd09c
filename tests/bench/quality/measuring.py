"""Figures of either side by the same code, and its sheet."""

import math
from pathlib import Path

import torch
from torch import Tensor

from quality.sides import CPU, Side, low_of
from quality.tasks import Task
from trainer import metrics
from trainer.data.batches import open_data
from trainer.data.batches.stream import ordered
from trainer.evaluation.features import open_network
from trainer.families.hpf import SHARPNESS_WEIGHT
from trainer.log import contact_sheet, write_image
from trainer.parts.degrade import whole_levels

BATCH = 64
MOST = 1000  # held-out images whose errors are measured
MOST_SETS = 2500  # held-out images of a set that samples are compared with
SHOWN = 32  # images of a sheet

Row = dict[str, float]


class Measuring:
    """The held-out images of a task, and what is measured on them."""

    def __init__(self, task: Task, places: dict[str, Path], seed: int) -> None:
        self.task, self.seed = task, seed
        config = task.config(task.plain_data, places)
        images = open_data(config, task.family(config).reading(), progress=False)
        held_out = images.split(config.hold_out)[1]
        whole = task.measure == "frechet"
        most = MOST_SETS if whole else MOST
        spread = held_out[:: max(1, len(held_out) // most)][:most]
        self.batches = list(ordered(images, spread, batch_size=BATCH, device=CPU, image_range=(0.0, 1.0)))
        self.low = low_of(places["low"]) if task.measure == "detail" else None
        if whole:
            extractor = open_network(places["features"], CPU, "features")
            self.embed = extractor.embed
            self.real = self.features(torch.cat([batch.image for batch in self.batches]))

    def features(self, images: Tensor) -> Tensor:
        return torch.cat([self.embed(part) for part in images.split(BATCH)])

    @torch.no_grad()
    def measure(self, side: Side) -> Row:
        """Figures of a side as it is now; ``error`` is what counts, infinite where images are no numbers."""
        with torch.random.fork_rng(devices=[]):  # what training draws goes on as if nothing had been measured
            torch.manual_seed(self.seed)
            side.ready()
            return self.figures(side)

    def figures(self, side: Side) -> Row:
        rows: list[dict[str, Tensor]] = []
        match self.task.measure:
            case "frechet":
                return self.measure_samples(side)
            case "mse":
                rows = [
                    {"error": metrics.squared_error(side.reconstruct(batch.image), batch.image)}
                    for batch in self.batches
                ]
            case "bound":
                rows = [{"error": -side.log_weights(batch.image, 1)[0]} for batch in self.batches]
            case "l1" | "psnr" | "detail":
                rows = [self.of_pair(*self.pair(side, number)) for number in range(len(self.batches))]
        found = {name: float(torch.cat([row[name] for row in rows]).double().mean()) for name in rows[0]}
        if self.task.measure == "psnr":
            found["error"] = 10 ** (-found["psnr"] / 10)
        return found

    def pair(self, side: Side, number: int) -> tuple[Tensor, Tensor, Tensor]:
        """Conditions, what a side makes of them, and the images."""
        batch = self.batches[number]
        condition = batch.condition if self.low is None else self.low(batch.image)
        assert condition is not None
        return condition, side.translate(condition), batch.image

    def of_pair(self, _: Tensor, made: Tensor, image: Tensor) -> dict[str, Tensor]:
        if self.task.measure == "psnr":
            made, image = (metrics.luma(metrics.inside(whole_levels(part), 2)) for part in (made, image))
            return {"psnr": metrics.peak_signal_to_noise(made, image)}
        psnr = metrics.peak_signal_to_noise(made, image)
        if self.task.measure == "l1":
            return {"error": (made - image).abs().flatten(1).mean(1), "psnr": psnr}
        similarity = metrics.structural_similarity(made, image)
        ratio = (metrics.sharpness(made) / metrics.sharpness(image).clamp_min(1e-8)).clamp_min(1e-4)
        error = 1 - similarity + SHARPNESS_WEIGHT * ratio.log().abs()
        return {"error": error, "psnr": psnr, "ssim": similarity, "sharpness": ratio}

    def measure_samples(self, side: Side) -> Row:
        samples = self.samples(side, self.task.samples)
        if not samples.isfinite().all():
            return {"error": math.inf}
        features = self.features(samples)
        precision, recall = metrics.precision_recall(self.real[:: max(1, len(self.real) // MOST)], features)
        return {"error": metrics.frechet_distance(self.real, features), "precision": precision, "recall": recall}

    def samples(self, side: Side, count: int) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed)
        parts = [side.sample(BATCH, generator) for _ in range(-(-count // BATCH))]
        return torch.cat(parts)[:count]

    @torch.no_grad()
    def sheet(self, side: Side, path: Path) -> None:
        """Write samples, or held-out images beside what is made of them."""
        side.ready()
        if self.task.measure == "frechet":
            write_image(path, contact_sheet(self.samples(side, 2 * SHOWN), columns=16))
            return
        if self.task.measure in ("mse", "bound"):
            image = torch.cat([batch.image for batch in self.batches[: -(-SHOWN // BATCH)]])[:SHOWN]
            parts = [image, side.reconstruct(image)]
        else:
            pairs = [self.pair(side, number) for number in range(min(len(self.batches), 5))]
            side_px = min(min(pair[2].shape[2:]) for pair in pairs) // 2 * 2
            parts = []
            for place in range(3):
                shown = []
                for pair in pairs:
                    larger = pair[2].shape[2] // pair[place].shape[2]
                    part = pair[place].repeat_interleave(larger, 2).repeat_interleave(larger, 3)
                    corner = [(length - side_px) // 2 for length in part.shape[2:]]
                    shown.append(part[:, :, corner[0] :, corner[1] :][:, :, :side_px, :side_px])
                parts.append(torch.cat(shown)[:SHOWN].expand(-1, 3, -1, -1))
        columns = min(len(parts[0]), 16)
        rows = [
            part[start : start + columns]
            for start in range(0, len(parts[0]) // columns * columns, columns)
            for part in parts
        ]
        write_image(path, contact_sheet(torch.cat(rows), columns=columns))
