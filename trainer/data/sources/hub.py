"""Data sets of the Hugging Face hub (package ``datasets``): ``hub:OWNER/NAME[:SPLIT]``, downloaded once, and
``hubstream:OWNER/NAME[:SPLIT]``, read while training and never stored. No torch.

Of the latter, only those row groups of the hub's parquet files are read that training reaches: for sets larger than the
disk. Opening reads the metadata, the labels, and one group to see what its values mean. No code of a data set is run,
and a row may name a file only in the hub's own download folders."""

import re
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from trainer.contract.errors import UserError
from trainer.contract.images import FITTED
from trainer.contract.packages import how_to_install
from trainer.contract.text import printable
from trainer.data.sources._identity import of_name
from trainer.data.sources._tables import MOST_GROUP_BYTES, find_columns, first_line, open_groups, pack
from trainer.data.sources._threads import say
from trainer.data.sources.base import ImageSource, OpenOptions

HELP = "hubstream:OWNER/NAME[:SPLIT] (read while training), hub:OWNER/NAME[:SPLIT]"
ORDER = 0
NAME = re.compile(r"(hub|hubstream):([A-Za-z0-9][\w.-]*/([A-Za-z0-9][\w.-]*))(?::([\w.-]+))?", re.ASCII)

identity = of_name


def claims(data: str) -> bool:
    """By its prefix."""
    return data.startswith(("hub:", "hubstream:"))


def open(data: str, options: OpenOptions) -> ImageSource:
    """The images of a data set of the hub. Raises ``UserError`` in one line."""
    match = NAME.fullmatch(data)
    if match is None or ".." in data:
        kind = data.partition(":")[0]
        raise UserError(f"--data is {data}, expected {kind}:OWNER/NAME or {kind}:OWNER/NAME:SPLIT")
    kind, name, short_name, split = match.groups()
    if Path(name).exists():
        raise UserError(f"{data}: there is a folder {name} here, which would be read instead: start from elsewhere")
    if kind == "hubstream" and not options.image_size and not options.any_size:
        raise UserError(f"{data}: sizes are not known before images are read: give --image-size, or --size")
    try:
        import datasets
        import huggingface_hub
    except ImportError:
        raise UserError(f"{data}: data sets of the hub need more packages: {how_to_install('data')}") from None
    huggingface_hub.logging.set_verbosity_error()  # each retry would be a line
    try:
        parts: Any = datasets.load_dataset(name) if kind == "hub" else found_files(datasets, name)
    except Exception as error:  # of the network, the hub, and whatever lies there: kinds without end
        raise UserError(f"{data} cannot be opened: {first_line(error)}") from None
    if not parts or (split is not None and split not in parts):
        raise UserError(f"{data}: has no part {split or 'at all'}, expected one of {', '.join(parts) or 'several'}")
    part = parts[split or ("train" if "train" in parts else next(iter(parts)))]
    if kind == "hubstream":
        other = next((file for file in part if not file.lower().endswith(".parquet")), None)
        if other is not None or not part:
            raise UserError(f"{data}: holds {printable(other or 'no files')[-80:]}, expected parquet: take hub:{name}")
        return open_tables(part, data, short_name, options)
    image, label, classes = find_columns(part.features, data)
    try:
        if isinstance(part.features[image], datasets.Image):
            part = part.cast_column(image, datasets.Image(decode=False))
        images, values = part.select_columns([image]), [None] * len(part) if label is None else list(part[label])
    except Exception as error:  # of tables that are damaged
        raise UserError(f"{data} cannot be opened: {first_line(error)}") from None
    caches = (datasets.config.HF_DATASETS_CACHE, huggingface_hub.constants.HF_HUB_CACHE)
    return pack(
        options,
        what=data,
        name=short_name,
        values=values,
        classes=classes,
        fetch=partial(_cell, images, image),
        stored=lambda: (row[image] for row in images),
        trusted=tuple(Path(folder).resolve() for folder in caches),
    )


def _cell(rows: Any, column: str, row: int) -> Any:
    return rows[row][column]


def found_files(datasets: Any, name: str) -> dict[str, list[str]]:
    """The files of each part of a data set."""
    found = datasets.load_dataset_builder(name).config.data_files or {}
    return {str(part): list(map(str, files)) for part, files in found.items()}


def open_tables(files: list[str], data: str, name: str, options: OpenOptions) -> ImageSource:
    """Parquet files, here or far away, whose images are read when asked for. Raises ``UserError``."""
    groups, values, classes = open_groups(files, open_file, data)
    if groups.largest > MOST_GROUP_BYTES:
        raise UserError(
            f"{data}: has rows in groups of up to {groups.largest / 1e6:.0f} MB, expected at most "
            f"{MOST_GROUP_BYTES / 1e6:.0f}: take {data.replace('hubstream:', 'hub:')}"
        )
    if options.image_size and options.fit in FITTED:
        say(f"note: {data}: images of other shapes are {FITTED[options.fit]} to a square")
    return pack(options, what=data, name=name, values=values, classes=classes, fetch=groups, firsts=groups.firsts)


def open_file(name: str) -> BinaryIO:
    """A file by its name or address: a part of it is read where a part is asked for."""
    from fsspec.core import url_to_fs

    system, path = url_to_fs(name)
    opened: BinaryIO = system.open(path, "rb")
    return opened
