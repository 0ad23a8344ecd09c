"""The points of the scatter: a set of images through the encoder, random latents, or those that the card keeps."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainer.contract.errors import ImageError
from trainer.contract.images import FITS, Fit
from viewer.files.image_set import LabelledSet, open_set
from viewer.files.png import Image
from viewer.latents import Latents, draw_many
from viewer.model import Model, ModelError

_BATCH_PIXELS: Final = 400_000  # that are encoded at once
_GOLDEN: Final = 0.6180339887498949  # whose multiples, less their whole part, lie scattered evenly over 0..1


@dataclass(frozen=True, eq=False)
class Encoded:
    """Points whose places are known, in the order of the scatter."""

    latents: Latents  # [n, d]
    points: NDArray[np.int64]  # [n], which ones of the scatter they are
    tried: int  # so many first points of the scatter: those of them that are missing have images that cannot be read


@dataclass(frozen=True, eq=False)
class Scatter:
    """Points in latent space, of images that are encoded when they are asked for."""

    known: Latents  # [count, d] where there is nothing to encode; else [0, d]
    numbers: NDArray[np.int64]  # [count] of the images in their set, or among the model's own latents
    source: LabelledSet | None = None  # the set
    encoder: Model | None = None
    seed: int | None = None  # of random latents, which are those of this page
    fit: Fit = FITS["stretch"]  # brings images to the encoder's size, as in its training where it says

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes of the points, by label."""
        return () if self.source is None else self.source.classes

    def words(self, point: int) -> tuple[str, ...]:
        """Of a point: its number, and the name of its class."""
        number = int(self.numbers[point])
        if self.source is None:
            return (f"training image {number + 1}" if self.seed is None else f"random latent {number}",)
        return (f"number {number}", *(f"class {self.classes[label]}" for label in self.labels[[point]] if self.classes))

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The class of each point, [count]; 0 where there are none."""
        if self.source is None or self.source.labels is None:
            return np.zeros(len(self.numbers), np.int64)
        chosen: NDArray[np.int64] = self.source.labels[self.numbers]
        return chosen

    def encode(self, first: int) -> Iterator[Encoded]:
        """The points from ``first`` on, some at a time, but for those whose images cannot be read.

        Raises ``ModelError``, and ``ImageError`` where not one of the set can be read.
        """
        if self.source is None or self.encoder is None:
            return
        height, width = self.encoder.image_size
        batch, count = max(_BATCH_PIXELS // (height * width), 1), len(self.numbers)
        readable, failure = 0, None
        for start in range(first, count, batch):
            end = min(start + batch, count)
            images, points = [], []
            for point in range(start, end):
                try:
                    images.append(self.source.read(int(self.numbers[point]), height, width, self.fit))
                    points.append(point)
                except ImageError as error:
                    failure = failure or error
            readable += len(points)
            latents = self.encoder.encode(np.stack(images)) if images else self.known[:0]
            yield Encoded(latents, np.array(points, np.int64), end)
        if first == 0 and not readable and failure is not None:
            raise ImageError(f"{self.source.path}: none of {count} images can be read; the first: {failure}")

    def image(self, point: int) -> Image | None:
        """The image [h, w, 3] that a point stands for, as the encoder sees it. Raises ``ImageError``."""
        if self.source is None or self.encoder is None:
            return None
        return self.source.read(int(self.numbers[point]), *self.encoder.image_size, self.fit)


def random_scatter(model: Model, seed: int, count: int) -> Scatter:
    """The latents of the first ``count`` images of page ``seed``: for models without an encoder, too."""
    return Scatter(draw_many(model.latent, seed, range(count)), np.arange(count), seed=seed)


def open_scatter(model: Model, encoder: Model | None, data: Path | None, most: int, bgr: bool = False) -> Scatter:
    """The points of a set, ``most`` at most, or those that the model keeps. ``bgr``: a .npy file holds BGR. Raises
    ``ImageError``, ``ModelError``."""
    if encoder is None or data is None:
        return Scatter(model.samples, np.arange(len(model.samples)))
    if encoder.latent.size != model.latent.size:
        raise ModelError(f"{encoder.path}: gives {encoder.latent.size} numbers, expected {model.latent.size}")
    source = open_set(data, bgr)
    fit = FITS.get("" if encoder.card is None else str(encoder.card.training.get("fit")), FITS["stretch"])
    count = min(most, source.count)
    evenly = (np.arange(count) * source.count) // count
    mixed = np.argsort((np.arange(count) * _GOLDEN) % 1.0, kind="stable")  # no class is drawn over all others
    return Scatter(np.zeros((0, model.latent.size), np.float32), evenly[mixed], source, encoder, fit=fit)
