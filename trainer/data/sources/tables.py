"""Tables of encoded images with labels, as parquet files and data sets of the Hugging Face hub are. No torch.

Images are taken from the bytes in the table. A row that names a file instead is followed only into folders that the
source trusts: a table could name any file of this machine otherwise, or any address.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.headers import Unreadable, read_header
from trainer.contract.text import printable
from trainer.data.sources.base import ImageSource, OpenOptions, Piece, check_one_size, decoded
from trainer.data.sources.labels import LABEL_NAMES, numbered_values
from trainer.data.sources.parquet_rows import RowImages, encoded
from trainer.data.sources.sidecar import Sidecar

NAME = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?::([\w.-]+))?", re.ASCII)  # on the hub
SHOWN = 8  # rows that are left out are named up to here
HINT = "pip install 'utsuroi[data]'"

Row = tuple[Any, Any]
"""An encoded image (bytes, or a mapping with bytes or path), and its label or None."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows to be read more than once."""

    what: str  # for messages
    name: str
    count: int
    rows: Callable[[], Iterator[Row]]
    fetch: Callable[[int], Any] | None  # what any row holds in the column of images, where it can be asked for
    firsts: np.ndarray | None = None  # i64 [m]: the first row of each group that ``fetch`` reads at once
    classes: tuple[str, ...] | None  # names by label where the table says them
    trusted: tuple[Path, ...] = ()  # folders in which a row may name a file


def parse_name(data: str, kind: str) -> tuple[str, str | None]:
    """The name and the part, if any, of ``kind:OWNER/NAME[:SPLIT]``. Raises ``UserError``."""
    match = NAME.fullmatch(data.removeprefix(f"{kind}:"))
    if match is None or ".." in data:
        raise UserError(f"--data is {printable(data)}, expected {kind}:OWNER/NAME or {kind}:OWNER/NAME:SPLIT")
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


def pack(table: Table, options: OpenOptions) -> ImageSource:
    """Check all rows' headers, then offer the images as one set. What is unreadable is named and left out.

    Raises ``UserError`` where none is left, where labels are none, or where sizes differ and none was asked for.
    """
    good = np.zeros(table.count, bool)
    sizes: set[tuple[int, int]] = set()
    values: list[Any] = []
    skipped = 0
    for row, (stored, value) in zip(range(table.count), table.rows(), strict=False):
        try:
            sizes.add(read_header(encoded(stored, table.trusted)).shape)
        except Unreadable as error:
            skipped += 1
            _say_skipped(table, row, str(error), skipped)
            continue
        good[row] = True
        values.append(value)
    if not values:
        raise UserError(f"{table.what} holds no readable image ({skipped} rows)")
    size = check_one_size(sizes, table.what, options)
    labels, classes = numbered_values(values, table.what, table.classes)

    def pieces() -> Iterator[Piece]:
        position = 0
        for row, (stored, _) in zip(range(table.count), table.rows(), strict=False):
            if not good[row]:
                continue
            label = None if labels is None else labels[position : position + 1]
            position += 1
            try:
                image = decoded(encoded(stored, table.trusted), size, options)
            except (Unreadable, cv2.error) as error:
                _say_skipped(table, row, str(error))
                continue
            yield image[None], label

    rows = np.flatnonzero(good)
    blocks = None if table.firsts is None else np.unique(np.searchsorted(rows, table.firsts))
    images, at_row = None, table.fetch
    if at_row is not None and all(size):
        images = RowImages(at_row, rows, size, table.what, table.trusted, options.fit, labels, blocks)
    return ImageSource(
        name=table.name,
        shape=(len(values), *size, 3),
        classes=classes,
        pieces=pieces,
        images=images,
        fetch=None if at_row is None else lambda index: decoded(encoded(at_row(int(rows[index])), table.trusted)),
        labels=labels,
        blocks=blocks,
        sidecar=Sidecar(labels=labels, classes=classes),
    )


def _say_skipped(table: Table, row: int, reason: str, number_skipped: int = 1) -> None:
    if number_skipped <= SHOWN:
        print(f"skipped {printable(table.what)}, row {row}: {printable(reason)}", file=sys.stderr)
    elif number_skipped == SHOWN + 1:
        print(f"skipped {printable(table.what)}: more rows ...", file=sys.stderr)
