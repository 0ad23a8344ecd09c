"""The points of the scatter: a set of pictures through the encoder, or the latents that a model keeps in its card."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from viewer.labelled import LabelledSet, open_set
from viewer.latents import Latents
from viewer.model import Model, ModelError
from viewer.pictures import Image

_BATCH_PIXELS: Final = 400_000  # that are encoded at once
_GOLDEN: Final = 0.6180339887498949  # whose multiples, less their whole part, lie scattered evenly over 0..1


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points in latent space, of pictures that are encoded when they are asked for."""

    known: Latents  # [count, d] where there is nothing to encode; else [0, d]
    source: LabelledSet | None = None
    encoder: Model | None = None
    numbers: NDArray[np.int64] | None = None  # [count] of the pictures in their set

    @property
    def count(self) -> int:
        """How many points there are."""
        return len(self.known) if self.numbers is None else len(self.numbers)

    @property
    def name(self) -> str:
        """Of the set; empty for a model's own latents."""
        return "" if self.source is None else self.source.path.name

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes of the points, by label."""
        return () if self.source is None else self.source.classes

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class of each point, [count]; 0 where there are none."""
        if self.source is None or self.source.labels is None or self.numbers is None:
            return np.zeros(self.count, np.int64)
        chosen: NDArray[np.int64] = self.source.labels[self.numbers]
        return chosen

    def number(self, point: int) -> int:
        """Of a point's picture in its set, or among the model's own latents."""
        return point if self.numbers is None else int(self.numbers[point])

    def encode(self, first: int) -> Iterator[Latents]:
        """The latents from point ``first`` on, some at a time. Raises ``ModelError`` and ``PictureError``."""
        if self.source is None or self.encoder is None or self.numbers is None:
            return
        height, width = self.encoder.image_size
        batch = max(_BATCH_PIXELS // (height * width), 1)
        for start in range(first, self.count, batch):
            numbers = [int(number) for number in self.numbers[start : start + batch]]
            yield self.encoder.encode(self.source.read(numbers, height, width))

    def picture(self, point: int) -> Image | None:
        """The picture [h, w, 3] that a point stands for, as the encoder sees it. Raises ``PictureError``."""
        if self.source is None or self.encoder is None:
            return None
        return np.asarray(self.source.read([self.number(point)], *self.encoder.image_size)[0], np.uint8)


def open_cloud(model: Model, encoder: Model | None, data: Path | None, most: int) -> Cloud:
    """The points of a set, at most so many, or those that the model keeps. Raises ``PictureError``, ``ModelError``."""
    if encoder is None or data is None:
        return Cloud(model.samples)
    if encoder.latent.size != model.latent.size:
        raise ModelError(f"{encoder.path}: gives {encoder.latent.size} numbers, expected {model.latent.size}")
    source = open_set(data)
    count = min(most, source.count)
    evenly = (np.arange(count) * source.count) // count
    mixed = np.argsort((np.arange(count) * _GOLDEN) % 1.0, kind="stable")  # no class is drawn over all others
    return Cloud(np.zeros((0, model.latent.size), np.float32), source, encoder, evenly[mixed])
