"""Weights that an ONNX file keeps in other files: brought into the bytes of the model, so that onnxruntime, and all
that looks at a model before it, sees one file and opens no other.

Other files are read only where a person said so, and only from the model's own folder, by a plain name, as regular
files without links. Of each tensor the place, the length and the type are checked before a byte of it is read. The
result is no longer than a model may be.

External data: https://github.com/onnx/onnx/blob/main/docs/ExternalData.md
Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

import contextlib
import io
import math
import os
import re
import shlex
import stat
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from trainer.contract.files import read_at
from viewer.graph.screening import (
    BYTES,
    DEEPEST,
    MOST_AXES,
    MOST_FIELDS,
    VARINT,
    ElsewhereError,
    Reader,
    ScreeningError,
    WireError,
    damaged,
    shown,
)

LARGEST_MODEL: Final = 2**31  # bytes; ONNX itself ends here
_BLOCK: Final = 1 << 22  # bytes that are read at once
_MOST_PLACES: Final = 4096  # files: older exports of torch write one for each weight
_LONGEST_NAME: Final = 255  # bytes, as file systems have it
_DIMS, _TYPE, _NAME, _RAW, _ELSEWHERE, _LOCATION = 1, 2, 8, 9, 13, 14  # of TensorProto
_VALUES: Final = (4, 5, 6, 7, 9, 10, 11)
_BITS: Final[Mapping[int, int]] = {  # of a number, by TensorProto.DataType; texts have no length
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16,
    17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2,
}  # fmt: skip
_TENSOR: Final = "tensor"
_PARTS: Final[Mapping[str, Mapping[int, str]]] = {  # where tensors can be: messages within messages, by field
    "model": {7: "graph", 25: "function", 20: "training"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: _TENSOR, 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: _TENSOR, 6: "graph", 10: _TENSOR, 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: _TENSOR, 2: _TENSOR},
}


class _Stretch(NamedTuple):
    """Bytes of the result that are in another file."""

    place: str
    offset: int
    length: int
    tensor: str


_Piece = tuple[int, int] | bytes | _Stretch  # of the model as it is, new, or of another file


def with_weights(path: Path, data: bytes, sealed: bool = False) -> bytes:
    """The bytes of a model with all weights in them; ``data`` itself where they are. ``path``: of the model.
    ``sealed``: whether ``data`` carry a seal, which vouches for them alone.

    Raises ``ScreeningError`` for what is missing, not to be opened, or does not fit.
    """
    rebuilding = _Rebuilding(data, MOST_FIELDS)
    try:
        pieces = rebuilding.message((0, len(data)), "model", 0)
    except WireError as error:
        raise damaged(data, error) from None
    if pieces is None:
        return data
    if sealed:
        raise ScreeningError("carries a seal, which does not cover its weights in another file; expected all in one")
    if _length(pieces) >= LARGEST_MODEL:
        raise ScreeningError(
            f"{_length(pieces)} bytes with the weights of other files, expected fewer than {LARGEST_MODEL}: "
            "export it in fp16, or in parts"
        )
    _check_overlaps([piece for piece in pieces if isinstance(piece, _Stretch)])
    return _joined(path.parent, data, pieces)


def ways_out(path: Path, error: ElsewhereError) -> str:
    """What to do about weights in another file, to be added to the error's words."""
    if not is_plain(error.place):
        return ": others are never opened; save it with its data beside it (onnx.save_model)"
    name = shlex.quote(str(path))
    return f": python -m export {name} -o one.onnx makes one file of both, --external-data opens them as they are"


def _length(pieces: list[_Piece]) -> int:
    return sum(_length_of(piece) for piece in pieces)


def _length_of(piece: _Piece) -> int:
    if isinstance(piece, bytes):
        return len(piece)
    return piece.length if isinstance(piece, _Stretch) else piece[1] - piece[0]


class _Rebuilding(Reader):
    """Walks a model; tensors elsewhere become stretches of other files, and messages around them get new lengths."""

    def message(self, span: tuple[int, int], what: str, depth: int) -> list[_Piece] | None:
        """A message anew, in pieces; ``None`` where all is in it. Raises ``ScreeningError`` and ``WireError``."""
        if depth > 3 * DEEPEST:  # a graph within a graph is three messages deeper
            raise ScreeningError(f"branches nested more than {DEEPEST} deep, expected fewer; export it again")
        parts = _PARTS[what]
        pieces: list[_Piece] = []
        kept = before = span[0]
        for number, kind, _, start, end in self.fields(*span):
            part = parts.get(number) if kind == BYTES else None
            if part is not None:
                inner = self._tensor((start, end)) if part == _TENSOR else self.message((start, end), part, depth + 1)
                if inner is not None:
                    head = _varint(number << 3 | BYTES) + _varint(_length(inner))
                    pieces += [(kept, before), head, *inner]
                    kept = end
            before = end
        return [*pieces, (kept, span[1])] if pieces else None

    def _tensor(self, span: tuple[int, int]) -> list[_Piece] | None:
        dims: list[int] = []
        keys: dict[str, str] = {}
        name, code, elsewhere, has_values = "", 0, False, False
        pieces: list[_Piece] = []
        before = span[0]
        for number, kind, value, start, end in self.fields(*span):
            keep = True
            if number == _DIMS:
                dims += [value] if kind == VARINT else self.varints(start, end)
            elif number == _TYPE and kind == VARINT:
                code = value
            elif number == _NAME and kind == BYTES:
                name = self.data[start : min(end, start + 200)].decode("utf-8", "replace")
            elif number == _LOCATION:
                elsewhere, keep = elsewhere or value != 0, False
            elif number == _ELSEWHERE and kind == BYTES:
                elsewhere, keep = True, False
                keys |= self._entry((start, end))
            elif number in _VALUES:
                has_values = True
            if keep:
                pieces.append((before, end))
            before = end
        if not elsewhere:
            return None
        if has_values:
            raise ScreeningError(f"weights {shown(name)} are here and in another file, expected one of them")
        stretch = _stretch(name, code, dims, keys)
        return [*pieces, _varint(_RAW << 3 | BYTES) + _varint(stretch.length), stretch]

    def _entry(self, span: tuple[int, int]) -> dict[str, str]:
        texts = {
            number: self.data[start : min(end, start + 1000)].decode("utf-8", "replace")
            for number, kind, _, start, end in self.fields(*span)
            if kind == BYTES
        }
        return {texts.get(1, ""): texts.get(2, "")}


def _stretch(name: str, code: int, dims: list[int], keys: Mapping[str, str]) -> _Stretch:
    """Where a tensor's bytes are. Raises ``ScreeningError``."""
    place = keys.get("location", "")
    what = f"weights {shown(name)}"
    if not is_plain(place):
        raise ScreeningError(
            f"{what} are in another file {shown(place)}, expected the plain name of one in the model's own folder: "
            "others are never opened; save the model anew, with its data beside it (onnx.save_model)"
        )
    if code not in _BITS:
        raise ScreeningError(f"{what} are of type {code}, expected numbers: others cannot be in another file")
    count = math.prod(dims[:MOST_AXES])
    length = -(-count * _BITS[code] // 8)
    if len(dims) > MOST_AXES or length >= LARGEST_MODEL:
        raise ScreeningError(f"{what} are too large for any model, expected fewer than {LARGEST_MODEL} bytes")
    offset = _whole(keys.get("offset", "0"), f"{what} begin at byte")
    said = _whole(keys.get("length", str(length)), f"{what} have a length of")
    if said != length:
        raise ScreeningError(
            f"{what} have a length of {said} bytes in {shown(place)}, expected {length} for their shape"
        )
    return _Stretch(place, offset, length, name)


def is_plain(place: str) -> bool:
    """Whether a place is a file's name alone, on every system."""
    return (
        0 < len(place.encode()) <= _LONGEST_NAME
        and place not in (".", "..")
        and place.isprintable()
        and re.search(r"[/\\:*]", place) is None
    )


def _whole(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise ScreeningError(f"{what} {shown(text)}, expected a whole number from 0 on")
    return int(text)


def _check_overlaps(stretches: list[_Stretch]) -> None:
    """Two tensors may be the same bytes, as tied weights are; raises ``ScreeningError`` where they share some."""
    different = {one[:3]: one for one in stretches if one.length}
    for last, one in pairwise(sorted(different.values())):
        if one.place == last.place and one.offset < last.offset + last.length:
            both = f"weights {shown(last.tensor)} and {shown(one.tensor)}"
            raise ScreeningError(f"{both} overlap in {shown(one.place)}, expected each in a place of its own")


def _joined(folder: Path, data: bytes, pieces: list[_Piece]) -> bytes:
    """The bytes that the pieces stand for: nothing is in memory twice. Raises ``ScreeningError``."""
    result, block = io.BytesIO(), memoryview(bytearray(_BLOCK))
    places = {piece.place for piece in pieces if isinstance(piece, _Stretch)}
    if len(places) > _MOST_PLACES:
        raise ScreeningError(f"weights in {len(places)} files, expected at most {_MOST_PLACES}")
    with contextlib.ExitStack() as stack, memoryview(data) as view:
        place, file, size = "", None, 0
        for piece in pieces:
            if isinstance(piece, bytes):
                result.write(piece)
            elif not isinstance(piece, _Stretch):
                result.write(view[slice(*piece)])
            else:
                if file is None or piece.place != place:
                    stack.close()
                    file, size = stack.enter_context(_opened(folder / piece.place))
                    place = piece.place
                if piece.offset + piece.length > size:
                    raise ScreeningError(
                        f"weights {shown(piece.tensor)} are bytes {piece.offset} to {piece.offset + piece.length} of "
                        f"{shown(place)}, found {size} bytes there: it is cut short, copy or download it again"
                    )
                for begin in range(0, piece.length, _BLOCK):
                    part = block[: min(_BLOCK, piece.length - begin)]
                    try:
                        read_at(file, piece.offset + begin, part)
                    except (OSError, EOFError):
                        raise ScreeningError(f"{shown(place)} changed while it was read, expected it to rest") from None
                    result.write(part)
    return result.getvalue()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """A regular file that is no link, and its size: what is looked at is what is read, whatever takes its name in
    between. Raises ``ScreeningError``."""
    name = shown(path.name)
    quiet = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        before = path.lstat()
        if stat.S_ISLNK(before.st_mode):
            raise ScreeningError(f"its weights in {name} are a link, expected the file itself: copy both to one folder")
        if not stat.S_ISREG(before.st_mode):
            raise ScreeningError(f"its weights in {name} are no regular file, expected one beside the model")
        with open(os.open(path, os.O_RDONLY | quiet), "rb", buffering=0) as file:  # noqa: PTH123  with flags
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or (found.st_dev, found.st_ino) != (before.st_dev, before.st_ino):
                raise ScreeningError(f"{name} changed while it was opened, expected it to rest")
            if found.st_nlink > 1:
                raise ScreeningError(
                    f"its weights in {name} have other names, too (hard links), expected a file of its own: copy it"
                )
            yield file, found.st_size
    except FileNotFoundError:
        raise ScreeningError(f"its weights are in {name}, found none beside it: copy it to this folder") from None
    except OSError as error:
        raise ScreeningError(f"its weights in {name} cannot be read: {error.strerror}") from None


def _varint(value: int) -> bytes:
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])
