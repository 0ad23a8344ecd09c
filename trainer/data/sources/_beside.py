"""Labels in a file beside images: ``dataset.json`` as StyleGAN's sets have it, ``metadata.jsonl`` or ``metadata.csv``
as folders of the Hugging Face hub do. No torch.

    {"labels": [["00000/img00000000.png", 6], ...]}
    {"file_name": "a.png", "label": "cat"}"""

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.text import printable
from trainer.data.sources._labels import LABEL_NAMES, numbered_values
from trainer.data.sources._sidecar import read_small
from trainer.data.sources._threads import say, say_counts

TABLES = ("dataset.json", "metadata.jsonl", "metadata.csv")
MOST_BYTES = 1 << 28
Rows = tuple[list[int], np.ndarray | None, tuple[str, ...]]
"""Which of the images have a label, all where there are none; the labels i64 [k], and the classes."""


def labels_beside(folder: Path, names: Sequence[str]) -> Rows | None:
    """The labels of images by their paths below ``folder``; None where there is no such file. Raises ``UserError``."""
    there = next((folder / table for table in TABLES if (folder / table).is_file()), None)
    return None if there is None else labels_in(str(there), read_small(there, MOST_BYTES), names)


def labels_in(where: str, data: bytes, names: Sequence[str]) -> Rows | None:
    """The labels that a file says images of these names have; None where it is of another kind, which is said. Images
    without one are counted and left out. Raises ``UserError``."""
    try:
        text = data.decode("utf-8-sig")
        known = _READERS[where.rpartition(".")[2]](text, where)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError, csv.Error) as error:
        reason = printable(str(error)).splitlines()[0][:120]
        raise UserError(f"{where} cannot be read as labels of images: {reason}") from None
    if known is None:
        say(f"note: {where} says no labels of images")
        return None
    if not known:
        return [*range(len(names))], None, ()
    rows = [row for row, name in enumerate(names) if name in known]
    if not rows:
        raise UserError(
            f"{where} has labels of {len(known)} files, of which none is there: {printable(next(iter(known)))[:80]}"
        )
    left_out = {"without a label": [printable(name)[:80] for name in names if name not in known]}
    say_counts(where, len(rows), len(names), left_out if len(rows) < len(names) else {}, "images")
    missing = len(known) - len(rows)
    if missing:
        say(f"note: {where}: {missing:,} of its {len(known):,} labels are of no image there")
    labels, classes = numbered_values([known[names[row]] for row in rows], where, None)
    return rows, labels, classes


def _dataset(text: str, where: str) -> dict[str, Any] | None:
    """StyleGAN's: a list of pairs, or null."""
    values = json.loads(text)
    if not isinstance(values, dict) or "labels" not in values:
        return None
    pairs = values["labels"]
    if pairs is None:
        return {}
    found: dict[str, Any] = {}
    for pair in pairs if isinstance(pairs, list) else [pairs]:
        if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)):
            raise UserError(f'{where} has the label {printable(json.dumps(pair))[:60]}, expected ["name.png", number]')
        if isinstance(pair[1], list):
            raise UserError(f"{where} has labels of several numbers each, expected the number of a class")
        if found.setdefault(pair[0], pair[1]) != pair[1]:
            raise UserError(f"{where} gives {printable(pair[0])[:80]} two labels")
    return found


def _lines(text: str, where: str) -> dict[str, Any] | None:
    rows = [json.loads(line) for line in text.split("\n") if line.strip()]
    return _column(rows, where)


def _table(text: str, where: str) -> dict[str, Any] | None:
    return _column(list(csv.DictReader(io.StringIO(text), strict=True)), where)


def _column(rows: Sequence[Any], where: str) -> dict[str, Any] | None:
    """What one of the usual columns of labels says; None where there is none, as of captions."""
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not isinstance(row.get("file_name"), str):
            raise UserError(f"{where}, row {number}: expected a file_name")
    label = next((name for name in LABEL_NAMES if rows and name in rows[0]), None)
    if label is None:
        return None
    found = {row["file_name"]: row[label] for row in rows if row.get(label) not in (None, "")}
    if found and all(isinstance(value, str) and value.isascii() and value.isdecimal() for value in found.values()):
        found = {name: int(value) for name, value in found.items()}  # as a CSV file has numbers
    return found


_READERS: dict[str, Callable[[str, str], dict[str, Any] | None]] = {"json": _dataset, "jsonl": _lines, "csv": _table}
