"""Translating without a screen: images, with progress, each written whole or not at all."""

import contextlib
from collections.abc import Sequence

from tqdm import tqdm

from trainer.contract.errors import ImageError
from trainer.contract.text import printable
from viewer.files.inputs import Photo, photo_size, read_photo
from viewer.files.results import SUFFIXES, encode
from viewer.modes.translate.options import Options
from viewer.modes.translate.session import TranslateState, make, open_inputs, recipe_of
from viewer.sessions.batch import Batch, Job, names_one_file, say
from viewer.sessions.headless import beside
from viewer.sessions.replay import signed
from viewer.sessions.translation import Translator
from viewer.sessions.whole import write_whole


def write(options: Options) -> None:
    """Write the result of every image: under its name in a folder, or the only one to the file that ``-o`` names.
    Raises ``UserError``."""
    target = options.output or options.out
    found, translator, state = open_inputs(options, target)
    batch = Batch(found, target, names_one_file(options.images, found, target, SUFFIXES))
    with batch.going():
        jobs = batch.plan(
            lambda path: signed(translator.model, recipe_of(translator, state, path)), options.force, found.paths
        )
        if translator.whole is not None:
            write_whole(translator.whole, batch, jobs)
        else:
            _say_shrinking(translator, batch, jobs)
            _write_fitted(translator, state, batch, jobs)


def _say_shrinking(translator: Translator, batch: Batch, jobs: Sequence[Job]) -> None:
    """How many images are made smaller, and what of the largest one."""
    shrunk: dict[Job, tuple[int, int]] = {}
    for job in jobs:
        with contextlib.suppress(ImageError):  # which is said when its turn comes
            size = photo_size(job.path)
            if translator.shrinking(*size):
                shrunk[job] = size
    if shrunk:
        largest = max(shrunk, key=lambda job: max(shrunk[job]))
        others = f" ({len(shrunk)} of {batch.count} images are too large)" if len(shrunk) > 1 else ""
        say(f"{printable(str(largest.path))}: {translator.shrinking(*shrunk[largest])}{others}")


def _write_fitted(translator: Translator, state: TranslateState, batch: Batch, jobs: Sequence[Job]) -> None:
    """Results of images that are brought to the size of the model. Raises ``UserError``."""
    with tqdm(total=len(jobs), desc="translate", unit="image", disable=None) as bar:
        for job in jobs:
            with batch.trying(job=job):
                photo = read_photo(job.path)
                (made,) = beside((make(translator, one, state) for one in [photo]), bar)
                job.write(encode(made.results[0], Photo(photo.image), job.target.suffix.lower(), job.recipe))
            bar.update()
