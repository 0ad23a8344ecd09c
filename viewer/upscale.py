"""The upscale mode: a picture enlarged plainly, and by a model, on either side of a divider."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from viewer import render, side_by_side
from viewer.layout import Area
from viewer.model_session import ModelSession
from viewer.photos import Photo, read_photo
from viewer.pictures import Image, encode_png, save_numbered
from viewer.results import encode, upscale_recipe
from viewer.session import check_saved_size
from viewer.text import printable
from viewer.tiles import Tile
from viewer.translation import Upscaler, scaled
from viewer.upscale_state import UpscaleState, opened


@dataclass(frozen=True)
class Work:
    """A picture, and which of its tiles are wanted, the most urgent first; ``None``: it is not opened yet."""

    index: int
    tiles: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class Opened:
    """A picture that was read, its result so far, and its tiles."""

    photo: Photo
    result: Image
    tiles: Sequence[Tile]


@dataclass(frozen=True, eq=False)
class Enlarged:
    """The result of a tile."""

    number: int
    pixels: Image


class UpscaleSession(ModelSession[UpscaleState, Work, Opened | Enlarged]):
    """One picture of several at a time. Tiles that are looked at are enlarged first; until then they are bicubic."""

    def __init__(self, upscaler: Upscaler, state: UpscaleState, folder: Path, paths: Sequence[Path]) -> None:
        """``paths``: of the pictures, as many as the state counts."""
        self.upscaler = upscaler
        self._paths = paths
        self._asked: Work | None = None
        self._index = -1  # of the picture that is open
        self._open: Opened | None = None
        self._missing: list[int] = []  # tiles
        self._seen: tuple[float, ...] = ()  # the part of the picture that the tiles are sorted for
        super().__init__(upscaler.model, state, folder)

    @property
    def follows_mouse(self) -> bool:
        """Whether movements of the mouse mean something."""
        return True

    def _work(self, request: Work) -> Iterator[Opened | Enlarged]:
        there = self._open
        if request.tiles is None or there is None:
            photo = read_photo(self._paths[request.index])
            yield Opened(photo, self.upscaler.blank(photo), self.upscaler.plan(photo))
            return
        for number in request.tiles:
            yield Enlarged(number, self.upscaler.enlarge(there.photo, there.tiles[number]))

    def _ask(self) -> None:
        state = self.state
        if self._index != state.index:
            if self._asked != Work(state.index):
                self._asked = Work(state.index)
                self._worker.ask(self._asked)
            return
        seen = state.across, state.down
        if self._missing and (self._asked is None or self._asked.tiles is None or seen != self._seen):
            self._seen = seen
            self._asked = Work(state.index, tuple(sorted(self._missing, key=self._distance)))
            self._worker.ask(self._asked)

    def _distance(self, number: int) -> float:
        """Of a tile from the middle of the frame."""
        assert self._open is not None
        kept, scale = self._open.tiles[number].kept, self.upscaler.scale
        across = (kept.left + kept.width / 2) * scale - self.state.across
        down = (kept.top + kept.height / 2) * scale - self.state.down
        return across**2 + down**2

    def _receive(self, request: Work, part: Opened | Enlarged) -> None:
        if request.index != self.state.index:
            return
        if isinstance(part, Opened):
            self._index, self._open, self._missing = request.index, part, list(range(len(part.tiles)))
            self.state = opened(self.state, *part.result.shape[:2])
            if part.photo.notes:
                self.notify(", ".join(part.photo.notes))
            self.changed = True
        elif self._open is not None and self._index == request.index and part.number in self._missing:
            self._missing.remove(part.number)
            paste(self._open.result, scaled(self._open.tiles[part.number].kept, self.upscaler.scale), part.pixels)
            self.changed = True

    def _pictures(self) -> render.Image:
        if self._open is None:
            return np.full((self.state.view[1], self.state.view[0], 3), render.PAPER, np.uint8)
        return side_by_side.divided(self.state, self._open.photo.image, self._open.result, self.upscaler.scale)

    def _facts(self) -> Mapping[str, Any]:
        return upscale_recipe(self.upscaler, self._paths[self.state.index])

    def _save(self, whole: bool) -> None:
        if self._open is None:
            return
        state, there, missing = self.state, self._open, tuple(self._missing)
        recipe, result = self._signed(self._facts()), self._open.result.copy()

        def errand() -> str:
            check_saved_size(state.width, state.height)
            for number in missing:
                tile = there.tiles[number]
                paste(result, scaled(tile.kept, self.upscaler.scale), self.upscaler.enlarge(there.photo, tile))
            if whole:
                data = encode_png(side_by_side.divided(state, there.photo.image, result, self.upscaler.scale), recipe)
            else:
                data = encode(result, there.photo, ".png", recipe)
            return f"saved {save_numbered(self._folder, self._paths[state.index].stem, data)}"

        self._errands.send(errand)

    def _status(self) -> tuple[str, ...]:
        state = self.state
        words: tuple[str, ...] = (printable(self._paths[state.index].name, 60),)
        if state.count > 1:
            words += (f"{state.index + 1} of {state.count}",)
        if self._open is None:
            return (*words, "to come")
        words += ("pixels" if state.nearest else "bicubic", f"{state.width}x{state.height}")
        words += (f"at {state.scale:g}",) if state.zoom else ()
        return (*words, f"{len(self._missing)} of {len(self._open.tiles)} tiles to come") if self._missing else words

    def _hints(self) -> tuple[str, ...]:
        pictures = ("PageUp PageDown: pictures",) if self.state.count > 1 else ()
        keys = ("drag the divider", "arrows move", "esc quit", "s save", "+ - zoom", *pictures)
        return (*keys, "space: pixels, bicubic", "S save all")


def paste(result: Image, area: Area, pixels: Image) -> None:
    """The result of a tile into its place."""
    result[area.top : area.bottom, area.left : area.right] = pixels


def begin(count: int) -> UpscaleState:
    """Before the first picture is read."""
    return replace(UpscaleState(count), width=640, height=400, view=(640, 400))
