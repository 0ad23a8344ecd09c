"""Folders of image files, whose folders may be classes. No torch."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.files import real
from trainer.contract.headers import SUFFIXES, Unreadable, read_header
from trainer.contract.images import Fit, files_in, read_bytes
from trainer.contract.text import printable
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources._threads import say, usable
from trainer.data.sources.base import EncodedImages, ImageSource, OpenOptions, decoded, one_size, training_part

HELP = "a folder of images (class folders become labels)"
ORDER = 95
NAMES_FILES = True  # image files, which tools take one by one


def claims(data: str) -> bool:
    """Any folder that is nothing else."""
    return Path(data).is_dir()


def open(data: str, options: OpenOptions) -> ImageSource:
    """The image files of a folder, without those that cannot be read, which are named. With ``any_size`` none of them
    is read yet: all that are called so count. Raises ``UserError`` where none is left."""
    root = training_part(Path(data))
    files = list(files_in(root))
    if options.any_size:
        kept = [file for file in files if file.suffix.lower() in SUFFIXES]
        if not kept:
            raise UserError(f"{root} holds no file named as images are ({' '.join(SUFFIXES)})")
        return of_files(root, kept, Path(data), (0, 0), options)

    def shape_of(path: Path) -> tuple[int, int]:
        header = read_header(read_bytes(path))
        if options.rgb_only and not header.rgb:
            raise Unreadable("not stored in three colours")
        return header.shape

    looked_at = usable(files, shape_of, what="checking", name=named, workers=options.workers, progress=options.progress)
    found = {path: shape for _, path, shape in looked_at}
    if not found:
        raise UserError(f"{root} holds no readable image")
    return of_files(root, list(found), root, one_size(Counter(found.values()), str(root), options), options)


def of_files(
    root: Path, files: Sequence[Path], start: Path, size: tuple[int, int], options: OpenOptions
) -> ImageSource:
    """Image files below ``root`` as a set of one size (h, w) or of any. Their names are their paths below ``start``."""
    numbers, classes = class_folders(root, files, can_be_read)
    if classes:
        for path, number in zip(files, numbers, strict=True):
            if number < 0 and all(size):
                say(f"skipped {path}: cannot be decoded")
        files = [path for path, number in zip(files, numbers, strict=True) if number >= 0]
    labels = np.array([number for number in numbers if number >= 0], np.int64) if classes else None

    names = tuple(os.path.relpath(path, start).replace(os.sep, "/") for path in files)
    sidecar = Sidecar(names=names, labels=labels, classes=classes)
    return FolderImages(files, size, options.fit).source(options, sidecar, name=real(root).name, files=files)


class FolderImages(EncodedImages):
    """Image files, decoded when asked for."""

    def __init__(self, paths: Sequence[Path], size: tuple[int, int], fit: Fit, exact: bool = False) -> None:
        self.paths, self.fit, self.exact = paths, fit, exact
        self.shape = (len(paths), *size, 3)

    def encoded(self, index: int) -> bytes:
        return read_bytes(self.paths[index])

    def where(self, index: int) -> str:
        return str(self.paths[index])


def can_be_read(path: Path) -> bool:
    """Whether a file is an image, all of it."""
    try:
        decoded(read_bytes(path))
    except Unreadable:
        return False
    return True


def named(_: int, path: Path) -> Path:
    """What ``usable`` calls a file."""
    return path


def class_folders(
    folder: Path, files: Sequence[Path], is_image: Callable[[Path], bool] = lambda _: True
) -> tuple[list[int], tuple[str, ...]]:
    """Labels by the folders right below one that hold images, and their names; -1 for files of no class.
    None where there are no two such folders, or images beside them, which is said. ``is_image`` is asked of as few
    files as will do: in most sets of one of each folder."""
    below: dict[str, list[Path]] = {}
    for file in files:
        below.setdefault("" if file.parent == folder else file.relative_to(folder).parts[0], []).append(file)
    beside = below.pop("", [])
    names = sorted(name for name, own in below.items() if any(map(is_image, own))) if len(below) > 1 else []
    if len(names) < 2:
        return [], ()
    stray = next(filter(is_image, beside), None)
    if stray is not None:
        say(f"note: the {len(names)} folders in {folder} are no classes, since {stray.name} lies beside them")
        return [], ()
    numbers = {name: number for number, name in enumerate(names)}
    labels = [-1 if file.parent == folder else numbers.get(file.relative_to(folder).parts[0], -1) for file in files]
    return labels, tuple(printable(name) for name in names)
