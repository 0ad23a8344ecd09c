"""Data sets of the hub that are read while training and never stored: ``hubstream:OWNER/NAME[:SPLIT]``.

Only those row groups of the hub's parquet files are read that training reaches: for sets larger than the disk. Opening
reads the metadata and the labels. No code of a data set is run. No torch."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.images import fitted
from trainer.contract.packages import how_to_install
from trainer.contract.text import printable
from trainer.data.sources._identity import of_name
from trainer.data.sources._labels import numbered_values
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources._tables import MOST_GROUP_BYTES, RowImages, encoded, first_line, open_groups, parse_name
from trainer.data.sources._threads import say
from trainer.data.sources.base import ImageSource, OpenOptions, Piece, decoded

HELP = "hubstream:OWNER/NAME[:SPLIT] (read while training)"
ORDER = 0
PREFIX = "hubstream:"

identity = of_name


def claims(data: str) -> bool:
    """By its prefix."""
    return data.startswith(PREFIX)


def open(data: str, options: OpenOptions) -> ImageSource:
    """The images of a data set of the hub. Raises ``UserError`` in one line."""
    name, split = parse_name(data, "hubstream")
    if not options.image_size and not options.any_size:
        raise UserError(f"{data}: sizes are not known before images are read: give --image-size, or --size")
    try:
        import datasets
    except ImportError:
        raise UserError(f"{data}: data sets of the hub need more packages: {how_to_install('data')}") from None
    try:
        parts = {str(part): list(map(str, files)) for part, files in found_files(datasets, name).items()}
    except Exception as error:  # of the network, the hub, and whatever lies there: kinds without end
        raise UserError(f"{data} cannot be opened: {first_line(error)}") from None
    if not parts or (split is not None and split not in parts):
        raise UserError(f"{data}: has no part {split or 'at all'}, expected one of {', '.join(parts) or 'several'}")
    files = parts[split or ("train" if "train" in parts else next(iter(parts)))]
    other = next((file for file in files if not file.lower().endswith(".parquet")), None)
    if other is not None or not files:
        raise UserError(f"{data}: holds {printable(other or 'no files')[-80:]}, expected parquet: take hub:{name}")
    return open_tables(files, data, name.rpartition("/")[2], options)


def found_files(datasets: Any, name: str) -> Any:
    """The files of each part of a data set."""
    return datasets.load_dataset_builder(name).config.data_files or {}


def open_tables(files: list[str], data: str, name: str, options: OpenOptions) -> ImageSource:
    """Parquet files, here or far away, whose images are read when asked for. Raises ``UserError``."""
    groups, label, classes, values = open_groups(files, open_file, data, with_labels=True)
    total = len(groups)
    if not total:
        raise UserError(f"{data} holds no rows")
    if groups.largest > MOST_GROUP_BYTES:
        raise UserError(
            f"{data}: has rows in groups of up to {groups.largest / 1e6:.0f} MB, expected at most "
            f"{MOST_GROUP_BYTES / 1e6:.0f}: take {data.replace('hubstream:', 'hub:')}"
        )
    labels, names = numbered_values(values, data, classes) if label is not None else (None, ())
    blocks = groups.firsts[groups.ends > groups.firsts]
    size = (options.image_size, options.image_size)
    if options.image_size and (how := fitted(options.fit)):
        say(f"note: {data}: images of other shapes are {how} to a square")
    images = RowImages(groups, np.arange(total), size, data, (), options.fit, labels, blocks)

    def fetch(index: int) -> np.ndarray:
        return decoded(encoded(groups(index), ()))

    def pieces() -> Iterator[Piece]:
        for row in range(total):
            image = images.read(row) if options.image_size else fetch(row)
            yield image[None], None if labels is None else labels[row : row + 1]

    return ImageSource(
        name=name,
        shape=(total, *size, 3),
        pieces=pieces,
        images=images if options.image_size else None,
        fetch=fetch,
        blocks=blocks,
        sidecar=Sidecar(labels=labels, classes=names),
    )


def open_file(name: str) -> BinaryIO:
    """A file by its name or address: a part of it is read where a part is asked for."""
    from fsspec.core import url_to_fs

    system, path = url_to_fs(name)
    opened: BinaryIO = system.open(path, "rb")
    return opened
