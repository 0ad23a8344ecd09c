"""The upscale mode: an image enlarged plainly, and by a model, on either side of a divider."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.text import printable
from viewer import render
from viewer.files.inputs import Photo, is_film, read_photo
from viewer.files.png import Image, encode_png, save_numbered
from viewer.files.results import encode
from viewer.keys import Action, Event
from viewer.labels import one_colour
from viewer.modes.upscale.options import BINDINGS, Options
from viewer.room import Room
from viewer.sessions.headless import readable
from viewer.sessions.model_session import ModelSession
from viewer.sessions.replay import signed
from viewer.sessions.session import check_saved_size
from viewer.sessions.translation import Tile, Upscaler, open_translator
from viewer.sheet import STEPS

VIEW: Final = (960, 640)  # width and height of the frame at most, in pixels, where there is no window
_SMALLEST, _LARGEST = -5, 5  # powers of two: frame pixels a result's pixel
_DIVIDER_STEP: Final = 0.05
_PAN: Final = 1 / 8  # of the frame, that an arrow moves it


@dataclass(frozen=True)
class UpscaleState:
    """A part of an image, on the left enlarged plainly, on the right by the model."""

    count: int  # images there are
    index: int = 0  # of the one that is shown
    width: int = 640  # of its result, in pixels; before the first one is there, of the frame
    height: int = 400
    zoom: int = 0  # 2 to this power frame pixels are a pixel of the result
    across: float = 320.0  # what is in the middle of the frame, in pixels of the result
    down: float = 200.0
    divider: float = 0.5  # fraction of the frame that shows the plain side
    nearest: bool = False  # the plain side shows its pixels, instead of a bicubic curve through them
    most: tuple[int, int] = VIEW  # width and height of the frame at most, in pixels
    grip: tuple[int, int] | None = None  # where the right button holds the image, in frame pixels

    @property
    def scale(self) -> float:
        """Frame pixels a pixel of the result."""
        return float(2.0**self.zoom)

    @property
    def view(self) -> tuple[int, int]:
        """Width and height of the frame, in pixels: no larger than the image."""
        width, height = (max(round(side * self.scale), 1) for side in (self.width, self.height))
        return min(width, self.most[0]), min(height, self.most[1])

    @property
    def corner(self) -> tuple[float, float]:
        """What is at the frame's upper left corner, in pixels of the result."""
        width, height = self.view
        return self.across - width / self.scale / 2, self.down - height / self.scale / 2

    def after(self, event: Event) -> "UpscaleState":
        """The state after an event."""
        match event.action:
            case Action.PAGE_DOWN:
                return replace(self, index=(self.index + 1) % self.count)
            case Action.PAGE_UP:
                return replace(self, index=(self.index - 1) % self.count)
            case Action.HOME:
                return replace(opened(self, self.height, self.width), divider=0.5)
            case Action.LEFT | Action.RIGHT | Action.UP | Action.DOWN:
                return _arrow(self, event.action)
            case Action.CLICK | Action.DRAG:
                return replace(self, divider=min(max(event.x / max(self.view[0] - 1, 1), 0.0), 1.0))
            case Action.SECOND_CLICK:
                return replace(self, grip=(event.x, event.y))
            case Action.SECOND_DRAG if self.grip is not None:
                across = self.across + (self.grip[0] - event.x) / self.scale
                down = self.down + (self.grip[1] - event.y) / self.scale
                return replace(_inside(self, across, down), grip=(event.x, event.y))
            case Action.SECOND_RELEASE:
                return replace(self, grip=None)
            case Action.MORE | Action.WHEEL_UP:
                return _zoom(self, 1, event)
            case Action.LESS | Action.WHEEL_DOWN:
                return _zoom(self, -1, event)
            case Action.NEW if event.key in ("[", "]"):
                return _slide(self, -1 if event.key == "[" else 1)
            case Action.NEW | Action.PAUSE:
                return replace(self, nearest=not self.nearest)
            case _:
                return self


def opened(state: UpscaleState, height: int, width: int) -> UpscaleState:
    """The state where the result of the image turns out to be of this size: all of it if it fits, else its middle."""
    zoom, most = 0, state.most
    while zoom < _LARGEST and width * 2 ** (zoom + 1) <= most[0] and height * 2 ** (zoom + 1) <= most[1]:
        zoom += 1
    return replace(state, width=width, height=height, zoom=zoom, across=width / 2, down=height / 2, grip=None)


def _arrow(state: UpscaleState, action: Action) -> UpscaleState:
    """The view moves where there is more than it shows; else the divider does."""
    down, across = STEPS[action]
    width, height = state.view
    if width / state.scale >= state.width and height / state.scale >= state.height:
        return _slide(state, across)
    step = _PAN / state.scale
    return _inside(state, state.across + across * width * step, state.down + down * height * step)


def _slide(state: UpscaleState, steps: int) -> UpscaleState:
    return replace(state, divider=min(max(round(state.divider + steps * _DIVIDER_STEP, 6), 0.0), 1.0))


def _zoom(state: UpscaleState, steps: int, event: Event) -> UpscaleState:
    """What is below the mouse stays there; without a mouse, what is in the middle."""
    least = 0  # nothing is gained by an image that is smaller than the frame needs
    most = state.most
    while least > _SMALLEST and (state.width * 2.0**least > most[0] or state.height * 2.0**least > most[1]):
        least -= 1
    zoom = min(max(state.zoom + steps, least), _LARGEST)
    if zoom == state.zoom:
        return state
    x, y = (event.x, event.y) if event.x >= 0 else (state.view[0] / 2, state.view[1] / 2)
    left, top = state.corner
    after = replace(state, zoom=zoom)
    width, height = after.view
    across = left + x / state.scale + (width / 2 - min(x, width)) / after.scale
    down = top + y / state.scale + (height / 2 - min(y, height)) / after.scale
    return _inside(after, across, down)


def _inside(state: UpscaleState, across: float, down: float) -> UpscaleState:
    """The view over this place, or as near to it as the image goes."""
    width, height = (length / state.scale for length in state.view)  # of what is seen, in pixels of the result
    half_width, half_height = min(width, state.width) / 2, min(height, state.height) / 2
    across, down = max(across, half_width), max(down, half_height)
    return replace(state, across=min(across, state.width - half_width), down=min(down, state.height - half_height))


@dataclass(frozen=True, eq=False)
class Opened:
    """An image that was read, its result so far, and its tiles."""

    photo: Photo
    result: Image
    tiles: Sequence[Tile]
    missing: set[int]  # tiles that the result is without


@dataclass(frozen=True)
class Work:
    """An image to be opened, or which tiles of an open one are wanted, the most urgent first."""

    index: int
    there: Opened | None = None
    tiles: tuple[int, ...] = ()


Part = Opened | Exception | tuple[int, Image]  # of Work: an image, why it cannot be opened, or a tile and its result


class UpscaleSession(ModelSession[UpscaleState, Work, Part]):
    """One image of several at a time. Tiles that are looked at are enlarged first; until then they are bicubic."""

    bindings = BINDINGS
    follows_mouse = True
    page_fields = ("index",)

    def __init__(self, upscaler: Upscaler, state: UpscaleState, folder: Path, paths: Sequence[Path]) -> None:
        """``paths``: of the images, as many as the state counts."""
        self.upscaler = upscaler
        self._paths = paths
        self._asked: Work | None = None
        self._latest: tuple[int, Opened | Exception] = -1, OSError()  # the last image that was opened, or was to be
        self._seen: tuple[float, ...] = ()  # the part of the image that the tiles are sorted for
        super().__init__(upscaler.model, state, folder)

    @property
    def _current(self) -> Opened | Exception | None:
        """The image that the state asks for; ``None`` while it is being opened."""
        return self._latest[1] if self._latest[0] == self.state.index else None

    def _lay_out(self, room: Room) -> bool:
        """Show more of the image, or all of it larger; a view that the user chose stays where it is."""
        if room.grain > 1:
            return False
        before, state = self.state, replace(self.state, most=room.images)
        first = opened(before, before.height, before.width)
        chosen = (before.zoom, before.across, before.down) != (first.zoom, first.across, first.down)
        self.state = _inside(state, state.across, state.down) if chosen else opened(state, state.height, state.width)
        return True

    def _work(self, request: Work) -> Iterator[Part]:
        there = request.there
        if there is None:
            try:
                yield self._opened(request.index)
            except (UserError, MemoryError) as error:
                yield error
            return
        for number in request.tiles:
            yield number, self.upscaler.enlarge(there.photo, there.tiles[number])

    def _opened(self, index: int) -> Opened:
        """An image, read. Raises ``UserError``."""
        photo = self.upscaler.prepared(read_photo(self._paths[index]))
        tiles = self.upscaler.plan(photo)
        return Opened(photo, self.upscaler.blank(photo), tiles, set(range(len(tiles))))

    def _ask(self) -> None:
        there, state = self._current, self.state
        wanted: Work | None = None
        if there is None:
            wanted = Work(state.index)
        elif isinstance(there, Opened) and there.missing:
            seen = state.across, state.down
            if self._asked is not None and self._asked.there is there and seen == self._seen:
                return
            self._seen = seen
            wanted = Work(state.index, there, tuple(sorted(there.missing, key=partial(self._distance, there))))
        if wanted is not None and wanted != self._asked:
            self._worker.ask(wanted)
        self._asked = wanted

    def _distance(self, there: Opened, number: int) -> float:
        """Of a tile from the middle of the frame."""
        kept, scale = there.tiles[number].kept, self.upscaler.scale
        across = (kept.left + kept.width / 2) * scale - self.state.across
        down = (kept.top + kept.height / 2) * scale - self.state.down
        return across**2 + down**2

    def _receive(self, request: Work, part: Part) -> None:
        if isinstance(part, tuple):
            there, (number, pixels) = request.there, part
            if there is not None and there is self._latest[1] and number in there.missing:
                there.missing.remove(number)
                there.result[there.tiles[number].kept.times(self.upscaler.scale).pixels] = pixels
                self.changed = True
        elif request.index == self.state.index:
            self._latest, self.changed = (request.index, part), True
            if isinstance(part, Exception):
                self._failed(part, math.inf)
                return
            self.state = opened(self.state, *part.result.shape[:2])
            if part.photo.notes:
                self.notify(", ".join(part.photo.notes))

    def _screen(self) -> render.Image:
        there = self._current
        if not isinstance(there, Opened):
            return one_colour(self.state.view[1], self.state.view[0])
        return divided(self.state, there.photo.image, there.result, float(self.upscaler.scale))

    def _save(self, whole: bool) -> None:
        """What is saved is what is asked for now, be it open or not: then it is read for this."""
        state, scale = self.state, float(self.upscaler.scale)
        recipe = signed(self.model, recipe_of(self.upscaler, self._paths[state.index]))
        there = self._current
        if isinstance(there, Opened):
            there = replace(there, result=there.result.copy(), missing=set(there.missing))
        else:
            self.notify("to be saved when it is there")

        def job() -> str:
            one = there if isinstance(there, Opened) else self._opened(state.index)
            height, width = one.result.shape[:2]
            check_saved_size(width, height)
            for _ in self.upscaler.fill(one.result, one.photo, [one.tiles[number] for number in one.missing]):
                pass
            if whole:
                shown = state if one is there else opened(state, height, width)
                data = encode_png(divided(shown, one.photo.image, one.result, scale), recipe)
            else:
                data = encode(one.result, one.photo, ".png", recipe)
            return f"saved {save_numbered(self._folder, self._paths[state.index].stem, data)}"

        self._have_saved(job)

    def _status(self) -> tuple[str, ...]:
        state = self.state
        words: tuple[str, ...] = (printable(self._paths[state.index].name, 60),)
        if state.count > 1:
            words += (f"{state.index + 1} of {state.count}",)
        there = self._current
        if not isinstance(there, Opened):
            return (*words, "reading" if there is None else "cannot be opened")
        words += ("pixels" if state.nearest else "bicubic", f"{state.width}x{state.height}")
        words += (f"at {state.scale:g}",) if state.zoom else ()
        return (*words, f"{len(there.missing)} of {len(there.tiles)} tiles to come") if there.missing else words

    def _situation(self) -> Mapping[str, object]:
        return {"images": self.state.count > 1}


def open_session(options: Options) -> UpscaleSession:
    """The images that the options ask for. Raises ``UserError``."""
    found, model = open_translator(options, "some")
    upscaler = Upscaler(model, options.tile)
    films = [path for path in found.places if is_film(path)]
    if films:
        raise UserError(f"{films[0]}: is a film, which is enlarged without a screen: add -o FILE")
    paths = list(readable(found.paths))
    return UpscaleSession(upscaler, UpscaleState(len(paths)), options.out, paths)


def recipe_of(upscaler: Upscaler, path: Path) -> Mapping[str, Any]:
    """What an enlarged image follows from."""
    return {"mode": "upscale", "image": path.name, "scale": float(upscaler.scale), "tile": upscaler.tile}


def divided(state: UpscaleState, source: Image, result: Image, factor: float) -> Image:
    """The frame: left of the divider the source [h, w, 3], enlarged plainly; right of it the result."""
    width, height = state.view
    split = round(state.divider * width)
    frame = np.empty((height, width, 3), np.uint8)
    if split > 0:
        method = cv2.INTER_NEAREST if state.nearest else cv2.INTER_CUBIC
        frame[:, :split] = _part(state, source, factor, method, 0, split)
    if split < width:
        frame[:, split:] = _part(state, result[..., :3], 1, cv2.INTER_NEAREST, split, width)
    for offset, colour in ((-1, render.INK), (0, render.CURSOR), (1, render.INK)):
        if 0 <= split + offset < width:
            frame[:, split + offset] = colour
    return frame


def _part(state: UpscaleState, image: Image, factor: float, method: int, left: int, right: int) -> Image:
    """Columns ``left``..``right`` of the view of an image that is ``factor`` times smaller than the result."""
    scale = state.scale * factor  # frame pixels a pixel of the image
    corner = state.corner[0] / factor + left / scale, state.corner[1] / factor
    size = right - left, state.view[1]
    begins = [max(int(np.floor(one)) - 4, 0) for one in corner]
    ends = [int(np.ceil(one + length / scale)) + 4 for one, length in zip(corner, size, strict=True)]
    cut = np.ascontiguousarray(image[begins[1] : max(ends[1], begins[1] + 1), begins[0] : max(ends[0], begins[0] + 1)])
    x, y = corner[0] - begins[0], corner[1] - begins[1]
    if scale < 1:  # averaged first, so that nothing flickers
        small = max(round(cut.shape[1] * scale), 1), max(round(cut.shape[0] * scale), 1)
        cut = np.asarray(cv2.resize(cut, small, interpolation=cv2.INTER_AREA), np.uint8)
        x, y, scale, method = x * scale, y * scale, 1.0, cv2.INTER_LINEAR
    step = 1 / scale
    matrix = np.array([[step, 0, x + step / 2 - 0.5], [0, step, y + step / 2 - 0.5]])
    flags = method | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(cut, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8)
