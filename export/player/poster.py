"""The image that a page shows before its model runs: the sheet of its first page, drawn here as the viewer draws it."""

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from export.player.models import Models
from trainer.contract.sheet import MARGIN, SheetLayout
from viewer import latents
from viewer.model import Images, Model
from viewer.render import with_detail
from viewer.sessions.classes import Classes
from viewer.sessions.denoiser import Denoiser
from viewer.sessions.detail_layer import open_layer
from viewer.sessions.sampling import USUAL_STEPS, Diffusion, Page, Settings, usual_start

_SHEETS: Final = ((128, 6, 8), (256, 4, 6), (1 << 14, 3, 4))  # longest side of an image in pixels, rows, columns
_SAMPLED: Final = (3, 4)  # rows and columns of images that are made step by step
_LONGEST_SIDE: Final = 1024  # pixels of the poster
_QUALITY: Final = 88  # of WebP
_MOST_SECONDS: Final = 60.0  # that a poster is worth


@dataclass(frozen=True)
class Poster:
    """An image, and the page of the grid that it shows."""

    data: bytes  # WebP
    width: int
    height: int
    seed: int
    rows: int
    columns: int


def draw(models: Models, mode: str, seed: int, progress: Callable[[str], None]) -> Poster | str:
    """The poster of a page that begins in ``mode`` ("": the usual one), or why there is none.

    ``progress``: is told what takes a while. Raises ``UserError``.
    """
    kind = models.card.kind
    if kind == "translator":
        return "it has no image before one goes in"
    if kind == "denoiser":
        rows, columns = _SAMPLED
        images = _sampled(models, seed, progress)
        if isinstance(images, str):
            return images
    else:
        rows, columns = next(size for longest, *size in _SHEETS if max(models.first.image_size) <= longest)
        images = _generated(models, mode, seed, rows * columns)
    return _sheet(images, seed, rows, columns)


def _generated(models: Models, mode: str, seed: int, count: int) -> Images:
    """The first images of a generator's page, u8 [n, h, w, 3] BGR."""
    model = models.first
    rows = latents.draw_many(model.latent, seed, range(count))
    images = model.generate(rows, np.zeros(count, np.int64) if model.classes else None)
    if mode != "hpf":
        return images
    detail = models.of("detail")
    layer = open_layer(model, None if detail is None else detail.path)
    return with_detail(images, layer.of(rows, images), layer.gain.value)


def _sampled(models: Models, seed: int, progress: Callable[[str], None]) -> Images | str:
    """The images of a denoiser's page, u8 [n, h, w, 3] BGR; or that they take too long."""
    denoiser = Denoiser(models.first)
    generator: Model | None = models.of("generator")
    settings = Settings(start=usual_start(denoiser) if generator is not None else 0)
    names = len(denoiser.names)
    page = Page(seed, USUAL_STEPS["ddim"], *_SAMPLED, classes=Classes(names, max(names - 1, 0)))
    run = Diffusion(denoiser, settings, generator).begin(page)
    begun = time.monotonic()
    while run.advance():
        taken = time.monotonic() - begun
        if run.done > 1 and taken / run.done * run.total > _MOST_SECONDS:
            return f"its images would take about {taken / run.done * run.total:.0f} s here"
        progress(f"sampling the images that are shown first: {run.done} of {run.total} steps")
    return run.images()


def _sheet(images: Images, seed: int, rows: int, columns: int) -> Poster:
    """The sheet of images u8 [n, h, w, 3] BGR, with nothing between them: the page's own ground shows through."""
    height, width = images.shape[1:3]
    sheet = SheetLayout(rows, columns, width, height, MARGIN, MARGIN)
    right, bottom = sheet.corner(sheet.count - 1)
    canvas: NDArray[np.uint8] = np.zeros((bottom + height + MARGIN, right + width + MARGIN, 4), np.uint8)
    for index, image in enumerate(images):
        canvas[sheet.part(index)] = np.dstack([image[..., ::-1], np.full((height, width), 255, np.uint8)])
    poster = Image.fromarray(canvas)
    poster.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    file = io.BytesIO()
    poster.save(file, "WEBP", quality=_QUALITY, alpha_quality=100)
    return Poster(file.getvalue(), poster.width, poster.height, seed, rows, columns)
