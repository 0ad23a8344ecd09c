"""Modes that show a sheet of a generator's images with a cursor."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from viewer import render
from viewer.latents import Latents
from viewer.model import Images, Model
from viewer.room import Room, Tiling
from viewer.sessions.classes import Classes, class_words
from viewer.sessions.detail_layer import Layer, other_low
from viewer.sessions.knob import knob_recipe, knob_words, settings_of
from viewer.sessions.model_session import Labels, ModelSession, Part
from viewer.sessions.replay import exact_numbers
from viewer.sessions.session import Request, check_saved_size
from viewer.sessions.sheet_state import SheetState
from viewer.sheet import Sheet

_LARGEST_RECIPE: Final = 65_536  # latent numbers that a saved sheet carries

State = TypeVar("State", bound=SheetState)


class SheetSession(ModelSession[State, Request, Part]):
    """A mode that shows a sheet of images with a cursor."""

    page_fields: tuple[str, ...] = ("seed", "classes")

    def __init__(self, model: Model, state: State, folder: Path, layer: Layer | None = None) -> None:
        """``layer``: what is added to the images, times the state's gain."""
        super().__init__(model, state, folder, layer)
        said = "" if layer is None else other_low(model, layer)
        if said:
            self.notify(said)

    tiling: Tiling | None = None  # how large the images are and how many; None: as the first state says

    def _lay_out(self, room: Room) -> bool:
        if self.tiling is None:
            return False
        before, sheet = self.state.sheet, self.tiling.sheet(room)
        self.state = replace(self.state, sheet=sheet, cursor=min(self.state.cursor, sheet.count - 1))
        if sheet != before:
            self._use_sheet(sheet.places != before.places)
        return True

    def _use_sheet(self, other_count: bool) -> None:
        """Show the images on the sheet of the state. ``other_count``: it has more rows or columns, or fewer."""

    @property
    def settled(self) -> bool:
        """Whether the last frame shows all that the events until then asked for."""
        return not (self.changed or self._unsaved) and (self._ready() is not None or not self._worker.busy)

    def _cursor(self) -> tuple[Sheet | None, int]:
        return self.state.sheet if self.state.sheet.count > 1 else None, self.state.cursor

    def _captions(self) -> Sequence[render.Caption]:
        return self.state.classes.captions(self.model.classes, self.state.sheet, self._text_scale)

    def _situation(self) -> Mapping[str, object]:
        gain = self.state.gain
        scalar = self.state.knob is not None and gain is None
        return {"classes": self.state.classes.count, "scalar": scalar, gain.name if gain else "": gain is not None}

    def _save(self, whole: bool) -> None:
        state, sheet = self.state, self.state.sheet
        which = slice(None) if whole else slice(state.cursor, state.cursor + 1)
        wanted, labels, images, gain = self._latents()[which], self._labels_of(state.classes), self._ready(), self._gain
        labels = None if labels is None else labels[which]
        images = None if images is None else images[which]
        recipe: dict[str, Any] = {"seed": state.seed, "rows": sheet.rows, "cols": sheet.columns, **self._recipe()}
        if self.layer is not None:
            recipe |= {"gain": gain, "detail": self.layer.recipe}
        recipe |= knob_recipe(state.knob)
        recipe |= {} if whole else {"image": state.cursor}
        if wanted.size <= _LARGEST_RECIPE:
            recipe["latents" if whole else "latent"] = exact_numbers(wanted) if whole else exact_numbers(wanted)[0]
        if labels is not None:
            own = {"label": int(labels[0]), "class": self.model.classes[labels[0]]}
            recipe |= {"labels": labels.tolist()} if whole else own
            recipe |= {"first_label": state.classes.label, "by_class": state.classes.by_row}
        height, width = self.model.image_size
        gap = (self.tiling.gap if self.tiling is not None else sheet.gap) if sheet.count > 1 else 0
        recipe |= {"gap": gap} if whole else {}
        native = Sheet(sheet.rows, sheet.columns, width, height, gap) if whole else Sheet(1, 1, width, height, 0)

        def job() -> tuple[render.Image, Mapping[str, Any]]:
            check_saved_size(native.width, native.height)
            made = images
            if made is None:
                made = self.model.generate(wanted, labels, settings_of(state.knob))
                made = made if self.layer is None else render.with_detail(made, self.layer.of(wanted, made), gain)
            return render.place(render.blank(native), native, 0, made), recipe

        self._send(job)

    @property
    def _gain(self) -> float:
        """What the layer is multiplied by; 0 where there is none."""
        return self.state.gain.value if self.state.gain else 0.0

    def _mixed(self, part: Part) -> Images:
        """Images with what the layer adds now."""
        return part.images if part.details is None else render.with_detail(part.images, part.details, self._gain)

    def _layer_words(self) -> tuple[str, ...]:
        """How much is added to the images, and the scalar that the model is given, in words."""
        gain = self.state.gain
        return (*((f"{gain.name} {gain.value:.3g}",) if gain else ()), *knob_words(self.state.knob))

    def _labels_of(self, classes: Classes, sheet: Sheet | None = None) -> Labels | None:
        """Of the images of a sheet, or that of the state; ``None`` where the model has no classes."""
        sheet = sheet or self.state.sheet
        labels = classes.of_sheet(sheet.rows, sheet.columns)
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
    def _recipe(self) -> Mapping[str, Any]:
        """What the images follow from besides."""

    @abstractmethod
    def _latents(self) -> Latents:
        """Of the images that the state asks for, [n, d]."""

    @abstractmethod
    def _ready(self) -> Images | None:
        """The images that the state asks for; ``None`` where some are not there yet."""
