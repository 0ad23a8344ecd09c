"""A grid: a page of images to choose from, random or interpolated."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from viewer import latents, render
from viewer.bindings import SHARED, Binding
from viewer.latents import Latents
from viewer.model import Images, Model
from viewer.sessions.detail_layer import Layer
from viewer.sessions.grid.state import GridState
from viewer.sessions.model_session import Part
from viewer.sessions.sheet_session import SheetSession

_PATIENCE_SECONDS: Final = 0.2  # after which a page is shown half done


class GridSession(SheetSession[GridState, GridState]):
    """A page of images with a cursor: random, interpolated between its corners, or mixes of training images."""

    def __init__(
        self,
        model: Model,
        state: GridState,
        folder: Path,
        encoded: Latents | None = None,
        source: str = "",
        layer: Layer | None = None,
        mode: str = "grid",
        bindings: Sequence[Binding] = SHARED,
    ) -> None:
        """``encoded``: latent [d] of a real image for the first corner. ``source``: its name. ``layer``: what is
        added to the images, times the state's gain. ``mode``: its name in recipes."""
        self.bindings = bindings
        self._mode = mode
        self._encoded = encoded
        self._source = source
        self._asked: GridState | None = None
        self._asked_at = 0.0
        self._late = False  # the page is shown half done
        height, width = model.image_size
        self._images: Images = np.zeros((state.sheet.count, height, width, 3), np.uint8)
        self._parts: list[Part] = []  # of the page asked for, without what the gain makes of them
        self._count = 0  # images of the page asked for that are there
        self._canvas = render.blank(state.sheet)
        super().__init__(model, state, folder, layer)
        self._gain_shown = self._gain

    @property
    def _missing(self) -> int:
        return self.state.sheet.count - self._count

    def _page(self) -> GridState:
        """What the images follow from."""
        return replace(self.state, cursor=0, gain=None)

    def _latents(self) -> Latents:
        return self._latents_of(self.state)

    def _latents_of(self, page: GridState) -> Latents:
        sheet, latent = self.state.sheet, self.model.latent
        if page.mode == "mix":
            drawn = latents.mix(self.model.samples, page.seed, range(sheet.count))
        elif page.mode == "random":
            drawn = latents.draw_many(latent, page.seed, range(sheet.count))
        else:
            drawn = latents.draw_many(latent, page.seed, latents.corner_numbers(sheet.rows, sheet.columns))
        drawn = latents.truncate(latent, drawn, page.truncation)
        if page.mode != "interpolation":
            return drawn
        corners = drawn if self._encoded is None else np.concatenate([self._encoded[None], drawn[1:]])
        return latents.bilinear(corners, sheet.rows, sheet.columns)

    def _work(self, request: GridState) -> Iterator[Part]:
        return self._decode(self._latents_of(request), self._labels_of(request.classes))

    def _ask(self) -> None:
        page = self._page()
        if page != self._asked:
            self._asked, self._asked_at, self._count, self._late = page, self.now, 0, False
            self._parts.clear()
            self._worker.ask(page)
        elif not self._late and self._missing and self.now - self._asked_at > _PATIENCE_SECONDS:
            self._late = self.changed = True

    def _receive(self, request: GridState, part: Part) -> None:
        if request != self._asked:
            return
        if part.first == 0:
            self._images = np.empty_like(self._images)  # an image that is being saved keeps the old ones
        self._count = part.first + len(part.images)
        self._parts.append(part)
        self._show(part)
        self._late = self._late and self._missing > 0
        self.changed = self.changed or self._late or not self._missing

    def _show(self, part: Part) -> None:
        images = self._mixed(part)
        self._images[part.first : part.first + len(images)] = images
        render.place(self._canvas, self.state.sheet, part.first, images)

    def _follow_gain(self) -> None:
        """Show the images that are there with the gain of now."""
        if self._gain_shown == self._gain:
            return
        self._gain_shown = self._gain
        self._images = np.empty_like(self._images)  # an image that is being saved keeps the old ones
        for part in self._parts:
            self._show(part)

    def _screen(self) -> render.Image:
        self._follow_gain()
        return self._canvas

    def _ready(self) -> Images | None:
        self._follow_gain()
        return self._images if self._page() == self._asked and not self._missing else None

    def _recipe(self) -> Mapping[str, Any]:
        state = self.state
        recipe: dict[str, Any] = {"mode": f"{self._mode} {state.mode}", "truncation": state.truncation}
        if self._encoded is not None and state.mode == "interpolation":
            recipe["encoded"] = self._source
        return recipe

    def _status(self) -> tuple[str, ...]:
        state = self.state
        mode = state.mode if state.mode != "mix" else "mixes of training images"
        effect = self._layer_words() or (f"truncation {state.truncation:.1f}",)
        status = (mode, *self._class_words(), f"seed {state.seed}", *effect)
        return (*status, f"{self._missing} to come") if self._late else status

    def _situation(self) -> Mapping[str, object]:
        return {**super()._situation(), self.state.mode: True, "mixes": self.state.can_mix}
