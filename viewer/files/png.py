"""Save images as PNG files with the recipe that they were made from, and read the recipe back.

A recipe is a JSON value in a text chunk of the PNG (Portable Network Graphics specification, 11.3.3). Saving never
overwrites: names are numbered, and what is there under a name is whole.
"""

import contextlib
import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.contract.errors import ImageError
from trainer.contract.files import replace_bytes
from trainer.contract.headers import Unreadable
from trainer.contract.recipe import PNG_SIGNATURE, find_recipe, text_chunks
from viewer.labels import painted

Image = NDArray[np.uint8]  # [h, w, 3] BGR

_HEADER_END: Final = len(PNG_SIGNATURE) + 25  # the IHDR chunk comes first and is 25 bytes long


def encode_png(image: NDArray[np.uint8], recipe: Mapping[str, Any], chunks: bytes = b"") -> bytes:
    """An image [h, w], [h, w, 3] BGR or [h, w, 4] BGRA as a PNG file that carries ``recipe`` (JSON-able), after more
    ``chunks``. Raises ``ImageError``."""
    try:
        data = cv2.imencode(".png", painted(image))[1]
    except cv2.error:
        raise ImageError(f"an image of {image.shape[1]}x{image.shape[0]} cannot be saved as PNG") from None
    return b"".join((data[:_HEADER_END].data, chunks, text_chunks(recipe), data[_HEADER_END:].data))


def is_png(path: Path) -> bool:
    """Whether a file begins as PNG files do."""
    with contextlib.suppress(OSError):
        if path.is_file():  # to open a pipe would wait for someone to write
            with path.open("rb") as file:
                return file.read(len(PNG_SIGNATURE)) == PNG_SIGNATURE
    return False


def read_recipe(path: Path) -> dict[str, Any]:
    """What a saved image was made from. Raises ``ImageError`` where the file does not say."""
    if path.is_file() and not is_png(path):
        from viewer.files.misfits import misfit_of  # for this message alone

        if what := misfit_of(path, "a PNG that the viewer saved"):
            raise ImageError(f"{path}: {what}")  # before all of it is read
    with naming(path):
        recipe = find_recipe(read_bytes(path))
    if recipe is None:
        raise ImageError(f"{path}: does not say what it was made from, expected an image that the viewer saved")
    return recipe


def is_drawing(path: Path) -> bool:
    """Whether an image is a page that was drawn on here."""
    with contextlib.suppress(ImageError):
        return read_recipe(path).get("mode") == "drawing"
    return False


def save_numbered(folder: Path, stem: str, data: bytes, beside: Mapping[str, bytes] | None = None) -> Path:
    """Write ``data`` to the first free ``<stem>-<number>.png``, and what belongs ``beside`` it, by its name, to
    ``<stem>-<number>-<name>``. Raises ``ImageError``, and then leaves nothing behind."""
    stem = re.sub(r"[^\w.-]+", "_", stem)[:80].lstrip(".") or "image"
    path = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = re.compile(re.escape(stem) + r"-(\d{1,9})(?:-\w+)?\.(?:png|gif)", re.IGNORECASE)
        numbers = (int(match[1]) for old in folder.iterdir() if (match := taken.fullmatch(old.name)))
        for number in itertools.count(max(numbers, default=0) + 1):
            path = folder / f"{stem}-{number:04d}.png"
            with contextlib.suppress(FileExistsError):  # another viewer was quicker
                replace_bytes(path, data, force=False)
                break
        with contextlib.ExitStack() as undone:
            undone.callback(path.unlink, missing_ok=True)
            for name, more in (beside or {}).items():
                other = path.with_name(f"{path.stem}-{name}")
                replace_bytes(other, more, force=False)
                undone.callback(other.unlink, missing_ok=True)
            undone.pop_all()
    except OSError as error:
        raise ImageError(f"cannot save {path}: {error.strerror or error}") from None
    return path


def read_bytes(path: Path) -> bytes:
    """All of a regular file; a pipe is not waited for. Raises ``ImageError``."""
    from trainer.contract import images  # where files are read at all

    with naming(path):
        return images.read_bytes(path)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """What goes wrong with a file is an ``ImageError`` that names it."""
    try:
        yield
    except Unreadable as error:
        raise ImageError(f"{path}: {error}") from None
    except FileExistsError:
        raise ImageError(f"{path}: exists already, expected a new file") from None
    except OSError as error:
        raise ImageError(f"cannot write {path}: {error.strerror or error}") from None
