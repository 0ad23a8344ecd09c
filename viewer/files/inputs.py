"""Find image files by names, folders and patterns, and read them with their alpha and colour profile."""

import contextlib
import glob
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from trainer.contract import images
from trainer.contract.errors import ImageError
from trainer.contract.files import any_case
from trainer.contract.headers import FORMATS, MOST_PIXELS, SUFFIXES, Header, Unreadable, read_header
from viewer.files.misfits import misfit_of
from viewer.files.png import Image, naming

AN_IMAGE: Final = f"an image ({FORMATS})"
FILM_SUFFIXES: Final = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm")
_ORIENTATION: Final = 0x0112  # EXIF tag


@dataclass(frozen=True)
class Photo:
    """What an image file holds."""

    image: Image  # [h, w, 3] BGR, upright
    alpha: NDArray[np.uint8] | None = None  # [h, w]; None: opaque
    grey: bool = False  # stored without colours
    notes: tuple[str, ...] = ()  # what had to be converted
    profile: bytes = b""  # ICC, of its colours

    def on_white(self) -> Image:
        """The image, with white paper behind what is transparent."""
        if self.alpha is None:
            return self.image
        return images.on_white(np.dstack([self.image, self.alpha]))


def find_photos(words: Sequence[str]) -> list[Path]:
    """The files that words name: files, images in and below folders, and those that match patterns. Each is there once,
    in the order of the words, and within a word by name, 2 before 10. Raises ``ImageError`` for a folder or pattern
    without files."""
    found: dict[Path, None] = {}
    for word in words:
        path = Path(word)
        if path.is_dir():
            files = [one for one in images.files_in(path) if one.suffix.lower() in SUFFIXES and one.is_file()]
            if not files:
                raise ImageError(f"{word}: found no images in this folder ({' '.join(SUFFIXES)})")
        elif not path.exists() and glob.has_magic(word):
            files = [one for one in map(Path, glob.glob(any_case(word), recursive=True)) if not one.is_dir()]  # noqa: PTH207
            if not files:
                raise ImageError(f"{word}: no file matches this pattern")
        else:
            files = [path]
        found |= dict.fromkeys(sorted(files, key=_natural))
    return list(found)


def _natural(path: Path) -> tuple[object, ...]:
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d{1,18})", str(path)))


def is_film(path: Path) -> bool:
    """Whether a file is a film, by its name."""
    return path.suffix.lower() in FILM_SUFFIXES


def photo_size(path: Path) -> tuple[int, int]:
    """Height and width of an image, upright, by its first bytes where they say it. Raises ``ImageError``."""
    width, height, orientation = 0, 0, 1
    with warnings.catch_warnings(), contextlib.suppress(Exception):  # Pillow raises a dozen kinds for damaged files
        warnings.simplefilter("ignore")  # of sizes that are checked here
        if path.is_file():  # a pipe would wait for someone to write
            with Pillow.open(path) as opened:
                width, height = opened.size
                if opened.format != "PNG" or "exif" in opened.info:  # else Pillow decodes all to look for it
                    orientation = opened.getexif().get(_ORIENTATION, 1)
    if not 0 < width * height <= MOST_PIXELS or orientation not in range(1, 9):
        with naming(path):
            return _read(path)[1].shape
    return (width, height) if orientation > 4 else (height, width)


def read_photo(path: Path) -> Photo:
    """A whole image. Raises ``ImageError``."""
    with naming(path):
        data, header = _read(path)
        layers = images.decode_layers(data, header)
    deep = f"{'more than 8' if header.format in ('AVIF', 'HEIF') else 16} bits a channel became 8"
    notes = (deep,) if header.deep else ("CMYK became RGB",) if header.cmyk else ()
    profile = b"" if header.cmyk else _profile(data)
    return Photo(layers.image, layers.alpha, layers.grey, notes, profile)


def _read(path: Path) -> tuple[bytes, Header]:
    """The bytes of an image file, and its header. Raises ``Unreadable``, and ``ImageError`` for what is no image at
    all."""
    try:
        data = images.read_bytes(path)
        return data, read_header(data)
    except Unreadable:
        if what := misfit_of(path, AN_IMAGE, but=("image",)):
            raise ImageError(f"{path}: {what}") from None
        raise


def _profile(data: bytes) -> bytes:
    """The ICC profile of an image whose header has been checked; nothing where it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes, which are checked
            profile = Pillow.open(BytesIO(data)).info.get("icc_profile")
    except Exception:  # Pillow raises a dozen kinds for damaged files
        return b""
    return profile if isinstance(profile, bytes) else b""
