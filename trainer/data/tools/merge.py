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
from dataclasses import MISSING, dataclass, replace
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
    shapes = ["{1}x{0} px and {2} channel(s)".format(*source.shape[1:]) for source in sets]
    for file, shape in zip(files, shapes, strict=True):
        if shape != shapes[0]:
            expected = f"expected {shapes[0]}, as {files[0]} has: bring it to that with 'create --size'"
            raise UserError(f"{file} has images of {shape}, {expected}")
    titles = titles_of(files)
    labels, classes = merge_labels(sets, titles, options.labels)
    with writing(path, sets[0].shape[1:], options.force) as writer:
        for images in counted((images for source in sets for images in source.pieces()), sum(map(len, sets))):
            writer.append(images)
        made = {"tool": "merge", "of": [source.path.name for source in sets]}
        writer.sidecar = replace(merge_others(sets, titles), labels=labels, classes=classes, made=made)
    height, width, _ = writer.shape
    kind = f", {len(classes)} classes" if classes else ""
    print(f"{printable(path)}: {writer.count} images of {width}x{height} px, from {len(sets)} sets{kind}")


def titles_of(files: Sequence[Path]) -> list[str]:
    """What to call each of some files: by its stem, and by as many folders above as tell it from the others.
    Raises ``UserError`` for a file that is there twice."""
    places = [Path(os.path.abspath(file)).with_suffix("").parts for file in files]  # noqa: PTH100  (links: as named)
    endings = Counter(place[-depth:] for place in places for depth in range(1, len(place) + 1))
    titles = []
    for file, place in zip(files, places, strict=True):
        own = next((place[-depth:] for depth in range(1, len(place) + 1) if endings[place[-depth:]] == 1), None)
        if own is None:
            raise UserError(f"{file} is there twice, expected each set once")
        titles.append("/".join(own))
    return titles


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


def merge_others(sets: Sequence[ImageSet], titles: Sequence[str]) -> Sidecar:
    """All but the labels, what is known of one set at least: images of the others are named by their set and number,
    have had the size that they have, and are each their own group. Names that would not tell come after their set's;
    groups of each set stay apart."""
    known = [source.sidecar for source in sets]
    counted = Counter(name for own in known for name in own.names if name)
    names: list[str] = []
    sizes, groups, group = [], [], 0
    for source, own, title in zip(sets, known, titles, strict=True):
        of_set = own.names or tuple(f"{title}/{k}" for k in range(len(source)))
        names += [f"{title}/{name}" if counted[name] > 1 else name for name in of_set]
        sizes.append(np.full((len(source), 2), source.shape[2:0:-1]) if own.sizes is None else own.sizes)
        numbers, firsts = originals(np.arange(len(source)) if own.groups is None else own.groups)
        groups.append(np.where(numbers == MADE, MADE, group + numbers))
        group += len(firsts)
    common = [name for name in known[0].factors if all(name in own.factors for own in known)]
    return Sidecar(
        names=tuple(names) if any(own.names for own in known) else (),
        sizes=np.concatenate(sizes) if any(own.sizes is not None for own in known) else None,
        groups=np.concatenate(groups) if any(own.groups is not None for own in known) else None,
        factors={name: [value for own in known for value in own.factors[name]] for name in common},
    )
