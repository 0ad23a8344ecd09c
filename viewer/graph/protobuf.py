"""Read the wire format of protocol buffers: https://protobuf.dev/programming-guides/encoding

Nothing is copied or built: a message is a range of bytes, walked field by field within a budget, so that no file makes
the reader slow, deep or large.
"""

from collections.abc import Iterator
from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5
_LONGEST_VARINT: Final = 10  # bytes of a number of 64 bits


class WireError(ValueError):
    """Bytes that are no protocol buffer; the message says why, in a few words."""


class Reader:
    """Walks the messages within some bytes. ``budget``: fields that it reads at most, in all."""

    def __init__(self, data: bytes, budget: int) -> None:
        self.data = data
        self._left = budget

    def fields(self, start: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
        """The fields of the message in data[start:end], in order: number, kind, value, start, end.

        ``kind`` is VARINT, with the ``value``; or BYTES, FIXED32 or FIXED64, with where the content begins and ends.
        Raises ``WireError``.
        """
        data, position = self.data, start
        while position < end:
            self._spend()
            key, position = self._varint(position, end)
            number, kind = key >> 3, key & 7
            if number == 0:
                raise WireError(f"no field at byte {position}")
            if kind == VARINT:
                value, position = self._varint(position, end)
                yield number, kind, value, position, position
                continue
            if kind == BYTES:
                size, position = self._varint(position, end)
            elif kind in (FIXED32, FIXED64):
                size = 4 if kind == FIXED32 else 8
            else:
                raise WireError(f"no field at byte {position}")
            if size > end - position:
                early = f"it ends early: {size} bytes are missing from byte {position} on"
                raise WireError(early if end == len(data) else f"no field at byte {position}")
            yield number, kind, 0, position, position + size
            position += size

    def varints(self, start: int, end: int) -> Iterator[int]:
        """The numbers of a packed field, data[start:end]. Raises ``WireError``."""
        while start < end:
            self._spend()
            value, start = self._varint(start, end)
            yield value

    def _spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise WireError("more parts than any model has")

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        """A number of at most 64 bits, and where what follows it begins."""
        data, value, shift = self.data, 0, 0
        last = min(end, position + _LONGEST_VARINT)
        while position < last:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, position
            shift += 7
        raise WireError(f"no number before byte {position}")
