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
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from trainer.contract.errors import UserError, require
from trainer.contract.headers import Unreadable, read_header
from trainer.contract.images import FITS, Fit, centre, load_bytes, read_bytes
from trainer.contract.levels import STORED, too_dark
from trainer.contract.options import argument, flag
from trainer.contract.text import printable
from trainer.data.faces.cutter import fit_face
from trainer.data.faces.landmarks import Finder
from trainer.data.sources import open_set
from trainer.data.sources._labels import by_folder, by_table, numbered
from trainer.data.sources._threads import counted, say, say_counts, summary, usable
from trainer.data.sources.base import ImageSource, OpenOptions
from trainer.data.sources.npy_set import check_not_input, check_set, writing
from trainer.data.tools import ForceOption, LandmarksOption, ValuesOption, WorkersOption
from trainer.data.tools._files import FIT_FLAGS, FitOption, Inputs, find, look_at, print_fit

LIKENESS = 0.97
MOST_BITS = 10  # of 64 in which the hashes of one image differ at most
SIDE = 16
_ONES = np.array([number.bit_count() for number in range(1 << 16)], np.uint8)  # numpy counts bits only from 2.0 on


@dataclass(frozen=True, kw_only=True)
class Options(FitOption, ValuesOption, LandmarksOption, WorkersOption, ForceOption):
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
        names = (
            "size",
            "crop",
            "pad",
            "stretch",
            "values",
            "min_size",
            "exact",
            "dedupe",
            *(["alike"] if self.dedupe else []),
        )
        stretched = self.crop == "none" and not self.pad
        return {**self.chosen(*names), **({"stretch": True} if stretched else {})}

    @property
    def fit(self) -> Fit:
        if self.crop == "face":
            return partial(fit_face, Finder(self.landmarks_model))
        if self.crop == "none" and not self.pad:
            return FITS["stretch"]
        return centre if self.crop == "center" else super().fit


def run(options: Options) -> None:
    """Create the file."""
    path, size = options.output, options.size or 128
    check_set(path, options.force, [Path(options.labels)] if options.labels else ())
    opened = open_one_set(options)
    files = find(options.inputs, path) if opened is None else []
    source = Inputs.of_files(files) if opened is None else Inputs.of_set(opened)
    wanted = _labels(options, files)
    levels = STORED if options.crop == "face" else look_at(files, options.values)
    fit, exact = options.fit, options.exact or options.crop == "face"
    seen = Seen(options.alike) if options.dedupe else None
    skipped: dict[object, str] = {}
    sizes: dict[int, tuple[int, int]] = {}  # width and height, of files

    def make(number: int) -> tuple[np.ndarray, tuple[int, int]]:
        if wanted[number] is None:
            raise Unreadable(f"no label in {options.labels}")
        data = read_bytes(files[number])
        header = levels.on(read_header(data))
        height, width = header.shape
        if min(height, width) < options.min_size:
            raise Unreadable(f"{width}x{height} px, --min-size is {options.min_size}")
        return load_bytes(data, size, size, fit, exact, header), (width, height)

    def made() -> Iterator[tuple[int, np.ndarray]]:
        if opened is not None:
            yield from enumerate(counted(map(np.asarray, source.items), source.count, lambda _: 1))
            return
        numbers = range(len(files))
        found = usable(numbers, make, len(files), name=source.title, workers=options.workers, skipped=skipped)
        for number, _, (image, shape) in found:
            sizes[number] = shape
            yield number, image

    kept: list[int] = []
    dropped = brightest = 0
    with writing(path, (size, size, 3) if opened is None else opened.shape[1:], options.force) as writer:
        for number, image in made():
            same = None if seen is None else seen.find(image)
            if same is not None:
                say(f"dropped {source.title(number)}: the same image as {source.title(kept[same])}")
                dropped += 1
                continue
            writer.append(image)
            kept.append(number)
            brightest = max(brightest, int(image.max()))
        if not kept:
            kind = "readable image with a face" if options.crop == "face" else "readable image"
            which = f"none of the {len(files)} files is a" if opened is None else f"{opened.name} holds no"
            raise UserError(f"{which} {kind}; nothing was written")
        sidecar = source.known(kept)
        shapes = [sizes[number] for number in kept if opened is None]
        if shapes:
            sidecar = replace(sidecar, sizes=np.array(shapes, np.int64))
        if options.labels:
            labels, classes = numbered([wanted[k] or "" for k in kept])
            sidecar = replace(sidecar, labels=np.array(labels, np.int64), classes=classes)
        of = {} if opened is None else {"of": opened.name}
        writer.sidecar = replace(sidecar, made={"tool": "create", **of, "options": options.made()})
    height, width, channels = writer.shape
    parts = [f"{len(kept)} images of {width}x{height} px"]
    parts += ["1 channel"] if channels == 1 else []
    left = len(skipped) if opened is None else source.count - len(kept) - dropped
    parts += [f"{left} skipped"] if opened is None or left else []
    parts += [f"{dropped} dropped that came before"] if options.dedupe else []
    parts += [f"{len(sidecar.classes)} classes"] if sidecar.labels is not None else []
    print(f"{printable(path)}: {', '.join(parts)}")
    reasons: dict[str, list[str]] = {}
    for name, reason in skipped.items():
        reasons.setdefault(summary(reason), []).append(Path(str(name)).name)
    say_counts("of the inputs", len(kept), len(files) - dropped, reasons)
    if warning := too_dark(brightest, str(path)):
        say(f"note: {warning}")
    print_fit(Counter((height, width) for width, height in shapes), fit)
    small = [shape for shape in shapes if min(shape) < size]
    if small and options.crop != "face":
        note = "{:,} of {:,} images enlarged, from {}x{} px and more (--size or --min-size for another way)"
        print(printable(note.format(len(small), len(shapes), *min(small, key=min))))


def open_one_set(options: Options) -> ImageSource | None:
    """The set that is the one input; None where that, or each of several, is of image files. Raises ``UserError``."""
    name, size, workers = options.inputs[0], options.size or 0, options.workers
    if len(options.inputs) > 1:
        return None
    fit = FITS["crop"] if options.crop == "face" else options.fit
    source = open_set(
        name, OpenOptions(image_size=size, fit=fit, fit_flags=FIT_FLAGS, workers=workers, values=options.values)
    )
    if source is None:
        return None
    for option, value in (("--labels", options.labels), ("--min-size", options.min_size)):
        if value:
            raise UserError(f"{option} is for image files; {name} is a set")
    if options.crop == "face":
        raise UserError(f"--crop face is for image files; {name} is a set: use the tool align")
    if (options.pad or options.stretch or options.crop == "center") and not options.size:
        raise UserError(f"--crop, --pad and --stretch need --size as well where the input is a set ({name})")
    check_not_input(options.output, [Path(name)])
    return source


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


def look(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What of an image u8 [h, w, 1 or 3] RGB or BGR is compared: a hash u16 [4], and colours u8 [16 * 16 * 3]."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else image[..., 0]
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small.astype(np.float32))[:8, :8].reshape(-1)
    low[0] = np.median(low[1:])  # the mean says nothing of what is seen
    colours = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).reshape(SIDE, SIDE, -1)
    return np.packbits(low > low[0]).view(np.uint16), np.broadcast_to(colours, (SIDE, SIDE, 3)).reshape(-1)


class Seen:
    """The images that have come so far, a thousand bytes each; known again if smaller, lighter, or a frame later.

    A hash of 64 bits, the signs of the lowest frequencies of a cosine transform (Zauner 2010, "Implementation and
    Benchmarking of Perceptual Image Hash Functions"), finds the candidates; whether they are the same is then seen on
    their colours at 16x16 px. Hashes alone take distinct faces of one set for the same, since these have their low
    frequencies in common."""

    def __init__(self, likeness: float = LIKENESS) -> None:
        self.likeness = likeness
        self.count = 0
        self.bits = np.empty((4, 1024), np.uint16)
        self.colours = np.empty((1024, SIDE * SIDE * 3), np.uint8)
        self.norms = np.empty(1024, np.float32)  # of the colours less their mean

    def find(self, image: np.ndarray) -> int | None:
        """The number of the image that this one, u8 [h, w, 1 or 3], repeats, or None; it then counts as seen itself."""
        bits, colours = look(image)
        own = colours.astype(np.float32)
        own -= own.mean()
        norm = float(np.linalg.norm(own)) if np.ptp(colours) else 0.0
        apart = sum(_ONES[mine[: self.count] ^ its] for mine, its in zip(self.bits, bits, strict=True))
        near = np.flatnonzero(apart <= MOST_BITS)
        if len(near):
            rows, norms = self.colours[near], self.norms[near]
            if norm:
                likeness = rows.astype(np.float32) @ own / np.maximum(norms * norm, 1e-6)
                likeness[norms == 0] = 0
            else:  # images of one value are like those of the same one alone
                likeness = (norms == 0) & (np.abs(rows[:, 0].astype(int) - int(colours[0])) < 4)
            if likeness.max() >= self.likeness:
                return int(near[likeness.argmax()])
        if self.count == len(self.colours):
            self.bits = np.concatenate([self.bits, self.bits], 1)
            self.colours = np.concatenate([self.colours, self.colours])
            self.norms = np.concatenate([self.norms, self.norms])
        self.bits[:, self.count], self.colours[self.count], self.norms[self.count] = bits, colours, norm
        self.count += 1
        return None
