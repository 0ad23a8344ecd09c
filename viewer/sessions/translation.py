"""A translator at work on images of any size: what goes in is made of them, and goes in at once or tile by tile."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from export.card import Card
from trainer.contract import images
from trainer.contract.edges import edge_map
from trainer.contract.errors import UserError
from trainer.contract.text import printable
from viewer.files.inputs import Photo
from viewer.files.png import Image
from viewer.files.resizing import resize, resize_nearest
from viewer.files.results import bicubic
from viewer.files.tree import Found, find_images
from viewer.frame.area import Area
from viewer.further_options import ImagesOptions
from viewer.graph.layout import with_channels
from viewer.latents import Latents, draw
from viewer.model import Model, ModelError, open_model
from viewer.options import model_threads
from viewer.sessions.fitting import Condition, is_local, through

if TYPE_CHECKING:
    from viewer.graph.ports import Settings

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
        self._given_size = size
        card = model.card
        assert card is not None  # of a model with a layout
        known: Mapping[str, Any] = card.condition
        kind = condition or known.get("kind", "given")
        if kind not in _KINDS:
            raise ModelError(f"{model.path}: takes {kind!r} of photographs, which this viewer cannot make; make them "
                             "beforehand and add --condition given")  # fmt: skip
        self.how = How(kind, known.get("sigma", 0.33), known.get("blur", 3), known.get("invert", False))
        self.trained_size: tuple[int, int] | None = tuple(known["size"]) if "size" in known else card.image_size
        height, width = self.layout.largest
        if height is not None and width is not None:
            self.trained_size = height, width
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
        for length, side in zip((height, width), self.layout.largest, strict=True):
            factor = min(factor, (side or length) / length)
        return max(round(height * factor), 1), max(round(width * factor), 1)

    def channels_of(self, image: Image) -> Condition:
        """An image u8 [h, w, 3] BGR with the channels that the model takes."""
        return with_channels(image, self.layout.channels)

    def latent(self, seed: int) -> Latents | None:
        """The latent [d] of a seed; ``None`` for models without."""
        return draw(self.model.latent, seed, 0) if self.latent_size else None

    def translate(
        self, condition: Condition, latent: Latents | None = None, settings: "Settings | None" = None
    ) -> Image:
        """The whole result u8 [h, w, 3] BGR of a condition of any size, in one run; on white, where it has alpha.
        ``settings``: of other inputs."""
        result = through(self.model, condition, latent, settings, centred=True)
        return images.on_white(result) if result.shape[2] == 4 else result

    @cached_property
    def whole(self) -> "Upscaler | None":
        """What takes photographs of any size as they are, tile by tile, and keeps their alpha; ``None`` where the model
        is for one size, looks at the whole image, or wants anything else than the image. Raises ``ModelError``."""
        card = self.model.card
        assert card is not None  # of a model with a layout
        if self._given_size or self.how.kind != "given" or not _is_plain(card) or not is_local(self.model):
            return None
        return Upscaler(self.model, colours=False)

    def shrinking(self, height: int, width: int) -> str:
        """What becomes of the size of an image that is made smaller unasked, and the way out, in words;
        empty where it is not. Raises ``ModelError``."""
        fitted = self.fitted(height, width)
        if self._given_size or fitted == (height, width) or self.whole is not None:
            return ""
        fixed = [side for side in self.layout.largest if side is not None]
        why = "the size that the model takes" if fixed else f"--size {max(height, width)} takes it as it is"
        return f"{width}x{height} shrunk to {fitted[1]}x{fitted[0]}: {why}"


def _is_plain(card: Card) -> bool:
    """Whether a card asks for nothing but an image: no size, no colours, no latent."""
    plain = card.condition.get("kind", "given") == "given" and not {"size", "palette"} & card.condition.keys()
    return plain and card.image_size is None and card.latent is None


def open_translator(options: ImagesOptions, expected: str, results: Path | None = None) -> tuple[Found, Model]:
    """The images that options name, and the model. ``expected``: in words, without images. ``results``: where they will
    be written. Raises ``UserError``."""
    if not options.images:
        raise UserError(f"no images named beside the model {printable(options.model)}, expected {expected}")
    found = find_images(options.images, results)
    threads = model_threads(options.threads, all_cores=True)
    return found, open_model(
        options.model, threads=threads, wanted="translator", many_sizes=True, reading=options.reading
    )


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

    def __init__(self, model: Model, tile: int = 0, colours: bool = True) -> None:
        """``tile``: input pixels a side of what is enlarged at a time; 0: as was measured to be good.

        ``colours``: those of the image go round a model that is for grey images; else its results are grey.
        """
        self.model = model
        self._colours = colours
        self.layout = model.image_layout
        self.scale = self.layout.scale  # result pixels an input pixel
        card = model.card
        if card is not None and card.latent is not None:
            raise ModelError(f"{model.path}: draws with a latent, expected a model that enlarges: try translate")
        if self.scale <= 1 and (card is None or not _is_plain(card) or not is_local(model)):
            raise ModelError(
                f"{model.path}: gives images as large as it takes, made of the whole of them; "
                "expected a model that enlarges or restores: try translate"
            )
        context = 0 if card is None else card.context
        self.context = context or _UNKNOWN_CONTEXT
        self.tile = tile or TILE
        self._fixed = min((side for side in self.layout.largest if side is not None), default=0)  # pixels, of a window
        if self._fixed:
            self._fixed -= 3 * (self.layout.multiple - 1)  # by which windows may be larger
            self.context = min(self.context, self._fixed // 8)
            self.tile = self._fixed - 2 * self.context

    def prepared(self, photo: Photo) -> Photo:
        """An image as it goes in: grey, or no longer known as grey, where the result is to be so."""
        if self.layout.channels > 1:
            return photo
        if self.layout.output_channels > 1:
            return replace(photo, grey=False)
        return photo if self._colours else replace(photo, image=visible(with_channels(photo.image, 1)), grey=True)

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
        """What the result is before its tiles come: the image, enlarged by bicubic interpolation; with alpha where that
        is the network's own."""
        if not self._with_alpha(photo):
            return bicubic(photo.image, *self.layout.result_size(*photo.image.shape[:2]))
        return bicubic(_with_alpha(photo), *self.layout.result_size(*photo.image.shape[:2]))

    def empty(self, photo: Photo) -> Image:
        """Room for the result of an image, [h, w, 3] or with alpha."""
        channels = 4 if self._with_alpha(photo) else 3
        return np.empty((*self.layout.result_size(*photo.image.shape[:2]), channels), np.uint8)

    def _with_alpha(self, photo: Photo) -> bool:
        """Whether the network's alpha is kept: what is given an alpha for the network alone has none afterwards."""
        return self.layout.output_channels == 4 and (photo.alpha is not None or self.layout.channels < 4)

    def enlarge(self, photo: Photo, tile: Tile, settings: "Settings | None" = None) -> Image:
        """The result of a tile: what is kept of it, enlarged. ``settings``: of other inputs."""
        window, kept = tile.window, tile.kept
        cut = photo.image[window.pixels]
        if self.layout.channels == 3:
            made = through(self.model, cut, settings=settings)
        elif self.layout.channels == 4:
            alpha = None if photo.alpha is None else photo.alpha[window.pixels]
            made = through(self.model, _with_alpha(Photo(cut, alpha)), settings=settings)
        elif self.layout.output_channels > 1:
            made = through(self.model, with_channels(cut, 1), settings=settings)
        else:  # as usual with models of the luma: the two colour channels, which eyes see less sharply, go bicubically
            luma = _converted(cut, cv2.COLOR_BGR2YCrCb)
            both = bicubic(luma, *self.layout.result_size(*luma.shape[:2]))
            both[..., 0] = through(self.model, np.ascontiguousarray(luma[..., :1]), settings=settings)[..., 0]
            made = _converted(both, cv2.COLOR_YCrCb2BGR)
        if not self._with_alpha(photo):
            made = made[..., :3]
        if photo.grey:
            made[..., :3] = _converted(np.ascontiguousarray(made[..., :3]), cv2.COLOR_BGR2GRAY)[..., None]
        inside = Area(kept.left - window.left, kept.top - window.top, kept.width, kept.height)
        return made[inside.times(self.scale).pixels]

    def result_of(self, photo: Photo, settings: "Settings | None" = None) -> Image:
        """The whole result of an image."""
        result = self.empty(photo)
        for _ in self.fill(result, photo, self.plan(photo), settings):
            pass
        return result

    def fill(
        self, result: Image, photo: Photo, tiles: Iterable[Tile], settings: "Settings | None" = None
    ) -> Iterator[Tile]:
        """Put what tiles become into its places in an image's result, one after another: each that is there now."""
        for tile in tiles:
            result[tile.kept.times(self.scale).pixels] = self.enlarge(photo, tile, settings)
            yield tile


def _with_alpha(photo: Photo) -> Image:
    """[h, w, 4] BGRA; opaque where the photo has no alpha."""
    if photo.alpha is None:
        return with_channels(photo.image, 4)
    return np.dstack([photo.image, photo.alpha])


def _converted(image: NDArray[np.uint8], code: int) -> NDArray[np.uint8]:
    """In other colours."""
    return np.asarray(cv2.cvtColor(image, code), np.uint8)


def visible(condition: Condition) -> Image:
    """What goes into a model as an image of three channels."""
    return np.repeat(condition, 3, axis=2) if condition.shape[2] == 1 else np.ascontiguousarray(condition[..., :3])
