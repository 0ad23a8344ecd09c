"""Enlarging without a screen: images and films, with progress, each written whole or not at all."""

import sys
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from tqdm import tqdm

from trainer.contract.errors import ImageError
from trainer.contract.files import partial_of, put_in_place
from trainer.contract.headers import MOST_PIXELS
from trainer.contract.text import printable
from viewer.displays.recorder import Video
from viewer.files.inputs import FILM_SUFFIXES, Photo, is_film
from viewer.files.png import naming
from viewer.files.results import SUFFIXES, free_name
from viewer.modes.upscale.options import Options
from viewer.modes.upscale.session import recipe_of
from viewer.sessions.batch import Batch, names_one_file
from viewer.sessions.headless import made_folder
from viewer.sessions.replay import signed
from viewer.sessions.translation import Upscaler, open_translator
from viewer.sessions.whole import enlarged, write_whole

_USUAL_RATE: Final = 25.0  # frames a second, of films that do not say
_FILM: Final = ".mp4"


def write(options: Options) -> None:
    """Write every image and every film enlarged: under its name in a folder, or the only one to the file that ``-o``
    names. Raises ``UserError``."""
    target = options.output or options.out
    found, model = open_translator(options, "some", target)
    upscaler = Upscaler(model, options.tile)
    films = [path for path in found.places if is_film(path)]
    one = names_one_file(options.images, found, target, FILM_SUFFIXES[:1] if films else SUFFIXES)
    batch = Batch(found, target, one)
    with batch.going():
        images = [path for path in found.places if not is_film(path)]
        jobs = batch.plan(lambda path: signed(model, recipe_of(upscaler, path)), options.force, images)
        write_whole(upscaler, batch, jobs)
        for path in films:
            with batch.trying():
                if one and not options.force and target.exists():
                    raise ImageError(f"{target}: exists already, expected a new file, or --force to replace it")
                folder = made_folder(target / found.places[path]) if not one else target.parent
                name = target if one else free_name(folder, path.stem, _FILM)
                _upscale_film(upscaler, path, name, options.force and one)


def _upscale_film(upscaler: Upscaler, path: Path, target: Path, replace: bool) -> None:
    """A film, frame by frame, at its own rate, without its sound. Raises ``ImageError``."""
    if not path.is_file():
        raise ImageError(f"{path}: no such file")
    film = cv2.VideoCapture(str(path))
    there, frame = film.read()
    if not there:
        raise ImageError(f"{path}: not a film that can be read")
    if frame.shape[0] * frame.shape[1] > MOST_PIXELS:
        raise ImageError(f"{path}: far too large, expected at most {MOST_PIXELS} pixels")
    rate = film.get(cv2.CAP_PROP_FPS)
    rate = rate if 0 < rate < 1000 else _USUAL_RATE
    total = max(int(film.get(cv2.CAP_PROP_FRAME_COUNT)), 0) or None
    tqdm.write(f"{printable(str(path))}: {rate:g} frames a second; its sound is left out", file=sys.stderr)
    tiles = upscaler.plan(Photo(np.asarray(frame, np.uint8)))
    bar = tqdm(total=total, desc=printable(path.name, 30), unit="frame", disable=None)
    with naming(target), partial_of(target, _FILM) as partial, bar:
        written = Video(partial, 1000 / rate)
        try:
            while there:
                written.add(enlarged(upscaler, Photo(np.asarray(frame, np.uint8)), tiles))
                bar.update()
                there, frame = film.read()
        finally:
            film.release()
            written.release()
        written.finish()
        if replace:
            partial.replace(target)
        else:
            put_in_place(partial, target)
