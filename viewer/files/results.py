"""Encode results as image files, and write them: whole or not at all, and never over another file."""

import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.contract import files
from trainer.contract.errors import ImageError
from trainer.contract.recipe import chunk
from viewer.files.inputs import Photo
from viewer.files.png import Image, encode_png, naming

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
_WITHOUT_ALPHA: Final = (".jpg", ".jpeg", ".bmp")
_QUALITY: Final = {".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95], ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95],
                   ".webp": [cv2.IMWRITE_WEBP_QUALITY, 101]}  # fmt: skip  # 101: lossless
_MOST_NAMES: Final = 10_000


def encode(result: Image, photo: Photo, suffix: str, recipe: Mapping[str, Any]) -> bytes:
    """A result u8 [h, w, 3] BGR as the bytes of a file: grey where its photo was, with the photo's alpha, enlarged;
    or a result [h, w, 4] with an alpha of its own.

    PNG files carry the recipe and the photo's colour profile too. Raises ``ImageError``.
    """
    pixels: Any = result
    if (photo.alpha is not None or result.shape[2] == 4) and suffix in _WITHOUT_ALPHA:
        raise ImageError(f"its transparency has no place in {suffix}, expected .png, .webp or .tiff")
    if photo.alpha is not None and result.shape[2] == 3:
        alpha = bicubic(photo.alpha, *result.shape[:2])
        pixels = np.concatenate([result, alpha[..., None]], axis=2)
    elif photo.grey and result.shape[2] == 3:
        pixels = np.ascontiguousarray(result[..., 0])
    if suffix == ".png":
        # The profile of a grey image is for grey, and so on: it stays what it was.
        profile = photo.profile and chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(photo.profile))
        return encode_png(pixels, recipe, profile)
    try:
        done, data_of = cv2.imencode(suffix, pixels, _QUALITY.get(suffix, []))
    except cv2.error:
        done = False
    if not done:
        raise ImageError(f"an image of {result.shape[1]}x{result.shape[0]} cannot be written as {suffix}")
    return data_of.tobytes()


def bicubic(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """An image [h, w] or [h, w, c], enlarged."""
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def free_name(folder: Path, stem: str, suffix: str) -> Path:
    """The first of ``<stem><suffix>``, ``<stem>-0002<suffix>`` and so on that is not there."""
    path = folder / f"{stem}{suffix}"
    for number in range(2, _MOST_NAMES):
        if not os.path.lexists(path):
            return path
        path = folder / f"{stem}-{number:04d}{suffix}"
    raise ImageError(f"{folder}: holds {_MOST_NAMES} files named {stem}{suffix} already")


def write_new(path: Path, data: bytes, *, replace: bool = False) -> None:
    """Write a file that is not there yet, or ``replace`` it; what is there under its name is always whole. Raises
    ``ImageError``."""
    with naming(path):
        files.replace_bytes(path, data, force=replace)
