"""What every mode of a model at work has in common: the model in its recipes, and sheets of its images."""

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from viewer import render
from viewer.files.png import encode_png, save_numbered
from viewer.frame.sheet import Sheet, fitting_sheet
from viewer.latents import Latents
from viewer.model import Images, Model
from viewer.sessions.classes import Classes, class_words
from viewer.sessions.detail_layer import Details, Layer
from viewer.sessions.session import Made, Request, Session, check_saved_size
from viewer.state import SheetState, State

_PART_SECONDS: Final = 0.06  # that one part of a page may take: how soon a new request is heard
_FIRST_PART: Final = 4  # images, before the speed of a model is known
_LARGEST_RECIPE: Final = 65_536  # latent numbers that a saved sheet carries

Labels = NDArray[np.int64]  # [n]


@dataclass(frozen=True)
class Part:
    """Some of the images that were asked for."""

    first: int  # number of the first one
    images: Images
    details: Details | None = None  # to be added to them, where there is a layer


class Decoder:
    """Makes images in parts small enough that something newer is never kept waiting long."""

    def __init__(self, model: Model, layer: Layer | None = None) -> None:
        self._model = model
        self._layer = layer
        self._seconds = 0.0  # an image

    def parts(self, wanted: Latents, labels: Labels | None = None, group: int = 1) -> Iterator[Part]:
        """The images of latents [n, d], a multiple of ``group`` at a time. ``labels``: of models with classes."""
        first = 0
        while first < len(wanted):
            size = _FIRST_PART if self._seconds == 0 else max(int(_PART_SECONDS / self._seconds), 1)
            size = -(-size // group) * group
            started = time.perf_counter()
            part = slice(first, first + size)
            images = self._model.generate(wanted[part], None if labels is None else labels[part])
            details = None if self._layer is None else self._layer.of(wanted[part], images)
            self._seconds = max((time.perf_counter() - started) / len(images), 1e-6)
            yield Part(first, images, details)
            first += len(images)

    def make(self, wanted: Latents, labels: Labels | None, gain: float) -> Images:
        """All images of latents [n, d] at once, with ``gain`` times what the layer adds."""
        images = self._model.generate(wanted, labels)
        return images if self._layer is None else render.with_detail(images, self._layer.of(wanted, images), gain)


class ModelSession(Session[State, Request, Made]):
    """A mode that shows what a model makes."""

    def __init__(self, model: Model, state: State, folder: Path, layer: Layer | None = None) -> None:
        self.model = model
        self.layer = layer
        self._decoder = Decoder(model, layer)
        # mypy takes the state of the base for the first of all that there are
        super().__init__(model.name, state, folder)  # type: ignore[arg-type]

    def _send(self, errand: Callable[[], tuple[render.Image, Mapping[str, Any]]]) -> None:
        """Have an image made, with its recipe, and saved; the model and its hash are added to the recipe."""

        def save() -> str:
            image, recipe = errand()
            return f"saved {save_numbered(self._folder, self.model.name, encode_png(image, self._signed(recipe)))}"

        self._errands.send(save)

    def _signed(self, recipe: Mapping[str, Any]) -> Mapping[str, Any]:
        """A recipe with the model that it is for."""
        return {"model": self.model.name, "file": self.model.path.name, **recipe, "sha256": self.model.sha256}


class SheetSession(ModelSession[SheetState, Request, Part]):
    """A mode that shows a sheet of images with a cursor."""

    @property
    def settled(self) -> bool:
        """Whether the last frame shows all that the events until then asked for."""
        return not (self.changed or self._errands.count) and (self._ready() is not None or not self._worker.busy)

    def _compose(self, images: render.Image, strip: render.Image | None) -> render.Image:
        several = self.state.sheet.count > 1
        return render.compose(images, strip, self.state.sheet if several else None, self.state.cursor)

    def _save(self, whole: bool) -> None:
        sheet, wanted, labels = self.state.sheet, self._latents(), self._labels_of(self.state.classes)
        recipe: dict[str, Any] = {
            "seed": self.state.seed,
            "rows": sheet.rows,
            "cols": sheet.columns,
            **self._facts(),
            **self._layer_facts(),
        }
        images, gain = self._ready(), self._gain
        if not whole:
            index = self.state.cursor
            wanted = wanted[index : index + 1]
            labels = None if labels is None else labels[index : index + 1]
            images = None if images is None else images[index : index + 1]
            recipe["image"] = index
        if wanted.size <= _LARGEST_RECIPE:
            recipe["latents" if whole else "latent"] = exact_numbers(wanted) if whole else exact_numbers(wanted)[0]
        if labels is not None:
            own = {"label": int(labels[0]), "class": self.model.classes[labels[0]]}
            recipe |= {"labels": labels.tolist()} if whole else own
            recipe |= {"first_label": self.state.classes.label, "by_class": self.state.classes.by_row}
        height, width = self.model.image_size
        gap = sheet.gap if sheet.count > 1 else 0
        recipe |= {"gap": gap} if whole else {}
        native = Sheet(sheet.rows, sheet.columns, width, height, gap) if whole else Sheet(1, 1, width, height, 0)

        def errand() -> tuple[render.Image, Mapping[str, Any]]:
            check_saved_size(native.width, native.height)
            made = self._decoder.make(wanted, labels, gain) if images is None else images
            image = render.blank(native)
            render.place(image, native, 0, made)
            return image, recipe

        self._send(errand)

    @property
    def _gain(self) -> float:
        """What the layer is multiplied by; 0 where there is none."""
        return self.state.gain.value if self.state.gain else 0.0

    def _mixed(self, part: Part) -> Images:
        """Images with what the layer adds now."""
        return part.images if part.details is None else render.with_detail(part.images, part.details, self._gain)

    def _layer_facts(self) -> Mapping[str, Any]:
        """What is added to the images, for their recipe."""
        return {} if self.layer is None else {"gain": self._gain, **self.layer.facts}

    def _layer_words(self) -> tuple[str, ...]:
        """The same in words."""
        return (self.state.gain.words,) if self.state.gain else ()

    def _labels_of(self, classes: Classes) -> Labels | None:
        """Of the images of the sheet; ``None`` where the model has no classes."""
        labels = classes.of_sheet(self.state.sheet.rows, self.state.sheet.columns)
        return np.array(labels, np.int64) if labels else None

    def _class_words(self) -> tuple[str, ...]:
        """The class of the selected image, in words; none where the model has no classes."""
        classes, sheet = self.state.classes, self.state.sheet
        if not classes.count:
            return ()
        label = classes.of_row(self.state.cursor // sheet.columns)
        words = class_words(label, self.model.classes[label])
        return (words, "rows by class") if classes.by_row else (words,)

    @abstractmethod
    def _latents(self) -> Latents:
        """Of the images that the state asks for, [n, d]."""

    @abstractmethod
    def _ready(self) -> Images | None:
        """The images that the state asks for; ``None`` where some are not there yet."""


def exact_numbers(rows: Latents) -> list[list[float]]:
    """Latents [n, d] as plain numbers, the shortest that are exact."""
    return [[float(str(number)) for number in row] for row in rows]


def make_sheet(model: Model, rows: int, columns: int, scale: float, gap: int = 2, across: int = 1) -> Sheet:
    """Where the images of a model go on the frame: see ``fitting_sheet``. Raises ``ViewerError``."""
    return fitting_sheet(rows, columns, *model.image_size, scale, gap, across)
