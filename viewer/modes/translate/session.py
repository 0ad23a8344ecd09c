"""The translate mode: images beside what a model makes of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trainer.contract import images
from trainer.contract.errors import UserError
from trainer.contract.text import printable
from viewer import render
from viewer.files.inputs import Photo, read_photo
from viewer.files.png import Image
from viewer.files.results import bicubic
from viewer.files.tree import Found
from viewer.frame import plots
from viewer.keys import Action, Event
from viewer.latents import Latents, draw, lerp, slerp
from viewer.modes.translate.draw.session import open_draw
from viewer.modes.translate.options import BINDINGS, Options
from viewer.sessions.headless import readable
from viewer.sessions.knob import first_knob, knob_recipe, knob_words, settings_of
from viewer.sessions.model_session import ModelSession
from viewer.sessions.replay import exact_numbers
from viewer.sessions.session import Session, check_saved_size
from viewer.sessions.sheet_state import Gain
from viewer.sessions.translation import Translator, open_translator, visible
from viewer.state import next_seed

STOPS: Final = 5  # results on the line between two latents, both ends included
_SIGMA_STEP: Final = 5  # hundredths
_LARGEST_SIGMA: Final = 100
_KEPT: Final = 32  # images with their results, so that going back is at once
_KEPT_BYTES: Final = 1 << 28  # of them, unless one alone is larger


@dataclass(frozen=True)
class TranslateState:
    """An image of several beside what a model makes of it."""

    count: int  # images there are
    index: int = 0  # of the one that is shown
    sigma: int | None = None  # hundredths, of the edges' thresholds; None: edges are not made here
    has_latent: bool = False
    seed: int = 0  # of the latent
    line: bool = False  # results between this latent and the next one
    stop: int = 0  # of the line, the chosen one
    knob: Gain | None = None  # what a scalar input of the model is given; None: it has none

    def after(self, event: Event) -> "TranslateState":
        """The state after an event."""
        match event.action:
            case Action.RIGHT | Action.PAGE_DOWN:
                return replace(self, index=(self.index + 1) % self.count)
            case Action.LEFT | Action.PAGE_UP:
                return replace(self, index=(self.index - 1) % self.count)
            case Action.HOME:
                return replace(self, index=0)
            case Action.END:
                return replace(self, index=self.count - 1)
            case Action.MORE | Action.LESS if self.sigma is not None:
                step = _SIGMA_STEP if event.action is Action.MORE else -_SIGMA_STEP
                return replace(self, sigma=min(max(self.sigma + step, 0), _LARGEST_SIGMA))
            case Action.MORE | Action.LESS if self.knob is not None:
                return replace(self, knob=self.knob.after(event))
            case Action.DOWN if self.line:
                return replace(self, stop=(self.stop + 1) % STOPS)
            case Action.UP if self.line:
                return replace(self, stop=(self.stop - 1) % STOPS)
            case Action.INTERPOLATE if self.has_latent and not self.line:
                return replace(self, line=True, stop=0)
            case Action.RANDOM if self.line:
                return replace(self, line=False, stop=0)
            case Action.INTERPOLATE | Action.RANDOM | Action.NEW | Action.PAUSE if self.has_latent:
                return replace(self, seed=next_seed(self.seed))
            case _:
                return self


@dataclass(frozen=True, eq=False)
class Made:
    """What is shown before the results, the condition that went into the model last, and what came out."""

    before: tuple[Image, ...]
    results: tuple[Image, ...]
    alpha: NDArray[np.uint8] | None = None  # [h, w] of the results, where it is kept
    shrunk: str = ""  # what became of the image's size, in words

    def saved(self, result: Image) -> NDArray[np.uint8]:
        """A result with its alpha, if it has one."""
        return result if self.alpha is None else np.dstack([result, self.alpha])


class TranslateSession(ModelSession[TranslateState, TranslateState, Made]):
    """One image of several at a time; edges are recomputed whenever their threshold changes."""

    bindings = BINDINGS
    page_fields = ("seed", "index", "line")

    def __init__(self, translator: Translator, state: TranslateState, folder: Path, paths: Sequence[Path]) -> None:
        """``paths``: of the images, as many as the state counts."""
        self.translator = translator
        self._paths = paths
        self._kept: dict[TranslateState, Made] = {}  # the latest last
        self._asked: TranslateState | None = None
        self._shown: Made | None = None  # until the next one is there
        self._photo: tuple[int, Photo] | None = None  # the worker's, the last one that it read
        super().__init__(translator.model, state, folder)

    def _work(self, request: TranslateState) -> Iterator[Made]:
        if self._photo is None or self._photo[0] != request.index:
            self._photo = request.index, read_photo(self._paths[request.index])
        yield make(self.translator, self._photo[1], request)

    def _ask(self) -> None:
        wanted = replace(self.state, stop=0)
        if wanted != self._asked:
            self._asked = wanted
            if wanted in self._kept:
                self._show(wanted)
            else:
                self._worker.ask(wanted)

    def _receive(self, request: TranslateState, part: Made) -> None:
        self._kept[request] = part
        while len(self._kept) > _KEPT or (len(self._kept) > 1 and sum(map(_bytes, self._kept.values())) > _KEPT_BYTES):
            del self._kept[next(iter(self._kept))]
        if request == self._asked:
            self._show(request)
        elif self._asked is not None and self._shown is not None and request.index == self._asked.index:
            self._shown, self.changed = part, True  # keys come faster than results: the latest there is

    def _show(self, wanted: TranslateState) -> None:
        self._kept[wanted] = self._shown = shown = self._kept.pop(wanted)
        self.changed = True
        if shown.shrunk:
            self.notify(shown.shrunk)

    def _screen(self) -> render.Image:
        if self._shown is None:
            return plots.row([plots.blank(256, 256)] * 2)
        return image_row(self._shown, self.state.stop if self.state.line else -1)

    def _save(self, whole: bool) -> None:
        state, path = self.state, self._paths[self.state.index]
        made = self._kept.get(replace(state, stop=0))

        def job() -> tuple[NDArray[np.uint8], Mapping[str, Any]]:
            there = made or make(self.translator, read_photo(path), state)
            image = image_row(there, state.stop if state.line else -1) if whole else there.results[state.stop]
            check_saved_size(image.shape[1], image.shape[0])
            return image if whole else there.saved(image), recipe_of(
                self.translator, state, path, None if state.line and whole else state.stop
            )

        self._send(job)

    def _status(self) -> tuple[str, ...]:
        state, made = self.state, self._shown
        path = self._paths[state.index]
        words: tuple[str, ...] = (printable(path.name, 60),)
        if state.count > 1:
            words += (f"{state.index + 1} of {state.count}",)
        if state.sigma is not None:
            words += (f"edges, sigma {state.sigma / 100:.2f}",)
        words += knob_words(state.knob)
        if state.has_latent:
            words += (f"latent {state.seed} to {next_seed(state.seed)}" if state.line else f"latent {state.seed}",)
        if made is not None:
            height, width = made.results[0].shape[:2]
            words += (f"{width}x{height}",)
        return words if replace(state, stop=0) in self._kept else (*words, "to come")

    def _situation(self) -> Mapping[str, object]:
        state = self.state
        return {
            "images": state.count > 1,
            "edges": state.sigma is not None,
            "scalar": state.sigma is None and state.knob is not None,
            "line": state.line,
            "one": state.has_latent and not state.line,
        }


def open_session(options: Options) -> Session[Any, Any, Any]:
    """The images, or the page to draw on, that the options ask for. Raises ``UserError``."""
    if options.draw:
        return open_draw(options)
    found, translator, state = open_inputs(options)
    paths = list(readable(found.paths))
    return TranslateSession(translator, replace(state, count=len(paths)), options.out, paths)


def open_inputs(options: Options, results: Path | None = None) -> tuple[Found, Translator, TranslateState]:
    """The images, the model, and the first state. ``results``: where they will be written. Raises ``UserError``."""
    if options.start is not None:
        raise UserError("--start is for --draw, found it without")
    found, model = open_translator(options, "some, or --draw", results)
    translator = Translator(model, options.condition, options.size)
    return found, translator, begin(translator, len(found.places), options.seed)


def begin(translator: Translator, count: int, seed: int = 0) -> TranslateState:
    """Before the first of so many images."""
    sigma = round(translator.how.sigma * 100) if translator.how.kind == "edges" else None
    has_latent, knob = translator.latent_size > 0, first_knob(translator.model)
    return TranslateState(count, sigma=sigma, has_latent=has_latent, seed=seed, knob=knob)


def latents_of(translator: Translator, state: TranslateState) -> list[Latents | None]:
    """Of every result: one, or those between two; ``None`` for models without latents."""
    if not state.line:
        return [translator.latent(state.seed)]
    between = slerp if translator.model.latent.prior == "normal" else lerp
    first, last = (draw(translator.model.latent, seed, 0) for seed in (state.seed, next_seed(state.seed)))
    return [between(first, last, fraction) for fraction in np.linspace(0.0, 1.0, STOPS)]


def make(translator: Translator, photo: Photo, state: TranslateState) -> Made:
    """What a state shows of a photograph: what went in, edges beside the photograph that they are of, and results."""
    restorer, image, settings = translator.whole, photo.on_white(), settings_of(state.knob)
    if restorer is not None:
        photo = restorer.prepared(photo)
        result = restorer.result_of(photo, settings)
        if photo.alpha is not None and result.shape[2] == 3:
            result = np.dstack([result, bicubic(photo.alpha, *result.shape[:2])])
        alpha = result[..., 3] if result.shape[2] == 4 else None
        return Made((image,), (np.ascontiguousarray(result[..., :3]),), alpha)
    condition = translator.condition_of(image, (state.sigma or 0) / 100)
    shown = visible(condition)
    results = tuple(translator.translate(condition, latent, settings) for latent in latents_of(translator, state))
    before = (image, shown) if translator.how.kind == "edges" else (shown,)
    return Made(before, results, shrunk=translator.shrinking(*image.shape[:2]))


def image_row(made: Made, chosen: int) -> Image:
    """What went in beside what came out, on white. ``chosen``: of the results, marked; -1: none."""
    results = [images.on_white(made.saved(one)) if made.alpha is not None else one for one in made.results]
    return plots.row([*made.before, *results], len(made.before) + chosen if chosen >= 0 else -1)


def recipe_of(translator: Translator, state: TranslateState, path: Path, stop: int | None = 0) -> Mapping[str, Any]:
    """What results follow from, for the file that they are saved in. ``stop``: the only one that is; ``None``: all."""
    how = translator.how
    recipe: dict[str, Any] = {"mode": "translate", "image": path.name, "condition": how.kind}
    if translator.whole is None:
        recipe["size"] = translator.size
    recipe |= knob_recipe(state.knob)
    if state.sigma is not None:
        recipe |= {"sigma": state.sigma / 100, "blur": how.blur, "invert": how.invert}
    if state.has_latent:
        recipe["seed"] = state.seed
        latent = None if stop is None else latents_of(translator, state)[stop]
        if latent is not None:
            recipe["latent"] = exact_numbers(latent[None])[0]
    return recipe


def _bytes(made: Made) -> int:
    return sum(image.nbytes for image in (*made.before, *made.results))
