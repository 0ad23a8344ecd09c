"""Sample a page of images, one run of the network at a time.

The images go through the network in groups that follow from their numbers alone, so that any group sampled once more is
the same to the bit. All groups take a step before any takes the next one.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import numpy as np

from trainer.contract.images import pad
from trainer.contract.samplers import SAMPLERS, add_noise, predict_x0
from viewer import latents
from viewer.files.inputs import read_photo
from viewer.files.png import Image
from viewer.files.resizing import resize
from viewer.model import Images, Model, ModelError
from viewer.sessions.classes import NO_CLASSES, Classes
from viewer.sessions.denoiser import Denoiser, Floats

Origin = Literal["noise", "generator", "photographs"]
ORIGINS: Final[tuple[Origin, ...]] = ("noise", "generator", "photographs")
USUAL_STEPS: Final[Mapping[str, int]] = {name: 250 if name == "ddpm" else 25 for name in SAMPLERS}
_START: Final = 0.3  # of all steps, where images begin
_PIXELS_A_RUN: Final = 4096  # more images at once gain little, and keep a key waiting
_LADDER: Final = (1, 2, 3, 5, 8, 10, 15, 20, 25, 35, 50, 75, 100, 150, 250, 500, 1000)  # that + and - climb
_KEPT: Final = 8  # fields of noise: those of the corners, of two steps


def more_steps(steps: int, most: int) -> int:
    """The next number of steps that is worth trying, ``most`` at most."""
    return min(next((one for one in _LADDER if one > steps), most), most)


def fewer_steps(steps: int) -> int:
    """The one before."""
    return max((one for one in _LADDER if one < steps), default=1)


def usual_start(denoiser: Denoiser) -> int:
    """The step whose noise is added to images to begin with, unless another is chosen."""
    return max(round(_START * denoiser.steps), 1)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How images are made, whatever page it is."""

    sampler: str = "ddim"  # of SAMPLERS
    eta: float = 0.0  # of DDIM: how much new noise a step adds
    start: int = 0  # steps of noise that there are to begin with; 0: all, which is noise alone
    strength: float = 1.0  # what images to begin with are multiplied by, grey being 0
    noise: bool = True  # added to them, as much as the start has; else they go in as they are


@dataclass(frozen=True)
class Page:
    """What the images of a page follow from."""

    seed: int
    steps: int
    rows: int
    columns: int
    interpolated: bool = False
    classes: Classes = NO_CLASSES
    photos: tuple[int, ...] = ()  # numbers of the photographs to begin with, if any

    @property
    def numbers(self) -> range:
        """Of the images."""
        return range(len(self.photos) or self.rows * self.columns)

    @property
    def labels(self) -> tuple[int, ...]:
        """One an image, of models with classes."""
        return self.classes.of_sheet(self.rows, self.columns)

    def noise(self, shape: tuple[int, int, int], numbers: Sequence[int], stage: int) -> Floats:
        """The noise of images of this shape, f32 [n, c, h, w]. ``stage``: 0: to begin with; k: of the kth step.

        An interpolated page has the corners of the one that is not, to the bit; between them the noise is slerped,
        first along the top and the bottom row, then down.
        """
        size = math.prod(shape)
        if not self.interpolated:
            return np.stack([_field(self.seed, number, stage, size) for number in numbers]).reshape(-1, *shape)
        corners = [_field(self.seed, one, stage, size) for one in latents.corner_numbers(self.rows, self.columns)]
        fields = np.empty((len(numbers), size), np.float32)
        for field, number in zip(fields, numbers, strict=True):
            row, column = divmod(number, self.columns)
            along = column / max(self.columns - 1, 1)
            top, bottom = (latents.slerp(left, right, along) for left, right in (corners[:2], corners[2:]))
            field[:] = latents.slerp(top, bottom, row / max(self.rows - 1, 1))
        return fields.reshape(-1, *shape)


@lru_cache(maxsize=_KEPT)
def _field(seed: int, number: int, stage: int, size: int) -> Floats:
    return latents.normal(f"noise {seed} {number} {stage}", size)


class Diffusion:
    """All that makes images of a page."""

    def __init__(
        self,
        denoiser: Denoiser,
        settings: Settings,
        generator: Model | None = None,
        photos: Sequence[Path] = (),
        read: Callable[[Path], Image] = lambda path: read_photo(path).on_white(),
    ) -> None:
        """``generator``, ``photos``: whose images to begin with; neither: with noise. ``read``: gives a photograph
        u8 [h, w, 3] BGR. Raises ``ModelError``."""
        self.denoiser = denoiser
        self.settings = settings
        self.generator = generator
        self.photos = photos
        self._read = read
        self.origin: Origin = "generator" if generator is not None else "photographs" if photos else "noise"
        self.start = settings.start or denoiser.steps
        if not 1 <= self.start <= denoiser.steps:
            path = denoiser.model.path
            raise ModelError(f"--start is {self.start}, expected 1..{denoiser.steps}, the steps of {path}")
        if generator is not None:
            height, width = generator.image_size
            if height * denoiser.width != width * denoiser.height:
                raise ModelError(
                    f"{generator.path}: makes images of {width}x{height}, expected the proportions of "
                    f"{denoiser.width}x{denoiser.height}, which {denoiser.model.path} takes"
                )

    def steps_of(self, page: Page) -> int:
        """That every image of a page takes."""
        return min(page.steps, self.start)

    def groups_of(self, page: Page, numbers: Sequence[int]) -> list[range]:
        """These images and those that go through the network together with them: with photographs, none but itself."""
        size = 1 if page.photos else max(_PIXELS_A_RUN // (self.denoiser.height * self.denoiser.width), 1)
        firsts = sorted({number - number % size for number in numbers})
        return [page.numbers[first : first + size] for first in firsts]

    def photo(self, number: int) -> Image:
        """A photograph u8 [h, w, 3] BGR by its number. Raises ``ImageError``."""
        return self._read(self.photos[number])

    def sources(self, page: Page, numbers: Sequence[int]) -> Images:
        """The images to begin with, u8 [n, h, w, 3] BGR, of the denoiser's size. Raises ``UserError``."""
        height, width = self.denoiser.height, self.denoiser.width
        if self.photos:
            found = [pad(self.photo(page.photos[number]), height, width) for number in numbers]
        else:
            assert self.generator is not None
            latent = self.generator.latent
            if page.interpolated:
                corners = latents.draw_many(latent, page.seed, latents.corner_numbers(page.rows, page.columns))
                wanted = latents.bilinear(corners, page.rows, page.columns)[list(numbers)]
            else:
                wanted = latents.draw_many(latent, page.seed, numbers)
            labels = None  # of the generator's images: those of the denoiser, where both know the same classes
            if page.labels and self.generator.classes == self.denoiser.model.classes:
                own = [page.labels[number] % len(self.generator.classes) for number in numbers]
                labels = np.array(own, np.int64)
            found = list(self.generator.generate(wanted, labels))
        return np.stack([resize(image, height, width) for image in found])

    def begin(self, page: Page, numbers: Sequence[int] | None = None) -> "Run":
        """Begin to sample some images of a page, or all. Raises ``UserError``."""
        return Run(self, page, page.numbers if numbers is None else numbers)


class Run:
    """Images being sampled, with those that go through the network together with them."""

    def __init__(self, diffusion: Diffusion, page: Page, numbers: Sequence[int]) -> None:
        groups = diffusion.groups_of(page, numbers)
        together = [number for group in groups for number in group]
        self._wanted = np.searchsorted(together, numbers)
        sources = diffusion.sources(page, together) if diffusion.origin != "noise" else None
        self.sources = None if sources is None else sources[self._wanted]
        parts = [None if sources is None else sources[np.searchsorted(together, group)] for group in groups]
        self._groups = [_Group(diffusion, page, *work) for work in zip(groups, parts, strict=True)]
        self.steps = diffusion.steps_of(page)
        self.done = 0  # runs of the network
        self.total = self.steps * len(self._groups)

    def advance(self) -> bool:
        """Run the network once, so that some take a step; False: all have arrived. Raises ``ModelError``."""
        if self.done == self.total:
            return False
        self._groups[self.done % len(self._groups)].step()
        self.done += 1
        return True

    @property
    def step(self) -> int:
        """Steps that all images have taken."""
        return self.done // len(self._groups)

    @property
    def together(self) -> bool:
        """Whether no image is a step ahead."""
        return self.done % len(self._groups) == 0

    def images(self) -> Images:
        """The images as far as one can tell what becomes of them, u8 [n, h, w, 3] BGR."""
        return np.concatenate([group.expected() for group in self._groups])[self._wanted]

    def noisy(self) -> Images:
        """The images as they are, with what noise is left."""
        return np.concatenate([group.noisy() for group in self._groups])[self._wanted]


class _Group:
    """A group of images being sampled."""

    def __init__(self, diffusion: Diffusion, page: Page, numbers: Sequence[int], sources: Images | None) -> None:
        self._denoiser = denoiser = diffusion.denoiser
        settings, start = diffusion.settings, diffusion.start
        drawn = [0] * len(numbers) if page.photos else numbers  # a photograph's result is the same among any others
        self._labels = [page.labels[number] for number in numbers] if page.labels else []
        self._stage = 0
        self._last: tuple[Floats, Floats, int] | None = None  # what was asked, what was said, at which step
        if sources is None:
            self._x = page.noise(denoiser.shape, drawn, 0)
        else:
            images = np.float32(settings.strength) * denoiser.array(sources)
            noise = page.noise(denoiser.shape, drawn, 0)
            self._x = add_noise(denoiser.schedule, images, start, noise) if settings.noise else images

        def more(_: Sequence[int]) -> Floats:
            self._stage += 1
            return page.noise(denoiser.shape, drawn, self._stage)

        eta = {} if settings.sampler == "ddpm" else {"eta": settings.eta}
        self._steps = SAMPLERS[settings.sampler](
            self._predict, denoiser.schedule, self._x, start, page.steps, **eta, noise=more
        )
        self._left = diffusion.steps_of(page)

    def _predict(self, x: Floats, t: int) -> Floats:
        prediction = self._denoiser.predict(x, t, self._labels)
        self._last = x, prediction, t
        return prediction

    def step(self) -> None:
        _, self._x = next(self._steps)
        self._left -= 1

    def noisy(self) -> Images:
        return self._denoiser.images(self._x)

    def expected(self) -> Images:
        if self._last is None or not self._left:
            return self.noisy()
        x, prediction, t = self._last
        return self._denoiser.images(predict_x0(self._denoiser.schedule, prediction, x, t))
