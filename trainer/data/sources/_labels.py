"""Labels of image files: by the folders that they lie in, or by a CSV file of names and labels. No torch."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, TypeAlias, TypeVar

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.text import natural, printable
from trainer.data.sources._sidecar import read_small
from trainer.data.sources._threads import say

AnyPath = TypeVar("AnyPath", bound=PurePath)
Labels: TypeAlias = tuple[np.ndarray | None, tuple[str, ...]]
"""Labels i64 [n], if there are any, and the names of the classes."""
MOST_BYTES = 1 << 28
MOST_CLASSES = 10_000
LABEL_NAMES = ("label", "labels", "class", "category", "fine_label", "target")  # columns of labels, likeliest first
HEADINGS = ({"name", "file", "filename", "file_name", "image", "path"}, {"label", "class", "category"})


def class_folders(
    folder: AnyPath, files: Sequence[AnyPath], is_image: Callable[[AnyPath], bool] = lambda _: True
) -> tuple[list[int], tuple[str, ...]]:
    """Labels by the folders right below one that hold images, and their names, 2 before 10; -1 for files of no class.
    None where there are no two such folders, or images beside them, which is said. ``is_image`` is asked of as few
    files as will do: in most sets of one of each folder."""
    below: dict[str, list[AnyPath]] = {}
    for file in files:
        below.setdefault("" if file.parent == folder else file.relative_to(folder).parts[0], []).append(file)
    beside = below.pop("", [])
    names = [name for name, own in below.items() if any(map(is_image, own))] if len(below) > 1 else []
    names.sort(key=natural)
    if len(names) < 2:
        return [], ()
    stray = next(filter(is_image, beside), None)
    if stray is not None:
        say(f"note: the {len(names)} folders in {folder} are no classes, since {stray.name} lies beside them")
        return [], ()
    numbers = {name: number for number, name in enumerate(names)}
    labels = [-1 if file.parent == folder else numbers.get(file.relative_to(folder).parts[0], -1) for file in files]
    return labels, tuple(printable(name) for name in names)


def by_folder(inputs: Sequence[str], files: Sequence[Path]) -> list[str | None]:
    """A label for each file: the first folder of its path below the folder that was named, or that one itself where the
    file lies right in it; the folder that it lies in where a pattern or a file was named."""
    roots = [Path(name) for name in inputs if Path(name).is_dir()]
    labels: list[str | None] = []
    for file in files:
        root = next((root for root in roots if root in file.parents), None)
        below = file.relative_to(root).parts[:-1] if root is not None else ()
        folder = (root or file.parent).resolve().name
        labels.append(printable(below[0] if below else folder) or "/")
    return labels


def by_table(path: Path, inputs: Sequence[str], files: Sequence[Path]) -> tuple[list[str | None], int]:
    """The label that a CSV file of ``name,label`` gives each file, None where it gives none; and how many of its names
    are of no file. A name may be a path as it was found, one below the folder that was named, or the last part alone.

    Raises ``UserError`` for a file that is no such table, and for names with two labels."""
    table = read_table(path)
    roots = [Path(name) for name in inputs if Path(name).is_dir()]
    found: list[str] = []
    for file in files:
        paths = [file.as_posix(), *(file.relative_to(root).as_posix() for root in roots if root in file.parents)]
        found.append(next((name for name in (*paths, file.name) if name in table), ""))
    return [table.get(name) for name in found], len(table.keys() - set(found))


def read_table(path: Path) -> Mapping[str, str]:
    """Labels by name. Raises ``UserError``."""
    if not path.is_file():
        raise UserError(f"--labels is {path}, expected 'folders' or a CSV file of name,label; there is no such file")
    try:
        text = read_small(path, MOST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8, expected a CSV file of name,label") from None
    table: dict[str, str] = {}
    rows = csv.reader(io.StringIO(text), strict=True)
    try:
        for row in rows:
            if not row:
                continue
            where = f"{path}, line {rows.line_num}"
            if len(row) != 2 or not all(cell.strip() for cell in row):
                raise UserError(f"{where}: found {len(row)} column(s), expected a name and a label")
            name, label = row[0].strip(), printable(row[1].strip())
            if not table and all(cell.lower() in words for cell, words in zip((name, label), HEADINGS, strict=True)):
                continue
            if table.setdefault(name, label) != label:
                raise UserError(f"{where}: {name} is {table[name]} above and {label} here")
    except csv.Error as error:
        raise UserError(f"{path}, line {rows.line_num}: {error}, expected a name and a label") from None
    if not table:
        raise UserError(f"{path} holds no labels, expected lines of name,label")
    return table


def numbered(labels: Sequence[str]) -> tuple[list[int], tuple[str, ...]]:
    """Labels as numbers, and the names by number: sorted, 2 before 10. Raises ``UserError`` for absurdly many."""
    names = set(labels)
    numbers = all(name.isdecimal() and name.isascii() for name in names)
    classes = sorted(names, key=lambda name: (int(name) if numbers else 0, name))
    if len(classes) > MOST_CLASSES:
        raise UserError(f"--labels gives {len(classes)} classes, expected at most {MOST_CLASSES}")
    index = {name: number for number, name in enumerate(classes)}
    return [index[name] for name in labels], tuple(classes)


def numbered_values(values: Sequence[Any], what: str, classes: tuple[str, ...] | None) -> Labels:
    """Labels i64 [n] and class names of what somebody stored as labels, numbers or texts, by ``classes`` where their
    names are known; none where there are none. Raises ``UserError`` for gaps among them."""
    kinds = Counter(type(value) for value in values)
    if set(kinds) == {int}:
        low, high = min(values), max(values)
        most = len(classes) if classes else MOST_CLASSES
        if low == -1 and high == -1:  # how test sets without labels are published
            return None, ()
        if low < 0 or high >= most:
            raise UserError(f"{what} has labels {low} to {high}, expected 0 to {most - 1}")
        return np.array(values, np.int64), classes or tuple(str(label) for label in range(high + 1))
    if set(kinds) == {str}:
        names = sorted(set(values))
        if len(names) > MOST_CLASSES:
            raise UserError(f"{what} has {len(names)} different labels, expected at most {MOST_CLASSES}")
        numbers = {name: label for label, name in enumerate(names)}
        return np.array([numbers[value] for value in values], np.int64), tuple(printable(name) for name in names)
    if set(kinds) != {type(None)}:
        known = ", ".join(sorted(kind.__name__ for kind in kinds if kind is not type(None)))
        gaps = f"{kinds[type(None)]} missing rows" if type(None) in kinds else f"several kinds ({known})"
        raise UserError(f"{what} has labels of {gaps}, expected a label in each row")
    return None, ()
