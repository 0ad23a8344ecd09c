"""Make one set of several: .npy files of pictures of the same shape, one after the other.

Labels are matched by the names of their classes, whichever number these have in each set. Where only some sets have
labels, say what to do: --labels sets makes a class of every set, --labels none leaves labels off.

    python -m trainer.data merge cats.npy morphs.npy -o more-cats.npy
    python -m trainer.data merge cats.npy dogs.npy -o animals.npy --labels sets
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from trainer.config import UserError
from trainer.data.facts import Facts
from trainer.data.finding import find
from trainer.data.npy import printable
from trainer.data.sets import PictureSet, check_set, writing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("inputs", nargs="+", metavar="SET", help=".npy files, or quoted patterns of them")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .npy file to write")
    parser.add_argument(
        "--labels", choices=("keep", "sets", "none"), default="keep", help="whose labels: theirs, one a set, or none"
    )
    parser.add_argument("--force", action="store_true", help="replace an output that exists")


def run(arguments: argparse.Namespace) -> int:
    """Merge them; returns the exit code."""
    path: Path = arguments.output
    for word in arguments.inputs:
        if Path(word).is_dir():
            raise UserError(f"{printable(word)} is a folder, expected .npy files or a quoted pattern of them")
    files = find(arguments.inputs, Path())
    if len(files) < 2:
        raise UserError(f"found {len(files)} set(s), expected two or more to merge")
    check_set(path, arguments.force, files)
    sets = [PictureSet(file) for file in files]
    check_shapes(sets)
    labels, classes = merge_labels(sets, arguments.labels)
    with writing(path, sets[0].shape[1:], arguments.force) as writer:
        with tqdm(total=sum(map(len, sets)), desc="pictures", unit="picture", disable=None) as bar:
            for source in sets:
                for images in source.pieces():
                    writer.append(images)
                    bar.update(len(images))
        writer.facts = Facts(
            labels=labels,
            classes=classes,
            names=merge_names(sets),
            sizes=merge_sizes(sets),
            factors=merge_factors(sets),
            made={"tool": "merge", "of": [source.path.name for source in sets]},
        )
    height, width, _ = writer.shape
    kind = f", {len(classes)} classes" if classes else ""
    print(f"{printable(path)}: {writer.count} pictures of {width}x{height} px, from {len(sets)} sets{kind}")
    return 0


def check_shapes(sets: Sequence[PictureSet]) -> None:
    """Raise ``UserError`` where pictures do not have the same shape."""
    first = sets[0]
    for source in sets[1:]:
        if source.shape[1:] != first.shape[1:]:
            height, width, channels = source.shape[1:]
            wanted = first.shape[1:]
            raise UserError(
                f"{printable(source.path)} has pictures of {width}x{height} px and {channels} channel(s), expected "
                f"{wanted[1]}x{wanted[0]} px and {wanted[2]}, as {printable(first.path)} has: bring it to that with "
                "'create --size'"
            )


def merge_labels(sets: Sequence[PictureSet], mode: str) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels i64 [n] of all pictures, and the names of the classes in the order in which they first come.

    Raises ``UserError`` where only some sets have labels, and they are to be kept.
    """
    if mode == "sets":
        stems = tuple(printable(source.path.stem) for source in sets)
        classes = tuple(dict.fromkeys(stems))
        return np.repeat([classes.index(stem) for stem in stems], [len(source) for source in sets]), classes
    known = [source.facts.labels is not None for source in sets]
    if mode == "none" or not any(known):
        return None, ()
    if not all(known):
        raise UserError(
            f"{printable(sets[known.index(False)].path)} has no labels and {printable(sets[known.index(True)].path)} "
            "has: expected --labels none, or --labels sets"
        )
    classes = tuple(dict.fromkeys(name for source in sets for name in source.facts.classes))
    parts = [
        np.array([classes.index(name) for name in source.facts.classes], np.int64)[source.facts.labels]
        for source in sets
    ]
    return np.concatenate(parts), classes


def merge_names(sets: Sequence[PictureSet]) -> tuple[str, ...]:
    """Names of all pictures where any set has some; with that of the set before them where they would not tell."""
    if not any(source.facts.names for source in sets):
        return ()
    counted = Counter(name for source in sets for name in source.facts.names)
    names: list[str] = []
    for source in sets:
        own = source.facts.names or tuple(f"{source.path.stem}/{k}" for k in range(len(source)))
        names += [f"{source.path.stem}/{name}" if counted[name] > 1 else name for name in own]
    return tuple(names)


def merge_sizes(sets: Sequence[PictureSet]) -> np.ndarray | None:
    """What sizes pictures had, i64 [n, 2], where any set tells; of others that which they have."""
    if all(source.facts.sizes is None for source in sets):
        return None
    parts = [
        np.tile(np.array(source.shape[2:0:-1], np.int64), (len(source), 1))
        if source.facts.sizes is None
        else source.facts.sizes
        for source in sets
    ]
    return np.concatenate(parts)


def merge_factors(sets: Sequence[PictureSet]) -> dict[str, list[object]]:
    """Those factors that all sets tell."""
    shared = [name for name in sets[0].facts.factors if all(name in source.facts.factors for source in sets)]
    return {name: [value for source in sets for value in source.facts.factors[name]] for name in shared}
