"""Tables of encoded images with labels, as parquet files and data sets of the Hugging Face hub are. No torch.

Parquet files, here or far away, are read by groups of rows when an image is asked for.
Images are taken from the bytes in the table. A row that names a file instead is followed only into folders that the
source trusts: a table could name any file of this machine otherwise, or any address."""

import contextlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import chain, compress, islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.files import real
from trainer.contract.headers import Unreadable, read_header
from trainer.contract.images import Fit, crop, read_bytes
from trainer.contract.levels import chosen
from trainer.contract.text import printable
from trainer.data.sources._labels import LABEL_NAMES, numbered_values
from trainer.data.sources._look import Look, may_mean_more
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources._threads import say, say_counts
from trainer.data.sources.base import (
    WINDOW,
    EncodedImages,
    ImageSource,
    OpenOptions,
    Piece,
    decoded,
    one_size,
    pieces_of,
)

SHOWN = 8  # rows that are left out are named up to here
MOST_GROUP_BYTES = 1 << 28  # that are read at once
MOST_KEPT_BYTES = 1 << 30
OPEN_FILES = 8
MOST_UNREADABLE = 100  # rows in succession: of more, it is the set that cannot be read

Open = Callable[[str], BinaryIO]
"""Opens a file by its name or address."""
Stored = Any  # an encoded image: bytes, or a mapping with bytes or path


def find_columns(features: Mapping[str, Any], what: str) -> tuple[str, str | None, tuple[str, ...] | None]:
    """The names of the columns of images and of labels, by type first and by name then, and those of the classes where
    the table says them. Raises ``UserError``."""
    kinds = {name: _kind(feature) for name, feature in features.items()}
    images = [name for kind in ("Image", "encoded") for name, found in kinds.items() if found == kind]
    if not images:
        shown = ", ".join(f"{printable(name)} ({kind})" for name, kind in list(kinds.items())[:SHOWN])
        raise UserError(f"{what} holds no column of encoded images: it has {shown or 'none at all'}")
    labels = [name for name, kind in kinds.items() if kind == "ClassLabel"]
    labels += [name for name in LABEL_NAMES if kinds.get(name) in ("int", "text")]
    if not labels:
        return images[0], None, None
    names = getattr(features[labels[0]], "names", None)
    return images[0], labels[0], tuple(printable(str(name)) for name in names) if names else None


def _kind(feature: Any) -> str:
    """What a column's feature can serve as."""
    kind = type(feature).__name__
    if kind in ("Image", "ClassLabel"):
        return kind
    if isinstance(feature, dict):
        return "encoded" if "binary" in str(getattr(feature.get("bytes"), "dtype", "")) else "struct"
    dtype = str(getattr(feature, "dtype", kind))
    if "binary" in dtype:
        return "encoded"
    if re.fullmatch(r"u?int\d+", dtype):
        return "int"
    return "text" if "string" in dtype else dtype


@dataclass(eq=False)
class RowImages(EncodedImages):
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
            reason = str(error)
        for other in islice(self.others(index), MOST_UNREADABLE):
            try:
                image = self.decoded(other)
            except Unreadable:
                continue
            self.replaced[index] = other
            say(f"skipped {reason}; row {self.rows[other]} is taken instead")
            return image
        raise UserError(f"{reason}; nor can the {MOST_UNREADABLE} after it be read")

    def encoded(self, index: int) -> bytes:
        return encoded(self.fetch(int(self.rows[index])), self.trusted)

    def where(self, index: int) -> str:
        return f"{self.what}, row {self.rows[index]}"

    def others(self, index: int) -> Iterator[int]:
        """What may take an image's place, in order: those of its block and label, of its label, of its block."""
        block = int(np.searchsorted(self.blocks, index, "right"))
        first, end = np.append(self.blocks, len(self))[block - 1 : block + 1].tolist()
        near, far = chain(range(index + 1, end), range(first, index)), chain(range(end, len(self)), range(first))
        if self.labels is None:
            return chain(near, far)
        label, block_others = self.labels[index], [*near]
        same = (other for other in chain(block_others, far) if self.labels[other] == label)
        return chain(same, (other for other in block_others if self.labels[other] != label))


class RowGroups:
    """What the rows of parquet files hold in one column. A group of rows is read at once, and kept for a while."""

    def __init__(self, files: Sequence[str], contents: Sequence[Any], column: str, opener: Open) -> None:
        """``contents``: pyarrow's ``FileMetaData`` of each file."""
        self.column, self.opener = column, opener
        self.groups = [
            (file, group) for file, found in zip(files, contents, strict=True) for group in range(found.num_row_groups)
        ]
        groups = [found.row_group(group) for found in contents for group in range(found.num_row_groups)]
        rows = np.array([group.num_rows for group in groups], np.int64)
        self.ends = np.cumsum(rows)
        self.firsts = self.ends - rows
        self.largest = max((group.total_byte_size for group in groups), default=0)
        # as many as the order draws from at one time, and those of the next window where it ends
        drawn_from = 2 + -(-WINDOW // max(1, int(np.median(rows)) if len(rows) else 1))
        self.most = max(2, min(drawn_from, MOST_KEPT_BYTES // max(1, self.largest) - 1))  # one is read before one goes
        self.process = 0  # that the open files and the groups kept are of

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "process": 0, "read": None}

    def __call__(self, row: int) -> Stored:
        """What a row holds. Raises ``UserError``."""
        if self.process != os.getpid():  # connections are not to be shared with the process that this one was part of
            opened = lru_cache(OPEN_FILES)(partial(_open_table, self.opener))
            self.read = lru_cache(self.most)(partial(_read_group, opened, self.column))
            self.process = os.getpid()
        group = int(np.searchsorted(self.ends, row, "right"))
        return self.read(*self.groups[group])[row - int(self.firsts[group])]


def _open_table(opener: Open, file: str) -> Any:
    from pyarrow.parquet import ParquetFile

    return ParquetFile(opener(file))


def _read_group(opened: Callable[[str], Any], column: str, file: str, group: int) -> list[Stored]:
    with explained(file):
        table = opened(file).read_row_group(group, columns=[column], use_threads=False)
        images: list[Stored] = table.column(column).to_pylist()
    return images


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
        with contextlib.suppress(OSError, ValueError):  # a name with a zero byte is a ValueError
            file = real(Path(path))
            if any(file.is_relative_to(folder) for folder in trusted):
                return read_bytes(file)
        raise Unreadable(f"names the file {json.dumps(path)[:80]} and holds no image")
    raise Unreadable("holds no image")


def first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return printable(lines[0])[:200] if lines else type(error).__name__


def open_groups(files: Sequence[str], opener: Open, what: str) -> tuple[RowGroups, list[Any], tuple[str, ...] | None]:
    """The rows of parquet files with a column of images, the label of each or None, and the names of the classes where
    the tables say them. Raises ``UserError`` for files that are not sound."""
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
                image, label, classes = find_columns(Features.from_arrow_schema(table.schema_arrow), what)
            elif not {image, label} - {None} <= set(names):
                raise UserError(f"{file} has columns {', '.join(names)}, expected those of {files[0]}")
            contents.append(table.metadata)
            if label is None:
                values += [None] * table.metadata.num_rows
            else:
                values += table.read(columns=[label], use_threads=False).column(label).to_pylist()
    return RowGroups(files, contents, image, opener), values, classes


def pack(
    options: OpenOptions,
    *,
    what: str,
    name: str,
    values: Sequence[Any],
    classes: tuple[str, ...] | None,
    fetch: Callable[[int], Stored],
    at_random: bool = True,
    stored: Callable[[], Iterable[Stored]] | None = None,
    firsts: np.ndarray | None = None,
    trusted: tuple[Path, ...] = (),
) -> ImageSource:
    """Offer the images of n rows as one set.

    values: the label of each row, or None, [n]. classes: names by label where the table says them. fetch: what a row
    holds in the column of images. at_random: whether it may be asked for any. stored: reads what all rows hold, as
    often as it is called; their headers are checked first, and what is unreadable is named and left out. Without it
    nothing is read yet, and what turns out to be unreadable is replaced. firsts: the first row of each group that
    ``fetch`` reads at once, i64 [m]. trusted: folders in which a row may name a file.

    Raises ``UserError`` where none is left, where labels are none, or where sizes differ and none was asked for."""
    if stored is None:
        rows, size = np.arange(len(values)), (options.image_size, options.image_size)
    else:
        look = Look(len(values))
        rows, sizes = _readable(zip(range(len(values)), stored(), strict=False), what, trusted, look)
        say_counts(what, len(rows), len(values), {"unreadable": []} if len(rows) < len(values) else {}, "rows")
    if not len(rows):
        raise UserError(f"{what} holds no readable image ({len(values)} rows)")
    if stored is not None:
        size = one_size(sizes, what, options)
    labels, names = numbered_values([values[row] for row in rows.tolist()], what, classes)
    blocks = None if firsts is None else np.unique(np.searchsorted(rows, firsts))
    starts = np.zeros(1, np.int64) if blocks is None else blocks
    images = RowImages(fetch, rows, size, what, trusted, options.fit, labels, starts)
    if stored is None:  # the first rows alone: each group of them is some ten megabytes from far away
        images.look(options.values, what, most=int(starts[1]) if len(starts) > 1 else None)
    else:
        found, note = look.found()
        images.levels = chosen(options.values) or found
        if options.values == "auto" and note:
            say(f"note: {what}: {note}")

    def pieces() -> Iterator[Piece]:
        if stored is None:  # one after the other: a group of rows is read at once
            return pieces_of(range(len(rows)), images.read if all(size) else images.decoded, labels, 1)
        readable = compress(stored(), np.isin(np.arange(len(values)), rows))
        return pieces_of(
            readable,
            lambda image: decoded(encoded(image, trusted), size, options.fit, levels=images.levels),
            labels,
            options.workers if all(size) else 1,
            lambda number, _: images.where(number),
        )

    source = images.source(options, Sidecar(labels=labels, classes=names), name, look=False, blocks=blocks)
    return replace(source, pieces=pieces) if at_random else replace(source, pieces=pieces, images=None, fetch=None)


def _readable(
    images: Iterable[tuple[int, Stored]], what: str, trusted: tuple[Path, ...], look: Look
) -> tuple[np.ndarray, Counter[tuple[int, int]]]:
    """The rows whose images have sound headers, i64 [k], and how many there are of each size (h, w).
    ``look`` is shown those that may hold other values than they seem to."""
    rows: list[int] = []
    sizes = Counter[tuple[int, int]]()
    for row, image in images:
        try:
            data = encoded(image, trusted)
            header = read_header(data)
            sizes[header.shape] += 1
            rows.append(row)
            if may_mean_more(header) or look.few:
                look.add(row, data, header)
        except Unreadable as error:
            skipped = row - len(rows)
            if skipped < SHOWN:
                say(f"skipped {what}, row {row}: {error}")
            elif skipped == SHOWN:
                say(f"skipped {what}: more rows ...")
    return np.array(rows, np.int64), sizes
