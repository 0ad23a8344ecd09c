"""Shards that were made elsewhere: read through once, by the conventions of WebDataset, to know where all images lie.

Members of an archive of the same name, up to the first dot of its last part, belong together: KEY.jpg with KEY.cls,
which holds a number or the name of a class, or with KEY.json, in any order. Nothing is ever unpacked: a member's name
is a text to compare, and no path. What was found is kept in the cache while the files stay the same. No torch."""

import contextlib
import hashlib
import json
import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.files import cache, reading, replace_bytes
from trainer.contract.headers import SUFFIXES, Unreadable, read_header, readable
from trainer.contract.images import MOST_BYTES
from trainer.contract.text import printable
from trainer.data.sources._labels import LABEL_NAMES, numbered_values
from trainer.data.sources._threads import counted, in_threads, say
from trainer.data.sources.shards.index import Index, Shard, read_index

MOST_LABEL_BYTES = 1 << 20
MOST_SIZES = 3  # that are distinguished
MOST_HEADER_BYTES = 1 << 14  # with a long name, or in pax format
COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
ODD = {b"1": "a link", b"2": "a link", b"3": "a device", b"4": "a device", b"6": "a FIFO"}  # none of them has data
SHOWN = 4  # members left out that are named, of each shard

Place = tuple[int, int, tuple[int, int], Any]
"""An image's first byte, its bytes, its height and width, and its label or None."""


class _Headers:
    """A file of which ``tarfile`` reads headers alone. Raises ``tarfile.ReadError`` for one that is absurdly long."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.seek, self.tell = file, file.seek, file.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self.file.read(size)


def members(file: BinaryIO, what: str, skipped: Callable[[str, str], None]) -> Iterator[tarfile.TarInfo]:
    """The regular files of an archive, in order. ``skipped`` takes the name of what else it holds, and what that is.
    The file may be read elsewhere in between. Raises ``UserError`` where it is no tar, is damaged or cut short."""
    total = file.seek(0, os.SEEK_END)
    file.seek(0)
    position = 0  # of the next header
    with contextlib.suppress(tarfile.TarError, ValueError, IndexError, OverflowError):  # tarfile ends silently as often
        archive = tarfile.TarFile(fileobj=_Headers(file), encoding="utf-8")  # type: ignore[arg-type]
        while (member := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]
            if archive.offset <= position or (member.size < 0 and not member.issparse()):
                break
            name, end = member.name, member.offset_data + member.size
            if member.issparse() or any(key.startswith("GNU.sparse.") for key in member.pax_headers):
                skipped(name, "a sparse file")
            elif member.type in ODD:
                skipped(name, ODD[member.type])
            elif end > total and not member.isdir():
                raise UserError(f"{what} is cut short: {total} bytes, expected {end} or more")
            elif not member.isfile() and not member.isdir():
                skipped(name, f"of the unknown kind {member.type!r}")
            elif name.startswith("/") or ".." in name.split("/"):
                skipped(name, "a name that leads out of the archive")
            elif member.isfile() and not name.endswith("/"):
                yield member
            position = archive.offset
    file.seek(position)
    block = file.read(tarfile.BLOCKSIZE)
    if block == bytes(tarfile.BLOCKSIZE):
        return
    if len(block) < tarfile.BLOCKSIZE:
        raise UserError(f"{what} is cut short: it ends at byte {total} without a tar's end mark")
    if position:
        raise UserError(f"{what} is damaged at byte {position}: expected the header of a member")
    hint = " (it is compressed: unpack it once, with gunzip or zstd -d)" if block.startswith(COMPRESSED) else ""
    raise UserError(f"{what} is not a tar archive{hint}")


def scan_shards(paths: Sequence[Path], what: str) -> Index:
    """The index of shards that were made elsewhere: all of them are read once, and what cannot be used is named.
    Raises ``UserError`` for an archive that is not sound, where no image is left, and for gaps among the labels."""
    known = _cache_of(paths)
    with contextlib.suppress(UserError):
        if known.is_file():
            return read_index(known)
    shards, places, sizes = [], [], dict[tuple[int, int], None]()
    values: list[Any] = []
    scanned = counted(in_threads(paths, _scan_one), len(paths), lambda _: 1, "indexing")
    for path, (size, images, complaints) in scanned:
        for line in complaints:
            say(f"skipped {line}")
        shards.append(Shard(name=path.name, size=size, images=len(images)))
        for offset, length, shape, value in images:
            places.append((offset, length))
            if len(sizes) < MOST_SIZES:
                sizes[shape[1], shape[0]] = None
            values.append(value)
    if not places:
        raise UserError(f"{what} holds no readable image")
    labels, classes = numbered_values(values, what, None)
    rows = np.array(places, np.int64).T
    rows = rows if labels is None else np.vstack([rows, labels])
    index = Index(shards=tuple(shards), places=rows, classes=classes, sizes=tuple(sizes))
    if len({path.name for path in paths}) == len(paths):
        with contextlib.suppress(OSError):  # a cache that cannot be written to costs time, nothing else
            known.parent.mkdir(parents=True, exist_ok=True)
            replace_bytes(known, json.dumps(index.to_json()).encode())
    return index


def _cache_of(paths: Sequence[Path]) -> Path:
    """Where the index of these very files is kept."""
    digest = hashlib.sha256(repr(readable()).encode())  # with another decoder, other images are left out
    for path in paths:
        with contextlib.suppress(OSError):
            found = path.stat()
            digest.update(f"{os.path.realpath(path)}\0{found.st_size}\0{found.st_mtime_ns}\0".encode(errors="replace"))
    return cache() / "shards" / f"{digest.hexdigest()}.json"


def _scan_one(path: Path) -> tuple[int, list[Place], list[str]]:
    """The size of a shard, its images, and what is left out of it. Raises ``UserError``."""
    what = printable(path)
    complaints: list[str] = []

    def skipped(name: str, reason: str) -> None:
        if len(complaints) < SHOWN:
            complaints.append(f"{what}, {printable(name)[:80]}: {reason}")
        elif len(complaints) == SHOWN:
            complaints.append(f"{what}: more of its members ...")

    places: dict[str, tuple[int, int, tuple[int, int]] | None] = {}
    labels: dict[str, Any] = {}
    with reading(path):
        if not path.is_file():
            raise UserError(f"{what} is not a regular file" if os.path.lexists(path) else f"there is no file {what}")
        with path.open("rb") as file:
            for member in members(file, what, skipped):
                folder, slash, name = member.name.rpartition("/")
                stem, _, kind = name.partition(".")
                key, kind = folder + slash + stem, kind.lower()
                if not stem:  # hidden, as the notes that some systems put beside each file
                    continue
                try:
                    if f".{kind}" in SUFFIXES:
                        if key in places:
                            places[key] = None
                            raise Unreadable("a second image of this name: neither is used")
                        data = _read(file, member.offset_data, member.size, MOST_BYTES)
                        places[key] = (member.offset_data, member.size, read_header(data).shape)
                    elif kind == "cls" or (kind == "json" and key not in labels):
                        label = _label(_read(file, member.offset_data, member.size, MOST_LABEL_BYTES), kind)
                        if label is not None:
                            labels[key] = label
                except Unreadable as error:
                    skipped(member.name, str(error))
            size = file.seek(0, os.SEEK_END)
    images = [(*place, labels.get(key)) for key, place in places.items() if place is not None]
    return size, images, complaints


def _read(file: BinaryIO, offset: int, size: int, most: int) -> bytes:
    if size > most:
        raise Unreadable(f"{size} bytes, at most {most}")
    if not size:
        raise Unreadable("an empty file")
    file.seek(offset)
    return file.read(size)


def _label(data: bytes, kind: str) -> int | str | None:
    """What a KEY.cls says, a number or a name; or one of the usual columns of a KEY.json."""
    text = data.decode("utf-8", "replace").strip()
    if kind == "cls":
        if not text or len(text) > 200:
            raise Unreadable("no number of a class, and no name of one")
        return int(text) if text.removeprefix("-").isdecimal() and len(text) < 12 else printable(text)
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("no JSON") from None
    if isinstance(values, dict):
        for name in LABEL_NAMES:
            value = values.get(name)
            if type(value) is int or (isinstance(value, str) and value):
                return value if isinstance(value, int) else printable(value)[:200]
    return None
