"""Folders of image files, whose folders may be classes. No torch."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.files import real
from trainer.contract.headers import SUFFIXES, Unreadable, read_header
from trainer.contract.images import Fit, read_bytes
from trainer.data.sources._beside import TABLES, labels_beside
from trainer.data.sources._labels import class_folders
from trainer.data.sources._layout import training_files
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources._threads import say, say_counts, summary, usable
from trainer.data.sources.base import EncodedImages, ImageSource, OpenOptions, decoded, one_size

HELP = "a folder of images (class folders become labels)"
ORDER = 95
NAMES_FILES = True  # image files, which tools take one by one


def claims(data: str) -> bool:
    """Any folder that is nothing else."""
    return Path(data).is_dir()


def open(data: str, options: OpenOptions) -> ImageSource:
    """The image files of a folder, without those that cannot be read, which are named. With ``any_size`` none of them
    is read yet: all that are called so count. Raises ``UserError`` where none is left."""
    junk: list[Path] = []
    root, files = training_files(Path(data), junk)
    left_out: dict[str, list[str]] = {"of the system": [path.name for path in junk]} if junk else {}
    found = len(files) + len(junk)
    files = [file for file in files if file.name not in TABLES]
    if options.any_size:
        kept = [file for file in files if file.suffix.lower() in SUFFIXES]
        if not kept:
            raise UserError(f"{root} holds no file named as images are ({' '.join(SUFFIXES)})")
        if len(kept) < len(files):
            left_out["not named as images are"] = [file.name for file in files if file.suffix.lower() not in SUFFIXES]
        say_counts(root, len(kept), found, left_out)
        return of_files(root, kept, Path(data), (0, 0), options)

    def shape_of(path: Path) -> tuple[int, int]:
        header = read_header(read_bytes(path))
        if options.rgb_only and not header.rgb:
            raise Unreadable("not stored in three colours")
        return header.shape

    skipped: dict[object, str] = {}
    looked_at = usable(
        files, shape_of, what="checking", name=named, workers=options.workers, skipped=skipped,
        progress=options.progress,
    )  # fmt: skip
    sizes = {path: shape for _, path, shape in looked_at}
    if not sizes:
        raise UserError(f"{root} holds no readable image")
    for path, reason in skipped.items():
        left_out.setdefault(summary(reason), []).append(Path(str(path)).name)
    say_counts(root, len(sizes), found, left_out)
    return of_files(root, list(sizes), root, one_size(Counter(sizes.values()), str(root), options), options)


def of_files(
    root: Path, files: Sequence[Path], start: Path, size: tuple[int, int], options: OpenOptions
) -> ImageSource:
    """Image files below ``root`` as a set of one size (h, w) or of any. Their names are their paths below ``start``."""
    known = labels_beside(root, [file.relative_to(root).as_posix() for file in files])
    if known is not None:
        rows, labels, classes = known
        files = [files[row] for row in rows]
    else:
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
