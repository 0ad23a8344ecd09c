"""Plain tar archives: where the regular files of one lie that nobody has vouched for, and new ones. No torch.

Nothing is ever unpacked: a member's name is a text to compare, and no path. Read are POSIX.1-1988 (ustar), pax and
GNU's long names; written is ustar. Members are not compressed, so that each can be read by its place alone.
"""

import hashlib
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from trainer.contract.errors import UserError
from trainer.contract.text import printable

BLOCK = 512
MOST_NAME_BYTES = 1 << 16  # of a long name, or of a pax header
END = bytes(BLOCK)
REGULAR, FOLDER, PAX, PAX_GLOBAL, LONG_NAME, LONG_LINK, SPARSE = b"0\x007", b"5", b"x", b"g", b"L", b"K", b"S"
EXTENDED = (PAX, PAX_GLOBAL, LONG_NAME, LONG_LINK)
ODD = {b"1": "a link", b"2": "a link", b"3": "a device", b"4": "a device", b"6": "a FIFO"}  # none of them has data

Skipped = Callable[[str, str], None]
"""Takes the name of a member that is left out, and why."""


@dataclass(frozen=True)
class Member:
    """A regular file of an archive."""

    name: str
    offset: int  # of its first byte in the archive
    size: int  # bytes


def members(file: BinaryIO, what: str, skipped: Skipped) -> Iterator[Member]:
    """The regular files of an archive, in order; what else it holds is skipped.

    The file may be read elsewhere in between. Raises ``UserError`` where it is no tar, is damaged or cut short.
    """
    total = file.seek(0, os.SEEK_END)
    position = 0
    name, size, sparse = None, None, False  # what an extended header says of the next member
    while True:
        file.seek(position)
        block = file.read(BLOCK)
        if block == END:
            return
        if len(block) < BLOCK:
            raise UserError(f"{what} is cut short: it ends at byte {total} without a tar's end mark")
        length = _check(block, what, position)
        kind = block[156:157]
        start = position + BLOCK
        if kind in ODD or kind == FOLDER:
            length = 0
        elif kind == SPARSE:
            more = block[482]
            while more and start < total:
                file.seek(start)
                more, start = file.read(BLOCK).ljust(BLOCK)[504], start + BLOCK
        elif kind not in EXTENDED and size is not None:
            length = size
        position = start + -(-length // BLOCK) * BLOCK
        if start + length > total:
            raise UserError(f"{what} is cut short: {total} bytes, expected {start + length} or more")
        if kind in EXTENDED:
            if length > MOST_NAME_BYTES:
                raise UserError(f"{what} is damaged at byte {start}: a name of {length} bytes")
            file.seek(start)
            text = file.read(length)
            if kind == LONG_NAME:
                name = _text(text)
            elif kind == PAX:
                found = _records(text, what, start)
                name = found.get("path", name)
                sparse = any(key.startswith("GNU.sparse.") for key in found)
                size = _pax_size(found, what, start)
            continue
        shown, name = name if name is not None else _name(block), None
        was_sparse, size, sparse = sparse or kind == SPARSE, None, False
        if kind == FOLDER or shown.endswith("/"):
            continue
        if kind in ODD:
            skipped(shown, ODD[kind])
        elif was_sparse:
            skipped(shown, "a sparse file")
        elif kind not in REGULAR:
            skipped(shown, f"of the unknown kind {kind!r}")
        elif shown.startswith("/") or ".." in shown.split("/"):
            skipped(shown, "a name that leads out of the archive")
        else:
            yield Member(shown, start, length)


def _check(block: bytes, what: str, position: int) -> int:
    """The size in bytes that a header states. Raises ``UserError`` where it is none."""
    try:
        fits = _octal(block[148:156]) == sum(block) - sum(block[148:156]) + 8 * 0x20
        length = int.from_bytes(block[125:136], "big") if block[124] == 0x80 else _octal(block[124:136])
    except ValueError:
        fits, length = False, -1
    if not fits or length < 0:
        if position:
            raise UserError(f"{what} is damaged at byte {position}: expected the header of a member")
        packed = " (it is compressed: unpack it once, with gunzip or zstd -d)" if _is_packed(block) else ""
        raise UserError(f"{what} is not a tar archive{packed}")
    return length


def _is_packed(block: bytes) -> bool:
    return block.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"))


def _octal(field: bytes) -> int:
    digits = field.partition(b"\0")[0].strip()
    if digits and not digits.isdigit():
        raise ValueError(field)
    return int(digits or b"0", 8)


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _name(block: bytes) -> str:
    folder = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    return (folder + "/" if folder else "") + _text(block[:100])


def _records(text: bytes, what: str, start: int) -> dict[str, str]:
    """The lines ``LENGTH KEY=VALUE`` of a pax header."""
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        number, space, _ = text[position : position + 20].partition(b" ")
        length = int(number) if space and number.isdigit() else 0
        key, equals, value = text[position + len(number) + 1 : position + length].partition(b"=")
        if not equals or not value.endswith(b"\n") or position + length > len(text):
            raise UserError(f"{what} is damaged at byte {start}: no pax header")
        found[key.decode("utf-8", "replace")] = value[:-1].decode("utf-8", "surrogateescape")
        position += length
    return found


def _pax_size(found: dict[str, str], what: str, start: int) -> int | None:
    size = found.get("size")
    if size is not None and not (size.isdecimal() and size.isascii() and len(size) < 19):
        raise UserError(f"{what} is damaged at byte {start}: a size of {printable(size)[:20]}")
    return None if size is None else int(size)


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
        self._write(data + bytes(-len(data) % BLOCK))
        return start

    def finish(self) -> None:
        """Write the end mark."""
        self._write(bytes(2 * BLOCK + -(self.size + 2 * BLOCK) % tarfile.RECORDSIZE))

    def _write(self, data: bytes) -> None:
        self.file.write(data)
        self.sha256.update(data)
        self.size += len(data)
