"""Sets of images to be looked at, one after another: what training opens, and image files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from trainer.contract.errors import ImageError
from trainer.contract.headers import SUFFIXES
from viewer.files.image_set import LabelledSet, open_set, set_of_files
from viewer.files.inputs import photo_size
from viewer.files.png import Image, read_bytes
from viewer.modes.dataset.state import Catalogue

_LOOKED_AT: Final = 48  # image files of a set, for their size
_USUAL_SIDE: Final = 128  # pixels, where none can be read
_JPEG: Final = (".jpg", ".jpeg")
_REDUCED: Final = ((8, cv2.IMREAD_REDUCED_COLOR_8), (4, cv2.IMREAD_REDUCED_COLOR_4), (2, cv2.IMREAD_REDUCED_COLOR_2))


def open_sets(paths: Sequence[Path], bgr: bool = False) -> list[LabelledSet]:
    """Open sets; image files of one folder are one. ``bgr``: .npy files hold BGR. Raises ``ImageError``."""
    sets: list[LabelledSet] = []
    files: dict[Path, list[Path]] = {}
    for path in paths:
        if path.suffix.lower() in SUFFIXES and path.is_file():
            files.setdefault(path.parent, []).append(path)
        else:
            sets.append(open_set(path, bgr and path.suffix.lower() == ".npy"))
    if bgr and not any(one.bgr for one in sets):
        raise ImageError(f"--bgr: {paths[0]} says its order itself, expected a .npy file")
    return sets + [set_of_files(folder, list(dict.fromkeys(found))) for folder, found in files.items()]


def catalogue_of(sets: Sequence[LabelledSet]) -> Catalogue:
    """What can be said of the images without reading them. Classes of the same name are one."""
    classes = tuple(dict.fromkeys(name for one in sets for name in one.classes))
    labels = [
        np.full(one.count, -1) if one.labels is None
        else np.array([classes.index(name) for name in one.classes], np.int64)[one.labels]
        for one in sets
    ]  # fmt: skip
    return Catalogue(tuple(one.count for one in sets), np.concatenate(labels).astype(np.int64), classes)


def common_size(sets: Sequence[LabelledSet]) -> tuple[int, int]:
    """Height and width of the images; where they differ, a square of their median length, by some of the files."""
    sizes: list[tuple[int, int]] = []
    for one in sets:
        if one.size is not None:
            sizes.append(one.size)
            continue
        for number in range(0, one.count, max(one.count // _LOOKED_AT, 1)):
            try:
                sizes.append(photo_size(one.files[number]) if one.files else one.fetch(number).shape[:2])
            except ImageError:
                continue
    if len(set(sizes)) == 1:
        return sizes[0]
    side = int(np.median([max(size) for size in sizes])) if sizes else _USUAL_SIDE
    return side, side


def glance(one: LabelledSet, number: int, height: int, width: int) -> tuple[Image, tuple[int, int]]:
    """An image no smaller than it is shown, and its own height and width. JPEG files that are much larger are decoded
    at a half, a quarter or an eighth of their size. Raises ``ImageError``."""
    if one.files and one.files[number].suffix.lower() in _JPEG:
        file = one.files[number]
        size = photo_size(file)
        most = max(size[0] / height, size[1] / width)
        flag = next((flag for factor, flag in _REDUCED if factor <= most), None)
        data = b"" if flag is None else read_bytes(file)
        if flag is not None and b"\xff\xd9" in data[-4096:]:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
            if image is not None:
                return np.asarray(image, np.uint8), size
    image = one.fetch(number)
    return image, (image.shape[0], image.shape[1])
