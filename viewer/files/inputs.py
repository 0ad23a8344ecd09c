"""Images that go into a translator: found by names, folders and patterns, read with all that a file may hold.

Pillow reads the headers before anything is decoded, since a small file may say that it is gigabytes large. Sixteen bits
a channel, which Pillow would cut, are left to OpenCV.
"""

import glob
import re
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from trainer.contract.errors import ImageError
from trainer.contract.text import printable
from viewer.files.png import PNG_SIGNATURE, Image, read_bytes

FORMATS: Final = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF", "PPM")
SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm")
FILM_SUFFIXES: Final = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm")
LARGEST_PIXELS: Final = 100_000_000
_ORIENTATION: Final = 0x0112  # EXIF tag
_BITS_A_SAMPLE: Final = 258  # TIFF tag
_GREY: Final = ("1", "L", "LA", "I;16", "I;16B", "I;16L", "I")
_ALPHA: Final = ("LA", "La", "RGBA", "RGBa", "PA")


@dataclass(frozen=True)
class Photo:
    """An image as people see it, and what a file of it says besides."""

    image: Image  # [h, w, 3] BGR, upright
    alpha: NDArray[np.uint8] | None = None  # [h, w]; None: opaque
    grey: bool = False  # it came without colours
    notes: tuple[str, ...] = ()  # what could not stay as it was
    profile: bytes = b""  # ICC, of its colours

    def on_white(self) -> Image:
        """The image, with white paper behind what is transparent."""
        if self.alpha is None:
            return self.image
        alpha = self.alpha[..., None].astype(np.uint16)
        return ((self.image * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def find_photos(words: Sequence[str]) -> list[Path]:
    """The files that are meant: files themselves, images in and below folders, patterns; each once, in the order of
    the words, and within a word by name, 2 before 10. Raises ``ImageError`` for a word that means nothing."""
    found: dict[Path, None] = {}
    for word in words:
        path = Path(word)
        if path.is_dir():
            below = [one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES and one.is_file()]
            files = [one for one in below if not any(part.startswith(".") for part in one.relative_to(path).parts)]
            if not files:
                raise ImageError(f"{printable(word)}: found no images in this folder ({' '.join(SUFFIXES)})")
        elif not path.exists() and glob.has_magic(word):
            files = [one for one in map(Path, glob.glob(word, recursive=True)) if not one.is_dir()]  # noqa: PTH207
            if not files:
                raise ImageError(f"{printable(word)}: no file matches this pattern")
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
    """Height and width of an image, upright, by its header alone. Raises ``ImageError``."""
    if not path.is_file():
        read_bytes(path)  # says what it is instead; a pipe would wait for someone to write
    try:
        with path.open("rb") as file:
            opened = _open(path, file)
            orientation = _orientation(opened)
            width, height = opened.size
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from None
    return (width, height) if orientation > 4 else (height, width)


def read_photo(path: Path) -> Photo:
    """A whole image. Raises ``ImageError``."""
    data = read_bytes(path)
    opened = _open(path, BytesIO(data))
    if opened.format == "PNG" and not _is_whole_png(data):
        raise _unreadable(path)
    orientation, mode = _orientation(opened), opened.mode
    profile = opened.info.get("icc_profile") or b""
    transparent = mode in _ALPHA or "transparency" in opened.info
    notes: tuple[str, ...] = ()
    try:
        if _has_16_bits(opened, data):
            notes = ("16 bits a channel became 8",)
            pixels = _eight_bits(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED))
            transparent = pixels.shape[2] == 4
        else:
            if mode == "CMYK":
                notes, profile = ("CMYK became RGB",), b""
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                pixels = np.asarray(opened.convert("RGBA" if transparent else "RGB"))
            pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    except Exception as error:  # Pillow raises a dozen kinds for damaged files
        if isinstance(error, ImageError | MemoryError):
            raise
        raise _unreadable(path) from None
    pixels = np.ascontiguousarray(_upright(pixels, orientation))
    alpha = np.ascontiguousarray(pixels[..., 3]) if transparent else None
    if alpha is not None and alpha.min() == 255:
        alpha = None
    return Photo(
        np.ascontiguousarray(pixels[..., :3]),
        alpha,
        grey=mode in _GREY,
        notes=notes,
        profile=profile if isinstance(profile, bytes) else b"",
    )


def _open(path: Path, file: Any) -> Pillow.Image:
    """The header of an image, checked. Raises ``ImageError``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes that are checked here
            opened = Pillow.open(file, formats=FORMATS)
        frames = int(getattr(opened, "n_frames", 1))
    except Pillow.DecompressionBombError:
        raise ImageError(f"{path}: far too large, expected at most {LARGEST_PIXELS} pixels") from None
    except Exception as error:
        if isinstance(error, MemoryError):
            raise
        raise _unreadable(path) from None
    width, height = opened.size
    if width * height > LARGEST_PIXELS:
        raise ImageError(f"{path}: {width}x{height} pixels, expected at most {LARGEST_PIXELS} in all")
    if frames > 1:
        raise ImageError(f"{path}: found {frames} images ({opened.format}), expected a file of one")
    if opened.mode == "F":
        raise ImageError(f"{path}: its pixels are fractions, expected 8 or 16 bits a channel")
    return opened


def _is_whole_png(data: bytes) -> bool:
    """Whether all chunks are there and undamaged, which Pillow does not check of the pixels."""
    position, kind = len(PNG_SIGNATURE), b""
    while position + 12 <= len(data) and kind != b"IEND":
        length, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        end = position + 8 + length
        if kind[:1].isupper() and zlib.crc32(memoryview(data)[position + 4 : end]) != int.from_bytes(
            data[end : end + 4]
        ):
            return False
        position = end + 4
    return kind == b"IEND"


def _unreadable(path: Path) -> ImageError:
    return ImageError(f"{path}: not an image that can be read ({', '.join(FORMATS)}), or a damaged one")


def _orientation(opened: Pillow.Image) -> int:
    try:
        value = opened.getexif().get(_ORIENTATION, 1)
    except Exception:  # a damaged EXIF block says nothing
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _has_16_bits(opened: Pillow.Image, data: bytes) -> bool:
    if opened.mode.startswith("I"):
        return True
    if opened.format == "PNG":
        return data[24] == 16
    bits = opened.tag_v2.get(_BITS_A_SAMPLE, ()) if opened.format == "TIFF" and hasattr(opened, "tag_v2") else ()
    return any(bit > 8 for bit in (bits if isinstance(bits, tuple) else (bits,)))


def _eight_bits(pixels: NDArray[Any] | None) -> NDArray[np.uint8]:
    """[h, w] or [h, w, c] of 16 bits a channel as [h, w, 3 or 4] of 8, rounded. Raises ``ValueError``."""
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError("not 16 bits")
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), np.uint8)
    return pixels.astype(np.uint8, copy=False)


def _upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Pixels as stored, turned and mirrored as EXIF says (CIPA DC-008, orientation 1..8)."""
    if orientation > 4:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
