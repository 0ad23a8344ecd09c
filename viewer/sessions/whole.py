"""Photographs of any size through a network tile by tile, without a screen: with progress, and with how long it will
take, from the first second on."""

import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from tqdm import tqdm

from trainer.contract.errors import ImageError
from trainer.contract.text import printable
from viewer.files.inputs import Photo, photo_size, read_photo
from viewer.files.png import Image
from viewer.files.results import encode
from viewer.sessions.batch import Batch, Job, say
from viewer.sessions.fitting import through
from viewer.sessions.headless import beside
from viewer.sessions.translation import Tile, Upscaler

_TIMED: Final = 48  # input pixels a side, of what is timed beforehand
_FEW: Final = 1 << 15  # input pixels, which no network needs long for
_OVERLAP: Final = 1.2  # about, by which tiles are larger than what is kept of them
_LONG_SECONDS: Final = 5.0  # from here on it is said beforehand how long it will take


def write_whole(upscaler: Upscaler, batch: Batch, jobs: Sequence[Job]) -> None:
    """Write the whole result of every image, with its alpha, and grey where it is. Raises ``ImageError``."""
    sizes: dict[Job, tuple[int, int]] = {}
    for job in jobs:
        with batch.looking():
            sizes[job] = photo_size(job.path)
    if not sizes:
        return
    total = sum(height * width for height, width in sizes.values())
    with tqdm(total=total, unit="px", unit_scale=True, disable=None) as bar:
        _say_time(upscaler, len(sizes), total, bar)
        for job in sizes:
            bar.set_description(printable(job.path.name, 30))
            with batch.trying(job=job):
                photo = upscaler.prepared(read_photo(job.path))
                for note in photo.notes:
                    say(f"{printable(str(job.path))}: {note}")
                result = enlarged(upscaler, photo, upscaler.plan(photo), bar)
                try:
                    data = encode(result, photo, job.target.suffix.lower(), job.recipe)
                except ImageError as error:
                    raise ImageError(f"{job.path}: {error}") from None
                job.write(data)


def _say_time(upscaler: Upscaler, count: int, total: int, bar: "tqdm[Any]") -> None:
    """How long it will take, by a small piece; only where that is long."""
    if total < _FEW:
        return
    piece = np.full((_TIMED, _TIMED, upscaler.layout.channels), 127, np.uint8)
    for _ in beside(iter([0])):
        through(upscaler.model, piece)  # the first run takes longer
        begun = time.perf_counter()
        through(upscaler.model, piece)
        seconds = time.perf_counter() - begun
    rows, columns = upscaler.layout.accepted(_TIMED, _TIMED)
    seconds *= total * _OVERLAP / (rows * columns)
    if seconds >= _LONG_SECONDS:
        about = f"about {_duration(seconds)}"
        bar.set_postfix_str(about)
        say(f"{count} image{'s' * (count > 1)}, {total / 1e6:.3g} million pixels: {about}, by a first piece")


def _duration(seconds: float) -> str:
    """In the largest unit that it is more than two of."""
    for unit, name in ((3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} seconds"


def enlarged(upscaler: Upscaler, photo: Photo, tiles: Sequence[Tile], bar: "tqdm[Any] | None" = None) -> Image:
    """The whole result of an image; no more of the network's numbers are in memory than those of a tile."""
    result = upscaler.empty(photo)
    for tile in beside(upscaler.fill(result, photo, tiles), bar):
        if bar is not None:
            bar.set_postfix_str("", refresh=False)  # from here on the bar knows better
            bar.update(tile.kept.width * tile.kept.height)
    return result
