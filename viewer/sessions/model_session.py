"""Modes that show what a model makes: its images, made in parts, and the model in their recipes."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from viewer import render
from viewer.files.png import encode_png, save_numbered
from viewer.latents import Latents
from viewer.model import Images, Model
from viewer.sessions.detail_layer import Details, Layer
from viewer.sessions.replay import signed
from viewer.sessions.session import Made, Request, Session, State

if TYPE_CHECKING:
    from viewer.graph.ports import Settings

_PART_SECONDS: Final = 0.06  # that one part of a page may take: how soon a new request is heard
_FIRST_PART: Final = 4  # images, before the speed of a model is known

Labels = NDArray[np.int64]  # [n]


@dataclass(frozen=True)
class Part:
    """Some of the images that were asked for."""

    first: int  # number of the first one
    images: Images
    details: Details | None = None  # to be added to them, where there is a layer


class Decoder:
    """Makes a generator's images in parts small enough that a new request is never kept waiting long."""

    def __init__(self, model: Model, layer: Layer | None = None) -> None:
        """``layer``: what is added to the images."""
        self.model = model
        self.layer = layer
        self._seconds = 0.0  # that an image takes

    def parts(
        self, wanted: Latents, labels: Labels | None = None, group: int = 1, settings: "Settings | None" = None
    ) -> Iterator[Part]:
        """The images of latents [n, d], a multiple of ``group`` at a time. ``labels``: of models with classes.
        ``settings``: of other inputs. Raises ``ModelError``."""
        first = 0
        while first < len(wanted):
            size = _FIRST_PART if self._seconds == 0 else max(int(_PART_SECONDS / self._seconds), 1)
            size = -(-size // group) * group
            started = time.perf_counter()
            part = slice(first, first + size)
            images = self.model.generate(wanted[part], None if labels is None else labels[part], settings)
            details = None if self.layer is None else self.layer.of(wanted[part], images)
            self._seconds = max((time.perf_counter() - started) / len(images), 1e-6)
            yield Part(first, images, details)
            first += len(images)


class ModelSession(Session[State, Request, Made]):
    """A mode that shows what a model makes."""

    def __init__(self, model: Model, state: State, folder: Path, layer: Layer | None = None) -> None:
        """``layer``: what is added to the images of a generator."""
        self.model = model
        self.layer = layer
        self._decoder = Decoder(model, layer)
        super().__init__(model.name, state, folder)

    def _decode(
        self, wanted: Latents, labels: Labels | None = None, group: int = 1, settings: "Settings | None" = None
    ) -> Iterator[Part]:
        """The images of latents [n, d], a multiple of ``group`` at a time, in parts small enough that a new request is
        never kept waiting long. ``labels``: of models with classes. ``settings``: of other inputs."""
        return self._decoder.parts(wanted, labels, group, settings)

    def _send(self, job: Callable[[], tuple[render.Image, Mapping[str, Any]]]) -> None:
        """Have an image made, with its recipe, and saved; the model and its hash are added to the recipe."""

        def save() -> str:
            image, recipe = job()
            data = encode_png(image, signed(self.model, recipe))
            return f"saved {save_numbered(self._folder, self.model.name, data)}"

        self._have_saved(save)
