"""Zip archives of images: StyleGAN's sets with their ``dataset.json``, and folders that somebody packed. No torch.

Nothing is ever unpacked: a member's name is a text, and no path. Any image is read by its place."""

import struct
import zipfile
import zlib
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.files import read_at, reading
from trainer.contract.headers import SUFFIXES, Unreadable
from trainer.contract.images import MOST_BYTES
from trainer.contract.text import printable
from trainer.data.sources._archives import ZIP_MAGIC, begins_as_zip
from trainer.data.sources._beside import MOST_BYTES as MOST_TABLE_BYTES
from trainer.data.sources._beside import TABLES
from trainer.data.sources._named import NamedImages, is_odd, offer, training_names
from trainer.data.sources.base import ImageSource, OpenOptions

HELP = "a zip archive of images"
ORDER = 40
MOST_NAMES_BYTES = 1 << 27  # of the list at its end: a few million members
LOCAL = struct.Struct("<4s22xHH")  # APPNOTE.TXT, 4.3.7: what stands before a member
ENCRYPTED = 1


class ZipImages(NamedImages):
    """Images u8 [n, h, w, 3] RGB of an archive, read when asked for."""

    def __init__(self, path: Path, members: Sequence[zipfile.ZipInfo], options: OpenOptions) -> None:
        super().__init__(str(path), [printable(member.filename) for member in members], options)
        self.path = path
        # where each begins, its bytes as stored and unpacked, how it is packed, and its checksum, i64 [5, n]
        self.places = np.array(
            [[one.header_offset, one.compress_size, one.file_size, one.compress_type, one.CRC] for one in members],
            np.int64,
        ).T
        self.file: FileIO | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "file": None}

    def stored(self, row: int) -> bytes:
        offset, packed, size, method, checksum = self.places[:, row].tolist()
        if max(packed, size) > MOST_BYTES:
            raise Unreadable(f"{max(packed, size)} bytes, at most {MOST_BYTES}")
        if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Unreadable("packed by a method that is not read here: pack it anew, or without compression")
        header, data = bytearray(LOCAL.size), bytearray(packed)
        try:
            if self.file is None:
                self.file = FileIO(self.path)
            read_at(self.file, offset, memoryview(header))
            magic, name, extra = LOCAL.unpack(header)
            if magic != ZIP_MAGIC[0]:
                raise Unreadable("damaged")
            read_at(self.file, offset + LOCAL.size + name + extra, memoryview(data))
        except EOFError:
            raise Unreadable("the archive has been cut short") from None
        except OSError as error:
            raise Unreadable((error.strerror or str(error)).lower()) from None
        found = bytes(data)
        if method == zipfile.ZIP_DEFLATED:
            try:
                found = zlib.decompressobj(-zlib.MAX_WBITS).decompress(found, size + 1)
            except zlib.error:
                raise Unreadable("damaged") from None
        if len(found) != size or zlib.crc32(found) != checksum:
            raise Unreadable("damaged")
        if not found:
            raise Unreadable("an empty file")
        return found


def claims(data: str) -> bool:
    """By the first bytes and the names of its members; a damaged one by its own name."""
    path = Path(data)
    if not begins_as_zip(path):
        return False
    try:
        return any(Path(member.filename).suffix.lower() in SUFFIXES for member in members_of(path))
    except UserError:
        return path.suffix.lower() == ".zip"


def open(data: str, options: OpenOptions) -> ImageSource:
    """The images of an archive. Raises ``UserError`` for one that is damaged, or has none."""
    path = Path(data)
    found, left_out = [], dict[str, list[str]]()
    tables: dict[str, zipfile.ZipInfo] = {}
    total = 0
    for member in members_of(path):
        name, last = member.filename, member.filename.rpartition("/")[2]
        if member.is_dir():
            continue
        total += 1
        reason = is_odd(name)
        if not reason and last in TABLES:
            tables.setdefault(last, member)
            total -= 1
            continue
        kind = member.external_attr >> 28  # of UNIX's modes, where the archive has them
        if not reason and kind not in (0, 8):
            reason = "links or devices"
        if not reason and Path(name).suffix.lower() not in SUFFIXES:
            reason = "not named as images are"
        if not reason and member.flag_bits & ENCRYPTED:
            reason = "encrypted"
        if reason:
            left_out.setdefault(reason, []).append(printable(last)[:80])
        else:
            found.append(member)
    names, others = training_names([member.filename for member in found], str(path))
    chosen = set(names)
    total -= others
    last_of = {member.filename: member for member in found}  # of a name that comes twice: as unpacking leaves it
    again = [one.filename for one in found if last_of[one.filename] is not one and one.filename in chosen]
    if again:
        left_out["of the same name as a later one"] = [printable(name)[:80] for name in again]
    found = [member for name, member in last_of.items() if name in chosen]
    if not found:
        few = ", ".join(f"{len(names)} {reason}" for reason, names in left_out.items())
        raise UserError(f"{path} holds no image{few and f': {few}'}")
    images = ZipImages(path, found, options)
    table = next((tables[name] for name in TABLES if name in tables), None)
    return offer(
        images, options, name=path.stem, found=total, left_out=left_out, path=path,
        table=None if table is None else (table.filename, read_member(path, table)),
    )  # fmt: skip


def members_of(path: Path) -> list[zipfile.ZipInfo]:
    """What an archive says of its members. Raises ``UserError``."""
    with reading(path):
        if names_bytes(path) > MOST_NAMES_BYTES:
            raise UserError(f"{path} has far too many members, expected a list of at most {MOST_NAMES_BYTES >> 20} MB")
        try:
            with zipfile.ZipFile(path) as archive:
                return archive.infolist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, UnicodeDecodeError) as error:
            raise UserError(f"{path} is no sound zip archive, or cut short: {printable(str(error))[:120]}") from None


def names_bytes(path: Path) -> int:
    """How long an archive says that the list of its members is: APPNOTE.TXT, 4.3.14 and 4.3.16."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - (1 << 16) - 100))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 16:
        return 0
    length = int(struct.unpack_from("<I", tail, end + 12)[0])
    large = tail.rfind(b"PK\x06\x06", 0, end)
    if length == 0xFFFFFFFF and large >= 0 and len(tail) >= large + 48:
        length = int(struct.unpack_from("<Q", tail, large + 40)[0])
    return length


def read_member(path: Path, member: zipfile.ZipInfo) -> bytes:
    """All of a member. Raises ``UserError``."""
    if member.file_size > MOST_TABLE_BYTES:
        raise UserError(
            f"{path}, {printable(member.filename)} holds {member.file_size} bytes, at most {MOST_TABLE_BYTES}"
        )
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            return file.read(member.file_size)
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError, EOFError):
        raise UserError(f"{path}, {printable(member.filename)} is damaged") from None
