"""The animate mode: a walk through latent space."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from viewer import render
from viewer.keys import Event
from viewer.latents import Latents, Walk
from viewer.model import Images, Model
from viewer.modes.animate.state import LEG_TICKS, AnimateState, advance, reduce_animate
from viewer.sessions.classes import Classes
from viewer.sessions.detail_layer import Layer
from viewer.sessions.model_session import Part
from viewer.sessions.sheet_session import SheetSession

LEG_FRAMES: Final = 30  # of a walk at its first speed
_AHEAD_BYTES: Final = 48_000_000  # of images made before their time


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

    def reduce(self, event: Event) -> AnimateState:
        """The state after an event."""
        return reduce_animate(self.state, event)

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
        walks = (
            Walk(self.model.latent, seed, self._straight, self._legs, number)
            for number in range(self.state.sheet.count)
        )
        return np.stack([walk.at(position / LEG_TICKS) for walk in walks])

    def _latents(self) -> Latents:
        return self._walk_latents(self.state.seed, self.state.position)

    def _work(self, request: Stretch) -> Iterator[Part]:
        count = self.state.sheet.count
        wanted = np.concatenate([self._walk_latents(request.seed, position) for position in request.positions])
        labels = self._labels_of(request.classes)
        labels = None if labels is None else np.tile(labels, len(request.positions))
        for part in self._decoder.parts(wanted, labels, group=count):
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

    def _facts(self) -> Mapping[str, Any]:
        path = "lerp" if self._straight else "slerp"
        return {"mode": f"animate {path}", "position": self.state.position / LEG_TICKS, "legs": self._legs}

    def _status(self) -> tuple[str, ...]:
        state = self.state
        speed = state.speed * LEG_FRAMES / LEG_TICKS
        pace = "paused" if state.paused else f"speed {speed:g}"
        return (*self._class_words(), f"seed {state.seed}", *self._layer_words(), pace)

    def _hints(self) -> tuple[str, ...]:
        classes = ("0-9 n p class",) if self.state.classes.count else ()
        speed = ("+ - gain", "[ ] speed") if self.state.gain else ("+ - speed",)
        return ("space pause", "esc quit", *classes, *speed, "s save")


def _frame_of(state: AnimateState) -> _Frame:
    return state.seed, state.classes, state.position
