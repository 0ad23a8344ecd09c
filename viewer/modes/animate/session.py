"""The animate mode: a walk through latent space."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from trainer.contract.errors import UserError
from viewer import render
from viewer.latents import Latents, Walk
from viewer.model import Images, Model, ModelError, open_model
from viewer.modes.animate.options import BINDINGS, Options
from viewer.modes.animate.state import LEG_TICKS, AnimateState, advance
from viewer.options import existing_model, model_threads, with_saved
from viewer.sessions.classes import Classes
from viewer.sessions.detail_layer import Layer, first_gain, open_layer
from viewer.sessions.model_session import Part
from viewer.sessions.replay import first_classes, read_saved
from viewer.sessions.sheet_session import SheetSession
from viewer.sheet import fitting_sheet

LEG_FRAMES: Final = 30  # of a walk at its first speed
_AHEAD_BYTES: Final = 48_000_000  # of images made before their time
_LAST_TICK: Final = 2**53

_Frame = tuple[int, Classes, int]  # seed, classes and position of the state that shows it


@dataclass(frozen=True)
class Stretch:
    """Some frames of a walk."""

    seed: int
    classes: Classes
    positions: tuple[int, ...]  # ticks

    @property
    def walk(self) -> tuple[int, Classes]:
        """What its frames have in common."""
        return self.seed, self.classes


class AnimateSession(SheetSession[AnimateState, Stretch]):
    """Images that walk through latent space; they are made some frames ahead."""

    bindings = BINDINGS

    def __init__(
        self,
        model: Model,
        state: AnimateState,
        folder: Path,
        *,
        straight: bool = False,
        legs: int = 0,
        layer: Layer | None = None,
        frames: int = 0,
    ) -> None:
        """``straight``: lerp instead of slerp. ``legs``: of a closed walk; 0: an endless one. ``layer``: what is added
        to the images, times the state's gain. ``frames``: after which the walk ends; 0: it does not."""
        self.frames = frames
        self._straight = straight
        self._legs = legs
        self._frames: dict[_Frame, Part] = {}  # without what the gain makes of them
        self._mixed_frame: tuple[Part, float, Images] | None = None  # the last one with it
        self._asked: Stretch | None = None
        self._shown: Images | None = None
        height, width = model.image_size
        size = height * width * 3 * (1 if layer is None else 5)  # bytes of an image and what is added to it
        self._ahead = int(min(max(_AHEAD_BYTES / (size * state.sheet.count), 2), 24))
        self._canvas = render.blank(state.sheet)
        super().__init__(model, state, folder, layer)

    @property
    def moving(self) -> bool:
        """Whether it is not paused."""
        return not self.state.paused

    def step(self) -> bool:
        """On to the next frame, if it is there."""
        if self.state.paused:
            return True
        following = advance(self.state)
        if _frame_of(following) not in self._frames:
            return False
        self.state, self.changed = following, True
        return True

    def _walk_latents(self, seed: int, position: int) -> Latents:
        numbers = range(self.state.sheet.count)
        walks = [Walk(self.model.latent, seed, self._straight, self._legs, number) for number in numbers]
        return np.stack([walk.at(position / LEG_TICKS) for walk in walks])

    def _latents(self) -> Latents:
        return self._walk_latents(self.state.seed, self.state.position)

    def _work(self, request: Stretch) -> Iterator[Part]:
        count = self.state.sheet.count
        wanted = np.concatenate([self._walk_latents(request.seed, position) for position in request.positions])
        labels = self._labels_of(request.classes)
        labels = None if labels is None else np.tile(labels, len(request.positions))
        for part in self._decode(wanted, labels, group=count):
            yield replace(part, first=part.first // count)

    def _ask(self) -> None:
        state = self.state
        coming = [state.position + number * state.speed for number in range(self._ahead + 1)]
        keys = {(state.seed, state.classes, position) for position in coming}
        for key in self._frames.keys() - keys:
            del self._frames[key]
        missing = tuple(position for position in coming if (state.seed, state.classes, position) not in self._frames)
        if len(missing) <= self._ahead // 2 or (state.paused and missing[0] != state.position):
            return  # enough for now: larger stretches are made with less effort
        stretch = Stretch(state.seed, state.classes, missing)
        asked = self._asked
        if asked is not None and asked.walk == stretch.walk and self._worker.busy and missing[0] in asked.positions:
            return
        if stretch != asked:
            self._asked = stretch
            self._worker.ask(stretch)

    def _receive(self, request: Stretch, part: Part) -> None:
        count = self.state.sheet.count
        for number in range(len(part.images) // count):
            key = *request.walk, request.positions[part.first + number]
            own = slice(number * count, (number + 1) * count)
            self._frames[key] = Part(0, part.images[own], None if part.details is None else part.details[own])
            self.changed = self.changed or key == _frame_of(self.state)

    def _screen(self) -> render.Image:
        images = self._ready()
        if images is not None and images is not self._shown:
            render.place(self._canvas, self.state.sheet, 0, images)
            self._shown = images
        return self._canvas

    def _ready(self) -> Images | None:
        part = self._frames.get(_frame_of(self.state))
        if part is None:
            return None
        if self._mixed_frame is None or self._mixed_frame[0] is not part or self._mixed_frame[1] != self._gain:
            self._mixed_frame = part, self._gain, self._mixed(part)
        return self._mixed_frame[2]

    def _recipe(self) -> Mapping[str, Any]:
        path = "lerp" if self._straight else "slerp"
        return {"mode": f"animate {path}", "position": self.state.position / LEG_TICKS, "legs": self._legs}

    def _status(self) -> tuple[str, ...]:
        state = self.state
        speed = state.speed * LEG_FRAMES / LEG_TICKS
        pace = "paused" if state.paused else f"speed {speed:g}"
        return (*self._class_words(), f"seed {state.seed}", *self._layer_words(), pace)


def open_session(options: Options) -> AnimateSession:
    """The walk that the options ask for. Raises ``UserError``."""
    threads = model_threads(options.threads)
    model = open_model(existing_model(options.model), threads=threads, wanted="generator")
    if options.gain is not None and options.detail is None:
        raise UserError("--gain is for --detail, found it without")
    layer = None if options.detail is None else open_layer(model, options.detail, threads=threads)
    frames = options.frames or (2 * LEG_FRAMES if options.display == "none" or options.loop else 0)
    legs = frames // LEG_FRAMES if options.loop else 0
    if options.loop and (frames % LEG_FRAMES or legs < 2):
        raise ModelError(f"--loop with --frames {frames}, expected 60, 90, 120 ...: {LEG_FRAMES} frames a leg")
    saved = None if options.saved is None else read_saved(options.saved, "animate", ("slerp", "lerp"), model)
    cursor = position = 0
    if saved is not None:
        options = with_saved(options, {**saved.page(), "lerp": saved.kind == "lerp"})
        cursor = saved.whole("image", 0, options.rows * options.cols - 1)
        position = saved.whole("position", 0, _LAST_TICK, 0, LEG_TICKS)
        legs = saved.whole("legs", 0, _LAST_TICK)
    gap = 0 if options.rows * options.cols == 1 else 2
    state = AnimateState(
        fitting_sheet(options.rows, options.cols, *model.image_size, options.scale or 3.0, gap),
        position,
        paused=saved is not None,
        seed=options.seed,
        cursor=cursor,
        classes=first_classes(options.label, model, saved),
        gain=first_gain(options.gain, layer, saved),
    )
    return AnimateSession(model, state, options.out, straight=options.lerp, legs=legs, layer=layer, frames=frames)


def _frame_of(state: AnimateState) -> _Frame:
    return state.seed, state.classes, state.position
