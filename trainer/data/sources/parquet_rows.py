"""Images in the rows of a table, read when asked for: of parquet files, here or far away, by groups. No torch."""

import contextlib
import json
import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.headers import Unreadable
from trainer.contract.images import Fit, load_bytes, read_bytes, resize
from trainer.contract.text import printable
from trainer.data.sources.base import WINDOW, ReadImages

MOST_GROUP_BYTES = 1 << 28  # that are read at once
MOST_KEPT_BYTES = 1 << 30
OPEN_FILES = 8
MOST_UNREADABLE = 100  # rows in succession: of more, it is the set that cannot be read

Open = Callable[[str], BinaryIO]
"""Opens a file by its name or address."""


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
    fit: Fit = resize
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
        name = f"{printable(self.what)}, row {self.rows[index]}"
        for other in islice(self.others(index), MOST_UNREADABLE):
            try:
                image = self.decoded(other)
            except Unreadable:
                continue
            self.replaced[index] = other
            line = f"skipped {name}: {reason}; row {self.rows[other]} is taken instead"
            print(printable(line), file=sys.stderr, flush=True)
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
        raise UserError(f"{printable(name)} is no sound parquet file: {first_line(error)}") from None


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
