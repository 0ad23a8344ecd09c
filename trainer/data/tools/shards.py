"""Write a set into shards, tar archives as WebDataset has them, for sets larger than memory.

IN is whatever training takes: a .npy file, a folder (class folders become labels), idx, CIFAR-10's binary folder,
parquet, hub:OWNER/NAME, other shards. OUTPUT is a new folder, or a pattern that says how many shards there are to be.
Without --size and --format, image files keep their very bytes; all others become JPEGs. An image is KEY.jpg (or
png, webp), its label KEY.cls; an index beside the shards says where each lies. A file that cannot be used is named and
left out. Nothing is ever replaced; what a killed run has left is.

    python -m trainer.data shards cats.npy -o 'shards/cats-{000..127}.tar'
    python -m trainer.data shards photos/ -o photo-shards --size 256 --pictures-per-shard 5000
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from trainer.contract.errors import UserError, require
from trainer.contract.headers import Unreadable, read_header
from trainer.contract.images import files_in, load_bytes, read_bytes
from trainer.contract.text import printable
from trainer.data.sources.base import Packed, of_stored, resized
from trainer.data.sources.folder import class_folders, real, training_part
from trainer.data.sources.formats import open_packed
from trainer.data.sources.npy_set import ImageSet
from trainer.data.sources.shards import PLAIN, RANGE, expand
from trainer.data.sources.shards.writer import Entry, ShardWriter, writing_shards
from trainer.data.sources.threads import in_threads

ENCODED = {
    "jpg": (".jpg", cv2.IMWRITE_JPEG_QUALITY, 95),
    "png": (".png", cv2.IMWRITE_PNG_COMPRESSION, 3),
    "webp": (".webp", cv2.IMWRITE_WEBP_QUALITY, 95),
}
ENDINGS = {"JPEG": "jpg", "PNG": "png", "BMP": "bmp", "GIF": "gif", "WebP": "webp"}
DIGITS = 6  # of the number of a shard in a folder
PER_SHARD = 10_000

Item = tuple[Path | np.ndarray, int | None, str]
"""A file or an image u8 [h, w, c] RGB, its label, and its name where it has one."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Images to be written."""

    name: str
    count: int  # there may turn out to be fewer
    classes: tuple[str, ...]  # none: no labels
    items: Callable[[], Iterator[Item]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("input", metavar="IN", help="a set, as training takes it")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUTPUT", help="a new folder, or a pattern as 'x-{000..127}.tar'"
    )
    parser.add_argument(
        "--pictures-per-shard", type=int, help=f"in a folder; the last may have fewer ({PER_SHARD})", metavar="N"
    )
    parser.add_argument("--format", choices=tuple(ENCODED), help="how images are stored (jpg; files as they are)")
    parser.add_argument("--quality", type=int, help="of JPEG and WebP, 1 to 100 (95)")
    parser.add_argument("--size", type=int, help="side in pixels that images are stretched to (theirs)")
    parser.add_argument(
        "--names", action="store_true", help="store each image's name too, where it has one, as KEY.json"
    )
    parser.add_argument("--workers", type=int, default=0, help="images made at once (0: one a core)")


def run(arguments: argparse.Namespace) -> int:
    """Write the shards; returns the exit code."""
    size, per_shard, quality = arguments.size, arguments.pictures_per_shard, arguments.quality
    require(size is None or 1 <= size <= 65_500, "size", size, "1 to 65500")
    require(per_shard is None or 1 <= per_shard <= 10_000_000, "pictures_per_shard", per_shard, "1 to 10000000")
    require(quality is None or 1 <= quality <= 100, "quality", quality, "1 to 100")
    require(0 <= arguments.workers <= 256, "workers", arguments.workers, "0 to 256")
    if quality is not None and arguments.format == "png":
        raise UserError(f"--quality is {quality}, expected none: png keeps every pixel as it is")
    check_output(arguments)
    source = open_source(arguments.input, size or 0)
    paths = plan(arguments, source)
    made = {"tool": "shards", "of": source.name, "options": options(arguments)}
    keep = size is None and arguments.format is None
    with writing_shards(paths, source.classes, made) as writer:
        write(source, writer, arguments, keep)
        if not writer.images:
            raise UserError(f"{printable(source.name)} holds no readable image; nothing was written")
    index = writer.index
    shown = "{}x{} px".format(*index.sizes[0]) if len(index.sizes) == 1 else "several sizes"
    parts = [
        f"{writer.images} images of {shown} in {len(paths)} shard{'s' * (len(paths) > 1)}",
        f"{writer.skipped} skipped",
    ]
    parts += [f"{len(index.classes)} classes"] if index.labels is not None else []
    print(f"{printable(writer.place)}: {', '.join(parts)}")
    return 0


def options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the shards follow from, beside the images."""
    names = ("size", "format", "quality", "pictures_per_shard", "names")
    return {name: value for name in names if (value := getattr(arguments, name)) not in (None, False)}


def check_output(arguments: argparse.Namespace) -> None:
    """Raise ``UserError`` where the output is neither a folder nor a pattern of one range."""
    output = arguments.output
    ranges = RANGE.findall(output)
    if output.endswith(".tar"):
        if len(ranges) != 1 or RANGE.search(Path(output).name) is None:
            raise UserError(
                f"--output is {printable(output)}, expected one range, as 'x-{{000..127}}.tar', or a folder"
            )
        if arguments.pictures_per_shard is not None:
            raise UserError("--pictures-per-shard goes with a folder: a pattern says how many shards there are")
        if not RANGE.sub("0", Path(output).stem)[-1].isdigit():
            raise UserError(f"--output is {printable(output)}, expected the range before .tar")
        expand(output)
    elif ranges or Path(output).suffix:
        raise UserError(f"--output is {printable(output)}, expected a folder, or a pattern as 'x-{{000..127}}.tar'")
    elif Path(output).exists() and not Path(output).is_dir():
        raise UserError(f"--output is {printable(output)}, a file, expected a folder, or a pattern")


def plan(arguments: argparse.Namespace, source: Source) -> list[Path]:
    """The shards to be written. Raises ``UserError`` where there are more of them than images."""
    if arguments.output.endswith(".tar"):
        paths = expand(arguments.output)
        if len(paths) > source.count:
            raise UserError(
                f"--output names {len(paths)} shards, expected at most one for each of {source.count} images"
            )
        return paths
    count = -(-source.count // (arguments.pictures_per_shard or PER_SHARD))
    return [Path(arguments.output) / f"{PLAIN}-{number:0{DIGITS}}.tar" for number in range(max(1, count))]


def open_source(data: str, size: int) -> Source:
    """The images of a set or a folder. Raises ``UserError``."""
    path = Path(data)
    names: tuple[str, ...] = ()
    if path.suffix == ".npy" and not path.is_dir():
        stored = ImageSet(path)
        labels, names = stored.facts.labels, stored.facts.names
        if stored.facts.groups is not None:
            print(
                f"note: shards do not say which images of {printable(path)} are copies or made of others: hold some "
                "out with 'split' before",
                file=sys.stderr,
            )
        packed: Packed | None = resized(of_stored(stored), size)
        classes = () if labels is None else stored.facts.classes
    else:
        packed = open_packed(data, size)
        labels, classes = None, packed.classes if packed else ()
    if packed is None:
        return open_folder(path)

    def items() -> Iterator[Item]:
        row = 0
        for images, numbers in packed.pieces():
            for k, image in enumerate(images):
                label = labels[row] if labels is not None else None if numbers is None else numbers[k]
                yield image, None if label is None else int(label), names[row] if names else ""
                row += 1

    return Source(name=packed.name, count=packed.shape[0], classes=classes, items=items)


def open_folder(folder: Path) -> Source:
    """The files of a folder, or one file."""
    if not os.path.lexists(folder):
        raise UserError(f"there is no file {printable(folder)}")
    root = training_part(folder) if folder.is_dir() else folder.parent
    files = list(files_in(root)) if folder.is_dir() else [folder]
    if not files:
        raise UserError(f"{printable(folder)} holds no file")
    labels, classes = class_folders(root, files, can_be_read)

    def items() -> Iterator[Item]:
        for row, file in enumerate(files):
            yield file, labels[row] if labels and labels[row] >= 0 else None, file.relative_to(root).as_posix()

    return Source(name=real(folder).name, count=len(files), classes=classes, items=items)


def can_be_read(path: Path) -> bool:
    """Whether a file is an image, all of it."""
    try:
        data = read_bytes(path)
        header = read_header(data)
        load_bytes(data, *header.shape, header=header)
    except Unreadable:
        return False
    return True


def write(source: Source, writer: ShardWriter, arguments: argparse.Namespace, keep: bool) -> None:
    """Hand all images to the writer, and say which cannot be used."""

    def one(item: Item) -> Entry | str:
        what, label, name = item
        try:
            return make(what, arguments, keep, label, name)
        except Unreadable as error:
            return str(error)

    made = in_threads(source.items(), one, arguments.workers)
    for number, (item, entry) in enumerate(tqdm(made, "images", source.count, unit="image", disable=None)):
        if isinstance(entry, str):
            shown = printable(item[0]) if isinstance(item[0], Path) else f"image {number}"
            tqdm.write(f"skipped {shown}: {printable(entry)}", file=sys.stderr)
            writer.skipped += 1
            continue
        full = number // (arguments.pictures_per_shard or PER_SHARD)
        shard = number * len(writer.paths) // source.count if arguments.output.endswith(".tar") else full
        writer.add(entry, min(shard, len(writer.paths) - 1))


def make(what: Path | np.ndarray, arguments: argparse.Namespace, keep: bool, label: int | None, name: str) -> Entry:
    """An image as it is stored. Raises ``Unreadable``."""
    facts = json.dumps({"name": printable(name)}).encode() if arguments.names and name else b""
    if isinstance(what, Path):
        data = read_bytes(what)
        header = read_header(data)
        height, width = header.shape
        if keep:
            load_bytes(data, height, width, header=header)  # what cannot be decoded is not to stop a training
            ending = ENDINGS[header.format]
            return Entry(data=data, ending=ending, size=(width, height), label=label, facts=facts)
        height, width = (arguments.size, arguments.size) if arguments.size else (height, width)
        what = load_bytes(data, height, width, header=header)
    height, width, channels = what.shape
    ending = arguments.format or "jpg"
    suffix, option, quality = ENCODED[ending]
    stored = cv2.cvtColor(what, cv2.COLOR_RGB2BGR) if channels == 3 else what
    try:
        done, found = cv2.imencode(suffix, stored, [option, arguments.quality or quality])
    except cv2.error:
        done = False
    if not done:
        raise Unreadable(f"{width}x{height} px, which {ending} cannot hold")
    return Entry(data=found.tobytes(), ending=ending, size=(width, height), label=label, facts=facts, channels=channels)
