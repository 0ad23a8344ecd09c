"""Enlarging without a screen: images and films, with progress, each written whole or not at all."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from tqdm import tqdm

from trainer.contract.errors import ImageError
from trainer.contract.files import partial_of, put_in_place
from trainer.contract.headers import MOST_PIXELS
from trainer.contract.text import printable
from viewer.displays.recorder import Video
from viewer.files.inputs import FILM_SUFFIXES, Photo, is_film, read_photo
from viewer.files.png import Image, naming
from viewer.files.results import SUFFIXES, encode, free_name, write_new
from viewer.modes.upscale.options import Options
from viewer.modes.upscale.session import recipe_of
from viewer.sessions.headless import Tally, beside, made_folder, readable
from viewer.sessions.replay import signed
from viewer.sessions.translation import Tile, Upscaler, open_translator

_USUAL_RATE: Final = 25.0  # frames a second, of films that do not say
_FILM: Final = ".mp4"


def write(options: Options) -> None:
    """Write every image and every film enlarged: under its name in a folder, or the only one to the file that ``-o``
    names. Raises ``UserError``."""
    paths, model = open_translator(options, "some")
    upscaler = Upscaler(model, options.tile)
    target = options.output or options.out
    named = paths == [Path(options.images[0])]  # no folder, and no pattern
    one = named and not target.is_dir() and target.suffix != ""
    films = [path for path in paths if is_film(path)]
    sizes = readable([path for path in paths if not is_film(path)]) if len(films) < len(paths) else {}
    if one:
        kinds = FILM_SUFFIXES[:1] if films else SUFFIXES
        if target.suffix.lower() not in kinds:
            raise ImageError(f"{target}: ends in {target.suffix!r}, expected {', '.join(kinds)}, or a folder")
        if target.exists():
            raise ImageError(f"{target}: exists already, expected a new file")
    folder = made_folder(target.parent if one else target)
    tally = Tally(len(paths))
    total = sum(height * width for height, width in sizes.values())
    with tqdm(total=total, unit="px", unit_scale=True, disable=None if sizes else True) as bar:
        for path in sizes:
            bar.set_description(printable(path.name, 30))
            with tally.trying():
                photo = read_photo(path)
                for note in photo.notes:
                    tqdm.write(f"{printable(str(path))}: {printable(note)}", file=sys.stderr)
                result = _enlarged(upscaler, photo, upscaler.plan(photo), bar)
                suffix = target.suffix.lower() if one else ".png"
                recipe = signed(upscaler.model, recipe_of(upscaler, path))
                try:
                    data = encode(result, photo, suffix, recipe)
                except ImageError as error:
                    raise ImageError(f"{path}: {error}") from None
                write_new(target if one else free_name(folder, path.stem, suffix), data)
    for path in films:
        with tally.trying():
            _upscale_film(upscaler, path, target if one else free_name(folder, path.stem, _FILM))
    tally.say(target)


def _enlarged(upscaler: Upscaler, photo: Photo, tiles: Sequence[Tile], bar: "tqdm[Any] | None" = None) -> Image:
    """The whole result of an image; no more of the network's numbers are in memory than those of a tile."""
    height, width = photo.image.shape[:2]
    result = np.empty((height * upscaler.scale, width * upscaler.scale, 3), np.uint8)
    for tile in beside(upscaler.fill(result, photo, tiles)):
        if bar is not None:
            bar.update(tile.kept.width * tile.kept.height)
    return result


def _upscale_film(upscaler: Upscaler, path: Path, target: Path) -> None:
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
                written.add(_enlarged(upscaler, Photo(np.asarray(frame, np.uint8)), tiles))
                bar.update()
                there, frame = film.read()
        finally:
            film.release()
            written.release()
        written.finish()
        put_in_place(partial, target)
