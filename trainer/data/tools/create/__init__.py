"""Make one .npy file, u8 [n, size, size, 3] RGB, of image files, of a packed set, or of another .npy file.

Patterns may be quoted, and '**' looks into all folders below; a folder means all files in and below it. Images are
stretched to a square; with --keep-aspect fitted into it with their edges repeated outwards; with --crop center cut to
it; with --crop face cut to the largest face of people in it, upright, as the tool align does. A file that cannot be
used is named and left out; the exit code is 2 only when there was no usable one. A packed set (idx as MNIST's,
CIFAR-10's binary folder, parquet, hub:OWNER/NAME) keeps its size unless told otherwise, idx its one channel. Names,
labels and the sizes that images had are written beside it, to <output>.json.

    python -m trainer.data create 'cats/*.jpg' more-cats/ -o cats.npy --size 128
    python -m trainer.data create holidays/ -o holidays.npy --crop center --min-size 256 --dedupe
    python -m trainer.data create animals/ -o animals.npy --labels folders
    python -m trainer.data create mnist/ -o mnist.npy
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from trainer.contract.errors import UserError, require
from trainer.contract.headers import Unreadable, read_header
from trainer.contract.images import Fit, centre, load_bytes, pad, read_bytes, resize
from trainer.contract.text import printable
from trainer.data.faces.cutter import Cutter, add_model_option
from trainer.data.faces.landmarks import Finder
from trainer.data.sources.base import Packed
from trainer.data.sources.folder import find, names_of
from trainer.data.sources.formats import open_set
from trainer.data.sources.labels import by_folder, by_table, numbered
from trainer.data.sources.npy_set import SetWriter, check_not_input, check_set, writing
from trainer.data.sources.sidecar import Facts
from trainer.data.sources.threads import in_threads
from trainer.data.tools.create.dedupe import LIKENESS, Look, Seen, look

CROPS: dict[str, Fit] = {"none": resize, "center": centre}
"""What --crop cuts, and how the rest is brought to the size."""
FACE = "face"  # the other choice of --crop, which needs a finder

Made = tuple[np.ndarray, tuple[int, int], Look | None]
"""An image, the width and height that it had, and how it looks where that is compared."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "inputs", nargs="+", metavar="PATTERN", help="image files, quoted patterns, folders; or one set"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .npy file to write")
    parser.add_argument("--size", type=int, help="side of the images in pixels (128, or that of a set)")
    parser.add_argument(
        "--crop", choices=(*CROPS, FACE), default="none", help="cut to a square, or to a face, instead of stretching"
    )
    parser.add_argument("--keep-aspect", action="store_true", help="pad by repeating the edge instead of stretching")
    parser.add_argument("--min-size", type=int, default=0, help="leave out what has a side of fewer pixels than this")
    parser.add_argument("--dedupe", action="store_true", help="leave out images that have come before")
    parser.add_argument("--alike", type=float, default=LIKENESS, help=f"what --dedupe takes for the same ({LIKENESS})")
    parser.add_argument("--labels", metavar="folders|CSV", help="label images by folder, or by a file of name,label")
    parser.add_argument("--exact", action="store_true", help="decode all at full size: slower, and 1 of 255 closer")
    add_model_option(parser)
    parser.add_argument("--workers", type=int, default=0, help="images made at once (0: one a core)")
    parser.add_argument("--force", action="store_true", help="replace an output that exists")


def run(arguments: argparse.Namespace) -> int:
    """Create the file; returns the exit code."""
    size, alike = arguments.size, arguments.alike
    require(size is None or 1 <= size <= 4096, "size", size, "1 to 4096")
    require(0 <= arguments.min_size <= 100_000, "min_size", arguments.min_size, "0 to 100000")
    require(0.5 <= alike <= 1, "alike", alike, "0.5 to 1")
    require(0 <= arguments.workers <= 256, "workers", arguments.workers, "0 to 256")
    if arguments.keep_aspect and arguments.crop != "none":
        raise UserError(f"--keep-aspect and --crop {arguments.crop} exclude each other: expected one of them")
    if arguments.landmarks_model is not None and arguments.crop != FACE:
        raise UserError("--landmarks-model is for --crop face")
    check_set(arguments.output, arguments.force, [Path(arguments.labels)] if arguments.labels else ())
    if len(arguments.inputs) > 1:
        return create_of_files(arguments)
    name = arguments.inputs[0]
    fit = resize if arguments.crop == FACE else _fit(arguments)
    source = open_set(name, size or 0, fit, arguments.workers)
    if source is None:
        return create_of_files(arguments)
    for option, value in (("--labels", arguments.labels), ("--min-size", arguments.min_size)):
        if value:
            raise UserError(f"{option} is for image files; {printable(name)} is a set")
    if arguments.crop == FACE:
        raise UserError(f"--crop face is for image files; {printable(name)} is a set: use the tool align")
    if fit is not resize and not size:
        raise UserError(f"--crop and --keep-aspect need --size as well where the input is a set ({printable(name)})")
    check_not_input(arguments.output, [Path(name)])
    return create_of_set(arguments, *source)


def _fit(arguments: argparse.Namespace) -> Fit:
    if arguments.crop == FACE:
        return Cutter(finder=Finder(arguments.landmarks_model)).fit
    return pad if arguments.keep_aspect else CROPS[arguments.crop]


def options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the images follow from, beside their files."""
    names = ("size", "crop", "keep_aspect", "min_size", "exact", "dedupe", *(["alike"] if arguments.dedupe else []))
    return {name: value for name in names if (value := getattr(arguments, name)) not in (None, False, 0, "none")}


def create_of_files(arguments: argparse.Namespace) -> int:
    """Write image files; returns the exit code."""
    path: Path = arguments.output
    size = arguments.size or 128
    files = find(arguments.inputs, path)
    if not files:
        raise UserError(f"no file matches {' '.join(printable(pattern) for pattern in arguments.inputs)}")
    wanted = _labels(arguments, files)
    fit, exact = _fit(arguments), arguments.exact or arguments.crop == FACE
    seen = Seen(arguments.alike) if arguments.dedupe else None

    def make(number: int) -> Made | str:
        try:
            if wanted[number] is None:
                return f"no label in {printable(arguments.labels)}"
            data = read_bytes(files[number])
            header = read_header(data)
            height, width = header.shape
            if min(height, width) < arguments.min_size:
                return f"{width}x{height} px, --min-size is {arguments.min_size}"
            image = load_bytes(data, size, size, fit, exact, header)
        except Unreadable as error:
            return str(error)
        return image, (width, height), None if seen is None else look(image)

    kept: list[int] = []
    sizes: list[tuple[int, int]] = []
    skipped = 0
    with writing(path, (size, size, 3), arguments.force) as writer:
        images = in_threads(range(len(files)), make, arguments.workers)
        for number, made in tqdm(images, "images", len(files), unit="file", disable=None):
            if isinstance(made, str):
                skipped += 1
                _say(f"skipped {printable(files[number])}: {made}")
                continue
            image, shape, its_look = made
            same = None if seen is None or its_look is None else seen.find(its_look)
            if same is not None:
                _say(f"dropped {printable(files[number])}: the same image as {printable(files[kept[same]])}")
                continue
            writer.append(image)
            kept.append(number)
            sizes.append(shape)
        if not kept:
            kind = "readable image" + (" with a face" if arguments.crop == FACE else "")
            raise UserError(f"none of the {len(files)} files is a {kind}; nothing was written")
        names = names_of(files)
        labels, classes = numbered([wanted[k] or "" for k in kept]) if arguments.labels else ([], ())
        writer.facts = Facts(
            names=tuple(names[k] for k in kept),
            labels=np.array(labels, np.int64) if arguments.labels else None,
            classes=classes,
            sizes=np.array(sizes, np.int64),
            made={"tool": "create", "options": options(arguments)},
        )
    _summary(writer, path, len(files) - skipped - len(kept) if seen else None, f"{skipped} skipped")
    return 0


def _labels(arguments: argparse.Namespace, files: list[Path]) -> list[str | None]:
    """Of each file, '' where labels are not asked for, None where there is none."""
    if arguments.labels is None:
        return [""] * len(files)
    if arguments.labels == "folders":
        return by_folder(arguments.inputs, files)
    table = Path(arguments.labels)
    labels, unused = by_table(table, arguments.inputs, files)
    if not any(labels):
        raise UserError(f"{printable(table)} has a label for none of the {len(files)} files")
    if unused:
        _say(f"note: {unused} of the names in {printable(table)} are of no file here")
    return labels


def create_of_set(arguments: argparse.Namespace, packed: Packed, facts: Facts) -> int:
    """Write a set, and its labels; returns the exit code."""
    count, height, width, channels = packed.shape
    seen = Seen(arguments.alike) if arguments.dedupe else None
    kept: list[int] = []
    labels: list[int] = []
    number = 0
    with writing(arguments.output, (height, width, channels), arguments.force) as writer:
        with tqdm(total=count, desc="images", unit="image", disable=None) as bar:
            for images, numbers in packed.pieces():
                chosen = []
                for row, image in enumerate(images):
                    same = None if seen is None else seen.find(look(image))
                    if same is None:
                        chosen.append(row)
                        kept.append(number)
                    else:
                        _say(f"dropped image {number}: the same as image {kept[same]}")
                    number += 1
                writer.append(images[chosen] if len(chosen) < len(images) else images)
                labels += [] if numbers is None else numbers[chosen].tolist()
                bar.update(len(images))
        if not writer.count:
            raise UserError(f"{printable(packed.name)} holds no readable image; nothing was written")
        made = {"tool": "create", "of": packed.name, "options": options(arguments)}
        known = replace(facts, labels=np.array(labels, np.int64)) if labels else facts.take(np.array(kept))
        writer.facts = replace(known, made=made)
    _summary(writer, arguments.output, number - len(kept) if seen else None)
    return 0


def _say(line: str) -> None:
    tqdm.write(printable(line), file=sys.stderr)


def _summary(writer: SetWriter, path: Path, dropped: int | None, *more: str) -> None:
    height, width, channels = writer.shape
    parts = [f"{writer.count} images of {width}x{height} px", *(["1 channel"] if channels == 1 else []), *more]
    parts += [] if dropped is None else [f"{dropped} dropped that came before"]
    parts += [f"{len(writer.facts.classes)} classes"] if writer.facts.labels is not None else []
    print(f"{printable(path)}: {', '.join(parts)}")
