"""Data sets of the Hugging Face hub, ``hub:OWNER/NAME[:SPLIT]``, downloaded once (package ``datasets``). No torch.

No code of a data set is run, and a row may name a file only in the hub's own download folders."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from trainer.contract.errors import UserError
from trainer.contract.packages import how_to_install
from trainer.data.sources._identity import of_name
from trainer.data.sources._tables import Row, class_names, find_columns, first_line, pack, parse_name
from trainer.data.sources.base import ImageSource, OpenOptions

HELP = "hub:OWNER/NAME[:SPLIT]"
ORDER = 0
PREFIX = "hub:"

identity = of_name


def claims(data: str) -> bool:
    """By its prefix."""
    return data.startswith(PREFIX)


def open(data: str, options: OpenOptions) -> ImageSource:
    """A data set of the hub by ``hub:owner/name[:split]``, downloaded once. Raises ``UserError`` in one line."""
    name, split = parse_name(data, "hub")
    try:
        import datasets
        import huggingface_hub
    except ImportError:
        raise UserError(f"{data}: data sets of the hub need more packages: {how_to_install('data')}") from None
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
    return pack(
        options,
        what=data,
        name=name.rpartition("/")[2],
        count=len(part),
        rows=rows,
        fetch=partial(_cell, part, image),
        classes=class_names(part.features, label),
        trusted=tuple(Path(folder).resolve() for folder in caches),
    )


def _cell(rows: Any, column: str, row: int) -> Any:
    return rows[row][column]
