"""A translator at work on images of any size: what goes in is made and fitted to the network, the result cut free."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.contract.edges import edge_map
from viewer.files.inputs import Photo
from viewer.files.png import Image, resize
from viewer.files.results import bicubic
from viewer.frame.area import Area
from viewer.latents import Latents, draw
from viewer.model import Model, ModelError
from viewer.sessions.tiles import Tile, plan_tiles

Condition = NDArray[np.uint8]  # [h, w, c], c as the model takes it: BGR or grey

TILE: Final = 384  # input pixels: measured, see tests/bench/bench_upscale.py
LARGEST_SIZE: Final = 4096  # pixels a side that are translated in one piece
_USUAL_SIZE: Final = 512  # pixels, where nothing is known of the sizes that a model was trained with
_UNKNOWN_CONTEXT: Final = 64  # pixels, of models that do not say how far they look
_PROBED: Final = 48  # input pixels a side, of which it is measured how far a network looks
_SEARCHED: Final = 1024  # of them, in the middle of an image, where its busiest place is looked for
_SHARES: Final = (0.5, 0.75)  # of the context, that may do
_KINDS: Final = ("given", "edges")


@dataclass(frozen=True)
class How:
    """How a photograph becomes what goes into the model."""

    kind: str = "given"  # as it is; or edges
    sigma: float = 0.33
    blur: int = 3
    invert: bool = False


class Translator:
    """A model that turns images into images, and what its card says of them. Raises ``ModelError``."""

    def __init__(self, model: Model, condition: str = "", size: int = 0) -> None:
        """``condition``: given or edges, instead of what the card says. ``size``: the longer side in pixels at most."""
        self.model = model
        self.layout = model.image_layout
        facts: Mapping[str, Any] = {} if model.card is None else model.card.condition
        kind = condition or facts.get("kind", "given")
        if kind not in _KINDS:
            raise ModelError(f"{model.path}: takes {kind!r} of photographs, which this viewer cannot make; make them "
                             "beforehand and add --condition given")  # fmt: skip
        self.how = How(kind, facts.get("sigma", 0.33), facts.get("blur", 3), facts.get("invert", False))
        self.trained_size: tuple[int, int] | None = self._trained_size(facts)
        self.size = size or max(self.trained_size or (_USUAL_SIZE,))
        self.palette: tuple[tuple[int, int, int], ...] = tuple((b, g, r) for r, g, b in facts.get("palette", ()))
        self.latent_size = model.card.latent.size if model.card is not None and model.card.latent is not None else 0

    def _trained_size(self, facts: Mapping[str, Any]) -> tuple[int, int] | None:
        height, width = self.layout.size
        if height is not None and width is not None:
            return height, width
        if self.model.card is not None and self.model.card.image_size is not None:
            return self.model.card.image_size
        return tuple(facts["size"]) if "size" in facts else None

    def condition_of(self, photo: Image, sigma: float) -> Condition:
        """What goes into the model, of a photograph u8 [h, w, 3] BGR; no larger than ``size``.

        A colour map (the image as it is, with a palette) is not averaged where it shrinks.
        """
        height, width = self.fitted(*photo.shape[:2])
        if self.how.kind == "edges":
            edges = edge_map(
                cv2.cvtColor(resize(photo, height, width), cv2.COLOR_BGR2RGB), sigma, self.how.blur, self.how.invert
            )
            return np.repeat(edges[..., None], self.layout.channels, axis=2)
        if self.palette:
            shrunk = np.asarray(cv2.resize(photo, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
        else:
            shrunk = resize(photo, height, width)
        return self.channels_of(shrunk)

    def fitted(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of an image brought to ``size``, and to what a model of one size can hold."""
        factor = min(1.0, self.size / max(height, width))
        for length, side in zip((height, width), self.layout.size, strict=True):
            factor = min(factor, (side or length) / length)
        return max(round(height * factor), 1), max(round(width * factor), 1)

    def channels_of(self, image: Image) -> Condition:
        """An image u8 [h, w, 3] BGR with the channels that the model takes."""
        return image if self.layout.channels == 3 else _converted(image, cv2.COLOR_BGR2GRAY)[..., None]

    def latent(self, seed: int) -> Latents | None:
        """The latent [d] of a seed; ``None`` for models without."""
        if not self.latent_size:
            return None
        drawn: Latents = draw(self.model.latent, seed, 0)
        return drawn

    def translate(self, condition: Condition, latent: Latents | None = None) -> Image:
        """The whole result of a condition of any size, in one run.

        Sides that the network cannot take grow by the image's own reflection, and the result is cut to what the
        condition covers: scaling would distort, cutting would lose something, and a border of one colour would be an
        edge that the network draws something on.
        """
        height, width = condition.shape[:2]
        grown, top, left = self._grown(condition)
        made, scale = self.model.translate(grown, latent), self.layout.scale
        cut = made[top * scale : (top + height) * scale, left * scale : (left + width) * scale]
        return np.ascontiguousarray(cut)

    def _grown(self, condition: Condition) -> tuple[Condition, int, int]:
        """The condition with sides that the network takes, and where it lies in it: rows above, columns to the left."""
        lengths = []
        for length, side in zip(condition.shape[:2], self.layout.size, strict=True):
            multiple = self.layout.multiple
            lengths.append(side or -(-length // multiple) * multiple)
        below, right = lengths[0] - condition.shape[0], lengths[1] - condition.shape[1]
        if not below and not right:
            return condition, 0, 0
        top, left = below // 2, right // 2
        grown = cv2.copyMakeBorder(condition, top, below - top, left, right - left, cv2.BORDER_REFLECT_101)
        return grown.reshape(*lengths, condition.shape[2]).astype(np.uint8, copy=False), top, left


class Upscaler:
    """A model that enlarges images, tile by tile. Raises ``ModelError``."""

    def __init__(self, model: Model, tile: int = 0) -> None:
        """``tile``: input pixels a side of what is enlarged at a time; 0: as was measured to be good."""
        self.model = model
        self.layout = model.image_layout
        if self.layout.scale < 2:
            raise ModelError(f"{model.path}: gives images as large as it takes, expected a model that enlarges them")
        if model.card is not None and model.card.latent is not None and not model.inferred:
            raise ModelError(f"{model.path}: draws with a latent, expected a model that enlarges: try translate")
        context = 0 if model.card is None else model.card.context
        height, width = self.layout.size
        self._window = (height, width) if height is not None and width is not None else None
        self.context = context or _UNKNOWN_CONTEXT
        self.tile = tile or TILE
        if self._window is not None:
            self.context = min(self.context, min(self._window) // 8)
            self.tile = min(self._window) - 2 * self.context

    @property
    def scale(self) -> int:
        """Result pixels an input pixel."""
        return self.layout.scale

    def plan(self, photo: Photo) -> list[Tile]:
        """The tiles of an image, row by row."""
        height, width = photo.image.shape[:2]
        multiple = self.layout.multiple
        if self._window is not None or len(plan_tiles(height, width, self.tile, self.context, multiple)) == 1:
            return plan_tiles(height, width, self.tile, self.context, multiple)
        return plan_tiles(height, width, self.tile, self._needed_context(photo), multiple)

    def _needed_context(self, photo: Photo) -> int:
        """How far round a tile the network looks in this image: at most as far as it can.

        What lies far off counts for less than a level long before it counts for nothing; so, at the image's busiest
        place, half and three quarters of the context are tried, and taken if no pixel changes.
        """
        side = _PROBED + 2 * self.context
        side = -(-side // self.layout.multiple) * self.layout.multiple
        height, width = photo.image.shape[:2]
        if min(height, width, _SEARCHED) < side or self.layout.multiple > 1:
            return self.context
        left, top = ((length - min(length, _SEARCHED)) // 2 for length in (width, height))
        middle = _converted(np.ascontiguousarray(photo.image[top : top + _SEARCHED, left : left + _SEARCHED]),
                            cv2.COLOR_BGR2GRAY)  # fmt: skip
        busy = cv2.blur(np.abs(cv2.Laplacian(middle, cv2.CV_32F)), (_PROBED, _PROBED))
        reach = side // 2
        inner = busy[reach : middle.shape[0] - reach + 1, reach : middle.shape[1] - reach + 1]
        row, column = np.unravel_index(int(np.argmax(inner)), inner.shape)
        place = Area(left + int(column) + self.context, top + int(row) + self.context, _PROBED, _PROBED)

        def seen(context: int) -> Image:
            window = Area(
                place.left - context, place.top - context, place.width + 2 * context, place.height + 2 * context
            )
            return self.enlarge(photo, Tile(place, window))

        whole = seen(self.context)
        for share in _SHARES:
            context = round(self.context * share)
            if np.array_equal(seen(context), whole):
                return context
        return self.context

    def blank(self, photo: Photo) -> Image:
        """What the result is before its tiles come: the image, enlarged by bicubic interpolation."""
        height, width = photo.image.shape[:2]
        return bicubic(photo.image, height * self.scale, width * self.scale)

    def enlarge(self, photo: Photo, tile: Tile) -> Image:
        """The result of a tile: what is kept of it, enlarged."""
        window = tile.window
        cut = photo.image[window.top : window.bottom, window.left : window.right]
        if self.layout.channels == 3:
            made = self._run(cut)
        else:  # as usual with models of the luma: the two colour channels, which eyes see less sharply, go bicubically
            luma = _converted(cut, cv2.COLOR_BGR2YCrCb)
            both = bicubic(luma, window.height * self.scale, window.width * self.scale)
            both[..., 0] = self._run(luma[..., :1])[..., 0]
            made = _converted(both, cv2.COLOR_YCrCb2BGR)
        if photo.grey:
            made = np.repeat(_converted(made, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
        return made[_within(tile, self.scale)]

    def _run(self, cut: Condition) -> Image:
        """A window through the network; what it cannot take grows by reflection."""
        height, width = cut.shape[:2]
        multiple = self.layout.multiple
        sides = self._window or (-(-height // multiple) * multiple, -(-width // multiple) * multiple)
        if sides != (height, width):
            below, right = sides[0] - height, sides[1] - width
            grown = cv2.copyMakeBorder(cut, 0, below, 0, right, cv2.BORDER_REFLECT_101)
            cut = np.asarray(grown, np.uint8).reshape(*sides, cut.shape[2])
        made = self.model.translate(np.ascontiguousarray(cut))
        return made[: height * self.scale, : width * self.scale]

    def fill(self, result: Image, photo: Photo, tiles: Iterable[Tile]) -> Iterator[Tile]:
        """Put what tiles become into its places in an image's result, one after another: each that is there now."""
        for tile in tiles:
            paste(result, scaled(tile.kept, self.scale), self.enlarge(photo, tile))
            yield tile


def _within(tile: Tile, scale: int) -> tuple[slice, slice]:
    """Where what is kept lies in the enlarged window."""
    kept = Area(tile.kept.left - tile.window.left, tile.kept.top - tile.window.top, tile.kept.width, tile.kept.height)
    area = scaled(kept, scale)
    return slice(area.top, area.bottom), slice(area.left, area.right)


def scaled(area: Area, scale: int) -> Area:
    """An area of the input as one of the result."""
    return Area(area.left * scale, area.top * scale, area.width * scale, area.height * scale)


def paste(result: Image, area: Area, pixels: Image) -> None:
    """Pixels into their place."""
    result[area.top : area.bottom, area.left : area.right] = pixels


def _converted(image: NDArray[np.uint8], code: int) -> NDArray[np.uint8]:
    """In other colours."""
    return np.asarray(cv2.cvtColor(image, code), np.uint8)


def visible(condition: Condition) -> Image:
    """What goes into a model as an image of three channels."""
    return condition if condition.shape[2] == 3 else np.repeat(condition, 3, axis=2)
