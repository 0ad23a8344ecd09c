"""Tables of encoded images with labels: parquet files, and data sets of the Hugging Face hub (package ``datasets``).

Images are taken from the bytes in the table. A row that names a file instead is followed only into the hub's own
download folder: a table could name any file of this machine otherwise, or any address. No code of a data set is run.
"""

import contextlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.headers import Unreadable, read_header
from trainer.contract.images import Fit, load_bytes, resize
from trainer.contract.text import printable
from trainer.data.sources.base import Packed, Piece
from trainer.data.sources.labels import LABEL_NAMES, numbered_values
from trainer.data.sources.parquet_rows import (
    MOST_GROUP_BYTES,
    Groups,
    RowGroups,
    RowImages,
    encoded,
    explained,
    first_line,
    open_here,
)

NAME = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?::([\w.-]+))?", re.ASCII)
ROWS = 16  # read at once
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
    starts: np.ndarray | None = None  # i64 [m]: the first row of each group that ``fetch`` reads at once
    classes: tuple[str, ...] | None  # names by label where the table says them
    trusted: tuple[Path, ...] = ()  # folders in which a row may name a file


def is_parquet(path: Path) -> bool:
    """Whether a regular file begins as parquet does."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(4) == b"PAR1"
    return False


def find_parquet(folder: Path) -> list[Path]:
    """The parquet files of a data set in a folder, or in ``data`` below it, those of its training part where there are
    parts."""
    for place in (folder, folder / "data"):
        found = sorted(path for path in place.glob("*.parquet") if path.is_file())
        if found:
            return [path for path in found if path.name.startswith("train")] or found
    return []


def open_parquet(paths: list[Path], image_size: int = 0, fit: Fit = resize) -> Packed:
    """Local parquet files as one set. Raises ``UserError`` for those that are not sound, or hold no images."""
    try:
        from datasets import Features
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise UserError(f"{printable(paths[0])}: parquet files need the packages of {HINT}") from None
    what = printable(paths[0]) + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")

    schemas, found = [], []
    for path in paths:
        with explained(path), ParquetFile(path) as file:
            schemas.append(file.schema_arrow)
            found.append(Groups.of(file.metadata))
    with explained(paths[0]):
        features = Features.from_arrow_schema(schemas[0])
    image, label = find_columns(features, what)
    for path, schema in zip(paths, schemas, strict=True):
        if not {image, label} - {None} <= set(schema.names):
            raise UserError(
                f"{printable(path)} has columns {', '.join(schema.names)}, expected those of {paths[0].name}"
            )

    def rows() -> Iterator[Row]:
        columns = [image] if label is None else [image, label]
        for path in paths:
            with explained(path), ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=ROWS, columns=columns, use_threads=False):
                    labels = repeat(None) if label is None else batch.column(label).to_pylist()
                    yield from zip(batch.column(image).to_pylist(), labels, strict=False)

    name = paths[0].stem if len(paths) == 1 else paths[0].parent.resolve().name
    groups = RowGroups([str(path) for path in paths], found, image, open_here)
    table = Table(
        what=what,
        name=name,
        count=len(groups),
        rows=rows,
        fetch=groups if groups.largest <= MOST_GROUP_BYTES else None,
        starts=groups.starts,
        classes=class_names(features, label),
    )
    return pack(table, image_size, fit)


def open_hub(data: str, image_size: int = 0, fit: Fit = resize) -> Packed:
    """A data set of the hub by ``hub:owner/name[:split]``, downloaded once. Raises ``UserError`` in one line."""
    name, split = parse(data, "hub")
    try:
        import datasets
        import huggingface_hub
    except ImportError:
        raise UserError(f"{data}: data sets of the hub need the packages of {HINT}") from None
    huggingface_hub.logging.set_verbosity_error()  # each retry would be a line
    try:
        found = datasets.load_dataset(name)
        parts = list(found)
        if split is not None and split not in parts:
            raise UserError(f"{data}: has no part {split}, expected one of {', '.join(parts)}")
        part = found[split or ("train" if "train" in parts else parts[0])]
        image, label = find_columns(part.features, data)
        part = part.select_columns([image] if label is None else [image, label])
        if isinstance(part.features[image], datasets.Image):
            part = part.cast_column(image, datasets.Image(decode=False))
    except UserError:
        raise
    except Exception as error:  # of the network, the hub, and whatever lies there: kinds without end
        raise UserError(f"{data} cannot be opened: {first_line(error)}") from None

    def rows() -> Iterator[Row]:
        for row in part:
            yield row[image], None if label is None else row[label]

    caches = (datasets.config.HF_DATASETS_CACHE, huggingface_hub.constants.HF_HUB_CACHE)
    table = Table(
        what=data,
        name=name.rpartition("/")[2],
        count=len(part),
        rows=rows,
        fetch=Column(part, image),
        classes=class_names(part.features, label),
        trusted=tuple(Path(folder).resolve() for folder in caches),
    )
    return pack(table, image_size, fit)


@dataclass(frozen=True)
class Column:
    """One column of a data set that lies on this disk, by rows."""

    rows: Any
    name: str

    def __call__(self, row: int) -> Any:
        return self.rows[row][self.name]


def parse(data: str, kind: str) -> tuple[str, str | None]:
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


def pack(table: Table, image_size: int = 0, fit: Fit = resize) -> Packed:
    """Check all rows' headers, then offer the images in one size. What is unreadable is named and left out.

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
    if len(sizes) > 1 and not image_size:
        few = ", ".join(f"{width}x{height}" for height, width in sorted(sizes)[:3])
        raise UserError(f"{table.what} holds images of {len(sizes)} sizes ({few} ...): give --image-size")
    height, width = (image_size, image_size) if image_size else next(iter(sizes))
    labels, classes = numbered_values(values, table.what, table.classes)

    def pieces() -> Iterator[Piece]:
        position = 0
        for row, (stored, _) in zip(range(table.count), table.rows(), strict=False):
            if not good[row]:
                continue
            label = None if labels is None else labels[position : position + 1]
            position += 1
            try:
                image = load_bytes(encoded(stored, table.trusted), height, width, fit)
            except (Unreadable, cv2.error) as error:
                _say_skipped(table, row, str(error))
                continue
            yield image[None], label

    rows, size = np.flatnonzero(good), (height, width)
    blocks = None if table.starts is None else np.unique(np.searchsorted(rows, table.starts))
    images = None
    if table.fetch is not None:
        images = RowImages(table.fetch, rows, size, table.what, table.trusted, fit, labels, blocks)
    return Packed(
        name=table.name,
        shape=(len(values), height, width, 3),
        classes=classes,
        pieces=pieces,
        images=images,
        labels=labels,
        blocks=blocks,
    )


def _say_skipped(table: Table, row: int, reason: str, number_skipped: int = 1) -> None:
    if number_skipped <= SHOWN:
        print(f"skipped {printable(table.what)}, row {row}: {printable(reason)}", file=sys.stderr)
    elif number_skipped == SHOWN + 1:
        print(f"skipped {printable(table.what)}: more rows ...", file=sys.stderr)
