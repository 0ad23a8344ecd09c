"""A translator at work on images of any size: what goes in is made and fitted to the network, the result cut free."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.contract.edges import edge_map
from trainer.contract.errors import UserError
from trainer.contract.text import printable
from viewer.files.inputs import Photo, find_photos
from viewer.files.png import Image
from viewer.files.resizing import resize, resize_nearest
from viewer.files.results import bicubic
from viewer.frame.area import Area
from viewer.graph.layout import with_channels
from viewer.latents import Latents, draw
from viewer.model import Model, ModelError, open_model
from viewer.options import ImagesOptions, model_threads

Condition = NDArray[np.uint8]  # [h, w, c], c as the model takes it: BGR or grey

TILE: Final = 384  # input pixels: measured, see tests/bench/bench_upscale.py
LARGEST_SIZE: Final = 4096  # pixels a side that are translated in one piece
_USUAL_SIZE: Final = 512  # pixels, where nothing is known of the sizes that a model was trained with
_UNKNOWN_CONTEXT: Final = 64  # pixels, of models that do not say how far they look
_PROBED: Final = 48  # input pixels a side, of which it is measured how far a network looks
_SEARCHED: Final = 1024  # of them, in the middle of an image, where its busiest place is looked for
_FRACTIONS: Final = (0.5, 0.75)  # of the context, that may do
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
        card = model.card
        assert card is not None  # of a model with a layout
        known: Mapping[str, Any] = card.condition
        kind = condition or known.get("kind", "given")
        if kind not in _KINDS:
            raise ModelError(f"{model.path}: takes {kind!r} of photographs, which this viewer cannot make; make them "
                             "beforehand and add --condition given")  # fmt: skip
        self.how = How(kind, known.get("sigma", 0.33), known.get("blur", 3), known.get("invert", False))
        height, width = self.layout.size
        self.trained_size: tuple[int, int] | None = tuple(known["size"]) if "size" in known else None
        if height is not None and width is not None:
            self.trained_size = height, width
        elif card.image_size is not None:
            self.trained_size = card.image_size
        self.size = size or max(self.trained_size or (_USUAL_SIZE,))
        self.palette: tuple[tuple[int, int, int], ...] = tuple((b, g, r) for r, g, b in known.get("palette", ()))
        self.latent_size = 0 if card.latent is None else card.latent.size

    def condition_of(self, photo: Image, sigma: float) -> Condition:
        """What goes into the model, of a photograph u8 [h, w, 3] BGR; no larger than ``size``. A colour map (the image
        as it is, with a palette) is not averaged where it shrinks."""
        height, width = self.fitted(*photo.shape[:2])
        if self.how.kind == "edges":
            return np.repeat(self.edges(resize(photo, height, width), sigma), self.layout.channels, axis=2)
        return self.channels_of((resize_nearest if self.palette else resize)(photo, height, width))

    def edges(self, photo: Image, sigma: float) -> Condition:
        """The edges [h, w, 1] of a photograph u8 [h, w, 3] BGR, as the model expects them."""
        return edge_map(_converted(photo, cv2.COLOR_BGR2RGB), sigma, self.how.blur, self.how.invert)[..., None]

    def fitted(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of an image brought to ``size``, and to what a model of one size can hold."""
        factor = min(1.0, self.size / max(height, width))
        for length, side in zip((height, width), self.layout.size, strict=True):
            factor = min(factor, (side or length) / length)
        return max(round(height * factor), 1), max(round(width * factor), 1)

    def channels_of(self, image: Image) -> Condition:
        """An image u8 [h, w, 3] BGR with the channels that the model takes."""
        return with_channels(image, self.layout.channels)

    def latent(self, seed: int) -> Latents | None:
        """The latent [d] of a seed; ``None`` for models without."""
        return draw(self.model.latent, seed, 0) if self.latent_size else None

    def translate(self, condition: Condition, latent: Latents | None = None) -> Image:
        """The whole result of a condition of any size, in one run.

        A size that the network cannot take is padded by the image's own reflection, and the result cut to what the
        condition covers: scaling would distort, cutting would lose something, and a border of one colour would be an
        edge that the network draws something on.
        """
        height, width = condition.shape[:2]
        rows, columns = self.layout.accepted(height, width)
        top, left = (rows - height) // 2, (columns - width) // 2
        made = self.model.translate(_padded(condition, rows, columns, top, left), latent)
        return np.ascontiguousarray(made[Area(left, top, width, height).times(self.layout.scale).pixels])


def open_translator(options: ImagesOptions, expected: str) -> tuple[list[Path], Model]:
    """The images that options name, and the model. ``expected``: in words, without images. Raises ``UserError``."""
    if not options.images:
        raise UserError(f"no images named beside the model {printable(options.model)}, expected {expected}")
    paths = find_photos(options.images)
    threads = model_threads(options.threads, all_cores=True)
    return paths, open_model(options.model, threads=threads, wanted="translator", many_sizes=True)


@dataclass(frozen=True)
class Tile:
    """A part of the result, in input pixels, and the window of the input that it is computed from."""

    kept: Area
    window: Area


def plan_tiles(height: int, width: int, tile: int, context: int, multiple: int = 1) -> list[Tile]:
    """Overlapping windows that cover an image, row by row, so that a network sees a part at a time and no seam remains.

    Every pixel of the result depends on the input up to ``context`` pixels away: windows overlap by twice that, and of
    each the middle is kept. All have one size, since onnxruntime plans its memory once for each.

    ``tile``: input pixels a side that a window may have besides its ``context`` on either side. ``multiple``: of which
    the windows' lengths and places are; the last ones may reach beyond the image for it.
    """
    rows, columns = (list(_spans(length, tile, context, multiple)) for length in (height, width))
    return [
        Tile(Area(kept_left, kept_top, kept_width, kept_height), Area(left, top, width, height))
        for kept_top, kept_height, top, height in rows
        for kept_left, kept_width, left, width in columns
    ]


def _spans(length: int, tile: int, context: int, multiple: int) -> Iterator[tuple[int, int, int, int]]:
    """Along one axis: begin and length of what is kept, begin and length of the window."""
    cells, most, overlap = (-(-one // multiple) for one in (length, max(tile, 1), context))  # counted in multiples
    overlap *= 2
    count = 1 if cells <= most + overlap else -(-(cells - overlap) // most)
    size = -(-(cells + (count - 1) * overlap) // count)  # the shortest windows that do
    begins = [round(number * (cells - size) / max(count - 1, 1)) for number in range(count)]
    kept = 0
    for number, begin in enumerate(begins):
        last = number == count - 1
        end = length if last else (begin + size + begins[number + 1]) * multiple // 2  # the middle of the overlap
        yield kept, end - kept, begin * multiple, size * multiple
        kept = end


class Upscaler:
    """A model that enlarges images, tile by tile. Raises ``ModelError``."""

    def __init__(self, model: Model, tile: int = 0) -> None:
        """``tile``: input pixels a side of what is enlarged at a time; 0: as was measured to be good."""
        self.model = model
        self.layout = model.image_layout
        self.scale = self.layout.scale  # result pixels an input pixel
        if self.scale < 2:
            raise ModelError(f"{model.path}: gives images as large as it takes, expected a model that enlarges them")
        if model.card is not None and model.card.latent is not None:
            raise ModelError(f"{model.path}: draws with a latent, expected a model that enlarges: try translate")
        context = 0 if model.card is None else model.card.context
        self.context = context or _UNKNOWN_CONTEXT
        self.tile = tile or TILE
        self._fixed = min((side for side in self.layout.size if side is not None), default=0)  # pixels, of a window
        if self._fixed:
            self.context = min(self.context, self._fixed // 8)
            self.tile = self._fixed - 2 * self.context

    def plan(self, photo: Photo) -> list[Tile]:
        """The tiles of an image, row by row."""
        height, width = photo.image.shape[:2]
        tiles = plan_tiles(height, width, self.tile, self.context, self.layout.multiple)
        if self._fixed or len(tiles) == 1:
            return tiles
        return plan_tiles(height, width, self.tile, self._needed_context(photo), self.layout.multiple)

    def _needed_context(self, photo: Photo) -> int:
        """How far round a tile the network looks in this image: at most as far as it can.

        What lies far off counts for less than a level long before it counts for nothing; so, at the image's busiest
        place, half and three quarters of the context are tried, and taken if no pixel changes.
        """
        side = _PROBED + 2 * self.context
        height, width = photo.image.shape[:2]
        if min(height, width, _SEARCHED) < side or self.layout.multiple > 1:
            return self.context
        left, top = ((length - min(length, _SEARCHED)) // 2 for length in (width, height))
        part = photo.image[top : top + _SEARCHED, left : left + _SEARCHED]
        middle = _converted(np.ascontiguousarray(part), cv2.COLOR_BGR2GRAY)
        busy = cv2.blur(np.abs(cv2.Laplacian(middle, cv2.CV_32F)), (_PROBED, _PROBED))
        reach = side // 2
        inner = busy[reach : middle.shape[0] - reach + 1, reach : middle.shape[1] - reach + 1]
        row, column = np.unravel_index(int(np.argmax(inner)), inner.shape)
        place = Area(left + int(column) + self.context, top + int(row) + self.context, _PROBED, _PROBED)

        def seen(context: int) -> Image:
            length = _PROBED + 2 * context
            return self.enlarge(photo, Tile(place, Area(place.left - context, place.top - context, length, length)))

        whole = seen(self.context)
        for fraction in _FRACTIONS:
            context = round(self.context * fraction)
            if np.array_equal(seen(context), whole):
                return context
        return self.context

    def blank(self, photo: Photo) -> Image:
        """What the result is before its tiles come: the image, enlarged by bicubic interpolation."""
        height, width = photo.image.shape[:2]
        return bicubic(photo.image, height * self.scale, width * self.scale)

    def enlarge(self, photo: Photo, tile: Tile) -> Image:
        """The result of a tile: what is kept of it, enlarged."""
        window, kept = tile.window, tile.kept
        cut = photo.image[window.pixels]
        if self.layout.channels == 3:
            made = self._run(cut)
        else:  # as usual with models of the luma: the two colour channels, which eyes see less sharply, go bicubically
            luma = _converted(cut, cv2.COLOR_BGR2YCrCb)
            both = bicubic(luma, window.height * self.scale, window.width * self.scale)
            both[..., 0] = self._run(luma[..., :1])[..., 0]
            made = _converted(both, cv2.COLOR_YCrCb2BGR)
        if photo.grey:
            made = np.repeat(_converted(made, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
        inside = Area(kept.left - window.left, kept.top - window.top, kept.width, kept.height)
        return made[inside.times(self.scale).pixels]

    def _run(self, cut: Condition) -> Image:
        """A window through the network, padded where it cannot take it."""
        height, width = cut.shape[:2]
        made = self.model.translate(np.ascontiguousarray(_padded(cut, *self.layout.accepted(height, width))))
        return made[: height * self.scale, : width * self.scale]

    def fill(self, result: Image, photo: Photo, tiles: Iterable[Tile]) -> Iterator[Tile]:
        """Put what tiles become into its places in an image's result, one after another: each that is there now."""
        for tile in tiles:
            result[tile.kept.times(self.scale).pixels] = self.enlarge(photo, tile)
            yield tile


def _padded(image: Condition, height: int, width: int, top: int = 0, left: int = 0) -> Condition:
    """An image [h, w, c], grown by its own reflection: ``top`` rows above, ``left`` columns before it."""
    if image.shape[:2] == (height, width):
        return image
    below, right = height - top - image.shape[0], width - left - image.shape[1]
    grown = cv2.copyMakeBorder(image, top, below, left, right, cv2.BORDER_REFLECT_101)
    return np.asarray(grown, np.uint8).reshape(height, width, image.shape[2])


def _converted(image: NDArray[np.uint8], code: int) -> NDArray[np.uint8]:
    """In other colours."""
    return np.asarray(cv2.cvtColor(image, code), np.uint8)


def visible(condition: Condition) -> Image:
    """What goes into a model as an image of three channels."""
    return condition if condition.shape[2] == 3 else np.repeat(condition, 3, axis=2)
