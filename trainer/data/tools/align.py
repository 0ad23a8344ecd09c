"""Cut the faces out of images: found, turned upright by the line of the eyes, brought to one size.

IN is folders, quoted patterns and image files, or one set. OUT is a .npy file, with names and labels beside it, or a
folder for a PNG of each. Of several faces in an image the largest counts. Images without one are listed and left
out; the exit code is 2 only where there was none at all. Each --jitter adds a copy of every face that is turned by that
many degrees, anticlockwise; --flip adds mirrored copies of them all. A set says which are of one face: none of them is
held out while others are trained on.

Faces of people, that is: animals have no eyes that this finds. What it takes comes with pip install 'utsuroi[data]'.

    python -m trainer.data align holidays/ -o faces.npy --size 128
    python -m trainer.data align 'portraits/*.jpg' -o faces/ --size 256 --margin 0.2 --jitter -5 5 --flip
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass, field, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from trainer.contract.errors import UserError, require
from trainer.contract.headers import read_header
from trainer.contract.images import decode, one_at_a_time, read_bytes
from trainer.contract.options import argument, flag
from trainer.contract.text import printable
from trainer.data.faces.cutter import MARGIN, NO_FACE, Cutter, Variant
from trainer.data.faces.landmarks import Finder
from trainer.data.sources import open_set
from trainer.data.sources.base import ImageSource
from trainer.data.sources.folder import real
from trainer.data.sources.npy import check_free, make_folder
from trainer.data.sources.npy_set import check_not_input, writing
from trainer.data.sources.sidecar import Sidecar
from trainer.data.sources.threads import usable
from trainer.data.tools import ForceOption, LandmarksOption, WorkersOption
from trainer.data.tools._convert import plan
from trainer.data.tools._inputs import find, names_of
from trainer.data.tools._outputs import check_set_or_folder, file_stem, write_png

Load = Callable[[], np.ndarray]
"""Gives an image, u8 [h, w, c] RGB. Raises ``Unreadable``."""


@dataclass(frozen=True, kw_only=True)
class Options(LandmarksOption, WorkersOption, ForceOption):
    """What to cut faces out of, and how."""

    inputs: Sequence[str] = argument("folders, quoted patterns, image files; or one set", metavar="IN")
    output: Path = flag("a .npy file, or a folder", "-o", "--output", default=MISSING, metavar="OUT")
    size: int | None = flag("side of the faces in pixels (128, or that of a set)", within=(8, 4096))
    margin: float = flag(f"left round a face, as a share of its height ({MARGIN:g})", default=MARGIN, within=(0, 2))
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
    size: int  # in pixels, of the faces by default
    images: Iterator[Load]
    names: list[str]  # to call them by; of a set without names, their numbers
    sidecar: Sidecar
    labels: list[int] = field(default_factory=list)  # of a packed set, as it is read
    files: list[Path] = field(default_factory=list)  # none of a set
    targets: list[Path] = field(default_factory=list)  # of files that go to a folder


@dataclass
class Found:
    """What has become of the images."""

    kept: list[int] = field(default_factory=list)  # the numbers of those with a face
    sizes: list[tuple[int, int]] = field(default_factory=list)  # width and height that these have
    skipped: list[str] = field(default_factory=list)  # why each of the others is left out


def run(options: Options) -> int:
    """Align them all; returns the exit code."""
    path, variants = options.output, options.variants()
    check_set_or_folder(path, options.force, [Path(name) for name in options.inputs])
    source, unplaced = _open(options)
    cutter = Cutter(finder=Finder(options.landmarks_model), margin=options.margin, variants=variants)
    found = (_to_set if path.suffix == ".npy" else _to_folder)(source, cutter, options)
    size = options.size or source.size
    copies = f", {len(variants)} of each face" if len(variants) > 1 else ""
    faceless = found.skipped.count(NO_FACE)
    print(
        f"{printable(path)}: {len(found.kept) * len(variants)} faces of {size}x{size} px{copies}, {faceless} images "
        f"without a face, {len(found.skipped) - faceless + unplaced} skipped"
    )
    return 0


def _open(options: Options) -> tuple[Source, int]:
    """The images, and how many files are left out already, since others have their names."""
    inputs = options.inputs
    opened = open_set(inputs[0]) if len(inputs) == 1 else None
    if opened is not None:
        check_not_input(options.output, [Path(inputs[0])])
        return _of_set(opened), 0
    targets: dict[Path, Path] = {}
    skipped = 0
    if options.output.suffix == ".npy":
        files = find(inputs, options.output)
    else:
        targets, skipped = plan(inputs, options.output)
        files = list(targets)
    names = names_of(files)
    return Source(
        count=len(files), channels=3, size=128, images=(partial(_read, file) for file in files), names=names,
        sidecar=Sidecar(names=tuple(names)), files=files, targets=list(targets.values()),
    ), skipped  # fmt: skip


def _read(path: Path) -> np.ndarray:
    data = read_bytes(path)
    header = read_header(data)
    with one_at_a_time(header):
        return cv2.cvtColor(decode(data, header), cv2.COLOR_BGR2RGB)


def _of_set(source: ImageSource) -> Source:
    sidecar = source.sidecar
    count, height, width, channels = source.shape
    labels: list[int] = []

    def each() -> Iterator[Load]:
        for images, numbers in source.pieces():
            labels.extend([] if numbers is None else numbers.tolist())
            for image in images:
                yield partial(lambda whole: whole, image)

    names = list(sidecar.names) or [f"{number:0{len(str(count - 1))}}" for number in range(count)]
    size = max(8, min(height, width))
    return Source(count=count, channels=channels, size=size, images=each(), names=names, sidecar=sidecar, labels=labels)


def _faces(source: Source, cutter: Cutter, options: Options, found: Found) -> Iterator[np.ndarray]:
    """The faces of each image that has one, u8 [k, size, size, c]; the others are reported."""
    size = options.size or source.size

    def one(load: Load) -> tuple[np.ndarray, tuple[int, int]]:
        image = load()
        return cutter.cut(image, size), (image.shape[1], image.shape[0])

    cut = usable(
        source.images,
        one,
        source.count,
        name=lambda number, _: source.names[number],
        workers=options.workers,
        skipped=found.skipped,
    )
    for number, _, (faces, shape) in cut:
        found.kept.append(number)
        found.sizes.append(shape)
        yield faces
    if not found.kept:
        raise UserError(f"none of the {len(found.skipped)} images has a face that can be found; nothing was written")


def _to_set(source: Source, cutter: Cutter, options: Options) -> Found:
    found = Found()
    size = options.size or source.size
    with writing(options.output, (size, size, source.channels), options.force) as writer:
        for faces in _faces(source, cutter, options, found):
            writer.append(faces)
        sidecar = source.sidecar
        if source.labels:
            sidecar = replace(sidecar, labels=np.array(source.labels, np.int64))
        sidecar = sidecar.take(np.array(found.kept))
        if sidecar.sizes is None:
            sidecar = replace(sidecar, sizes=np.array(found.sizes))
        if sidecar.groups is None and len(cutter.variants) > 1:
            sidecar = replace(sidecar, groups=np.arange(len(found.kept)))
        sidecar = sidecar.take(np.repeat(np.arange(len(found.kept)), len(cutter.variants)))
        suffixes = [variant.suffix for variant in cutter.variants] * len(found.kept)
        writer.sidecar = replace(
            sidecar,
            names=tuple(_named(name, suffix) for name, suffix in zip(sidecar.names, suffixes, strict=False)),
            made={
                "tool": "align",
                "options": {"margin": options.margin, "jitter": list(options.jitter), "flip": options.flip},
            },
        )
    return found


def _named(name: str, suffix: str) -> str:
    """'a/b.jpg', '-mirrored' → 'a/b-mirrored.jpg'."""
    folder, slash, last = name.rpartition("/")
    stem, dot, ending = last.rpartition(".")
    return folder + slash + (stem + suffix + dot + ending if stem else last + suffix)


def _to_folder(source: Source, cutter: Cutter, options: Options) -> Found:
    targets = source.targets or _numbered(source, options)
    suffixes = [variant.suffix for variant in cutter.variants]
    everything = [[target.with_name(target.stem + suffix + ".png") for suffix in suffixes] for target in targets]
    taken: set[Path] = set()
    sources = {real(Path(name)) for name in options.inputs} | set(map(real, source.files))
    for target in (target for several in everything for target in several):
        if target in taken:
            raise UserError(f"{printable(target)} would be written twice, expected other names or another --jitter")
        taken.add(target)
        if target.parent.exists():
            check_free(target, options.force)
        if real(target) in sources:
            raise UserError(f"{printable(target)} is an input as well, which is never changed: choose another --output")
    found = Found()
    try:
        for faces in _faces(source, cutter, options, found):
            for target, face in zip(everything[found.kept[-1]], faces, strict=True):
                make_folder(target.parent)
                write_png(target, face, options.force)
    except KeyboardInterrupt:
        print("interrupted: every image that was written is whole", file=sys.stderr)
        raise SystemExit(130) from None
    return found


def _numbered(source: Source, options: Options) -> list[Path]:
    """Names for the images of a set, by the names that they have and their numbers."""
    own = Path(options.inputs[0]).stem
    stems = [file_stem(name) or own for name in source.names]
    digits = len(str(source.count - 1))
    if not source.sidecar.names:
        return [options.output / f"{own}-{stem}.png" for stem in stems]
    return [options.output / f"{stem}-{number:0{digits}}.png" for number, stem in enumerate(stems)]
