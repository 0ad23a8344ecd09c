"""Tables of encoded images with labels, as parquet files and data sets of the Hugging Face hub are. No torch.

Parquet files, here or far away, are read by groups of rows when an image is asked for.
Images are taken from the bytes in the table. A row that names a file instead is followed only into folders that the
source trusts: a table could name any file of this machine otherwise, or any address."""

import contextlib
import json
import os
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.headers import Unreadable, read_header
from trainer.contract.images import Fit, crop, load_bytes, read_bytes
from trainer.contract.text import printable
from trainer.data.sources._labels import LABEL_NAMES, numbered_values
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources._threads import say
from trainer.data.sources.base import WINDOW, ImageSource, OpenOptions, Piece, ReadImages, decoded, one_size

NAME = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?::([\w.-]+))?", re.ASCII)  # on the hub
SHOWN = 8  # rows that are left out are named up to here
MOST_GROUP_BYTES = 1 << 28  # that are read at once
MOST_KEPT_BYTES = 1 << 30
OPEN_FILES = 8
MOST_UNREADABLE = 100  # rows in succession: of more, it is the set that cannot be read

Open = Callable[[str], BinaryIO]
"""Opens a file by its name or address."""
Row = tuple[Any, Any]
"""An encoded image (bytes, or a mapping with bytes or path), and its label or None."""


def parse_name(data: str, kind: str) -> tuple[str, str | None]:
    """The name and the part, if any, of ``kind:OWNER/NAME[:SPLIT]``. Raises ``UserError``."""
    match = NAME.fullmatch(data.removeprefix(f"{kind}:"))
    if match is None or ".." in data:
        raise UserError(f"--data is {data}, expected {kind}:OWNER/NAME or {kind}:OWNER/NAME:SPLIT")
    if Path(match[1]).exists():
        raise UserError(f"{data}: there is a folder {match[1]} here, which would be read instead: start from elsewhere")
    return match[1], match[2]


def find_columns(features: Mapping[str, Any], what: str) -> tuple[str, str | None]:
    """The names of the columns of images and of labels, by type first and by name then. Raises ``UserError``."""
    kinds = {name: _kind(feature) for name, feature in features.items()}
    images = [name for kind in ("image", "encoded") for name, found in kinds.items() if found == kind]
    if not images:
        shown = ", ".join(f"{printable(name)} ({kind})" for name, kind in list(kinds.items())[:SHOWN])
        raise UserError(f"{what} holds no column of encoded images: it has {shown or 'none at all'}")
    labels = [name for name, kind in kinds.items() if kind == "class"]
    labels += [name for name in LABEL_NAMES if kinds.get(name) in ("int", "text")]
    return images[0], labels[0] if labels else None


def _kind(feature: Any) -> str:
    """What a column's feature can serve as."""
    kind = type(feature).__name__
    if kind in ("Image", "ClassLabel"):
        return {"Image": "image", "ClassLabel": "class"}[kind]
    if isinstance(feature, dict):
        inner = feature.get("bytes")
        return "encoded" if "binary" in str(getattr(inner, "dtype", "")) else "struct"
    dtype = str(getattr(feature, "dtype", kind))
    if "binary" in dtype:
        return "encoded"
    if re.fullmatch(r"u?int\d+", dtype):
        return "int"
    return "text" if "string" in dtype else dtype


def class_names(features: Mapping[str, Any], label: str | None) -> tuple[str, ...] | None:
    names = getattr(features[label], "names", None) if label is not None else None
    return tuple(printable(str(name)) for name in names) if names else None


@dataclass(eq=False)
class RowImages(ReadImages):
    """Images u8 [n, h, w, 3] RGB of some rows of a table.

    In place of one that cannot be read comes always the same other one: the next of its block and label, which is at
    hand, or else of the set. A run comes to a row in every epoch, and would never get past it."""

    fetch: Callable[[int], Any]  # what a row holds
    rows: np.ndarray  # i64 [n]
    size: tuple[int, int]  # height and width
    what: str  # the table, for messages
    trusted: tuple[Path, ...] = ()  # folders in which a row may name a file
    fit: Fit = crop
    labels: np.ndarray | None = None  # i64 [n]
    blocks: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))  # i64 [m]: the first index of each
    replaced: dict[int, int] = field(default_factory=dict)  # unreadable → read instead

    def __post_init__(self) -> None:
        self.shape = (len(self.rows), *self.size, 3)

    def read(self, index: int) -> np.ndarray:
        """One image u8 [h, w, 3], or what takes its place, which is said once. Raises ``UserError`` where none can."""
        try:
            return self.decoded(self.replaced.get(index, index))
        except Unreadable as error:
            return self.instead_of(index, str(error))

    def decoded(self, index: int) -> np.ndarray:
        """One image u8 [h, w, 3]. Raises ``Unreadable``."""
        return load_bytes(encoded(self.fetch(int(self.rows[index])), self.trusted), *self.shape[1:3], self.fit)

    def instead_of(self, index: int, reason: str) -> np.ndarray:
        """The image that takes the place of an unreadable one. Raises ``UserError``."""
        name = f"{self.what}, row {self.rows[index]}"
        for other in islice(self.others(index), MOST_UNREADABLE):
            try:
                image = self.decoded(other)
            except Unreadable:
                continue
            self.replaced[index] = other
            say(f"skipped {name}: {reason}; row {self.rows[other]} is taken instead")
            return image
        raise UserError(f"{name}: {reason}; nor can the {MOST_UNREADABLE} after it be read")

    def others(self, index: int) -> Iterator[int]:
        """What may take an image's place, in order: those of its block and label, of its label, of its block."""
        block = int(np.searchsorted(self.blocks, index, "right"))
        first = int(self.blocks[block - 1])
        end = int(self.blocks[block]) if block < len(self.blocks) else len(self)
        near = np.r_[index + 1 : end, first:index]
        if self.labels is None:
            yield from near.tolist()
            yield from range(end, len(self))
            yield from range(first)
            return
        label = self.labels[index]
        yield from near[self.labels[near] == label].tolist()
        yield from (np.flatnonzero(self.labels[end:] == label) + end).tolist()
        yield from np.flatnonzero(self.labels[:first] == label).tolist()
        yield from near[self.labels[near] != label].tolist()


class RowGroups:
    """What the rows of parquet files hold in one column. A group of rows is read at once, and kept for a while."""

    def __init__(self, files: Sequence[str], contents: Sequence[Any], column: str, opener: Open) -> None:
        """``contents``: pyarrow's ``FileMetaData`` of each file."""
        self.files, self.column, self.opener = list(files), column, opener
        self.groups = [(file, group) for file, found in enumerate(contents) for group in range(found.num_row_groups)]
        groups = [contents[file].row_group(group) for file, group in self.groups]
        rows = np.array([group.num_rows for group in groups], np.int64)
        self.ends = np.cumsum(rows)
        self.firsts = self.ends - rows
        self.largest = max((group.total_byte_size for group in groups), default=0)
        # as many as the order draws from at one time, and those of the next window where it ends
        drawn_from = 2 + -(-WINDOW // max(1, int(np.median(rows)) if len(rows) else 1))
        self.most = max(2, min(drawn_from, MOST_KEPT_BYTES // max(1, self.largest)))
        self._forget()

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def _forget(self) -> None:
        self.kept: OrderedDict[int, list[Any]] = OrderedDict()
        self.open: OrderedDict[int, Any] = OrderedDict()
        self.process = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "kept": OrderedDict(), "open": OrderedDict()}

    def __call__(self, row: int) -> Any:
        """What a row holds. Raises ``UserError``."""
        if self.process != os.getpid():  # connections are not to be shared with the process that this one was part of
            self._forget()
        group = int(np.searchsorted(self.ends, row, "right"))
        if group not in self.kept:
            while len(self.kept) >= self.most:
                self.kept.popitem(last=False)
            self.kept[group] = self._read(*self.groups[group])
        self.kept.move_to_end(group)
        return self.kept[group][row - int(self.firsts[group])]

    def _read(self, file: int, group: int) -> list[Any]:
        from pyarrow.parquet import ParquetFile

        with explained(self.files[file]):
            if file not in self.open:
                while len(self.open) >= OPEN_FILES:
                    self.open.popitem(last=False)[1].close()
                self.open[file] = ParquetFile(self.opener(self.files[file]))
            self.open.move_to_end(file)
            table = self.open[file].read_row_group(group, columns=[self.column], use_threads=False)
            images: list[Any] = table.column(self.column).to_pylist()
        return images


def open_here(name: str) -> BinaryIO:
    """A file of this machine."""
    return Path(name).open("rb")


@contextlib.contextmanager
def explained(name: str | Path) -> Any:
    """What goes wrong with a parquet file is a ``UserError`` that names it."""
    from pyarrow import ArrowException

    try:
        yield
    except (ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise UserError(f"{name} is no sound parquet file: {first_line(error)}") from None


def encoded(image: Any, trusted: tuple[Path, ...]) -> bytes:
    """A row's encoded bytes. Raises ``Unreadable``."""
    data, path = image, None
    if isinstance(image, Mapping):
        data, path = image.get("bytes"), image.get("path")
    if isinstance(data, bytes) and data:
        return data
    if isinstance(path, str):
        file = Path(path)
        with contextlib.suppress(OSError, ValueError):  # a name with a zero byte is a ValueError
            file = Path(os.path.realpath(file))  # Path.resolve raises for links in a circle
            if any(file.is_relative_to(folder) for folder in trusted):
                return read_bytes(file)
        raise Unreadable(f"names the file {json.dumps(path)[:80]} and holds no image")
    raise Unreadable("holds no image")


def first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return printable(lines[0])[:200] if lines else type(error).__name__


def open_groups(
    files: Sequence[str], opener: Open, what: str, with_labels: bool
) -> tuple[RowGroups, str | None, tuple[str, ...] | None, list[Any]]:
    """The rows of parquet files with a column of images, the name of their column of labels, the names of the classes
    where the tables say them, and, ``with_labels``, the labels. Raises ``UserError`` for files that are not sound."""
    from datasets import Features
    from pyarrow.parquet import ParquetFile

    contents: list[Any] = []
    values: list[Any] = []
    image, label, classes = "", None, None
    for file in files:
        with explained(file), opener(file) as stream:
            table = ParquetFile(stream)
            names = table.schema_arrow.names
            if not contents:
                features = Features.from_arrow_schema(table.schema_arrow)
                image, label = find_columns(features, what)
                classes = class_names(features, label)
            elif not {image, label} - {None} <= set(names):
                raise UserError(f"{file} has columns {', '.join(names)}, expected those of {files[0]}")
            contents.append(table.metadata)
            if with_labels and label is not None:
                values += table.read(columns=[label], use_threads=False).column(label).to_pylist()
    return RowGroups(files, contents, image, opener), label, classes, values


def pack(
    options: OpenOptions,
    *,
    what: str,
    name: str,
    count: int,
    rows: Callable[[], Iterator[Row]],
    fetch: Callable[[int], Any] | None,
    classes: tuple[str, ...] | None,
    firsts: np.ndarray | None = None,
    trusted: tuple[Path, ...] = (),
) -> ImageSource:
    """Check all rows' headers, then offer the images as one set. What is unreadable is named and left out.

    rows: reads all, as often as it is called. fetch: what any row holds in the column of images, where it can be asked
    for. firsts: the first row of each group that ``fetch`` reads at once, i64 [m]. classes: names by label where the
    table says them. trusted: folders in which a row may name a file.

    Raises ``UserError`` where none is left, where labels are none, or where sizes differ and none was asked for."""
    good = np.zeros(count, bool)
    sizes = Counter[tuple[int, int]]()
    values: list[Any] = []
    skipped = 0
    for row, (stored, value) in zip(range(count), rows(), strict=False):
        try:
            sizes[read_header(encoded(stored, trusted)).shape] += 1
        except Unreadable as error:
            skipped += 1
            _say_skipped(what, row, str(error), skipped)
            continue
        good[row] = True
        values.append(value)
    if not values:
        raise UserError(f"{what} holds no readable image ({skipped} rows)")
    size = one_size(sizes, what, options)
    labels, names = numbered_values(values, what, classes)

    def pieces() -> Iterator[Piece]:
        position = 0
        for row, (stored, _) in zip(range(count), rows(), strict=False):
            if not good[row]:
                continue
            label = None if labels is None else labels[position : position + 1]
            position += 1
            try:
                image = decoded(encoded(stored, trusted), size, options.fit)
            except Unreadable as error:
                _say_skipped(what, row, str(error))
                continue
            yield image[None], label

    good_rows = np.flatnonzero(good)
    blocks = None if firsts is None else np.unique(np.searchsorted(good_rows, firsts))
    images = None
    if fetch is not None and all(size):
        at = np.zeros(1, np.int64) if blocks is None else blocks
        images = RowImages(fetch, good_rows, size, what, trusted, options.fit, labels, at)
    return ImageSource(
        name=name,
        shape=(len(values), *size, 3),
        pieces=pieces,
        images=images,
        fetch=None if fetch is None else lambda index: decoded(encoded(fetch(int(good_rows[index])), trusted)),
        blocks=blocks,
        sidecar=Sidecar(labels=labels, classes=names),
    )


def _say_skipped(what: str, row: int, reason: str, number_skipped: int = 1) -> None:
    if number_skipped <= SHOWN:
        say(f"skipped {what}, row {row}: {reason}")
    elif number_skipped == SHOWN + 1:
        say(f"skipped {what}: more rows ...")
