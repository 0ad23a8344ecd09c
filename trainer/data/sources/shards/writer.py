"""Shards and their index, written whole or not at all. No torch.

First the index says "unfinished", and which shards are to come; each shard takes its name when it is whole, and the
finished index comes last. An interrupted writer removes what it has written. A killed one leaves the word "unfinished",
by which readers refuse the shards, and the next writer of the same set removes them.
"""

import contextlib
import glob
import hashlib
import json
import os
import platform
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.text import printable
from trainer.data.sources.npy import make_folder, output
from trainer.data.sources.shards import index_of
from trainer.data.sources.shards.index import MOST_INDEX_BYTES, Index, Shard
from trainer.data.sources.shards.scan import MOST_SIZES
from trainer.data.sources.sidecar import read_json


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An image to be stored."""

    data: bytes
    ending: str
    size: tuple[int, int]  # width and height in pixels
    label: int | None
    description: bytes = b""  # for KEY.json
    channels: int = 3


class TarWriter:
    """Appends members to a file, and knows the SHA-256 of all that was written. The same members, the same bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.size = file, 0
        self.sha256 = hashlib.sha256()

    def add(self, name: str, data: bytes) -> int:
        """Append a member; returns where its first byte lies."""
        header = tarfile.TarInfo(name)
        header.size, header.mode = len(data), 0o644
        self._write(header.tobuf(tarfile.USTAR_FORMAT))
        start = self.size
        self._write(data + bytes(-len(data) % tarfile.BLOCKSIZE))
        return start

    def finish(self) -> None:
        """Write the end mark."""
        self._write(bytes(2 * tarfile.BLOCKSIZE + -(self.size + 2 * tarfile.BLOCKSIZE) % tarfile.RECORDSIZE))

    def _write(self, data: bytes) -> None:
        self.file.write(data)
        self.sha256.update(data)
        self.size += len(data)


class ShardWriter:
    """Takes the images one by one, in the order of the shards."""

    def __init__(self, paths: Sequence[Path], classes: tuple[str, ...], made: Mapping[str, Any]) -> None:
        self.paths, self.place = list(paths), index_of(paths[0])
        self.classes, self.made = classes, made
        self.images = self.skipped = 0
        self.shards: list[Shard] = []
        self.rows: list[tuple[int, int, int]] = []  # offset, length, label
        self.sizes: dict[tuple[int, int], None] = {}
        self.channels = 1
        self._open = contextlib.ExitStack()
        self._writer: TarWriter | None = None
        self._first = 0  # image of the shard that is open

    def add(self, entry: Entry, shard: int) -> None:
        """Append an image to a shard, the same as before or a later one. Raises ``UserError``."""
        while self._writer is None or shard > len(self.shards):
            self._next()
        key = f"{self.images:09}"
        offset = self._writer.add(f"{key}.{entry.ending}", entry.data)
        if self.classes:
            self._writer.add(f"{key}.cls", str(entry.label).encode())
        if entry.description:
            self._writer.add(f"{key}.json", entry.description)
        self.rows.append((offset, len(entry.data), -1 if entry.label is None else entry.label))
        if len(self.sizes) < MOST_SIZES:
            self.sizes[entry.size] = None
        self.channels = max(self.channels, entry.channels)
        self.images += 1

    def finish(self) -> None:
        """Finish the last shard that has images, and write those that are left without any."""
        while len(self.shards) < len(self.paths):
            self._next()

    @property
    def index(self) -> Index:
        """That of the shards that are finished."""
        rows = np.array(self.rows, np.int64).reshape(-1, 3)
        return Index(
            shards=tuple(self.shards),
            offsets=rows[:, 0],
            lengths=rows[:, 1],
            labels=rows[:, 2] if self.classes else None,
            classes=self.classes,
            sizes=tuple(self.sizes),
            channels=self.channels,
            made=self.made,
        )

    def _next(self) -> None:
        """Finish the open shard, if any, and open the one after it."""
        if self._writer is not None:
            self._writer.finish()
            self._open.close()
            path, writer = self.paths[len(self.shards)], self._writer
            images, sha256 = self.images - self._first, writer.sha256.hexdigest()
            self.shards.append(Shard(name=path.name, size=writer.size, images=images, sha256=sha256))
            self._first, self._writer = self.images, None
        if len(self.shards) < len(self.paths):
            self._writer = TarWriter(self._open.enter_context(output(self.paths[len(self.shards)], False)))

    def abandon(self, error: BaseException) -> None:
        """Let go of the open shard, which leaves nothing of it."""
        with contextlib.suppress(BaseException):
            self._open.__exit__(type(error), error, error.__traceback__)


@contextlib.contextmanager
def writing_shards(paths: Sequence[Path], classes: tuple[str, ...], made: Mapping[str, Any]) -> Iterator[ShardWriter]:
    """Write shards to ``paths``, and their index beside them.
    Raises ``UserError``, also where a file exists that no interrupted writer has left."""
    place, folder = index_of(paths[0]), paths[0].parent
    is_new = not folder.exists()
    remove_unfinished(place)
    for path in (place, *paths):
        if os.path.lexists(path):
            raise UserError(f"{printable(path)} exists, and is never replaced: choose another output, or remove it")
    make_folder(folder)
    writer = ShardWriter(paths, classes, made)
    try:
        marker = {"names": [path.name for path in paths], "process": os.getpid(), "host": platform.node()}
        with output(place, False) as file:
            file.write(json.dumps({"format": "shards", "unfinished": marker}).encode())
        yield writer
        writer.finish()
        text = json.dumps(writer.index.to_json(), ensure_ascii=False) + "\n"
        with output(place, True) as file:
            file.write(text.encode("utf-8", "backslashreplace"))
    except BaseException as error:
        writer.abandon(error)
        with contextlib.suppress(UserError):
            remove_unfinished(place, own=True)
        if is_new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def remove_unfinished(place: Path, own: bool = False) -> None:
    """Remove shards whose index says that they are unfinished, by its own list; of this process alone where they are
    its ``own``. Raises ``UserError`` where their writer may still be at work."""
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
            f"{printable(place)} is being written by process {process} on {printable(str(host))[:80]}: wait for it, or "
            "remove it where that is no more"
        )
    for name in marker.get("names", ()):
        shard = place.with_name(str(name))
        if shard.suffix == ".tar" and shard.parent == place.parent and index_of(shard) == place:
            for left in (shard, *shard.parent.glob(f".{glob.escape(shard.name)}.{process}.*part")):
                left.unlink(missing_ok=True)
    place.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (OSError, OverflowError) as error:
        return isinstance(error, PermissionError)
    return process != os.getpid()
