"""Encoded images with names, as archives and databases hold them: checked, labelled and offered as a set. No torch."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.headers import Unreadable, read_header
from trainer.contract.images import is_junk
from trainer.data.sources._beside import labels_in
from trainer.data.sources._labels import class_folders
from trainer.data.sources._layout import PARTS
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources._threads import say, say_counts, summary, usable
from trainer.data.sources.base import EncodedImages, ImageSource, OpenOptions, one_size

SHOWN = 8  # members that cannot be read are named up to here, of perhaps millions


class NamedImages(EncodedImages):
    """Images of which each has a name, and a place in whatever holds them."""

    def __init__(self, what: str, names: Sequence[str], options: OpenOptions) -> None:
        self.what, self.names, self.fit = what, tuple(names), options.fit
        self.rows = np.arange(len(names))  # of what is stored: those that are offered
        self.shape = (len(names), 0, 0, 3)

    def stored(self, row: int) -> bytes:
        """An image by its place. Raises ``Unreadable``."""
        raise NotImplementedError

    def encoded(self, index: int) -> bytes:
        return self.stored(int(self.rows[index]))

    def where(self, index: int) -> str:
        return f"{self.what}, {self.names[int(self.rows[index])]}"

    def only(self, rows: Sequence[int]) -> None:
        """Offer only these of those that are offered."""
        self.rows = self.rows[np.asarray(rows, np.int64)]
        self.shape = (len(self.rows), *self.shape[1:])


def offer(
    images: NamedImages,
    options: OpenOptions,
    *,
    name: str,
    found: int = 0,
    left_out: Mapping[str, Sequence[str]] | None = None,
    table: tuple[str, bytes] | None = None,
    **known: Any,
) -> ImageSource:
    """The images whose headers are sound as a set; what is left out of it is counted.

    found: how many members there are in all, of which some are ``left_out`` already: names by reason. table: the name
    of a file of labels (see ``_beside``) and what it holds; without one, folders in the names are classes.
    Raises ``UserError`` where no image is left."""
    what, found = images.what, found or len(images)
    reasons = {reason: list(names) for reason, names in (left_out or {}).items()}
    sizes = Counter[tuple[int, int]]()
    kept: list[int] = []
    bad = 0

    def look(index: int) -> tuple[int, int] | str:
        try:
            header = read_header(images.encoded(index))
        except Unreadable as error:
            return str(error)
        return "not stored in three colours" if options.rgb_only and not header.rgb else header.shape

    looked_at = usable(range(len(images)), look, what="checking", workers=options.workers, progress=options.progress)
    for _, index, result in looked_at:
        if isinstance(result, str):
            if bad < SHOWN:
                say(f"skipped {images.where(index)}: {result}")
            bad += 1
            reasons.setdefault(summary(result), []).append(images.where(index).rpartition("/")[2])
        else:
            sizes[result] += 1
            kept.append(index)
    say_counts(what, len(kept), found, reasons)
    if not kept:
        raise UserError(f"{what} holds no readable image")
    images.only(kept)
    labels, classes = labelled(images, table)
    images.shape = (len(images), *one_size(sizes, what, options), 3)
    names = tuple(images.names[row] for row in images.rows.tolist())
    return images.source(options, Sidecar(names=names, labels=labels, classes=classes), name=name, **known)


def labelled(images: NamedImages, table: tuple[str, bytes] | None) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels of the images offered, by a table or by folders; those without one, if others have one, are left out."""
    names = [images.names[row] for row in images.rows.tolist()]
    if table is not None:
        folder = table[0].rpartition("/")[0]
        below = [name.removeprefix(folder + "/") if folder else name for name in names]
        found = labels_in(f"{images.what}, {table[0]}" if table[0] else images.what, table[1], below)
        if found is not None:
            images.only(found[0])
            return found[1], found[2]
    paths = [PurePosixPath(name) for name in names]
    if all(len(path.parent.name) == 5 and path.parent.name.isdecimal() and path.stem[:3] == "img" for path in paths):
        return None, ()  # StyleGAN's, which has a thousand in a folder
    labels, classes = class_folders(common_folder(paths), paths)
    if classes:
        images.only([row for row, label in enumerate(labels) if label >= 0])
    return np.array([label for label in labels if label >= 0], np.int64) if classes else None, classes


def common_folder(paths: Sequence[PurePosixPath]) -> PurePosixPath:
    """The innermost folder that holds all of some files."""
    folder = paths[0].parent
    for path in paths:
        while folder not in path.parents:
            folder = folder.parent
    return folder


def training_names(names: Sequence[str], what: str) -> tuple[list[str], int]:
    """The names in the training part where a set has parts, and how many are in others, which is said."""
    if not names:
        return [], 0
    paths = [PurePosixPath(name) for name in names]
    folder = common_folder(paths)
    parts = {path.relative_to(folder).parts[0] for path in paths if path.parent != folder}
    training = [part for part in ("train", "training") if part in parts]
    if not training or len(parts) < 2 or not parts <= PARTS or any(path.parent == folder for path in paths):
        return list(names), 0
    place = folder / training[0]
    kept = [name for name, path in zip(names, paths, strict=True) if place in path.parents]
    say(f"note: {what}: only {place} is read, of {', '.join(sorted(parts))}")
    return kept, len(names) - len(kept)


def is_odd(name: str) -> str:
    """Why a member of this name is not looked at, in a few words; nothing for others."""
    parts = name.split("/")
    if name.startswith("/") or "\\" in name or ".." in parts or (len(name) > 1 and name[1] == ":"):
        return "with a name that leads out of the archive"
    return "of the system" if any(map(is_junk, parts)) else ""
