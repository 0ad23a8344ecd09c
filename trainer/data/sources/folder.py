"""The files that names, patterns and folders stand for. No torch."""

import glob
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from trainer.contract.images import files_in
from trainer.contract.text import printable

# What the halves of a published set are called; a folder of such folders is no folder of classes.
PARTS = frozenset(("train", "training", "test", "testing", "val", "valid", "validation"))


def find(inputs: Iterable[str], output: Path) -> list[Path]:
    """The files that names, patterns and folders stand for: each once, in the order given, sorted within a pattern."""
    found: dict[Path, None] = {}
    for pattern in inputs:
        path = Path(pattern)
        if os.path.isdir(path):  # noqa: PTH112  (Path.is_dir raises for a name that is too long)
            found.update(dict.fromkeys(files_in(path)))
        elif os.path.lexists(path) or not glob.has_magic(pattern):
            found[path] = None
        else:
            matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  (Path.glob takes no absolute pattern)
            if not matches:
                print(f"nothing matches {printable(pattern)}", file=sys.stderr)
            found.update((match, None) for name in matches if not (match := Path(name)).is_dir() or "**" not in pattern)
    found.pop(output, None)
    return list(found)


def names_of(files: Sequence[Path]) -> list[str]:
    """What to call each of some files: its place below the folder that they all lie in, with slashes."""
    if not files:
        return []
    places = [Path(os.path.abspath(file)) for file in files]  # noqa: PTH100  (links are not followed)
    root = os.path.commonpath([place.parent for place in places])
    return [place.relative_to(root).as_posix() for place in places]


def real(path: Path) -> Path:
    """Where a path leads, through links; links in a circle, which ``Path.resolve`` raises for, lead to themselves."""
    return Path(os.path.realpath(path))


def training_part(folder: Path) -> Path:
    """The training half of a folder that holds the halves of a published set, or the folder itself."""
    below = {path.name: path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")}
    training = [name for name in ("train", "training") if name in below]
    return below[training[0]] if training and len(below) > 1 and below.keys() <= PARTS else folder


def class_folders(
    folder: Path, files: Sequence[Path], is_image: Callable[[Path], bool] = lambda _: True
) -> tuple[list[int], tuple[str, ...]]:
    """Labels by the folders right below one that hold images, and their names; -1 for files of no class.

    None where there are no two such folders, or images beside them, which is said. ``is_image`` is asked of as few
    files as will do: in most sets of one of each folder.
    """
    below: dict[str, list[Path]] = {}
    for file in files:
        below.setdefault("" if file.parent == folder else file.relative_to(folder).parts[0], []).append(file)
    beside = below.pop("", [])
    names = sorted(name for name, own in below.items() if any(map(is_image, own))) if len(below) > 1 else []
    if len(names) < 2:
        return [], ()
    stray = next(filter(is_image, beside), None)
    if stray is not None:
        print(
            f"note: the {len(names)} folders in {printable(folder)} are no classes, since {printable(stray.name)} lies "
            "beside them",
            file=sys.stderr,
        )
        return [], ()
    numbers = {name: number for number, name in enumerate(names)}
    labels = [-1 if file.parent == folder else numbers.get(file.relative_to(folder).parts[0], -1) for file in files]
    return labels, tuple(printable(name) for name in names)
