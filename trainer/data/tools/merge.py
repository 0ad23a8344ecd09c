"""Make one set of several: .npy files of images of the same shape, one after the other.

Labels are matched by the names of their classes, whichever number these have in each set. Where only some sets have
labels, say what to do: --labels sets makes a class of every set, --labels none leaves labels off. Sets are called by
their files; where these have the same name, by the folders above as well: a/cats and b/cats.

    python -m trainer.data merge cats.npy morphs.npy -o more-cats.npy
    python -m trainer.data merge cats.npy dogs.npy -o animals.npy --labels sets
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.options import argument, flag
from trainer.contract.text import printable
from trainer.data.sources._labels import Labels
from trainer.data.sources._sidecar import MADE, Sidecar, originals
from trainer.data.sources._threads import counted
from trainer.data.sources.npy_set import ImageSet, check_set, writing
from trainer.data.tools import ForceOption
from trainer.data.tools._files import find


@dataclass(frozen=True, kw_only=True)
class Options(ForceOption):
    """What to merge."""

    inputs: Sequence[str] = argument(".npy files, or quoted patterns of them", metavar="SET")
    output: Path = flag("the .npy file to write", "-o", "--output", default=MISSING)
    labels: Literal["keep", "sets", "none"] = flag("whose labels: theirs, one a set, or none", default="keep")


def run(options: Options) -> None:
    """Merge them."""
    path = options.output
    for word in options.inputs:
        if Path(word).is_dir():
            raise UserError(f"{word} is a folder, expected .npy files; 'create' makes one of a folder")
    files = find(options.inputs, required=False)
    if len(files) < 2:
        raise UserError(f"found {len(files)} set(s), expected two or more to merge")
    check_set(path, options.force, files)
    sets = [ImageSet(file) for file in files]
    check_shapes(sets)
    titles = titles_of(files)
    labels, classes = merge_labels(sets, titles, options.labels)
    factors = [source.sidecar.factors for source in sets]
    common = [name for name in factors[0] if all(name in own for own in factors)]
    with writing(path, sets[0].shape[1:], options.force) as writer:
        for images in counted((images for source in sets for images in source.pieces()), sum(map(len, sets))):
            writer.append(images)
        writer.sidecar = Sidecar(
            labels=labels,
            classes=classes,
            names=merge_names(sets, titles),
            sizes=merge_sizes(sets),
            groups=merge_groups(sets),
            factors={name: [value for own in factors for value in own[name]] for name in common},
            made={"tool": "merge", "of": [source.path.name for source in sets]},
        )
    height, width, _ = writer.shape
    kind = f", {len(classes)} classes" if classes else ""
    print(f"{printable(path)}: {writer.count} images of {width}x{height} px, from {len(sets)} sets{kind}")


def check_shapes(sets: Sequence[ImageSet]) -> None:
    """Raise ``UserError`` where images do not have the same shape."""
    shapes = ["{1}x{0} px and {2} channel(s)".format(*source.shape[1:]) for source in sets]
    for source, shape in zip(sets, shapes, strict=True):
        if shape != shapes[0]:
            raise UserError(
                f"{source.path} has images of {shape}, expected {shapes[0]}, as {sets[0].path} "
                "has: bring it to that with 'create --size'"
            )


def titles_of(files: Sequence[Path]) -> list[str]:
    """What to call each of some files: by its stem, and by as many folders above as tell it from the others.
    Raises ``UserError`` for a file that is there twice."""
    places = [Path(os.path.abspath(file)).with_suffix("").parts for file in files]  # noqa: PTH100  (links: as named)
    depths = [1] * len(places)
    while True:
        titles = ["/".join(place[-depth:]) for place, depth in zip(places, depths, strict=True)]
        counted = Counter(titles)
        alike = [number for number, title in enumerate(titles) if counted[title] > 1]
        if not alike:
            return titles
        for number in alike:
            if depths[number] >= len(places[number]):
                raise UserError(f"{files[number]} is there twice, expected each set once")
            depths[number] += 1


def merge_labels(sets: Sequence[ImageSet], titles: Sequence[str], mode: str) -> Labels:
    """Labels i64 [n] of all images, and the names of the classes in the order in which they first come.
    Raises ``UserError`` where only some sets have labels, and they are to be kept."""
    if mode == "sets":
        return np.repeat(np.arange(len(sets)), [len(source) for source in sets]), tuple(map(printable, titles))
    labelled = [source.sidecar.labels is not None for source in sets]
    if mode == "none" or not any(labelled):
        return None, ()
    if not all(labelled):
        without, with_labels = (sets[labelled.index(kind)].path for kind in (False, True))
        raise UserError(f"{without} has no labels and {with_labels} has: expected --labels none, or --labels sets")
    classes = tuple(dict.fromkeys(name for source in sets for name in source.sidecar.classes))
    numbers = [np.array([classes.index(name) for name in source.sidecar.classes], np.int64) for source in sets]
    return np.concatenate([own[source.sidecar.labels] for own, source in zip(numbers, sets, strict=True)]), classes


def merge_names(sets: Sequence[ImageSet], titles: Sequence[str]) -> tuple[str, ...]:
    """Names of all images where any set has some; with that of the set before them where they would not tell."""
    if not any(source.sidecar.names for source in sets):
        return ()
    counted = Counter(name for source in sets for name in source.sidecar.names if name)
    names: list[str] = []
    for source, title in zip(sets, titles, strict=True):
        own = source.sidecar.names or tuple(f"{title}/{k}" for k in range(len(source)))
        names += [f"{title}/{name}" if counted[name] > 1 else name for name in own]
    return tuple(names)


def merge_sizes(sets: Sequence[ImageSet]) -> np.ndarray | None:
    """What sizes images had, i64 [n, 2], where any set tells; of others that which they have."""
    known = [source.sidecar.sizes for source in sets]
    if all(sizes is None for sizes in known):
        return None
    own = [np.full((len(source), 2), source.shape[2:0:-1]) for source in sets]
    return np.concatenate([one if sizes is None else sizes for sizes, one in zip(known, own, strict=True)])


def merge_groups(sets: Sequence[ImageSet]) -> np.ndarray | None:
    """Groups i64 [n] where any set has some, those of each set apart; images of other sets are each their own."""
    if all(source.sidecar.groups is None for source in sets):
        return None
    parts, first = [], 0
    for source in sets:
        own = source.sidecar.groups
        groups, firsts = originals(np.arange(len(source)) if own is None else own)
        parts.append(np.where(groups == MADE, MADE, first + groups))
        first += len(firsts)
    return np.concatenate(parts)
