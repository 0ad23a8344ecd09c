"""The animate mode: a walk through latent space."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from trainer.contract.errors import UserError
from viewer import render
from viewer.keys import Action, Event
from viewer.latents import Latents, Walk
from viewer.model import Images, Model, ModelError, open_model
from viewer.modes.animate.options import BINDINGS, Options
from viewer.options import model_threads, with_saved
from viewer.room import Tiling
from viewer.sessions.classes import Classes
from viewer.sessions.detail_layer import Layer, first_gain, open_layer
from viewer.sessions.knob import first_knob, settings_of
from viewer.sessions.model_session import Part
from viewer.sessions.replay import first_classes, read_saved
from viewer.sessions.sheet_session import SheetSession
from viewer.sessions.sheet_state import Gain, SheetState
from viewer.sheet import moved
from viewer.state import next_seed

LEG_TICKS: Final = 480  # ticks in a leg of a walk: a number that every speed divides
SLOWEST, FASTEST = 2, 128  # ticks a frame
LEG_FRAMES: Final = 30  # of a walk at its first speed
_AHEAD_BYTES: Final = 48_000_000  # of images made before their time
_LAST_TICK: Final = 2**53

_Frame = tuple[int, Classes, Gain | None, int]  # seed, classes, scalar and position of the state that shows it


@final
@dataclass(frozen=True)
class AnimateState(SheetState):
    """Images that move, one or a sheet of them."""

    position: int = 0  # ticks from the start of the walk
    speed: int = 16  # ticks a frame
    paused: bool = False
    straight: bool = False  # lerp instead of slerp
    legs: int = 0  # of a closed walk; 0: an endless one

    def _after(self, event: Event) -> "AnimateState":
        match event.action, event.key:
            case Action.PAUSE, _:
                return replace(self, paused=not self.paused)
            case (Action.MORE, _) | (Action.NEW, "]"):
                return replace(self, speed=min(self.speed * 2, FASTEST))
            case (Action.LESS, _) | (Action.NEW, "["):
                return replace(self, speed=max(self.speed // 2, SLOWEST))
            case ((Action.NEW | Action.RANDOM), _):
                return replace(self, seed=next_seed(self.seed), position=0)
            case _:
                return replace(self, cursor=moved(self.sheet, self.cursor, event))


def advance(state: AnimateState, frames: int = 1) -> AnimateState:
    """The state so many frames later."""
    return state if state.paused else replace(state, position=state.position + frames * state.speed)


class AnimateSession(SheetSession[AnimateState, tuple[_Frame, ...]]):
    """Images that walk through latent space; they are made some frames ahead."""

    bindings = BINDINGS

    def __init__(
        self, model: Model, state: AnimateState, folder: Path, layer: Layer | None = None, frames: int = 0
    ) -> None:
        """``layer``: what is added to the images, times the state's gain. ``frames``: after which the walk ends; 0: it
        does not."""
        self.frames = frames
        self._frames: dict[_Frame, Part] = {}  # without what the gain makes of them
        self._mixed_frame: tuple[Part, float, Images] | None = None  # the last one with it
        self._asked: tuple[_Frame, ...] = ()
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
        walks = [Walk(self.model.latent, seed, self.state.straight, self.state.legs, number) for number in numbers]
        return np.stack([walk.at(position / LEG_TICKS) for walk in walks])

    def _latents(self) -> Latents:
        return self._walk_latents(self.state.seed, self.state.position)

    def _work(self, request: tuple[_Frame, ...]) -> Iterator[Part]:
        count = self.state.sheet.count
        wanted = np.concatenate([self._walk_latents(seed, position) for seed, *_, position in request])
        _, classes, knob, _ = request[0]
        labels = self._labels_of(classes)
        labels = None if labels is None else np.tile(labels, len(request))
        for part in self._decode(wanted, labels, group=count, settings=settings_of(knob)):
            yield replace(part, first=part.first // count)

    def _ask(self) -> None:
        state = self.state
        ahead = range(self._ahead + 1)
        coming = [_frame_of(replace(state, position=state.position + number * state.speed)) for number in ahead]
        for frame in self._frames.keys() - set(coming):
            del self._frames[frame]
        missing = tuple(frame for frame in coming if frame not in self._frames)
        if len(missing) <= self._ahead // 2 or (state.paused and missing[0] != coming[0]):
            return  # enough for now: longer stretches are made with less effort
        if missing != self._asked and not (self._worker.busy and missing[0] in self._asked):
            self._asked = missing
            self._worker.ask(missing)

    def _receive(self, request: tuple[_Frame, ...], part: Part) -> None:
        count = self.state.sheet.count
        for number in range(len(part.images) // count):
            frame = request[part.first + number]
            own = slice(number * count, (number + 1) * count)
            self._frames[frame] = Part(0, part.images[own], None if part.details is None else part.details[own])
            self.changed = self.changed or frame == _frame_of(self.state)

    def _use_sheet(self, other_count: bool) -> None:
        self._canvas = render.blank(self.state.sheet)

    def _screen(self) -> render.Image:
        images = self._ready()
        if images is not None:
            render.place(self._canvas, self.state.sheet, 0, images)
        return self._canvas

    def _ready(self) -> Images | None:
        part = self._frames.get(_frame_of(self.state))
        if part is None:
            return None
        if self._mixed_frame is None or self._mixed_frame[0] is not part or self._mixed_frame[1] != self._gain:
            self._mixed_frame = part, self._gain, self._mixed(part)
        return self._mixed_frame[2]

    def _recipe(self) -> Mapping[str, Any]:
        state, path = self.state, "lerp" if self.state.straight else "slerp"
        return {"mode": f"animate {path}", "position": state.position / LEG_TICKS, "legs": state.legs}

    def _status(self) -> tuple[str, ...]:
        state = self.state
        speed = state.speed * LEG_FRAMES / LEG_TICKS
        pace = "paused" if state.paused else f"speed {speed:g}"
        return (*self._class_words(), f"seed {state.seed}", *self._layer_words(), pace)


def open_session(options: Options) -> AnimateSession:
    """The walk that the options ask for. Raises ``UserError``."""
    threads = model_threads(options.threads)
    model = open_model(options.model, threads=threads, wanted="generator", reading=options.reading)
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
        cursor = saved.whole("image", 0, saved.count - 1)
        position = saved.whole("position", 0, _LAST_TICK, 0, LEG_TICKS)
        legs = saved.whole("legs", 0, _LAST_TICK)
    rows, columns = options.rows or 1, options.cols or 1
    gap = 0 if rows * columns == 1 else 2
    tiling = Tiling(*model.image_size, rows, columns, scale=options.scale, without_room=3.0, gap=gap)
    state = AnimateState(
        tiling.sheet(),
        position,
        paused=saved is not None,
        straight=options.lerp,
        legs=legs,
        seed=options.seed,
        cursor=cursor,
        classes=first_classes(options.label, model, saved),
        gain=first_gain(options.gain, layer, saved),
        knob=first_knob(model, saved),
    )
    session = AnimateSession(model, state, options.out, layer, frames)
    session.tiling = tiling
    return session


def _frame_of(state: AnimateState) -> _Frame:
    return state.seed, state.classes, state.knob, state.position
