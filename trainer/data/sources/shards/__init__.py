"""Sets of images in shards, which are tar archives as WebDataset has them: 'x-{000..127}.tar', a folder, an index.

A member of a tar is not compressed, so that any image can be read by its place: training reads shards in the same
order as it would read them from memory, and goes on at any image. No torch."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from io import FileIO
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.files import read_at, reading
from trainer.contract.headers import Unreadable
from trainer.contract.images import MOST_BYTES, Fit
from trainer.contract.text import printable
from trainer.data.sources._identity import blocks, line, size_of
from trainer.data.sources._sidecar import Sidecar, read_json
from trainer.data.sources.base import EncodedImages, ImageSource, OpenOptions, one_size
from trainer.data.sources.shards.index import MOST_INDEX_BYTES, Index, read_index
from trainer.data.sources.shards.scan import scan_shards

HELP = "shards ('x-{000..127}.tar' or their folder)"
ORDER = 10
MOST_SHARDS = 100_000
OPEN_FILES = 64  # that each process holds
RANGE = re.compile(r"\{(\d{1,9})\.\.(\d{1,9})\}", re.ASCII)
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
BESIDE = frozenset((".tar", ".json", ".txt", ".md", ""))  # endings of what else a folder of shards may hold
INDEX = "index.json"
PLAIN = "shards"  # what they are called in a folder that was made for them


class ShardImages(EncodedImages):
    """Images u8 [n, h, w, c] RGB of shards, read and decoded when asked for."""

    def __init__(self, paths: list[Path], index: Index, height: int, width: int, fit: Fit) -> None:
        self.paths, self.fit, self.firsts, self.places = paths, fit, index.firsts, index.places
        self.shape = (len(index), height, width, index.channels)

    @cached_property
    def opened(self) -> Callable[[Path], FileIO]:
        """Opens a shard, or gives the one that is open."""
        return lru_cache(OPEN_FILES)(FileIO)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "opened"}

    def encoded(self, index: int) -> bytes:
        offset, length = self.places[:2, index].tolist()
        if length > MOST_BYTES:
            raise Unreadable(f"{length} bytes, at most {MOST_BYTES}")
        data = bytearray(length)
        try:
            read_at(self.opened(self.shard_of(index)[0]), offset, memoryview(data))
        except EOFError:
            raise Unreadable("the shard has been cut short") from None
        except OSError as error:
            raise Unreadable((error.strerror or str(error)).lower()) from None
        return bytes(data)

    def shard_of(self, index: int) -> tuple[Path, int]:
        """The shard that holds an image, and the image's number in it."""
        shard = int(np.searchsorted(self.firsts, index, "right")) - 1
        return self.paths[shard], index - int(self.firsts[shard])

    def where(self, index: int) -> str:
        path, number = self.shard_of(index)
        return f"{path}, image {number} (byte {self.places[0, index]})"


def claims(data: str) -> bool:
    """By the name of an archive, a pattern of them, or what a folder or an index holds. Raises ``UserError``."""
    return find_shards(data) is not None


def open(data: str, options: OpenOptions) -> ImageSource:
    """The set in the shards that ``data`` names. Raises ``UserError`` for one that is not sound."""
    paths = find_shards(data) or []
    index = open_index(paths, data)
    if not len(index):
        raise UserError(f"{data} holds no readable image")
    size = one_size({(height, width): 0 for width, height in index.sizes}, data, options, "several")
    images = ShardImages(paths, index, *size, options.fit)
    stem = index_of(paths[0]).name.removesuffix(INDEX).strip(".")
    return images.source(
        options,
        Sidecar(labels=index.labels, classes=index.classes),
        name=stem if stem not in ("", PLAIN) else paths[0].parent.resolve().name,
        description=lambda: describe(paths, index),
    )


def identity(data: str, without: str) -> Iterator[bytes]:
    """Names and sizes of the shards, and their indices."""
    shards = find_shards(data) or []
    for path in shards:
        yield line(path.name, size_of(path))
    for index in sorted({index_of(path) for path in shards}):
        if index.is_file():
            yield from blocks(index)


def describe(paths: list[Path], index: Index) -> list[tuple[str, str]]:
    """Lines about the shards for people. Raises ``UserError`` where one is not that which the index tells of."""
    counts = [shard.images for shard in index.shards]
    total = sum(shard.size for shard in index.shards)
    many = f"{max(counts)} images" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)} images"
    lines = [("shards", f"{len(paths)}, {many} each, {total / 1e6:.1f} MB in all")]
    hashed = [(path, shard.sha256) for path, shard in zip(paths, index.shards, strict=True) if shard.sha256]
    for path, expected in hashed:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                raise UserError(f"{path} is not the one that {index_of(path).name} tells of")
    if hashed:
        lines.append(("hashes", f"all {len(hashed)} are those in {printable(index_of(paths[0]).name)}"))
    return lines


def find_shards(data: str) -> list[Path] | None:
    """The files of a pattern with ranges, of a folder of shards, of an index, or one archive; None for anything else.
    Raises ``UserError`` where it can mean nothing else, and they are not there."""
    path = Path(data)
    if data.lower().endswith(COMPRESSED):
        raise UserError(f"{data} is compressed, expected a .tar: unpack it once, with gunzip or zstd -d")
    if path.suffix.lower() == ".tar" and RANGE.search(data) and not os.path.lexists(path):
        return expand(data)
    if path.suffix.lower() == ".tar" and not path.is_dir():
        return [path]
    if path.name.lower().endswith(INDEX) and path.is_file():
        found = read_json(path, MOST_INDEX_BYTES).get("format") == "shards"
        return [path.with_name(shard.name) for shard in read_index(path).shards] if found else None
    if path.is_dir():
        below = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
        shards = sorted(entry for entry in below if entry.suffix.lower() == ".tar" and entry.is_file())
        if shards and all(entry.suffix.lower() in BESIDE and entry.is_file() for entry in below):
            return shards
    return None


def expand(pattern: str) -> list[Path]:
    """The names that a pattern with ranges as {000..127} stands for, in order. Raises ``UserError``."""
    numbers = []
    count = 1
    for first, last in RANGE.findall(pattern):
        count *= max(0, int(last) - int(first) + 1)
        if not 0 < count <= MOST_SHARDS:
            raise UserError(f"{pattern} names {count} shards, expected 1 to {MOST_SHARDS}")
        width = len(first) if first.startswith("0") else 0
        numbers.append([f"{number:0{width}}" for number in range(int(first), int(last) + 1)])
    form = "{}".join(part.replace("{", "{{").replace("}", "}}") for part in RANGE.split(pattern)[::3])
    return [Path(form.format(*chosen)) for chosen in product(*numbers)]


def index_of(path: Path) -> Path:
    """Where the index of a shard is: beside it, named by what comes before its number."""
    stem = re.sub(r"[-_.]?\d+$", "", path.stem)
    return path.with_name(f"{stem}.{INDEX}" if stem else INDEX)


def open_index(paths: list[Path], data: str) -> Index:
    """Where the images of some shards lie. Raises ``UserError``."""
    places = {index_of(path) for path in paths}
    known = [place for place in places if place.is_file()]
    if not known:
        return scan_shards(paths, data)
    if len(places) > 1:
        few = ", ".join(sorted(place.name for place in places)[:3])
        raise UserError(f"{data} holds several sets of shards ({few} ...), expected one: name its shards")
    index = read_index(known[0])
    sizes = {shard.name: shard.size for shard in index.shards}
    for path in paths:
        if path.name not in sizes:
            raise UserError(f"{path} is none of the shards that {known[0]} tells of")
        with reading(path):
            found = path.stat().st_size
        if found != sizes[path.name]:
            raise UserError(f"{path} holds {found} bytes, expected {sizes[path.name]} as {known[0].name} says")
    return index.take([path.name for path in paths])
