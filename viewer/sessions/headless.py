"""Translating and enlarging without a screen: images and films, with progress, each written whole or not at all."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import cv2
import numpy as np
from tqdm import tqdm

from trainer.contract.errors import ImageError, ViewerError
from trainer.contract.files import partial_of, put_in_place
from trainer.contract.headers import MOST_PIXELS
from trainer.contract.text import printable
from viewer.files.inputs import FILM_SUFFIXES, Photo, is_film, photo_size, read_photo
from viewer.files.png import Image
from viewer.files.results import SUFFIXES, encode, errors_of, free_name, upscale_recipe, write_new
from viewer.model import Model
from viewer.modes.translate.session import Wanted, make, recipe_of
from viewer.sessions.tiles import Tile
from viewer.sessions.translation import Translator, Upscaler
from viewer.worker import Worker

_LOOK_SECONDS: Final = 0.02  # between looks at the worker
_USUAL_RATE: Final = 25.0  # frames a second, of films that do not say
_FILM: Final = ".mp4"

Made = TypeVar("Made")


def readable(paths: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """Height and width of the images that can be read; a line on each other one. Raises ``ImageError`` where none
    is left."""
    sizes: dict[Path, tuple[int, int]] = {}
    for path in paths:
        try:
            sizes[path] = photo_size(path)
        except ImageError as error:
            if len(paths) == 1:
                raise
            _skip(error)
    if not sizes:
        raise ImageError(f"none of {len(paths)} files is an image that can be used")
    return sizes


def translate_files(translator: Translator, wanted: Wanted, paths: Sequence[Path], folder: Path) -> None:
    """Write the result of every image to ``<folder>/<stem>.png``. Raises ``ImageError`` where none can be read."""
    paths = list(readable(paths))
    folder = made_folder(folder)
    written = 0
    with tqdm(total=len(paths), desc="translate", unit="image", disable=None) as bar:
        for path in paths:
            try:
                photo = read_photo(path).on_white()
                (made,) = beside(make(translator, one, wanted) for one in [photo])
                recipe = signed(translator.model, recipe_of(translator, wanted, path))
                write_new(free_name(folder, path.stem, ".png"), encode(made.results[0], Photo(photo), ".png", recipe))
                written += 1
            except ImageError as error:
                skip_or_stop(error, len(paths))
            bar.update()
    say_written(written, len(paths), folder)


def upscale_files(upscaler: Upscaler, paths: Sequence[Path], target: Path, one: bool) -> None:
    """Write every image enlarged, and every film.

    ``target``: a folder, where they keep their names, or the file for the only one. ``one``: whether it may be that of
    a file: one was named, and no folder or pattern. Raises ``ImageError``.
    """
    one = one and not target.is_dir() and target.suffix != ""
    films = [path for path in paths if is_film(path)]
    sizes = readable([path for path in paths if not is_film(path)]) if len(films) < len(paths) else {}
    if one:
        kinds = FILM_SUFFIXES[:1] if films else SUFFIXES
        if target.suffix.lower() not in kinds:
            raise ImageError(f"{target}: ends in {target.suffix!r}, expected {', '.join(kinds)}, or a folder")
        if target.exists():
            raise ImageError(f"{target}: exists already, expected a new file")
    folder = made_folder(target.parent if one else target)
    written = 0
    total = sum(height * width for height, width in sizes.values())
    with tqdm(total=total, unit="px", unit_scale=True, disable=None if sizes else True) as bar:
        for path in sizes:
            bar.set_description(printable(path.name, 30))
            try:
                photo = read_photo(path)
                for note in photo.notes:
                    tqdm.write(f"{printable(str(path))}: {printable(note)}", file=sys.stderr)
                result = _enlarged(upscaler, photo, upscaler.plan(photo), bar)
                suffix = target.suffix.lower() if one else ".png"
                recipe = signed(upscaler.model, upscale_recipe(upscaler, path))
                data = _named(path, encode, result, photo, suffix, recipe)
                write_new(target if one else free_name(folder, path.stem, suffix), data)
                written += 1
            except ImageError as error:
                skip_or_stop(error, len(paths))
    for path in films:
        try:
            _upscale_film(upscaler, path, target if one else free_name(folder, path.stem, _FILM))
            written += 1
        except ImageError as error:
            skip_or_stop(error, len(paths))
    say_written(written, len(paths), target)


def _named(path: Path, work: Any, *arguments: Any) -> bytes:
    """Errors of the work name the file."""
    try:
        data: bytes = work(*arguments)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    return data


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
    with errors_of(target), partial_of(target, _FILM) as partial:
        _write_film(upscaler, path, partial)
        put_in_place(partial, target)


def _write_film(upscaler: Upscaler, path: Path, target: Path) -> None:
    """The same into a file. Raises ``ImageError``, ``OSError``."""
    film = cv2.VideoCapture(str(path))
    writer: cv2.VideoWriter | None = None
    tiles: Sequence[Tile] = ()
    count = 0
    try:
        there, frame = film.read()
        if not there:
            raise ImageError(f"{path}: not a film that can be read")
        if frame.shape[0] * frame.shape[1] > MOST_PIXELS:
            raise ImageError(f"{path}: far too large, expected at most {MOST_PIXELS} pixels")
        rate = film.get(cv2.CAP_PROP_FPS)
        rate = rate if 0 < rate < 1000 else _USUAL_RATE
        total = int(film.get(cv2.CAP_PROP_FRAME_COUNT))
        tqdm.write(f"{printable(str(path))}: {rate:g} frames a second; its sound is left out", file=sys.stderr)
        with tqdm(total=max(total, 0) or None, desc=printable(path.name, 30), unit="frame", disable=None) as bar:
            while there:
                photo = Photo(np.asarray(frame, np.uint8))
                if writer is None:
                    tiles = upscaler.plan(photo)
                result = _enlarged(upscaler, photo, tiles)
                even = cv2.copyMakeBorder(result, 0, result.shape[0] & 1, 0, result.shape[1] & 1, cv2.BORDER_REPLICATE)
                if writer is None:
                    size = even.shape[1], even.shape[0]
                    writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
                    if not writer.isOpened():
                        raise OSError(f"this OpenCV has no MPEG-4 encoder for {size}")
                writer.write(even)
                count += 1
                bar.update()
                there, frame = film.read()
    finally:
        film.release()
        if writer is not None:
            writer.release()
    _check_film(target, count)


def _check_film(path: Path, count: int) -> None:
    """OpenCV does not tell of a full disk. Raises ``OSError``."""
    film = cv2.VideoCapture(str(path))
    written = int(film.get(cv2.CAP_PROP_FRAME_COUNT)) if film.isOpened() else 0
    film.release()
    if written != count:
        raise OSError(f"{written} of {count} frames were written")


def beside(results: Iterator[Made]) -> Iterator[Made]:
    """The same results, made in another thread: so that Ctrl-C is heard at once, whatever native code does."""
    worker: Worker[None, Made] = Worker(lambda _: results)
    try:
        worker.ask(None)
        while worker.busy:
            worker.wait(_LOOK_SECONDS)
            for answer in worker.take():
                if answer.error is not None:
                    raise answer.error
                yield answer.result  # type: ignore[misc]  # None where that is the result
    finally:
        worker.close()


def signed(model: Model, recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    """A recipe with the model that it is for."""
    return {"model": model.name, "file": model.path.name, **recipe, "sha256": model.sha256}


def made_folder(folder: Path) -> Path:
    """The folder, made where it is missing. Raises ``ImageError``, also where its name is that of an image."""
    if folder.suffix.lower() in (*SUFFIXES, *FILM_SUFFIXES) and not folder.is_dir():
        raise ImageError(f"{folder}: ends in {folder.suffix!r} as one file does, expected a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageError(f"cannot make the folder {folder}: {error.strerror or error}") from None
    return folder


def _skip(error: ViewerError) -> None:
    tqdm.write(f"skipped {printable(str(error), 1000)}", file=sys.stderr)


def skip_or_stop(error: ImageError, count: int) -> None:
    """One of many is skipped; the only one is an error."""
    if count == 1:
        raise error
    _skip(error)


def say_written(written: int, count: int, target: Path) -> None:
    """The last line. Raises ``ImageError`` where nothing was written."""
    if not written:
        raise ImageError(f"none of {count} files could be used; nothing was written")
    left = f", {count - written} skipped" if written < count else ""
    print(f"{printable(str(target))}: {written} written{left}")
