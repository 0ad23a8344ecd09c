"""The card of an ONNX file without the rest of it: a few reads, however large the file is.

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

import os
from pathlib import Path
from typing import BinaryIO, Final

from export.card import Card, CardError
from viewer.graph.screening import BYTES, VARINT, Reader, WireError

_PROPERTIES: Final = 14  # of ModelProto
_NAME, _VALUE = 1, 2  # of StringStringEntryProto
_MOST_FIELDS: Final = 10_000  # of the outermost message; a model has some dozens
_MOST_BYTES: Final = 1 << 26  # of all its properties
_LONGEST: Final = 20  # bytes of a field's number and its length


def read_card(path: Path) -> Card | None:
    """What a model file says of itself; ``None`` where it says nothing, or is no whole ONNX file, which opening it
    tells. Raises ``OSError``."""
    properties: dict[str, str] = {}
    with path.open("rb") as file:
        try:
            for data in _property_messages(file):
                parts = {number: data[start:end] for number, _, _, start, end in Reader(data, 9).fields(0, len(data))}
                properties[parts[_NAME].decode()] = parts.get(_VALUE, b"").decode()
            return Card.from_props(properties)
        except (WireError, CardError, KeyError, UnicodeDecodeError):
            return None


def _property_messages(file: BinaryIO) -> list[bytes]:
    """The entries of ``metadata_props``. Raises ``WireError``."""
    size, position, left, found = os.fstat(file.fileno()).st_size, 0, _MOST_BYTES, []
    for _ in range(_MOST_FIELDS):
        if position >= size:
            break
        file.seek(position)
        number, kind, length, used = _begin(file.read(_LONGEST))
        position += used
        if length > size - position:
            raise WireError("it ends early")
        if number == _PROPERTIES and kind == BYTES:
            left -= length
            if left < 0:
                raise WireError("too many properties")
            file.seek(position)
            found.append(file.read(length))
        position += length
    return found


def _begin(head: bytes) -> tuple[int, int, int, int]:
    """Number and kind of the field that begins here, the length of its contents, and of what comes before them."""
    key, start = _varint(head, 0)
    kind = key & 7
    if kind == VARINT:
        _, end = _varint(head, start)
        return key >> 3, kind, 0, end
    if kind != BYTES:
        raise WireError("no field of a model")
    length, end = _varint(head, start)
    return key >> 3, kind, length, end


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data):
        byte = data[position]
        value, shift, position = value | (byte & 0x7F) << shift, shift + 7, position + 1
        if byte < 0x80:
            return value, position
    raise WireError("no number")
