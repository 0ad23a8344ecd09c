"""Shards and their index, written whole or not at all. No torch.

First the index says "unfinished", and which shards are to come; each shard takes its name when it is whole, and the
finished index comes last. An interrupted writer removes what it has written. A killed one leaves the word "unfinished",
by which readers refuse the shards, and the next writer of the same set removes them."""

import contextlib
import glob
import hashlib
import os
import platform
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.files import make_folder, output
from trainer.contract.text import printable
from trainer.data.sources._sidecar import read_json, write_json
from trainer.data.sources.shards import index_of
from trainer.data.sources.shards.index import MOST_INDEX_BYTES, Index, Shard
from trainer.data.sources.shards.scan import MOST_SIZES


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An image to be stored."""

    data: bytes
    ending: str
    size: tuple[int, int]  # width and height in pixels
    label: int | None = None
    description: bytes = b""  # for KEY.json
    channels: int = 3
    before: tuple[int, int] | None = None  # height and width of the file, where it was brought to another size


class _Hashed:
    """A file, and the SHA-256 of all that is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.tell, self.sha256 = file, file.tell, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        return self.file.write(data)


def write_shards(
    paths: Sequence[Path], entries: Iterator[tuple[int, Entry]], classes: tuple[str, ...], made: Mapping[str, Any]
) -> Index:
    """Write images to ``paths``, each with the number of its shard, which never falls, and their index beside them.
    Raises ``UserError``, also where a file exists, unless an interrupted writer left it."""
    place, folder = index_of(paths[0]), paths[0].parent
    is_new = not folder.exists()
    remove_unfinished(place)
    for path in (place, *paths):
        if os.path.lexists(path):
            raise UserError(f"{path} exists, and is never replaced: choose another output, or remove it")
    make_folder(folder)
    try:
        marker = {"names": [path.name for path in paths], "process": os.getpid(), "host": platform.node()}
        write_json(place, {"format": "shards", "unfinished": marker}, force=False)
        index = replace(_write(paths, entries, classes), made=made)
        write_json(place, index.to_json(), force=True)
    except BaseException:
        with contextlib.suppress(UserError):
            remove_unfinished(place, own=True)
        if is_new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    return index


def _write(paths: Sequence[Path], entries: Iterator[tuple[int, Entry]], classes: tuple[str, ...]) -> Index:
    shards: list[Shard] = []
    rows: list[tuple[int, int, int]] = []  # offset, length, label
    sizes: dict[tuple[int, int], None] = {}
    channels = 1
    following = next(entries, None)
    for number, path in enumerate(paths):
        first = len(rows)
        with output(path, False) as file:
            hashed = _Hashed(file)
            with tarfile.TarFile(fileobj=hashed, mode="w", format=tarfile.USTAR_FORMAT) as archive:  # type: ignore[arg-type]
                while following is not None and following[0] == number:
                    entry, key = following[1], f"{len(rows):09}"
                    start = archive.offset + tarfile.BLOCKSIZE
                    rows.append((start, len(entry.data), -1 if entry.label is None else entry.label))
                    _add(archive, f"{key}.{entry.ending}", entry.data)
                    if classes:
                        _add(archive, f"{key}.cls", str(entry.label).encode())
                    if entry.description:
                        _add(archive, f"{key}.json", entry.description)
                    if len(sizes) < MOST_SIZES:
                        sizes[entry.size] = None
                    channels = max(channels, entry.channels)
                    following = next(entries, None)
            size, sha256 = file.tell(), hashed.sha256.hexdigest()
        shards.append(Shard(name=path.name, size=size, images=len(rows) - first, sha256=sha256))
    places = np.array(rows, np.int64).reshape(-1, 3).T[: 3 if classes else 2]
    return Index(shards=tuple(shards), places=places, classes=classes, sizes=tuple(sizes), channels=channels)


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    header = tarfile.TarInfo(name)
    header.size, header.mode = len(data), 0o644
    archive.addfile(header, BytesIO(data))
    archive.members.clear()  # type: ignore[attr-defined]  # it would keep them all


def remove_unfinished(place: Path, own: bool = False) -> None:
    """Remove shards whose index says that they are unfinished, by its own list. ``own``: only those that
    this process wrote. Raises ``UserError`` where their writer may still be at work."""
    if not place.is_file():
        return
    marker = read_json(place, MOST_INDEX_BYTES).get("unfinished")
    if not isinstance(marker, dict):
        return
    process, host = marker.get("process"), marker.get("host")
    if not isinstance(process, int) or (own and (process, host) != (os.getpid(), platform.node())):
        return
    if not own and (host != platform.node() or _is_running(process)):
        raise UserError(
            f"{place} is being written by process {process} on {printable(str(host))[:80]}: wait for it, or "
            "remove it where that is no more"
        )
    for name in marker.get("names", ()):
        shard = place.with_name(str(name))
        if shard.suffix.lower() == ".tar" and shard.parent == place.parent and index_of(shard) == place:
            for left in (shard, *shard.parent.glob(f".{glob.escape(shard.name)}.{process}.*part")):
                left.unlink(missing_ok=True)
    place.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (OSError, OverflowError) as error:
        return isinstance(error, PermissionError)
    return process != os.getpid()
