"""Write a set into shards, tar archives as WebDataset has them, for sets larger than memory.

IN is whatever training takes: a .npy file, a folder (class folders become labels), idx, CIFAR-10's binary folder,
parquet, hub:OWNER/NAME, other shards. OUTPUT is a new folder, or a pattern that says how many shards there are to be.
Without --size and --format, image files keep their very bytes; all others become JPEGs. An image is KEY.jpg (or
png, webp), its label KEY.cls; an index beside the shards says where each lies. A file that cannot be used is named and
left out. Nothing is ever replaced; what a killed run has left is.

    python -m trainer.data shards cats.npy -o 'shards/cats-{000..127}.tar'
    python -m trainer.data shards photos/ -o photo-shards --size 256 --pictures-per-shard 5000
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, replace
from pathlib import Path
from typing import Literal

import cv2

from trainer.contract.errors import UserError, require
from trainer.contract.files import real
from trainer.contract.headers import Unreadable, read_header
from trainer.contract.images import load_bytes, read_bytes
from trainer.contract.levels import STORED, Levels
from trainer.contract.options import argument, flag
from trainer.contract.text import printable
from trainer.data.sources import open_set
from trainer.data.sources._labels import class_folders
from trainer.data.sources._layout import training_files
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources._threads import say, usable
from trainer.data.sources.base import OpenOptions
from trainer.data.sources.folder import can_be_read
from trainer.data.sources.shards import PLAIN, RANGE, expand, index_of
from trainer.data.sources.shards.writer import Entry, write_shards
from trainer.data.tools import ValuesOption, WorkersOption
from trainer.data.tools._files import FIT_FLAGS, FitOption, Inputs, Item, look_at, print_fit

ENCODED = {  # how, and how well
    "jpg": (cv2.IMWRITE_JPEG_QUALITY, 95),
    "png": (cv2.IMWRITE_PNG_COMPRESSION, 3),
    "webp": (cv2.IMWRITE_WEBP_QUALITY, 95),
}
ENDINGS = {"JPEG": "jpg", "PNG": "png", "BMP": "bmp", "GIF": "gif", "WebP": "webp"}  # stored as they are
PER_SHARD = 10_000


@dataclass(frozen=True, kw_only=True)
class Options(FitOption, ValuesOption, WorkersOption):
    """What to write into shards, and how."""

    input: str = argument("a set, as training takes it", metavar="IN")
    output: str = flag("a new folder, or a pattern as 'x-{000..127}.tar'", "-o", "--output", default=MISSING)
    pictures_per_shard: int | None = flag(
        f"in a folder; the last may have fewer ({PER_SHARD})", metavar="N", within=(1, 10_000_000)
    )
    format: Literal["jpg", "png", "webp"] | None = flag("how images are stored (jpg; files as they are)")
    quality: int | None = flag("of JPEG and WebP, 1 to 100 (95)", within=(1, 100))
    size: int | None = flag("side in pixels of the squares that images become (theirs)", within=(1, 65_500))
    names: bool = flag("store each image's name too, where it has one, as KEY.json", default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        fits = self.quality is None or self.format != "png"
        require(fits, "quality", self.quality, "none: png keeps every pixel as it is")


def run(options: Options) -> None:
    """Write the shards."""
    paths = named_shards(options)
    name, source = open_source(options)
    if len(paths) > source.count:
        most = f"at most one for each of {source.count} images"
        raise UserError(f"--output names {len(paths)} shards, expected {most}")
    if not paths:
        count = -(-source.count // (options.pictures_per_shard or PER_SHARD))
        paths = [Path(options.output) / f"{PLAIN}-{number:06}.tar" for number in range(max(1, count))]
    chosen = options.chosen("size", "pad", "stretch", "format", "quality", "pictures_per_shard", "names")
    made = {"tool": "shards", "of": name, "options": chosen}
    sizes = Counter[tuple[int, int]]()
    skipped: dict[object, str] = {}
    stored = entries(source, name, options, len(paths), skipped, sizes)
    index = write_shards(paths, stored, source.sidecar.classes, made)
    shown = "{}x{} px".format(*index.sizes[0]) if len(index.sizes) == 1 else "several sizes"
    kind = f", {len(index.classes)} classes" if index.labels is not None else ""
    found = f"{len(index)} images of {shown} in {len(paths)} shard{'s' * (len(paths) > 1)}"
    dropped = source.count - len(index)
    print(f"{printable(index_of(paths[0]))}: {found}, {dropped} skipped{kind}")
    print_fit(sizes, options.fit)


def named_shards(options: Options) -> list[Path]:
    """The shards that a pattern stands for; none where the output is a folder. Raises ``UserError`` where it is neither
    that nor a pattern of one range."""
    output, ranges = options.output, RANGE.findall(options.output)
    if output.lower().endswith(".tar"):
        one = len(ranges) == 1 and RANGE.search(Path(output).name) is not None
        require(one, "output", output, "one range as 'x-{000..127}.tar', or a folder")
        if options.pictures_per_shard is not None:
            raise UserError("--pictures-per-shard goes with a folder: a pattern says how many shards there are")
        require(RANGE.sub("0", Path(output).stem)[-1].isdigit(), "output", output, "the range before .tar")
        return expand(output)
    require(not ranges and not Path(output).suffix, "output", output, "a folder, or a pattern as 'x-{000..127}.tar'")
    is_folder = Path(output).is_dir() or not Path(output).exists()
    require(is_folder, "output", f"{output}, a file", "a folder, or a pattern")
    return []


def open_source(options: Options) -> tuple[str, Inputs]:
    """A set, the files of a folder, or one file, and what it is called. Raises ``UserError``."""
    data = options.input
    size, values = options.size or 0, options.values
    opened = open_set(data, OpenOptions(image_size=size, fit=options.fit, fit_flags=FIT_FLAGS, values=values))
    if opened is not None:
        if opened.sidecar.groups is not None:
            which = f"which images of {data} are copies or made of others"
            say(f"note: shards do not say {which}: hold some out with 'split' before")
        return opened.name, Inputs.of_set(opened)
    folder = Path(data)
    if not os.path.lexists(folder):
        raise UserError(f"there is no file {folder}")
    root, files = training_files(folder) if folder.is_dir() else (folder.parent, [folder])
    if not files:
        raise UserError(f"{folder} holds no file")
    labels, classes = class_folders(root, files, can_be_read)
    sidecar = Sidecar(names=tuple(file.relative_to(root).as_posix() for file in files), classes=classes)
    return real(folder).name, replace(Inputs.of_files(files), sidecar=sidecar, labels=labels)


def entries(
    source: Inputs,
    title: str,
    options: Options,
    shards: int,
    skipped: dict[object, str],
    sizes: Counter[tuple[int, int]],
) -> Iterator[tuple[int, Entry]]:
    """The images, each with the number of its shard; ``sizes`` counts those (h, w) of files that are made squares.
    Raises ``UserError`` where none can be used."""

    levels = look_at(source.files, options.values) if options.size or options.format else STORED

    def one(item: Item) -> Entry:
        return make(item, options, levels)

    count, workers, number = source.count, options.workers, -1
    made = usable(source.items, one, count, name=source.title, workers=workers, skipped=skipped)
    for number, _, entry in made:
        name = source.sidecar.names[number] if options.names and source.sidecar.names else ""
        description = json.dumps({"name": printable(name)}).encode() if name else b""
        label = source.labels[number] if source.labels and source.labels[number] >= 0 else None
        sizes.update([] if entry.before is None else [entry.before])
        full = number // (options.pictures_per_shard or PER_SHARD)
        shard = number * shards // count if options.output.lower().endswith(".tar") else full
        yield min(shard, shards - 1), replace(entry, label=label, description=description)
    if number < 0:
        raise UserError(f"{title} holds no readable image; nothing was written")


def make(item: Item, options: Options, levels: Levels = STORED) -> Entry:
    """An image as it is stored. Raises ``Unreadable``."""
    ending: str = options.format or "jpg"
    before = None
    if isinstance(item, Path):
        data = read_bytes(item)
        header = levels.on(read_header(data))
        height, width = (options.size, options.size) if options.size else header.shape
        # what cannot be decoded is not to stop a training
        item = load_bytes(data, height, width, options.fit, header=header)
        before = header.shape if options.size else None
        if options.size is None and options.format is None:
            if header.format in ENDINGS:
                return Entry(data=data, ending=ENDINGS[header.format], size=(width, height))
            ending = "png"  # TIFF and PPM are stored without loss, in a format that other readers of shards know
    height, width, channels = item.shape
    option, quality = ENCODED[ending]
    stored = cv2.cvtColor(item, cv2.COLOR_RGB2BGR) if channels == 3 else item
    try:
        done, found = cv2.imencode(f".{ending}", stored, [option, options.quality or quality])
    except cv2.error:
        done = False
    if not done:
        raise Unreadable(f"{width}x{height} px, which {ending} cannot hold")
    return Entry(data=found.tobytes(), ending=ending, size=(width, height), channels=channels, before=before)
