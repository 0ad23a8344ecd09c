"""Make one .npy file, u8 [n, size, size, 3] RGB, of image files, or of another set.

Patterns may be quoted, and '**' looks into all folders below; a folder means all files in and below it. What is no
square is cropped to its middle; with --pad all of it is kept, its edges repeated outwards; with --stretch all of it is
kept, distorted; with --crop face it is cut to the largest face of people in it, upright, as the tool align does. A file
that cannot be used is named and left out; the exit code is 2 only when there was no usable one. A set (idx as MNIST's,
CIFAR-10's binary folder, parquet, hub:OWNER/NAME) keeps its size by default, idx its one channel. Names,
labels and the sizes that images had are written beside it, to <output>.json.

    python -m trainer.data create 'cats/*.jpg' more-cats/ -o cats.npy --size 128
    python -m trainer.data create holidays/ -o holidays.npy --pad --min-size 256 --dedupe
    python -m trainer.data create animals/ -o animals.npy --labels folders
    python -m trainer.data create mnist/ -o mnist.npy
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from trainer.contract.errors import UserError, require
from trainer.contract.headers import Unreadable, read_header
from trainer.contract.images import FITS, Fit, centre, load_bytes, read_bytes
from trainer.contract.options import argument, flag
from trainer.contract.text import printable
from trainer.data.faces.cutter import Cutter
from trainer.data.faces.landmarks import Finder
from trainer.data.sources import open_set
from trainer.data.sources._labels import by_folder, by_table, numbered
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources._threads import counted, say, usable
from trainer.data.sources.base import ImageSource, OpenOptions
from trainer.data.sources.npy_set import Writer, check_not_input, check_set, writing
from trainer.data.tools import ForceOption, LandmarksOption, WorkersOption
from trainer.data.tools._files import FIT_FLAGS, FitOption, find, names_of, print_fit
from trainer.data.tools.create.dedupe import LIKENESS, Look, Seen, look

Made = tuple[np.ndarray, tuple[int, int], Look | None]
"""An image, the width and height that it had, and how it looks where that is compared."""


@dataclass(frozen=True, kw_only=True)
class Options(FitOption, LandmarksOption, WorkersOption, ForceOption):
    """What to make a set of, and how."""

    inputs: Sequence[str] = argument("image files, quoted patterns, folders; or one set", metavar="PATTERN")
    output: Path = flag("the .npy file to write", "-o", "--output", default=MISSING)
    size: int | None = flag("side of the images in pixels (128, or that of a set)", within=(1, 4096))
    crop: Literal["none", "center", "face"] | None = flag("what is kept of images (center); none: as --stretch")
    min_size: int = flag("leave out what has a side of fewer pixels than this", default=0, within=(0, 100_000))
    dedupe: bool = flag("leave out images that have come before", default=False)
    alike: float = flag(f"what --dedupe takes for the same ({LIKENESS})", default=LIKENESS)
    labels: str | None = flag("label images by folder, or by a file of name,label", metavar="folders|CSV")
    exact: bool = flag("decode all at full size: slower, and 1 of 255 closer", default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0.5 <= self.alike <= 1, "alike", self.alike, "0.5 to 1")
        if (self.pad or self.stretch) and self.crop in ("center", "face"):
            other = "pad" if self.pad else "stretch"
            raise UserError(f"--{other} and --crop {self.crop} exclude each other: expected one of them")
        if self.landmarks_model is not None and self.crop != "face":
            raise UserError("--landmarks-model is for --crop face")

    def made(self) -> dict[str, Any]:
        """What the images follow from, beside their files."""
        names = ("size", "crop", "pad", "stretch", "min_size", "exact", "dedupe", *(["alike"] if self.dedupe else []))
        stretched = self.crop == "none" and not self.pad
        return {**self.chosen(*names), **({"stretch": True} if stretched else {})}

    @property
    def fit(self) -> Fit:
        if self.crop == "face":
            return Cutter(finder=Finder(self.landmarks_model)).fit
        if self.crop == "none" and not self.pad:
            return FITS["stretch"]
        return centre if self.crop == "center" else super().fit


def run(options: Options) -> int:
    """Create the file; returns the exit code."""
    check_set(options.output, options.force, [Path(options.labels)] if options.labels else ())
    if len(options.inputs) > 1:
        return create_of_files(options)
    name = options.inputs[0]
    fit = FITS["crop"] if options.crop == "face" else options.fit
    size, workers = options.size or 0, options.workers
    source = open_set(name, OpenOptions(image_size=size, fit=fit, fit_flags=FIT_FLAGS, workers=workers))
    if source is None:
        return create_of_files(options)
    for option, value in (("--labels", options.labels), ("--min-size", options.min_size)):
        if value:
            raise UserError(f"{option} is for image files; {name} is a set")
    if options.crop == "face":
        raise UserError(f"--crop face is for image files; {name} is a set: use the tool align")
    if (options.pad or options.stretch or options.crop == "center") and not options.size:
        raise UserError(f"--crop, --pad and --stretch need --size as well where the input is a set ({name})")
    check_not_input(options.output, [Path(name)])
    return create_of_set(options, source)


def create_of_files(options: Options) -> int:
    """Write image files; returns the exit code."""
    path, size = options.output, options.size or 128
    files = find(options.inputs, path)
    wanted = _labels(options, files)
    fit, exact = options.fit, options.exact or options.crop == "face"
    seen = Seen(options.alike) if options.dedupe else None

    def make(number: int) -> Made:
        if wanted[number] is None:
            raise Unreadable(f"no label in {options.labels}")
        data = read_bytes(files[number])
        header = read_header(data)
        height, width = header.shape
        if min(height, width) < options.min_size:
            raise Unreadable(f"{width}x{height} px, --min-size is {options.min_size}")
        image = load_bytes(data, size, size, fit, exact, header)
        return image, (width, height), None if seen is None else look(image)

    def name(number: int, _: int) -> Path:
        return files[number]

    kept: list[int] = []
    sizes: list[tuple[int, int]] = []
    skipped: list[str] = []
    with writing(path, (size, size, 3), options.force) as writer:
        made = usable(range(len(files)), make, len(files), name=name, workers=options.workers, skipped=skipped)
        for number, _, (image, shape, its_look) in made:
            same = None if seen is None or its_look is None else seen.find(its_look)
            if same is not None:
                say(f"dropped {files[number]}: the same image as {files[kept[same]]}")
                continue
            writer.append(image)
            kept.append(number)
            sizes.append(shape)
        if not kept:
            kind = "readable image with a face" if options.crop == "face" else "readable image"
            raise UserError(f"none of the {len(files)} files is a {kind}; nothing was written")
        names = names_of(files)
        labels, classes = numbered([wanted[k] or "" for k in kept]) if options.labels else ([], ())
        writer.sidecar = Sidecar(
            names=tuple(names[k] for k in kept),
            labels=np.array(labels, np.int64) if options.labels else None,
            classes=classes,
            sizes=np.array(sizes, np.int64),
            made={"tool": "create", "options": options.made()},
        )
    dropped = len(files) - len(skipped) - len(kept) if options.dedupe else None
    _summary(writer, path, dropped, f"{len(skipped)} skipped")
    print_fit(Counter((height, width) for width, height in sizes), fit)
    small = [shape for shape in sizes if min(shape) < size]
    if small and options.crop != "face":
        note = "{:,} of {:,} images enlarged, from {}x{} px and more (--size or --min-size for another way)"
        print(printable(note.format(len(small), len(sizes), *min(small, key=min))))
    return 0


def _labels(options: Options, files: list[Path]) -> list[str | None]:
    """Of each file, '' where labels are not asked for, None where there is none."""
    if options.labels is None:
        return [""] * len(files)
    if options.labels == "folders":
        return by_folder(options.inputs, files)
    table = Path(options.labels)
    labels, unused = by_table(table, options.inputs, files)
    if not any(labels):
        raise UserError(f"{table} has a label for none of the {len(files)} files")
    if unused:
        say(f"note: {unused} of the names in {table} are of no file here")
    return labels


def create_of_set(options: Options, source: ImageSource) -> int:
    """Write a set, and its labels; returns the exit code."""
    seen = Seen(options.alike) if options.dedupe else None
    kept: list[int] = []
    labels: list[int] = []
    number = 0
    with writing(options.output, source.shape[1:], options.force) as writer:
        for images, numbers in counted(source.pieces(), source.shape[0], lambda piece: len(piece[0])):
            for row, image in enumerate(images):
                same = None if seen is None else seen.find(look(image))
                if same is None:
                    writer.append(image)
                    kept.append(number)
                    labels += [] if numbers is None else [int(numbers[row])]
                else:
                    say(f"dropped image {number}: the same as image {kept[same]}")
                number += 1
        if not writer.count:
            raise UserError(f"{source.name} holds no readable image; nothing was written")
        made = {"tool": "create", "of": source.name, "options": options.made()}
        known = source.sidecar.take(np.array(kept))
        known = replace(known, labels=np.array(labels, np.int64)) if labels else known
        writer.sidecar = replace(known, made=made)
    _summary(writer, options.output, number - len(kept) if options.dedupe else None)
    return 0


def _summary(writer: Writer, path: Path, dropped: int | None, *more: str) -> None:
    height, width, channels = writer.shape
    parts = [f"{writer.count} images of {width}x{height} px", *(["1 channel"] if channels == 1 else []), *more]
    parts += [] if dropped is None else [f"{dropped} dropped that came before"]
    parts += [f"{len(writer.sidecar.classes)} classes"] if writer.sidecar.labels is not None else []
    print(f"{printable(path)}: {', '.join(parts)}")
