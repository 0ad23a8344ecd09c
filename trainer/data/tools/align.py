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

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from trainer.contract.errors import UserError, require
from trainer.contract.headers import Unreadable, read_header
from trainer.contract.images import decode, one_at_a_time, read_bytes
from trainer.contract.text import printable
from trainer.data.faces.cutter import MARGIN, NO_FACE, Cutter, Variant, add_model_option
from trainer.data.faces.landmarks import Finder
from trainer.data.sources.base import Packed
from trainer.data.sources.folder import find, names_of, real
from trainer.data.sources.formats import open_set
from trainer.data.sources.npy import check_free, output
from trainer.data.sources.npy_set import check_not_input, check_set, writing
from trainer.data.sources.sidecar import Facts
from trainer.data.sources.threads import in_threads
from trainer.data.tools._convert import make_folder, plan

Load = Callable[[], np.ndarray]
"""Gives an image, u8 [h, w, c] RGB. Raises ``Unreadable``."""


@dataclass
class Source:
    """The images to look for faces in, one by one."""

    count: int
    channels: int
    size: int  # in pixels, of the faces unless told otherwise
    images: Iterator[Load]
    names: list[str]  # to call them by; of a set without names, their numbers
    facts: Facts
    labels: list[int] = field(default_factory=list)  # of a packed set, as it is read
    files: list[Path] = field(default_factory=list)  # none of a set
    targets: list[Path] = field(default_factory=list)  # of files that go to a folder
    skipped: int = 0  # files left out already, since others have their names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add = parser.add_argument
    add("inputs", nargs="+", metavar="IN", help="folders, quoted patterns, image files; or one set")
    add("-o", "--output", type=Path, required=True, metavar="OUT", help="a .npy file, or a folder")
    add("--size", type=int, help="side of the faces in pixels (128, or that of a set)")
    add("--margin", type=float, default=MARGIN, help=f"left round a face, as a share of its height ({MARGIN:g})")
    add("--jitter", type=float, nargs="+", default=[], metavar="DEGREES", help="also turned by these angles")
    add("--flip", action="store_true", help="also mirrored")
    add_model_option(parser)
    add("--workers", type=int, default=0, help="images at once (0: one a core)")
    add("--force", action="store_true", help="replace outputs that exist")


def run(arguments: argparse.Namespace) -> int:
    """Align them all; returns the exit code."""
    path, size = arguments.output, arguments.size
    require(size is None or 8 <= size <= 4096, "size", size, "8 to 4096")
    require(0 <= arguments.workers <= 256, "workers", arguments.workers, "0 to 256")
    angles = list(dict.fromkeys([0.0, *arguments.jitter]))
    for angle in angles:
        require(-180 <= angle <= 180, "jitter", angle, "-180 to 180 degrees")
    variants = tuple(
        Variant(turn=angle, mirrored=mirrored)
        for mirrored in ((False, True) if arguments.flip else (False,))
        for angle in angles
    )
    if path.suffix == ".npy":
        check_set(path, arguments.force, [Path(name) for name in arguments.inputs])
    elif path.exists() and not path.is_dir():
        raise UserError(f"the output is {printable(path)}, a file, expected a name that ends in .npy, or a folder")
    source = _open(arguments)
    cutter = Cutter(finder=Finder(arguments.landmarks_model), margin=arguments.margin, variants=variants)
    found = _to_set(source, cutter, arguments) if path.suffix == ".npy" else _to_folder(source, cutter, arguments)
    if found.interrupted:
        return 130
    size = size or source.size
    copies = f", {len(variants)} of each face" if len(variants) > 1 else ""
    print(
        f"{printable(path)}: {len(found.kept) * len(variants)} faces of {size}x{size} px{copies}, {found.faceless} "
        f"images without a face, {found.skipped} skipped"
    )
    return 0


def _open(arguments: argparse.Namespace) -> Source:
    inputs = arguments.inputs
    opened = open_set(inputs[0]) if len(inputs) == 1 else None
    if opened is not None:
        check_not_input(arguments.output, [Path(inputs[0])])
        return _of_set(*opened)
    skipped = 0
    if arguments.output.suffix == ".npy":
        files, targets = find(inputs, arguments.output), []
    else:
        planned, skipped = plan(inputs, arguments.output, ".png")
        files, targets = list(planned), list(planned.values())
    if not files:
        raise UserError(f"no file matches {' '.join(printable(pattern) for pattern in inputs)}")
    names = names_of(files)
    return Source(
        count=len(files), channels=3, size=128, images=(partial(_read, file) for file in files), names=names,
        facts=Facts(names=tuple(names)), files=files, targets=targets, skipped=skipped,
    )  # fmt: skip


def _read(path: Path) -> np.ndarray:
    data = read_bytes(path)
    header = read_header(data)
    with one_at_a_time(header):
        return cv2.cvtColor(decode(data, header), cv2.COLOR_BGR2RGB)


def _of_set(packed: Packed, facts: Facts) -> Source:
    count, height, width, channels = packed.shape
    labels: list[int] = []

    def loads() -> Iterator[Load]:
        for images, numbers in packed.pieces():
            labels.extend([] if numbers is None else numbers.tolist())
            for image in images:
                yield partial(lambda loaded: loaded, image)

    names = list(facts.names) or [f"{number:0{len(str(count - 1))}}" for number in range(count)]
    size = max(8, min(height, width))
    return Source(count=count, channels=channels, size=size, images=loads(), names=names, facts=facts, labels=labels)


@dataclass
class Found:
    """What has become of the images."""

    kept: list[int] = field(default_factory=list)  # the numbers of those with a face
    sizes: list[tuple[int, int]] = field(default_factory=list)  # width and height that these have
    faceless: int = 0
    skipped: int = 0
    interrupted: bool = False


def _faces(source: Source, cutter: Cutter, arguments: argparse.Namespace, found: Found) -> Iterator[np.ndarray]:
    """The faces of each image that has one, u8 [k, size, size, c]; the others are said."""
    size = arguments.size or source.size

    def one(load: Load) -> tuple[np.ndarray, tuple[int, int]] | str:
        try:
            image = load()
            return cutter.cut(image, size), (image.shape[1], image.shape[0])
        except Unreadable as error:
            return str(error)
        except (cv2.error, MemoryError):
            return "too large to decode here"

    made = in_threads(source.images, one, arguments.workers)
    for number, (_, result) in enumerate(tqdm(made, "images", source.count, unit="image", disable=None)):
        if isinstance(result, str):
            found.faceless += result == NO_FACE
            found.skipped += result != NO_FACE
            tqdm.write(f"skipped {printable(source.names[number])}: {printable(result)}", file=sys.stderr)
        else:
            found.kept.append(number)
            found.sizes.append(result[1])
            yield result[0]
    if not found.kept:
        raise UserError(
            f"none of the {found.faceless + found.skipped} images has a face that can be found; nothing was written"
        )


def _to_set(source: Source, cutter: Cutter, arguments: argparse.Namespace) -> Found:
    found = Found(skipped=source.skipped)
    size = arguments.size or source.size
    with writing(arguments.output, (size, size, source.channels), arguments.force) as writer:
        for faces in _faces(source, cutter, arguments, found):
            writer.append(faces)
        known = source.facts
        if source.labels:
            known = replace(known, labels=np.array(source.labels, np.int64))
        facts = known.take(np.array(found.kept))
        if facts.sizes is None:
            facts = replace(facts, sizes=np.array(found.sizes))
        if facts.groups is None and len(cutter.variants) > 1:
            facts = replace(facts, groups=np.arange(len(found.kept)))
        facts = facts.take(np.repeat(np.arange(len(found.kept)), len(cutter.variants)))
        suffixes = [variant.suffix for variant in cutter.variants] * len(found.kept)
        writer.facts = replace(
            facts,
            names=tuple(_named(name, suffix) for name, suffix in zip(facts.names, suffixes, strict=False)),
            made={"tool": "align", "options": {"margin": arguments.margin, "jitter": arguments.jitter,
                                               "flip": arguments.flip}},
        )  # fmt: skip
    return found


def _named(name: str, suffix: str) -> str:
    """'a/b.jpg', '-mirrored' → 'a/b-mirrored.jpg'."""
    folder, slash, last = name.rpartition("/")
    stem, dot, ending = last.rpartition(".")
    return folder + slash + (stem + suffix + dot + ending if stem else last + suffix)


def _to_folder(source: Source, cutter: Cutter, arguments: argparse.Namespace) -> Found:
    targets = source.targets or _numbered(source, arguments)
    suffixes = [variant.suffix for variant in cutter.variants]
    everything = [[target.with_name(target.stem + suffix + ".png") for suffix in suffixes] for target in targets]
    taken: set[Path] = set()
    sources = {real(Path(name)) for name in [*arguments.inputs, *source.files]}
    for target in (target for several in everything for target in several):
        if target in taken:
            raise UserError(f"{printable(target)} would be written twice, expected other names or another --jitter")
        taken.add(target)
        if target.parent.exists():
            check_free(target, arguments.force)
        if real(target) in sources:
            raise UserError(f"{printable(target)} is an input as well, which is never changed: choose another --output")
    found = Found(skipped=source.skipped)
    try:
        for faces in _faces(source, cutter, arguments, found):
            for target, face in zip(everything[found.kept[-1]], faces, strict=True):
                make_folder(target.parent)
                stored = cv2.cvtColor(face, cv2.COLOR_RGB2BGR) if face.shape[2] == 3 else face
                with output(target, arguments.force) as file:
                    file.write(cv2.imencode(".png", stored)[1].tobytes())
    except KeyboardInterrupt:
        found.interrupted = True
        print("interrupted: every image that was written is whole", file=sys.stderr)
    return found


def _numbered(source: Source, arguments: argparse.Namespace) -> list[Path]:
    """Names for the images of a set, by the names that they have and their numbers."""
    own = Path(arguments.inputs[0]).stem
    stems = [re.sub(r"[^\w.-]+", "_", Path(name).stem)[:80].lstrip(".") or own for name in source.names]
    digits = len(str(source.count - 1))
    if not source.facts.names:
        return [arguments.output / f"{own}-{stem}.png" for stem in stems]
    return [arguments.output / f"{stem}-{number:0{digits}}.png" for number, stem in enumerate(stems)]
