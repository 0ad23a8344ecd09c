"""What ``trainer/evaluate.py`` measures: reconstruction errors, distances from real images, classes, copies.

Batches are the same whatever the number of ranks, which divide them among themselves: so are the metrics.
"""

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainer import metrics
from trainer.contract.errors import UserError
from trainer.contract.files import replace_bytes
from trainer.contract.text import printable
from trainer.data.batches import open_data
from trainer.data.batches.crops import LEAST_PX
from trainer.data.batches.dataset import ImageDataset, Windows
from trainer.data.batches.stream import ordered
from trainer.distributed import World, seed_step
from trainer.evaluation.features import fit, open_features, open_network
from trainer.evaluation.options import EvaluateConfig
from trainer.family import Batch, Crops, Pairs
from trainer.log import contact_sheet, write_image
from trainer.progress import Progress
from trainer.runs.store import restore

FOLDER = "evaluation"
LEAST = 10  # images or samples in each set whose distance is measured
NEIGHBOURS = 5  # training images shown beside a sample
SHOWN = 12  # samples with their neighbours, and images with their reconstructions
SHEET = 64  # samples shown on their sheet
SEARCHED = 1024  # training images searched at once
WEIGHTED = 1 << 22  # numbers of the images that are decoded at once for --iwae: some 0.2 GB
SMALL_PX = 32  # images are compared with the training set at this size at most


class Evaluation:
    """A run's networks, images that it has not seen, and the networks that features and classes come from."""

    def __init__(self, config: EvaluateConfig, world: World, progress: Progress) -> None:
        self.config, self.world, self.progress = config, world, progress
        self.restored = restore(config.run, config.weights)
        self.family, self.nets, self.spec = self.restored.family, self.restored.nets, self.restored.spec
        for net in self.nets.values():
            net.to(world.device)
        self.files = {item.kind: item for item in self.family.exports(self.nets, self.restored.state.description)}
        self.generates = self.family.generates and config.samples > 0
        self.images, self.indices = self.open_data()
        self.batches = partial(
            ordered, device=world.device, image_range=self.family.image_range, memory_gib=config.memory
        )
        features = config.features if self.generates else "none"
        if config.iwae and not self.family.has_likelihood:
            name = type(self.family).__name__
            raise UserError(f"--iwae is {config.iwae}, expected 0: {name} has no likelihood of images, as a VAE has")
        self.features = open_features(features, config.inception, world.device)
        asked = config.classifier if self.generates else None
        self.classifier = None if asked is None else open_network(asked, world.device, "classifier")
        if self.features is not None:
            own = f"held-out images (--hold-out {self.family.config.hold_out} of {config.run})"
            held = f"{self.name}: {len(self.indices)} {'images' if config.data else own}"
            for found, what, way in (
                (len(self.indices), held, "name more images with --data, or give --features none"),
                (config.samples, f"--samples: {config.samples} images", "draw more"),
            ):
                if found < LEAST:
                    raise UserError(f"{what}, expected at least {LEAST} to compare sets: {way}")
        self.sheets: dict[str, np.ndarray] = {}

    def open_data(self) -> tuple[ImageDataset, np.ndarray]:
        """The set to measure on, and the indices of its images. Raises ``UserError`` where it does not fit the run."""
        config, own = self.config, self.family.config
        self.name = printable(config.data or own.data)
        images = self.open_dataset(config.data or own.data, config.bgr if config.data else own.bgr)
        if str(images.spec) != str(self.spec):
            raise UserError(f"{self.name}: holds images of {images.spec}, expected the run's {self.spec}")
        if self.family.needs_labels and images.labels is None:
            raise UserError(f"{self.name}: holds no labels, {type(self.family).__name__} needs them")
        labelled = any("label" in item.inputs for item in self.files.values())  # some families can do without
        if not self.family.needs_labels and (not labelled or images.labels is None):
            images = dataclasses.replace(images, labels=None, classes=())
        elif images.labels is not None:
            numbers = np.array(same_classes(images.classes, self.spec.classes, self.name))
            images = dataclasses.replace(images, labels=numbers[images.labels], classes=self.spec.classes)
        indices = np.arange(len(images)) if config.data else images.split(own.hold_out)[1]
        if not len(indices):
            raise UserError(f"{config.run}: held out no image: choose some with --data")
        return images, indices

    def open_dataset(self, data: str, bgr: bool) -> ImageDataset:
        """Open a set as the run reads it; --data may have conditions of its own."""
        reading, other = self.family.reading(), data != self.family.config.data
        if other and self.config.condition:
            if not isinstance(reading, Pairs | Crops):
                name = type(self.family).__name__
                raise UserError(f"--condition is {self.config.condition}, expected none: {name} learns from no pairs")
            reading = dataclasses.replace(reading, condition=self.config.condition)
        if other and isinstance(reading, Crops):  # all of them, and whole
            reading = dataclasses.replace(reading, validation="", least_px=LEAST_PX * reading.scale)
        options = dataclasses.replace(self.family.config, data=data, bgr=bgr, memory=self.config.memory)
        return open_data(options, reading, progress=self.world.is_main)

    @torch.no_grad()
    def go(self) -> dict[str, Any]:
        """Measure, write metrics.json and the sheets into the run, and return the contents of metrics.json."""
        config, state = self.config, self.restored.state
        rows = self.measure_held_out()
        found = {name: float(values.double().mean()) for name, values in rows.items() if values.ndim == 1}
        if self.generates:
            found |= self.measure_samples(rows)
        found = {name: value for name, value in found.items() if np.isfinite(value)}
        result = {
            "run": self.restored.run["run_id"],
            "step": state.step,
            "images_seen": state.images_seen,
            "data": self.name if ":" in self.name else Path(self.name).name,
            "images": len(self.indices),
            **({"samples": config.samples, "seed": config.seed} if self.generates else {}),
            **({"iwae_samples": config.iwae} if config.iwae else {}),
            **({"features": self.features.name} if self.features else {}),
            **({"classifier": self.classifier.name} if self.classifier else {}),
            "metrics": found,
        }
        folder = config.run / FOLDER

        def write() -> None:
            folder.mkdir(exist_ok=True)
            for name, sheet in self.sheets.items():
                write_image(folder / f"{name}.png", sheet)
            replace_bytes(folder / "metrics.json", json.dumps(result, indent=1).encode())

        self.world.on_main(write, folder)
        return result

    def measure_held_out(self) -> dict[str, Tensor]:
        """Metrics of the held-out images [n], the family's own and those of its files; and what samples are compared
        with: their ``features`` [n, d], and the images themselves, ``small``."""

        def measure(number: int, indices: np.ndarray) -> dict[str, Tensor]:
            (batch,) = self.batches(self.images, indices, batch_size=len(indices))
            rows = self.family.score(self.nets, batch)
            rows.pop("score", None)
            image = self.to_unit(batch.image)
            reconstruction = self.reconstruct(image, batch)
            if reconstruction is not None:
                rows["mse_exported"] = metrics.squared_error(reconstruction, image)
                rows["psnr"] = metrics.peak_signal_to_noise(reconstruction, image)
                rows["ssim"] = metrics.structural_similarity(reconstruction, image)
                if number == 0:
                    pairs = torch.stack((image[:SHOWN], reconstruction[:SHOWN]))
                    self.sheets["reconstructions"] = contact_sheet(pairs.flatten(0, 1), columns=len(pairs[0]))
            if self.config.iwae:
                rows["iwae"] = -self.log_likelihood(batch)
                rows["iwae_bits"] = rows["iwae"] / (math.log(2) * image[0].numel())
            if self.features is not None:
                rows["features"] = self.features.embed(image)
            if self.generates and self.config.memorised:
                rows["small"] = self.small(image)
            return rows

        return self.over_batches("held out", self.indices, measure)

    def log_likelihood(self, batch: Batch) -> Tensor:
        """Lower bound on the log-likelihood of each image, nats f64 [n]: log of the mean of ``--iwae`` importance
        weights, added up a part at a time."""
        part = max(1, min(self.config.iwae, WEIGHTED // batch.image.numel()))
        total = torch.full((len(batch.image),), -math.inf, dtype=torch.float64, device=batch.image.device)
        for done in range(0, self.config.iwae, part):
            weights = self.family.log_weights(self.nets, batch, min(part, self.config.iwae - done))
            total = torch.logaddexp(total, weights.double().logsumexp(0))
        return total - math.log(self.config.iwae)

    def reconstruct(self, image: Tensor, batch: Batch) -> Tensor | None:
        """Reconstruct images by the files that the family exports: a translator, or encoder and generator. ``None``
        where it has neither."""
        if batch.condition is not None and (translator := self.files.get("translator")):
            values = [self.to_unit(batch.condition)]
            if "latent" in translator.inputs:
                generator = torch.Generator().manual_seed(self.config.seed)
                size = translator.inputs["latent"].shape[1]
                values.append(torch.randn(len(image), size, generator=generator).to(self.world.device))
            return translator.module(*values).clamp(0, 1)
        if not {"encoder", "generator"} <= self.files.keys():
            return None
        values = [self.files["encoder"].module(self.to_unit(batch.input))]
        if "label" in self.files["generator"].inputs:
            if batch.label is None:
                return None
            values.append(batch.label)
        return self.files["generator"].module(*values).clamp(0, 1)

    def measure_samples(self, held_out: dict[str, Tensor]) -> dict[str, float]:
        """Metrics of samples: distances from held-out images' features, classes, and copies of training images."""
        config = self.config
        generator = torch.Generator().manual_seed(config.seed)
        batches = self.batches(self.images, self.indices, batch_size=config.batch_size)
        inputs = self.family.sample_inputs(config.samples, self.spec, generator, batches)
        # Spread over all of them: labels may be in order.
        spread = np.unique(np.linspace(0, config.samples - 1, SHEET).round().astype(np.int64))

        def measure(_: int, indices: np.ndarray) -> dict[str, Tensor]:
            taken = (value[torch.from_numpy(indices)].to(self.world.device) for value in inputs)
            image = self.family.sample(self.nets, self.restored.state.description, *taken).clamp(0, 1).float()
            rows = {"small": self.small(image)} if config.memorised else {}
            rows["shown"] = image[torch.from_numpy(np.isin(indices, spread))]
            if self.features is not None:
                rows["features"] = self.features.embed(image)
            if self.classifier is not None:
                rows["logits"] = self.classifier.embed(image)
            return rows

        rows = self.over_batches("samples", np.arange(config.samples), measure)
        shown = rows["shown"]
        self.sheets["samples"] = contact_sheet(shown)
        found: dict[str, float] = {}
        if self.features is not None and self.world.is_main:
            real, sampled = held_out["features"], rows["features"]
            found["frechet"] = metrics.frechet_distance(real, sampled)
            found["kernel"], found["kernel_std"] = metrics.kernel_distance(real, sampled, seed=config.seed)
            found["precision"], found["recall"] = metrics.precision_recall(real, sampled)
            fewest, size = min(len(real), len(sampled)), real.shape[1]
            if fewest <= size:
                self.progress.say(
                    f"note: {fewest} images are few for the {size} numbers that each is compared by: the Fréchet "
                    "distance comes out too large, and only compares runs that are measured alike; the kernel "
                    "distance does not"
                )
        if self.classifier is not None:
            labels = [value for value in inputs if value.dtype == torch.int64 and value.ndim == 1]
            found |= self.count_classes(rows["logits"], labels[0] if labels else None)
        if config.memorised:
            found |= self.measure_copying(rows["small"], held_out["small"], shown, spread)
        return found

    def count_classes(self, logits: Tensor, labels: Tensor | None) -> dict[str, float]:
        """Entropy of the predicted classes of samples, and the accuracy of their labels where they have any."""
        assert self.classifier is not None
        source = f"--classifier {self.config.classifier}"
        if logits.shape[1] < 2:
            raise UserError(f"{source}: gives 1 score an image, expected one a class")
        predicted = logits.argmax(1)
        found = {"class_entropy": metrics.entropy(predicted, logits.shape[1])}
        if labels is not None:
            own = self.classifier.classes or self.spec.classes
            if len(own) != logits.shape[1]:
                raise UserError(f"{source}: gives {logits.shape[1]} scores, expected {len(own)}")
            wanted = torch.tensor(same_classes(self.spec.classes, own, str(self.config.run)))[labels]
            found["label_accuracy"] = float((predicted == wanted).double().mean())
        return found

    def measure_copying(
        self, samples: Tensor, held_out: Tensor, shown: Tensor, numbers: np.ndarray
    ) -> dict[str, float]:
        """Search the training images for the nearest neighbours of each sample and held-out image, as ``small`` returns
        them. shown: the images of the samples with these ``numbers``."""
        own, training = self.family.config, self.images
        if self.config.data:
            try:
                training = self.open_dataset(own.data, own.bgr)
            except UserError as error:
                self.progress.say(f"note: the training images cannot be searched for copies: {error}")
                return {}
        if str(training.spec) != str(self.spec):
            self.progress.say(f"note: {own.data} is not what the run was trained on: not searched for copies")
            return {}
        indices = training.split(own.hold_out)[0]
        world, count = self.world, min(NEIGHBOURS, len(indices))
        points = torch.cat((samples, held_out))

        def pieces() -> Iterator[tuple[Tensor, Tensor]]:
            with self.progress.doing("training set", len(indices)) as bar:
                for start in range(world.rank * SEARCHED, len(indices), world.size * SEARCHED):
                    chosen = indices[start : start + SEARCHED]
                    (batch,) = self.batches(training, chosen, batch_size=len(chosen))
                    yield torch.from_numpy(chosen), self.small(self.to_unit(batch.image))
                    bar.n += len(chosen) * world.size

        found = metrics.merge_nearest(world.gather(metrics.nearest(points, pieces(), count)), count)
        some = np.unique(np.linspace(0, len(shown) - 1, SHOWN).round().astype(np.int64))
        shown = shown[some]
        chosen = found.indices[numbers[some]]
        beside = torch.from_numpy(training.images[chosen.flatten().numpy()]).permute(0, 3, 1, 2).float() / 255
        rows = torch.cat((shown[:, None], beside.unflatten(0, chosen.shape)), 1)
        self.sheets["neighbours"] = contact_sheet(rows.flatten(0, 1), columns=rows.shape[1])
        apart = found.distances[:, 0]
        return {"copying": metrics.copying(apart[: len(samples)], apart[len(samples) :])}

    def to_unit(self, image: Tensor) -> Tensor:
        """Images of a batch in 0..1."""
        low, high = self.family.image_range
        return (image - low) / (high - low)

    def small(self, image: Tensor) -> Tensor:
        """Flatten images in 0..1, reduced to ``SMALL_PX`` at most: f32 [n, d] on the CPU."""
        height, width = image.shape[2:]
        shrink = max(1.0, max(height, width) / SMALL_PX)
        size = (max(1, round(height / shrink)), max(1, round(width / shrink)))
        return fit(image, image.shape[1], size).flatten(1).cpu()

    def over_batches(
        self, what: str, indices: np.ndarray, measure: Callable[[int, np.ndarray], dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        """Measure all batches, each rank some of them, and gather the rows in order on the CPU."""
        # those of many sizes come one by one
        size = 1 if isinstance(self.images.images, Windows) else self.config.batch_size
        numbers = range(-(-len(indices) // size))
        found = {}
        with self.progress.doing(what, len(indices)) as bar:
            for number in numbers[self.world.rank :: self.world.size]:
                seed_step(self.config.seed, number, 0)  # a bound draws latents: the same whoever measures the batch
                rows = measure(number, indices[number * size :][:size])
                found[number] = {name: values.float().cpu() for name, values in rows.items()}
                bar.n += size * self.world.size
        parts = {number: rows for part in self.world.gather(found) for number, rows in part.items()}
        ordered_parts = [parts[number] for number in numbers]
        return {name: torch.cat([rows[name] for rows in ordered_parts if name in rows]) for name in ordered_parts[0]}


def same_classes(names: tuple[str, ...], known: tuple[str, ...], where: str) -> list[int]:
    """Indices of class ``names`` among the ``known`` ones: folders may lack one. Raises ``UserError``."""
    for name in names:
        if name not in known:
            raise UserError(f"{where}: has the class {name!r}, expected some of {', '.join(known[:12])}")
    return [known.index(name) for name in names]
