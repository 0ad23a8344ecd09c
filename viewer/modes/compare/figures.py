"""Figures of models on a set of images: how well each reproduces them, and how its samples compare with them.

They are computed a few images at a time, so that whoever asks can do something else in between.
"""

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from trainer.contract.errors import ImageError, UserError
from trainer.contract.text import printable
from viewer.files.image_set import LabelledSet, open_set
from viewer.files.png import Image
from viewer.model import Model
from viewer.modes.compare import metrics
from viewer.modes.compare.makers import GeneratorMaker, Maker, TranslatorMaker
from viewer.modes.compare.reproduction import Reproduced, fit_of, fitted, reproduced, takes_images
from viewer.worker import Worker

HALVES: Final = "halves"
_PART_SECONDS: Final = 0.06  # that one part may take: how soon a key is heard
_MOST_AT_ONCE: Final = 32  # images
_LOOK_SECONDS: Final = 0.05  # between looks at a distance that is being computed

Best = Literal["low", "high"]
Features = NDArray[np.float32]  # [n, d]


@dataclass(frozen=True)
class Row:
    """A figure of each model; ``None`` where it is not known, or not yet."""

    name: str
    values: tuple[float | None, ...]
    best: Best
    form: str = ".4g"

    @property
    def best_places(self) -> set[int]:
        """The models whose value is the best of those known; none where there is nothing to compare."""
        known = {place: self.text(value) for place, value in enumerate(self.values) if value is not None}
        if len(known) < 2 or len(set(known.values())) == 1:
            return set()
        best = (min if self.best == "low" else max)(value for value in self.values if value is not None)
        return {place for place, text in known.items() if text == self.text(best)}

    def text(self, value: float) -> str:
        """A value as it is shown."""
        return format(value, self.form)


@dataclass(frozen=True)
class Figures:
    """What is known so far."""

    rows: tuple[Row, ...]
    progress: str  # how far it is, in words
    finished: bool = False
    notes: tuple[str, ...] = ()

    def as_json(self, names: Sequence[str], files: Sequence[str]) -> dict[str, object]:
        """All of it, each model's figures by their names."""
        models = [
            {"name": name, "file": file, "values": {row.name: row.values[place] for row in self.rows}}
            for place, (name, file) in enumerate(zip(names, files, strict=True))
        ]
        return {"measured": self.progress, "notes": list(self.notes), "figures": models}


@dataclass
class _Sums:
    """The sums of a model's figures, and the features of the images they are of."""

    sums: dict[str, float] = field(default_factory=dict)
    count: dict[str, int] = field(default_factory=dict)
    real: list[Features] = field(default_factory=list)
    made: list[Features] = field(default_factory=list)
    distance: float | None = None

    def add(self, name: str, value: float) -> None:
        self.sums[name] = self.sums.get(name, 0.0) + value
        self.count[name] = self.count.get(name, 0) + 1

    def mean(self, name: str) -> float | None:
        return self.sums[name] / self.count[name] if name in self.sums else None


class Measuring:
    """Measures models on a set of images."""

    def __init__(
        self,
        makers: Sequence[Maker],
        data: LabelledSet,
        *,
        pairs: LabelledSet | None = None,
        halves: bool = False,
        network: Model | None = None,
        count: int = 500,
        seed: int = 0,
    ) -> None:
        """``pairs``: what goes into translators, an image for each of ``data``. ``halves``: it is the left half of each
        image of ``data``. ``network``: whose features are compared. ``count``: images, and samples, at most. ``seed``:
        of the samples, and of the noise of denoisers. Raises ``UserError`` where there is nothing to measure."""
        self.makers = makers
        self.data = data
        self._pairs = pairs
        self._halves = halves
        self._network = network
        self._seed = seed
        self.count = min(count, data.count)
        self._numbers = (np.arange(self.count) * data.count) // self.count
        self._sums = [_Sums() for _ in makers]
        self._unreadable = 0
        self._rows: dict[str, tuple[Best, str]] = {}
        self._check()

    def _check(self) -> None:
        makers = self.makers
        generators = [one for one in makers if isinstance(one, GeneratorMaker)]
        if generators and self._network is None and all(one.encoder is None for one in generators):
            raise UserError(
                f"{generators[0].model.path}: has no encoder beside it, so its images have no originals in --data; "
                "add --features NET.onnx to compare samples"
            )
        as_given = [one for one in makers if isinstance(one, TranslatorMaker) and takes_images(one)]
        if as_given and self._pairs is None and not self._halves:
            raise UserError(
                f"{as_given[0].model.path}: takes images as they are: --pairs says which go in, a set as large as "
                "--data, or halves"
            )
        if self._network is not None:
            self._network.feature_layout  # noqa: B018  # says what it takes instead

    @property
    def settings(self) -> Mapping[str, object]:
        """What the figures follow from besides the models, for the recipe of an image of them."""
        known: dict[str, object] = {"data": self.data.path.name, "count": self.count, "seed": self._seed}
        return known if self._network is None else {**known, "features": self._network.path.name}

    def run(self) -> Iterator[Figures]:
        """The figures, a few images further each time. Raises ``UserError``."""
        measured, at_once = 0, 1
        while measured < self.count:
            began = time.perf_counter()
            read = [one for number in self._numbers[measured : measured + at_once] if (one := self._read(int(number)))]
            for place, maker in enumerate(self.makers):
                with maker.lock:
                    self._measure(place, maker, read)
                yield self._figures(f"{measured} of {self.count} images measured", notes=())
            measured = min(measured + at_once, self.count)
            seconds = max((time.perf_counter() - began) / at_once / len(self.makers), 1e-6)
            at_once = min(max(int(_PART_SECONDS / seconds), 1), _MOST_AT_ONCE)
        if self._unreadable == self.count:
            raise ImageError(f"{self.data.path}: none of {self.count} images can be read")
        if self._network is not None:
            yield from self._measure_samples()
        name = printable(self.data.path.name, 60)
        yield self._figures(f"{self.count - self._unreadable} images of {name}", self._notes(), True)

    def _read(self, number: int) -> tuple[int, Image, Image | None] | None:
        """The number of an image, the image, and what goes into translators for it; ``None``: it cannot be read."""
        try:
            image = self.data.fetch(number)
            other = None if self._pairs is None else self._pairs.fetch(number)
        except ImageError:
            self._unreadable += 1
            return None
        if self._halves:
            middle = image.shape[1] // 2
            image, other = np.ascontiguousarray(image[:, middle:]), np.ascontiguousarray(image[:, :middle])
        return number, image, other

    def _measure(self, place: int, maker: Maker, read: Sequence[tuple[int, Image, Image | None]]) -> None:
        sums = self._sums[place]
        for one in reproduced(maker, read, self._seed, self.data.labels):
            for target, result in zip(one.targets, one.results, strict=True):
                self._compare(sums, one, target, result)
            if self._network is not None and len(one.targets):
                real, made = self._network.features(one.targets), self._network.features(one.results)
                for distance in np.linalg.norm(real - made, axis=1):
                    self._add(sums, f"feature distance{one.at}", float(distance), "low")
                if isinstance(maker, TranslatorMaker):
                    sums.real.append(real)
                    sums.made.append(made)
        if self._network is not None and not isinstance(maker, TranslatorMaker) and read:
            size, fit = maker.size_of(0, 0), fit_of(maker)
            sums.real.append(self._network.features([fitted(image, size, fit) for _, image, _ in read]))

    def _compare(self, sums: _Sums, one: Reproduced, target: Image, result: Image) -> None:
        border = one.on_luma
        if border:
            rows, columns = (slice(border, side - border) for side in target.shape[:2])
            first, second = (metrics.luma(image)[rows, columns] for image in (result, target))
        else:
            first, second = metrics.unit(result), metrics.unit(target)
        words = f"{one.at}{' of the luma' if border else ''}"
        if not one.at:
            self._add(sums, f"mean squared error{words}", metrics.squared_error(first, second), "low")
        self._add(sums, f"PSNR{words}", metrics.peak_signal_to_noise(first, second), "high", ".2f")
        if not one.at:
            self._add(sums, f"SSIM{words}", metrics.structural_similarity(first, second), "high", ".4f")

    def _add(self, sums: _Sums, name: str, value: float, best: Best, form: str = ".4g") -> None:
        self._rows[name] = best, form
        sums.add(name, value)

    def _measure_samples(self) -> Iterator[Figures]:
        """The Fréchet distance of samples, or of results, from the set."""
        network = self._network
        assert network is not None
        for place, maker in enumerate(self.makers):
            sums, done = self._sums[place], 0
            for made in maker.samples(self._seed, self.count):
                images = made[: self.count - done]
                done += len(images)
                if len(images):
                    sums.made.append(network.features(list(images)))
                yield self._figures(f"{done} of {self.count} samples of model {place + 1}", notes=())
            if sum(map(len, sums.made)) > 1 and sum(map(len, sums.real)) > 1:
                job = partial(metrics.frechet_distance, np.concatenate(sums.real), np.concatenate(sums.made))
                waiting = self._figures(f"Fréchet distance of model {place + 1}".replace("é", "e"), notes=())
                sums.distance = yield from _beside(job, waiting)

    def _figures(self, progress: str, notes: tuple[str, ...], finished: bool = False) -> Figures:
        rows = [
            Row(name, tuple(sums.mean(name) for sums in self._sums), best, form)
            for name, (best, form) in self._rows.items()
        ]
        if self._network is not None:
            rows.append(Row("Frechet distance", tuple(sums.distance for sums in self._sums), "low"))
        return Figures(tuple(rows), progress, finished, notes)

    def _notes(self) -> tuple[str, ...]:
        notes = []
        if self._unreadable:
            notes.append(f"{self._unreadable} images cannot be read and were left out")
        measured = min((max(sums.count.values(), default=0) for sums in self._sums if sums.count), default=0)
        small = self.count - self._unreadable - measured
        if isinstance(self.makers[0], TranslatorMaker) and small:
            notes.append(f"{small} images are too small and were left out")
        if shrunk := max((one.shrunk for one in self.makers if isinstance(one, TranslatorMaker)), default=0):
            notes.append(f"{shrunk} images are larger than what goes in (--size), and were shrunk")
        if self.data.labels is None and any(
            isinstance(one, GeneratorMaker) and one.model.classes for one in self.makers
        ):
            notes.append("the set has no labels: models with classes reconstruct by the first")
        sizes = {maker.size_of(512, 512) for maker in self.makers}
        if len(sizes) > 1:
            notes.append("each model at its own size: figures of different sizes compare only roughly")
        if self._network is not None:
            notes.append(f"features of {printable(self._network.path.name, 60)}")
            size = next((one.real[0].shape[1] for one in self._sums if one.real), 0)
            if self.count <= size:
                notes.append(f"{self.count} images are few for {size} features: the Frechet distance is too large")
        return tuple(notes)


def open_measuring(
    makers: Sequence[Maker], data: str, pairs: str | None, network: Model | None, *, bgr: bool, count: int, seed: int
) -> Measuring:
    """Measures models on the set that ``--data`` names; the rest are other options. Raises ``UserError``."""
    opened = open_set(Path(data), bgr)
    halves = pairs == HALVES
    others = None if pairs is None or halves else open_set(Path(pairs), bgr)
    if others is not None and others.count != opened.count:
        raise UserError(f"--pairs {pairs}: {others.count} images, expected the {opened.count} of --data")
    if others is not None and opened.names and others.names:
        for one, other in zip(opened.names, others.names, strict=True):
            if Path(one).stem != Path(other).stem:
                raise UserError(f"--pairs {pairs}: {other} is in the place of {one}, expected files of the same names")
    return Measuring(makers, opened, pairs=others, halves=halves, network=network, count=count, seed=seed)


def _beside(job: Callable[[], float], waiting: Figures) -> Generator[Figures, None, float]:
    """Compute a number in another thread; meanwhile there are the same figures again and again. Returns the number."""
    worker: Worker[None, float] = Worker(lambda _: iter((job(),)))
    worker.ask(None)
    try:
        while worker.busy:
            worker.wait(_LOOK_SECONDS)
            for answer in worker.take():
                return answer.get()
            yield waiting
    finally:
        worker.close()
    return math.nan
