"""Where every image of a set of shards lies, which are tar archives: the index beside them.

    {"format": "shards", "version": 1, "images": 20, "size": [64, 64], "channels": 3, "classes": ["cat", "dog"],
     "counts": {"cat": 12, "dog": 8}, "made": {...}, "versions": {...},
     "shards": [{"name": "x-000.tar", "bytes": 51200, "sha256": "...", "images": 10, "counts": {...},
                 "places": "..."}, ...]}

"places" are, as zlib and base64, 64-bit numbers: the bytes between each image and the one before it, the bytes of
each image and, with classes, the label of each. The index is written last; while it says "unfinished", the shards are
not whole. No torch."""

import base64
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.text import printable
from trainer.data.sources._sidecar import read_json, versions

MOST_INDEX_BYTES = 1 << 31


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One archive."""

    name: str  # of its file, without the folder
    size: int  # bytes
    images: int
    sha256: str = ""  # of all its bytes, where it is known


@dataclass(frozen=True, kw_only=True, eq=False)
class Index:
    """What is known of n images in some shards, which follow each other."""

    shards: tuple[Shard, ...]
    places: np.ndarray  # i64 [2 or 3, n]: an image's first byte in its shard, its bytes and, with classes, its label
    classes: tuple[str, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()  # width and height in pixels: one where all are alike; else some of them
    channels: int = 3
    made: Mapping[str, Any] = field(default_factory=dict)  # by which tool, with which options

    def __len__(self) -> int:
        return self.places.shape[1]

    @property
    def labels(self) -> np.ndarray | None:
        """i64 [n], into the classes."""
        return self.places[2] if self.classes else None

    @property
    def firsts(self) -> np.ndarray:
        """The number of each shard's first image, and last that of all images, i64 [shards + 1]."""
        return np.cumsum([0, *(shard.images for shard in self.shards)])

    def counts(self, first: int = 0, last: int | None = None) -> dict[str, int]:
        """How many of these images are of each class."""
        if self.labels is None:
            return {}
        numbers = np.bincount(self.labels[first:last], minlength=len(self.classes))
        return dict(zip(self.classes, numbers.tolist(), strict=True))

    def take(self, names: Sequence[str]) -> "Index":
        """The index of some of the shards, in this order."""
        numbers = {shard.name: number for number, shard in enumerate(self.shards)}
        chosen = [numbers[name] for name in names]
        firsts = self.firsts
        rows = np.concatenate([np.arange(firsts[k], firsts[k + 1]) for k in chosen])
        return replace(self, shards=tuple(self.shards[k] for k in chosen), places=self.places[:, rows])

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        firsts = self.firsts.tolist()
        shards = [
            {"name": shard.name, "bytes": shard.size, "sha256": shard.sha256, "images": shard.images,
             **({"counts": self.counts(first, last)} if self.classes else {}),
             "places": _pack(self.places[:, first:last])}
            for shard, (first, last) in zip(self.shards, pairwise(firsts), strict=True)
        ]  # fmt: skip
        return {
            "format": "shards",
            "version": 1,
            "images": len(self),
            "size": list(self.sizes[0]) if len(self.sizes) == 1 else None,
            **({} if len(self.sizes) < 2 else {"sizes": [list(size) for size in self.sizes]}),
            "channels": self.channels,
            **({"classes": list(self.classes), "counts": self.counts()} if self.classes else {}),
            "made": dict(self.made),
            "versions": versions(),
            "shards": shards,
        }


def _pack(places: np.ndarray) -> str:
    offsets, lengths = places[:2]
    gaps = np.diff(offsets + lengths, prepend=0) - lengths
    return base64.b64encode(zlib.compress(np.stack([gaps, *places[1:]]).astype("<i8").tobytes(), 6)).decode()


def _unpack(text: Any, count: int, labelled: bool) -> np.ndarray:
    """Gaps, lengths and, where there are any, labels, i64 [2 or 3, count]. Raises ``ValueError``."""
    bytes_needed = count * 8 * (3 if labelled else 2)
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(base64.b64decode(text, validate=True), bytes_needed + 1)
    except (zlib.error, TypeError) as error:
        raise ValueError(str(error)) from None
    if len(data) != bytes_needed:
        raise ValueError(f"places of {len(data)} bytes, expected {bytes_needed}")
    return np.frombuffer(data, "<i8").reshape(-1, count)


def read_index(path: Path) -> Index:
    """An index. Raises ``UserError`` where it is none, is not whole, or contradicts itself."""
    values = read_json(path, MOST_INDEX_BYTES)
    if values.get("format") != "shards":
        raise UserError(f"{path} is no index of shards")
    if "unfinished" in values:
        raise UserError(f"{path} says that its shards were never finished: write them anew")
    if values.get("version") != 1:
        raise UserError(f"{path} is of version {printable(str(values.get('version')))[:20]}, expected 1")
    try:
        return _checked(values)
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError) as error:
        raise UserError(f"{path} is damaged: {printable(str(error))[:120]}") from None


def _checked(values: Mapping[str, Any]) -> Index:
    classes, labelled = values.get("classes", []), "classes" in values
    if labelled and not (isinstance(classes, list) and classes and all(isinstance(item, str) for item in classes)):
        raise ValueError("classes that are no names")
    sizes = [values["size"]] if values.get("size") else values.get("sizes", [])
    sizes = tuple((int(width), int(height)) for width, height in sizes)
    if not all(0 < side < 1 << 31 for size in sizes for side in size) or values["channels"] not in (1, 3):
        raise ValueError("sizes or channels that no image has")
    shards, places = [], []
    for item in values["shards"]:
        count = item["images"] if "images" in item else item["pictures"]  # as version 0.1 wrote it
        shard = Shard(name=item["name"], size=int(item["bytes"]), images=int(count), sha256=str(item["sha256"]))
        if not shard.name or Path(shard.name).name != shard.name or "\0" in shard.name:
            raise ValueError(f"{shard.name!r} is not the name of a file")
        if not 0 <= shard.images <= shard.size // tarfile.BLOCKSIZE:
            raise ValueError(f"{shard.images} images in {shard.size} bytes")
        rows = _unpack(item["places"], shard.images, labelled)
        ends = np.cumsum(rows[0] + rows[1])
        if rows.size and (rows[:2].min() < 0 or rows[:2].max() > shard.size or ends.max() > shard.size):
            raise ValueError(f"places beyond the {shard.size} bytes of {shard.name}")
        if labelled and rows.size and not (rows[2].min() >= 0 and rows[2].max() < len(classes)):
            raise ValueError(f"labels outside of 0..{len(classes) - 1}")
        shards.append(shard)
        places.append(np.stack([ends - rows[1], *rows[1:]]))
    names = [shard.name for shard in shards]
    if not shards or len(set(names)) != len(names):
        raise ValueError("no shards, or one twice")
    return Index(
        shards=tuple(shards),
        places=np.concatenate(places, 1),
        classes=tuple(printable(name) for name in classes),
        sizes=sizes,
        channels=int(values["channels"]),
    )
