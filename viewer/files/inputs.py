"""Read image files with their alpha and colour profile."""

import contextlib
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from trainer.contract import images
from trainer.contract.errors import ImageError
from trainer.contract.headers import FORMATS, MOST_PIXELS, Header, Unreadable, read_header
from trainer.contract.levels import NEARLY_BLACK, STORED, Levels, may_be_mask
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


def read_photo(path: Path, values: Levels | None = None) -> Photo:
    """A whole image. ``values``: what its numbers mean, where that is known of the set that it is of. Raises
    ``ImageError``."""
    with naming(path):
        data, header = _read(path)
        told = header.deep or may_be_mask(header)
        values = (images.found_levels([data], alone=True) if told else STORED) if values is None else values
        layers = images.decode_layers(data, values.on(header))
    stored = "more than 8" if header.format in ("AVIF", "HEIF") else "16"
    deep = f"{stored} bits a channel became 8{', as a file of 12 or 10 bits' * (values.bits < 16)}"
    notes = [deep] if header.deep else ["CMYK became RGB"] if header.cmyk else []
    if values.ids:
        notes.append("numbers of classes became colours")
    elif values.bits == 16 and told and layers.image.max() < NEARLY_BLACK:
        notes.append(f"dark as black: its brightest value is {layers.image.max()} of 255")
    profile = b"" if header.cmyk else _profile(data)
    return Photo(layers.image, layers.alpha, layers.grey, tuple(notes), profile)


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
