"""Tables of encoded images with labels, as parquet files and data sets of the Hugging Face hub are. No torch.

Images are taken from the bytes in the table. A row that names a file instead is followed only into folders that the
source trusts: a table could name any file of this machine otherwise, or any address."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.headers import Unreadable, read_header
from trainer.contract.text import printable
from trainer.data.sources.base import ImageSource, OpenOptions, Piece, decoded, one_size
from trainer.data.sources.labels import LABEL_NAMES, numbered_values
from trainer.data.sources.parquet_rows import Open, RowGroups, RowImages, encoded, explained
from trainer.data.sources.sidecar import Sidecar

NAME = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?::([\w.-]+))?", re.ASCII)  # on the hub
SHOWN = 8  # rows that are left out are named up to here
HINT = "pip install 'utsuroi[data]'"

Row = tuple[Any, Any]
"""An encoded image (bytes, or a mapping with bytes or path), and its label or None."""


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
                raise UserError(f"{printable(file)} has columns {', '.join(names)}, expected those of {files[0]}")
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
    sizes: set[tuple[int, int]] = set()
    values: list[Any] = []
    skipped = 0
    for row, (stored, value) in zip(range(count), rows(), strict=False):
        try:
            sizes.add(read_header(encoded(stored, trusted)).shape)
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
        print(f"skipped {printable(what)}, row {row}: {printable(reason)}", file=sys.stderr)
    elif number_skipped == SHOWN + 1:
        print(f"skipped {printable(what)}: more rows ...", file=sys.stderr)
