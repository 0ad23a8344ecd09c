"""A grid: a page of images to choose from, random, interpolated between its corners, or mixed of training images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, final

import numpy as np

from trainer.contract.text import printable
from viewer import latents, render
from viewer.bindings import SHARED, Binding
from viewer.files.resizing import fit
from viewer.keys import Action, Event
from viewer.latents import Latents
from viewer.model import Images, Model, ModelError, open_model, open_sibling_encoder
from viewer.options import model_threads, with_saved
from viewer.room import Tiling
from viewer.sessions.detail_layer import Layer, first_gain, open_layer
from viewer.sessions.generator_page import COLUMNS, ROWS, GridOptions
from viewer.sessions.knob import first_knob, settings_of
from viewer.sessions.model_session import Part
from viewer.sessions.replay import first_classes, read_saved
from viewer.sessions.sheet_session import SheetSession
from viewer.sessions.sheet_state import SheetState
from viewer.sheet import moved
from viewer.state import next_seed

TRUNCATION_STEPS: Final = 10  # steps in a truncation of 1
LARGEST_TRUNCATION: Final = 20  # steps
_LEAST_SAMPLES: Final = 3  # latents of training images that a mix is made of
_PATIENCE_SECONDS: Final = 0.2  # after which a page is shown half done

GridMode = Literal["random", "interpolation", "mix"]
_MODES: Final[tuple[GridMode, ...]] = ("random", "interpolation", "mix")


@final
@dataclass(frozen=True)
class GridState(SheetState):
    """A page of images; image k of a page has its own stream of random numbers."""

    mode: GridMode = "random"
    truncation_steps: int = TRUNCATION_STEPS
    can_mix: bool = False  # whether the model keeps enough latents of training images

    @property
    def truncation(self) -> float:
        """1: as the prior has it; less: more typical images; more: more varied ones."""
        return self.truncation_steps / TRUNCATION_STEPS

    def _after(self, event: Event) -> "GridState":
        match event.action:
            case Action.NEW if self.can_mix and event.key in ("m", "M"):
                return self._switched(mode="mix")
            case Action.INTERPOLATE:
                return self._switched(mode="interpolation")
            case Action.RANDOM:
                return self._switched(mode="random")
            case Action.MORE:
                return replace(self, truncation_steps=min(self.truncation_steps + 1, LARGEST_TRUNCATION))
            case Action.LESS:
                return replace(self, truncation_steps=max(self.truncation_steps - 1, 0))
            case Action.NEW | Action.PAUSE | Action.PAGE_DOWN:
                return replace(self, seed=next_seed(self.seed))
            case Action.PAGE_UP:
                return replace(self, seed=max(self.seed - 1, 0))
            case _:
                return replace(self, cursor=moved(self.sheet, self.cursor, event))


def page_latents(
    model: Model, mode: GridMode, seed: int, rows: int, columns: int, truncation: float, encoded: Latents | None = None
) -> Latents:
    """The latents of a page, row by row, f32 [rows * columns, d]. ``encoded``: the first corner of an interpolation
    [d], instead of a drawn one."""
    latent, count = model.latent, rows * columns
    if mode == "mix":
        drawn = latents.mix(model.samples, seed, range(count))
    elif mode == "random":
        drawn = latents.draw_many(latent, seed, range(count))
    else:
        drawn = latents.draw_many(latent, seed, latents.corner_numbers(rows, columns))
    drawn = latents.truncate(latent, drawn, truncation)
    if mode != "interpolation":
        return drawn
    corners = drawn if encoded is None else np.concatenate([encoded[None], drawn[1:]])
    return latents.bilinear(corners, rows, columns)


class GridSession(SheetSession[GridState, GridState]):
    """A page of images with a cursor: random, interpolated between its corners, or mixes of training images."""

    page_fields = ("seed", "mode", "classes")

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
        self._canvas = render.blank(state.sheet)
        super().__init__(model, state, folder, layer)
        self._gain_shown = self._gain

    @property
    def _missing(self) -> int:
        return self.state.sheet.count - sum(len(part.images) for part in self._parts)

    def _page(self) -> GridState:
        """What the images follow from."""
        return replace(self.state, cursor=0, gain=None, sheet=self.state.sheet.places)

    def _use_sheet(self, other_count: bool) -> None:
        self._canvas = render.blank(self.state.sheet)
        if other_count:
            self._parts.clear()
            height, width = self.model.image_size
            self._images = np.zeros((self.state.sheet.count, height, width, 3), np.uint8)
        for part in self._parts:
            self._show(part)

    def _latents(self, page: GridState | None = None) -> Latents:
        page = page or self.state
        sheet = page.sheet  # the state may have another by now
        return page_latents(self.model, page.mode, page.seed, sheet.rows, sheet.columns, page.truncation, self._encoded)

    def _work(self, request: GridState) -> Iterator[Part]:
        labels = self._labels_of(request.classes, request.sheet)
        return self._decode(self._latents(request), labels, settings=settings_of(request.knob))

    def _ask(self) -> None:
        page = self._page()
        if page != self._asked:
            self._asked, self._asked_at, self._late = page, self.now, False
            self._parts.clear()
            self._worker.ask(page)
        elif not self._late and self._missing and self.now - self._asked_at > _PATIENCE_SECONDS:
            self._late = self.changed = True

    def _receive(self, request: GridState, part: Part) -> None:
        if request != self._asked:
            return
        if part.first == 0:
            self._images = np.empty_like(self._images)  # an image that is being saved keeps the old ones
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


Grid = TypeVar("Grid", bound=GridSession)


def samples_to_mix(model: Model) -> Latents:
    """The latents of training images that mixes are made of, f32 [k, d]. Raises ``ModelError``: it keeps too few."""
    kept = model.samples
    if len(kept) < _LEAST_SAMPLES:
        raise model.error(f"keeps {len(kept)} latents of training images, expected {_LEAST_SAMPLES} for mixes")
    return kept


def open_grid(
    make: type[Grid],
    options: GridOptions,
    name: str,
    bindings: Sequence[Binding],
    *,
    with_detail: bool = False,
    detail: Path | None = None,
    gain: float | None = None,
) -> Grid:
    """The grid that the options ask for, as a session of class ``make``.

    ``name``: of the mode, for recipes. ``bindings``: its key table. ``with_detail``: something is added to the images,
    by ``detail``, the file of a detail network, or by sharpening; ``gain``: how much of it to begin with. Raises
    ``UserError``.
    """
    path, threads = options.model, model_threads(options.threads)
    model = open_model(path, threads=threads, wanted="generator", reading=options.reading)
    layer = open_layer(model, detail, threads=threads) if with_detail else None
    encoded, source = None, ""
    if options.encode is not None:
        from viewer.files.inputs import read_photo  # and Pillow, here alone

        encoder, source = open_sibling_encoder(path, threads=threads), options.encode.name
        encoded = encoder.encode(fit(read_photo(options.encode).on_white(), *encoder.image_size)[None])[0]
        if encoded.size != model.latent.size:
            raise ModelError(f"{path}: its encoder gives {encoded.size} numbers, expected {model.latent.size}")
    saved = None if options.saved is None else read_saved(options.saved, name, _MODES, model)
    mode: GridMode = "mix" if options.mix else "interpolation" if encoded is not None else "random"
    cursor, truncation_steps = 0, TRUNCATION_STEPS
    if saved is not None:
        options = with_saved(options, {**saved.page(), "mix": saved.kind == "mix"})
        mode = next(one for one in _MODES if one == saved.kind)
        cursor = saved.whole("image", 0, saved.count - 1)
        truncation_steps = saved.whole("truncation", 0, LARGEST_TRUNCATION, 1, TRUNCATION_STEPS)
        from_image = str(saved.values.get("encoded", ""))
        if from_image != source and mode == "interpolation":
            raise ModelError(f"{saved.path}: made with --encode {from_image!r}, found {source!r}")
    if mode == "mix":
        samples_to_mix(model)
    tiling = Tiling(*model.image_size, options.rows, options.cols, (ROWS, COLUMNS), options.scale)
    state = GridState(
        tiling.sheet(),
        mode,
        truncation_steps,
        can_mix=len(model.samples) >= _LEAST_SAMPLES,
        seed=options.seed,
        cursor=cursor,
        classes=first_classes(options.label, model, saved),
        gain=first_gain(gain, layer, saved),
        knob=first_knob(model, saved),
    )
    session = make(model, state, options.out, encoded, printable(source), layer, name, bindings)
    session.tiling = tiling
    return session
