"""Sets of images to be shown: whatever ``trainer.data.sources`` opens, as BGR images that are read when asked for.

They are read as in training: a model's classes and its encoder know images as they were trained on.
"""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.contract.errors import ImageError, UserError
from trainer.contract.headers import Unreadable
from trainer.contract.images import Fit
from trainer.contract.levels import Levels
from trainer.contract.text import printable
from trainer.data.sources import find_source, help_of_data
from trainer.data.sources.base import ImageSource, OpenOptions
from viewer.files.inputs import read_photo
from viewer.files.misfits import misfit_of
from viewer.files.png import Image

Labels = NDArray[np.int64]

A_SET: Final = "a set of images"
_LARGEST_IN_MEMORY: Final = 2**31  # bytes of a set whose images cannot be read one by one


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """Images that are read when they are asked for."""

    path: Path
    count: int
    fetch: Callable[[int], Image]  # image [h, w, 3] BGR of a number; raises ``ImageError``
    labels: Labels | None = None  # [count]
    classes: tuple[str, ...] = ()  # names by label, fit to be printed
    bgr: bool = False  # whether it was opened as BGR, which the file does not say
    names: tuple[str, ...] = ()  # [count], or unknown
    size: tuple[int, int] | None = None  # height and width of all images; None: of each its own
    files: tuple[Path, ...] = ()  # [count], where each image is a file

    def read(self, index: int, height: int, width: int, fit: Fit) -> Image:
        """Image [height, width, 3] BGR, as ``fit`` brings it to the size. Raises ``ImageError``."""
        try:
            return np.asarray(fit(self.fetch(index), height, width), np.uint8)
        except (cv2.error, MemoryError):
            raise ImageError(f"{self.path}: image {index} is too large to be read here") from None


def open_set(path: Path, bgr: bool = False) -> LabelledSet:
    """Open a set of images. ``bgr``: a .npy file holds BGR. Raises ``ImageError`` in one line where it is none."""
    try:
        found = find_source(str(path))
        if found is None:
            why = "an unknown kind of file" if os.path.lexists(path) else "no such file"
            raise ImageError(f"{path}: {misfit_of(path, A_SET) or f'{why}, expected {help_of_data()}'}")
        source = found.open(OpenOptions(any_size=True, bgr=bgr))
        if source.files:
            return set_of_files(path, source.files, source.sidecar.names, source.labels, source.classes, source.levels)
        fetch, count, labels = source.fetch, source.shape[0], source.labels
        if fetch is None:
            fetch, count, labels = _read_all(source, path)
    except UserError as error:
        if path.is_dir() and (what := misfit_of(path, A_SET, but=("images", "folder", ""))):
            raise ImageError(f"{path}: {what}") from None
        raise error if isinstance(error, ImageError) else ImageError(str(error)) from None
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from None

    def in_bgr(index: int) -> Image:
        try:
            image = fetch(index)
        except (Unreadable, UserError) as error:
            raise ImageError(f"{path}: image {index}: {error}") from None
        code = cv2.COLOR_GRAY2BGR if image.shape[2] == 1 else cv2.COLOR_RGB2BGR
        return np.asarray(cv2.cvtColor(image, code), np.uint8)

    size = source.shape[1:3] if all(source.shape) else None
    names = source.sidecar.names
    return LabelledSet(source.path or path, count, in_bgr, labels, _shown(source.classes), bgr, names, size)


def _read_all(source: ImageSource, path: Path) -> tuple[Callable[[int], NDArray[np.uint8]], int, Labels | None]:
    """All images of a set that can only be read in order, how many there are, and their labels. Raises
    ``UserError``."""
    size = math.prod(source.shape)
    if size > _LARGEST_IN_MEMORY:
        raise ImageError(
            f"{path}: {size} bytes of images, expected at most {_LARGEST_IN_MEMORY} where all have to be in memory"
        )
    images = np.empty(source.shape, np.uint8)
    labels: list[Labels] = []
    count = 0
    for piece, numbers in source.pieces():
        images[count : count + len(piece)] = piece
        count += len(piece)
        labels += [] if numbers is None else [numbers]
    return images[:count].__getitem__, count, np.concatenate(labels) if labels else None


def _shown(names: Sequence[str]) -> tuple[str, ...]:
    """As ``Model.classes`` shows those of a model: the two are compared."""
    return tuple(printable(name, 40) or "?" for name in names)


def set_of_files(
    folder: Path,
    files: Sequence[Path],
    names: Sequence[str] = (),
    labels: Labels | None = None,
    classes: tuple[str, ...] = (),
    values: Levels | None = None,
) -> LabelledSet:
    """Image files in or below a folder. ``values``: what their numbers mean, where that is known."""
    names = tuple(names) or tuple(file.relative_to(folder).as_posix() for file in files)

    def fetch(index: int) -> Image:
        return read_photo(files[index], values).on_white()

    return LabelledSet(folder, len(files), fetch, labels, _shown(classes), names=names, files=tuple(files))
