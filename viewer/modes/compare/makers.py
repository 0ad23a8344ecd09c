"""What makes the images of a page with one model of a comparison: a generator, a translator, a denoiser.

All makers of a page get the same seeds, the same images, or the same noise, and give the bits that the modes of their
kinds give: ``grid``, ``translate``, ``upscale``, ``diffuse``.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from trainer.contract.images import FITS, Fit
from viewer.files.inputs import Photo, read_photo
from viewer.files.png import Image
from viewer.files.resizing import fit
from viewer.latents import Latents, draw_many
from viewer.model import Images, Model, ModelError, encoder_beside, open_sibling_encoder
from viewer.modes.compare.state import Page
from viewer.sessions import sampling
from viewer.sessions.classes import Classes
from viewer.sessions.denoiser import NO_CLASS, Denoiser
from viewer.sessions.generator_page.session import TRUNCATION_STEPS, page_latents
from viewer.sessions.model_session import Decoder, Labels
from viewer.sessions.replay import exact_numbers
from viewer.sessions.sampling import Diffusion, Settings
from viewer.sessions.translation import LARGEST_SIZE, Translator, Upscaler, visible

_LOOK_SECONDS: Final = 0.2  # between looks at images in the making
_USUAL_CUT: Final = 512  # pixels a side, of an image that is enlarged
_SAMPLED_COLUMNS: Final = 64  # of a page of samples that is measured and not shown


@dataclass(frozen=True, eq=False)
class Made:
    """Some images of a page, as far as they are."""

    numbers: Sequence[int]  # of the comparisons that they belong to
    images: Sequence[Image]
    finished: bool = True
    step: int = 0  # of those that are made step by step


class Photos:
    """The images that go in, read when they are needed, by whichever thread needs them."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        self.read = lru_cache(maxsize=4)(self._read)

    def _read(self, number: int) -> Photo:
        """An image on white paper. Raises ``ImageError``."""
        photo = read_photo(self.paths[number])
        return replace(photo, image=photo.on_white(), alpha=None)


class Maker(ABC):
    """Makes images with a model. One run of it at a time, whichever thread asks: ``lock`` sees to that."""

    has_latent = True  # whether a seed makes a difference
    sampler = ""  # of those that make images step by step
    size = 0  # pixels of the longer side of what goes in, where that is limited

    def __init__(self, model: Model, photos: Photos) -> None:
        self.model = model
        self.photos = photos
        self.lock = threading.Lock()

    @abstractmethod
    def size_of(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of what it makes of an image of this size; generators: of what they make."""

    @abstractmethod
    def parts(self, page: Page, numbers: Sequence[int]) -> Iterator[Made]:
        """The images of a page with these numbers, in parts small enough that a key is never kept waiting long. Raises
        ``UserError``."""

    def latents(self, page: Page) -> Latents | None:
        """Of the images of a page, [n, d]; ``None`` where there are none."""
        return None

    def remark(self, sizes: Sequence[tuple[int, int]]) -> str:
        """What becomes of images of these sizes (h, w) unasked before they go in, and the way out; empty: nothing."""
        return ""

    def label_name(self, label: int) -> str:
        """The name of a class."""
        return self.model.classes[label] if label < len(self.model.classes) else NO_CLASS

    def samples(self, seed: int, count: int) -> Iterator[Images]:
        """So many random images, for figures, some at a time; some parts are empty. Raises ``ModelError``."""
        yield from ()


class GeneratorMaker(Maker):
    """A generator, perhaps with its encoder."""

    def __init__(self, model: Model, photos: Photos, threads: int) -> None:
        super().__init__(model, photos)
        self._threads = threads
        self._decoder = Decoder(model)
        known = "" if model.card is None else str(model.card.training.get("fit"))
        self.fit: Fit = FITS.get(known, FITS["crop"])  # brings images of sets to its size, as in training
        if photos.paths and self.encoder is None:
            open_sibling_encoder(model.path)  # says what is missing

    @cached_property
    def encoder(self) -> Model | None:
        """The encoder beside it; ``None`` where there is none. Raises ``ModelError`` for one that does not fit."""
        if not encoder_beside(self.model.path).is_file():
            return None
        encoder = open_sibling_encoder(self.model.path, threads=self._threads)
        if encoder.latent.size != self.model.latent.size:
            raise self.model.error(f"its encoder gives {encoder.latent.size} numbers, not {self.model.latent.size}")
        return encoder

    def size_of(self, height: int, width: int) -> tuple[int, int]:
        return self.model.image_size

    def latents(self, page: Page) -> Latents:
        if page.mode == "images":
            encoder = self.encoder
            assert encoder is not None
            images = [fit(self.photos.read(number).image, *encoder.image_size) for number in page.photos]
            return encoder.encode(np.stack(images))
        truncation = page.level / TRUNCATION_STEPS
        return page_latents(self.model, page.mode, page.seed, page.rows, page.columns, truncation)

    def parts(self, page: Page, numbers: Sequence[int]) -> Iterator[Made]:
        if page.mode == "images":
            yield from self._encoded(page, numbers)
            return
        chosen = list(numbers)
        labels = self._labels(page)
        parts = self._decoder.parts(self.latents(page)[chosen], None if labels is None else labels[chosen])
        while True:
            with self.lock:
                part = next(parts, None)
            if part is None:
                return
            yield Made(chosen[part.first : part.first + len(part.images)], list(part.images))

    def _encoded(self, page: Page, numbers: Sequence[int]) -> Iterator[Made]:
        """One image after the other: each takes its time to be read."""
        labels = self._labels(page)
        for number in numbers:
            with self.lock:
                latents = self.latents(replace(page, photos=(page.photos[number],)))
                own = None if labels is None else labels[number : number + 1]
                yield Made([number], list(self.model.generate(latents, own)))

    def _labels(self, page: Page) -> Labels | None:
        if not self.model.classes:
            return None
        return np.array(page.classes.of_sheet(page.rows, page.columns), np.int64)

    def samples(self, seed: int, count: int) -> Iterator[Images]:
        labels = np.arange(count) % len(self.model.classes) if self.model.classes else None
        parts = self._decoder.parts(draw_many(self.model.latent, seed, range(count)), labels)
        while True:
            with self.lock:
                part = next(parts, None)
            if part is None:
                return
            yield part.images


class TranslatorMaker(Maker):
    """A translator of images; one that enlarges them works tile by tile, on the middle of each."""

    def __init__(self, model: Model, photos: Photos, size: int) -> None:
        super().__init__(model, photos)
        enlarges = model.image_layout.scale > 1 and (model.card is None or model.card.latent is None)
        self.upscaler = Upscaler(model) if enlarges else None
        self.translator = Translator(model, size=size)
        self.has_latent = self.translator.latent_size > 0
        self.size = size
        self.cut = size or _USUAL_CUT
        self.shrunk = 0  # images of a set that were made smaller to be measured

    def size_of(self, height: int, width: int) -> tuple[int, int]:
        return self.translator.layout.result_size(*self.takes(height, width))

    def remark(self, sizes: Sequence[tuple[int, int]]) -> str:
        changed = [size for size in sizes if self.takes(*size) != size]
        if self.size or not changed:
            return ""
        (height, width), (rows, columns) = max(changed), self.takes(*max(changed))
        if self.upscaler is not None:
            part = f"{columns}x{rows} of {width}x{height}"
            return f"of larger images the middle is enlarged ({part}): --size N takes more"
        longer, fixed = max(height, width), any(side is not None for side in self.translator.layout.largest)
        way = f"--size {longer} takes it as it is" if longer <= LARGEST_SIZE else f"--size {LARGEST_SIZE} takes more"
        return f"{width}x{height} shrunk to {columns}x{rows}: {'the size that a model takes' if fixed else way}"

    def takes(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of what goes in of an image of this size."""
        if self.upscaler is None:
            return self.translator.fitted(height, width)
        return min(height, self.cut), min(width, self.cut)

    def middle(self, image: Image) -> Image:
        """As much of the middle of an image as is enlarged."""
        height, width = image.shape[:2]
        rows, columns = min(height, self.cut), min(width, self.cut)
        top, left = (height - rows) // 2, (width - columns) // 2
        return np.ascontiguousarray(image[top : top + rows, left : left + columns])

    def parts(self, page: Page, numbers: Sequence[int]) -> Iterator[Made]:
        for number in numbers:
            photo = self.photos.read(page.photos[number])
            if self.upscaler is None:
                with self.lock:
                    image = self.translated(photo.image, page.seed)
                yield Made([number], [image])
            else:
                yield from self._enlarged(self.upscaler, number, replace(photo, image=self.middle(photo.image)))

    def translated(self, image: Image, seed: int) -> Image:
        """The result of a photograph u8 [h, w, 3] BGR, edges drawn as the card says."""
        translator = self.translator
        return translator.translate(translator.condition_of(image, translator.how.sigma), translator.latent(seed))

    def _enlarged(self, upscaler: Upscaler, number: int, photo: Photo) -> Iterator[Made]:
        with self.lock:
            tiles = upscaler.plan(photo)
            result = upscaler.blank(photo)
        steps = upscaler.fill(result, photo, tiles)
        for done in range(1, len(tiles) + 1):
            with self.lock:
                next(steps)
            finished = done == len(tiles)
            shown = result[..., :3]
            yield Made([number], [shown if finished else shown.copy()], finished, done)

    def latents(self, page: Page) -> Latents | None:
        latent = self.translator.latent(page.seed)
        return None if latent is None else np.repeat(latent[None], len(page.numbers), axis=0)


class DenoiserMaker(Maker):
    """A denoiser, which begins with the same noise as every other one of images of its size."""

    def __init__(self, model: Model, photos: Photos, settings: Settings) -> None:
        super().__init__(model, photos)
        self.denoiser = Denoiser(model)
        self.diffusion = Diffusion(self.denoiser, settings)
        self.sampler = settings.sampler

    def size_of(self, height: int, width: int) -> tuple[int, int]:
        return self.denoiser.height, self.denoiser.width

    def parts(self, page: Page, numbers: Sequence[int]) -> Iterator[Made]:
        classes = page.classes if self.denoiser.names else replace(page.classes, count=0)
        interpolated = page.mode == "interpolation"
        noise = sampling.Page(page.seed, page.level, page.rows, page.columns, interpolated, classes)
        run = self.diffusion.begin(noise, numbers)
        looked = time.monotonic()
        while True:
            with self.lock:
                if not run.advance():
                    return
                finished, now = run.done == run.total, time.monotonic()
                images: Sequence[Image] = []
                if finished or now - looked >= _LOOK_SECONDS:
                    images, looked = list(run.images()), now
            yield Made(list(numbers) if images else [], images, finished, run.step)

    def samples(self, seed: int, count: int) -> Iterator[Images]:
        rows, free = -(-count // _SAMPLED_COLUMNS), self.model.free_label
        labels = len(self.model.classes)  # images of no class, or of each class as many
        classes = Classes(labels + free, labels if free else 0, by_row=not free)
        steps = sampling.USUAL_STEPS[self.diffusion.settings.sampler]
        page = sampling.Page(seed, steps, rows, _SAMPLED_COLUMNS, classes=classes)
        for group in self.diffusion.groups_of(page, range(count)):
            run = self.diffusion.begin(page, group)
            while True:
                with self.lock:
                    going = run.advance()
                if not going:
                    break
                yield np.empty((0, self.denoiser.height, self.denoiser.width, 3), np.uint8)
            yield run.images()


def together(makers: Sequence[Maker], page: Page, numbers: Sequence[int]) -> Iterator[tuple[int, Made]]:
    """The images of a page, of all makers in turn, with the maker's place in the row. Raises ``UserError``."""
    running = [(place, maker.parts(page, numbers)) for place, maker in enumerate(makers)]
    while running:
        for one in list(running):
            part = next(one[1], None)
            if part is None:
                running.remove(one)
            else:
                yield one[0], part


def input_image(maker: Maker, photo: Photo) -> Image:
    """What of an image goes into a model, as it is shown beside the results."""
    if isinstance(maker, GeneratorMaker):
        return fit(photo.image, *maker.model.image_size)
    if isinstance(maker, TranslatorMaker) and maker.upscaler is not None:
        return maker.upscaler.blank(replace(photo, image=maker.middle(photo.image)))[..., :3]
    if isinstance(maker, TranslatorMaker):
        return visible(maker.translator.condition_of(photo.image, maker.translator.how.sigma))
    raise ModelError(f"{maker.model.path}: takes no images")


def exact_latents(maker: Maker, page: Page, number: int) -> list[float] | None:
    """The latent of an image as plain numbers; ``None`` where it has none."""
    if page.mode == "images" and isinstance(maker, GeneratorMaker):
        page, number = replace(page, photos=(page.photos[number],)), 0
    with maker.lock:
        latents = maker.latents(page)
    return None if latents is None else exact_numbers(latents[number : number + 1])[0]
