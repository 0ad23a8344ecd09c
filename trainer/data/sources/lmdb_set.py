"""LMDB databases of encoded images, as BasicSR writes them: a folder with ``data.mdb``, beside it a ``meta_info.txt``
of names and sizes. No torch.

The file is read here and not by LMDB's library, which maps it into memory: a page that is not there, or one that lies
about itself, ends the process by a signal. Layout: mdb.c of LMDB 0.9, "Page Flags" and struct MDB_page, MDB_node,
MDB_db, MDB_meta; 64 bits, little-endian."""

import os
import struct
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.files import any_case, read_at, reading
from trainer.contract.headers import Unreadable, begins_as_image
from trainer.contract.images import MOST_BYTES
from trainer.contract.text import printable
from trainer.data.sources._identity import blocks
from trainer.data.sources._named import NamedImages, offer
from trainer.data.sources.base import ImageSource, OpenOptions

HELP = "an LMDB folder"
ORDER = 30
FILE = "data.mdb"
MAGIC, VERSION = 0xBEEFC0DE, 1
PAGE = struct.Struct(
    "<Q2xHHH"
)  # number, flags, ends of the list of nodes; of overflow pages: how many, in the last four
NODE = struct.Struct("<HHHH")  # of a leaf: bytes of the value, low and high; flags; bytes of the key
META = struct.Struct("<16xII16xI48xHHQQQQQQQ")
BRANCH, LEAF, OVERFLOW, BIG = 1, 2, 4, 1
MOST_DEPTH = 32
MOST_ENTRIES = 20_000_000
NO_PAGE = (1 << 64) - 1


class Entries:
    """The entries of a database file: key, first byte and bytes of each value. Raises ``UserError``."""

    def __init__(self, path: Path, file: FileIO) -> None:
        self.path, self.file = path, file
        self.size = os.fstat(file.fileno()).st_size
        self.page_bytes = 4096
        metas = [self._meta(number) for number in (0, 1)]
        _, self.depth, self.count, self.root, last = max(metas)
        if not 0 <= self.count <= MOST_ENTRIES or self.depth > MOST_DEPTH:
            raise UserError(f"{path} says {self.count} entries, expected at most {MOST_ENTRIES}")
        if (last + 1) * self.page_bytes > self.size:
            raise UserError(f"{path} is cut short: {self.size} bytes, expected {(last + 1) * self.page_bytes}")

    def _read(self, position: int, count: int) -> bytes:
        if position < 0 or position + count > self.size:
            raise UserError(f"{self.path} is damaged, or cut short: it points beyond its end")
        data = bytearray(count)
        with reading(self.path):
            read_at(self.file, position, memoryview(data))
        return bytes(data)

    def _meta(self, number: int) -> tuple[int, ...]:
        """Transaction, depth, entries, root and last page of one of the two heads, of which the newer counts."""
        page = self._read(number * self.page_bytes, 152)
        magic, version, page_bytes, _, depth, *_, entries, root, last, change = META.unpack_from(page)
        if magic != MAGIC or version != VERSION:
            found = f"version {version}" if magic == MAGIC else "no database of LMDB, or one of 32 bits"
            raise UserError(f"{self.path} is {found}, expected LMDB's version {VERSION} of 64 bits")
        if number == 0:
            if page_bytes not in {1 << bits for bits in range(9, 17)}:
                raise UserError(f"{self.path} is damaged: pages of {page_bytes} bytes")
            self.page_bytes = page_bytes
        return change, depth, entries, root, last

    def __iter__(self) -> Iterator[tuple[bytes, int, int]]:
        seen = set[int]()
        if self.root == NO_PAGE:
            return
        waiting = [(self.root, 0)]
        while waiting:
            number, depth = waiting.pop()
            if number in seen or depth >= MOST_DEPTH:
                raise UserError(f"{self.path} is damaged: its pages lead back to page {number}")
            seen.add(number)
            page = self._read(number * self.page_bytes, self.page_bytes)
            _, flags, lower, upper = PAGE.unpack_from(page)
            if not PAGE.size <= lower <= upper <= self.page_bytes or flags & (BRANCH | LEAF) not in (BRANCH, LEAF):
                raise UserError(f"{self.path} is damaged at page {number}")
            places = struct.unpack_from(f"<{(lower - PAGE.size) // 2}H", page, PAGE.size)
            below = []
            for place in places:
                if not upper <= place <= self.page_bytes - NODE.size:
                    raise UserError(f"{self.path} is damaged at page {number}")
                low, high, kind, key_bytes = NODE.unpack_from(page, place)
                start = place + NODE.size + key_bytes
                if flags & BRANCH:
                    below.append((low | high << 16 | kind << 32, depth + 1))
                    continue
                key, count = page[place + NODE.size : start], low | high << 16
                if kind & ~BIG or start + (8 if kind else count) > self.page_bytes:
                    raise UserError(f"{self.path} is damaged, or of a kind with several values a key, at page {number}")
                position = number * self.page_bytes + start
                if kind:
                    (first,) = struct.unpack_from("<Q", page, start)
                    position = first * self.page_bytes + PAGE.size
                    if position + count > self.size:
                        raise UserError(f"{self.path} is damaged at page {number}: a value beyond its end")
                yield key, position, count
            waiting += reversed(below)


class LmdbImages(NamedImages):
    """Images u8 [n, h, w, 3] RGB of a database, read when asked for."""

    def __init__(self, path: Path, what: str, found: list[tuple[str, int, int]], options: OpenOptions) -> None:
        super().__init__(what, [name for name, _, _ in found], options)
        self.path = path
        self.places = np.array([entry[1:] for entry in found], np.int64).T  # [2, n]: first byte, bytes
        self.file: FileIO | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "file": None}

    def stored(self, row: int) -> bytes:
        offset, count = self.places[:, row].tolist()
        if count > MOST_BYTES:
            raise Unreadable(f"{count} bytes, at most {MOST_BYTES}")
        if not count:
            raise Unreadable("an empty value")
        data = bytearray(count)
        try:
            if self.file is None:
                self.file = FileIO(self.path)
            read_at(self.file, offset, memoryview(data))
        except EOFError:
            raise Unreadable("the database has been cut short") from None
        except OSError as error:
            raise Unreadable((error.strerror or str(error)).lower()) from None
        return bytes(data)


def file_of(data: str) -> Path | None:
    """The database file that a folder holds, or that is named; None where there is none."""
    path = Path(data)
    if path.is_dir():
        path = next(path.glob(any_case(FILE)), path)
    return path if path.name.lower() == FILE and path.is_file() else None


def claims(data: str) -> bool:
    """By a file ``data.mdb``, as every LMDB has it."""
    return file_of(data) is not None


def open(data: str, options: OpenOptions) -> ImageSource:
    """The images of a database, in the order of their keys. Raises ``UserError``."""
    path = file_of(data) or Path(data)
    found: list[tuple[str, int, int]] = []
    others: list[str] = []
    with reading(path), FileIO(path) as file:
        entries = Entries(path, file)
        for key, position, count in entries:
            name = printable(key.decode("utf-8", "replace"))
            head = bytearray(min(count, 64))
            read_at(file, position, memoryview(head))
            if begins_as_image(bytes(head)):
                found.append((name, position, count))
            else:
                others.append(name[:80])
        if len(found) + len(others) != entries.count:
            raise UserError(f"{path} is damaged: {len(found) + len(others)} entries, it says {entries.count}")
    folder = path.parent
    if not found:
        raise UserError(f"{folder} holds no encoded image: {len(others)} values of other kinds")
    images = LmdbImages(path, str(folder), found, options)
    name = folder.resolve().name.removesuffix(".lmdb")
    return offer(
        images, options, name=name, found=len(found) + len(others), left_out={"no image": others} if others else {}
    )


def identity(data: str, without: str) -> Iterator[bytes]:
    """The file's size and some of its blocks; the lock beside it changes with every reader."""
    path = file_of(data)
    if path is not None:
        yield from blocks(path)
