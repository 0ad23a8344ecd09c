"""Decode picture files that nobody has vouched for, and resize them.

OpenCV alone is not enough: it returns a full picture for a truncated JPEG, decodes a 1 MB bomb to gigabytes, drops
alpha silently, and crashes on some file names. So the bytes are read by Python and their headers checked first.
"""

import os
import re
import stat
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

MOST_PIXELS = 100_000_000
MOST_BYTES = 1 << 29
FORMATS = "JPEG, PNG, BMP, GIF, WebP"


class Unreadable(Exception):
    """Why a file cannot be used, in a few words."""


@dataclass(frozen=True)
class Header:
    """What a file says of its picture before it is decoded."""

    format: str
    width: int  # pixels, as stored
    height: int
    plain: bool = True  # 8 bits a channel and no alpha
    orientation: int = 1  # EXIF, 1..8
    rgb: bool = True  # stored in three colours, where the format tells: not grey, CMYK, a palette or with alpha

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width as shown, after the orientation."""
        return (self.width, self.height) if self.orientation > 4 else (self.height, self.width)


def read_bytes(path: Path) -> bytes:
    """The bytes of a regular file. Raises ``Unreadable`` for anything else, without opening it: a FIFO would block."""
    try:
        facts = os.stat(path)  # noqa: PTH116
        if stat.S_ISDIR(facts.st_mode):
            raise Unreadable("a folder")
        if not stat.S_ISREG(facts.st_mode):
            raise Unreadable("not a regular file")
        if facts.st_size > MOST_BYTES:
            raise Unreadable(f"{facts.st_size} bytes, at most {MOST_BYTES}")
        data = path.read_bytes()
    except OSError as error:
        raise Unreadable((error.strerror or str(error)).lower()) from None
    if not data:
        raise Unreadable("an empty file")
    return data


def read_header(data: bytes) -> Header:
    """Check the header, the size and the end of a picture. Raises ``Unreadable``."""
    for magic, reader in _READERS:
        if magic.match(data):
            try:
                header = reader(data)
            except (struct.error, IndexError):
                raise Unreadable("truncated") from None
            break
    else:
        raise Unreadable(f"not a picture ({FORMATS})")
    if header.width < 1 or header.height < 1:
        raise Unreadable("a picture of no size")
    if header.width * header.height > MOST_PIXELS:
        raise Unreadable(f"{header.width}x{header.height} pixels, at most {MOST_PIXELS // 1_000_000} million")
    return header


def _read_jpeg(data: bytes) -> Header:
    """Walk all segments: a thumbnail's end inside of one is not the picture's, and bytes may follow the end."""
    size: tuple[int, int, int] | None = None
    orientation, adobe, scans, position = 1, False, 0, 2
    while True:
        if data[position] != 0xFF:
            raise Unreadable("damaged")
        while data[position] == 0xFF:  # fill bytes
            position += 1
        marker = data[position]
        position += 1
        if marker == 0xD9:
            break
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            continue
        (length,) = struct.unpack_from(">H", data, position)
        segment = data[position + 2 : position + length]
        if length < 2 or position + length > len(data):
            raise Unreadable("truncated")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width, components = struct.unpack_from(">xHHB", segment)
            size = (width, height, components)
        elif marker == 0xE1 and segment.startswith(b"Exif\0\0"):
            orientation = _orientation(segment[6:])
        elif marker == 0xEE and segment.startswith(b"Adobe"):
            adobe = True
        position += length
        if marker == 0xDA:  # compressed data, up to the next marker that is neither stuffing nor a restart
            scans += 1
            end = _JPEG_MARKER.search(data, position)
            if end is None:
                raise Unreadable("truncated")
            position = end.start()
    if size is None or not scans:
        raise Unreadable("truncated")
    if size[2] == 4 and not adobe:
        raise Unreadable("CMYK without an Adobe marker: its polarity is not known")
    return Header("JPEG", size[0], size[1], True, orientation, rgb=size[2] == 3)


def _read_png(data: bytes) -> Header:
    """Walk all chunks and check their CRC: newer versions of OpenCV show a damaged picture as far as it goes."""
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    position, plain, orientation = 8, depth <= 8 and colour not in (4, 6), 1
    while True:
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        (crc,) = struct.unpack_from(">I", data, end)
        if kind[:1].isupper() and zlib.crc32(memoryview(data)[position + 4 : end]) != crc:
            raise Unreadable("damaged")
        if kind == b"IEND":
            return Header("PNG", width, height, plain, orientation, rgb=colour == 2)
        if kind == b"tRNS":
            plain = False
        elif kind == b"eXIf":
            orientation = _orientation(data[position + 8 : end])
        position = end + 4


def _read_bmp(data: bytes) -> Header:
    start, header_size, width, height, _, bits, compression = struct.unpack_from("<IIiiHHI", data, 10)
    if header_size < 40:  # the OS/2 kind
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    height = abs(height)
    if compression in (0, 3) and start + (width * bits + 31) // 32 * 4 * height > len(data):
        raise Unreadable("truncated")
    return Header("BMP", width, height, plain=bits != 32)


def _read_gif(data: bytes) -> Header:
    """Walk all blocks, to count the frames: the first of many is not what somebody meant by a picture."""
    width, height = struct.unpack_from("<HH", data, 6)
    if not data.rstrip(b"\0").endswith(b";"):
        raise Unreadable("truncated")
    frames, position = 0, 13 + _colour_table(data[10])
    while data[position] != 0x3B:
        if data[position] == 0x2C:
            frames += 1
            position += 11 + _colour_table(data[position + 9])  # the descriptor, its colours, the size of a code
        elif data[position] == 0x21:
            position += 2
        else:
            raise Unreadable("damaged")
        while data[position]:  # blocks of data, up to an empty one
            position += 1 + data[position]
        position += 1
    if frames > 1:
        raise Unreadable(f"an animated GIF of {frames} frames")
    return Header("GIF", width, height, plain=False)


def _colour_table(flags: int) -> int:
    """Bytes of a GIF's table of colours."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _read_webp(data: bytes) -> Header:
    (length,) = struct.unpack_from("<I", data, 4)
    if length + 8 > len(data):
        raise Unreadable("truncated")
    kind = data[12:16]
    orientation = 1
    if kind == b"VP8 ":
        width, height = (value & 0x3FFF for value in struct.unpack_from("<HH", data, 26))
        return Header("WebP", width, height)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return Header("WebP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, plain=False)
    if kind != b"VP8X":
        raise Unreadable("damaged")
    width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    if data[20] & 0x02:
        raise Unreadable("an animated WebP")
    position = 12
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        if name == b"EXIF":
            block = data[position + 8 : position + 8 + size]
            orientation = _orientation(block.removeprefix(b"Exif\0\0"))
        position += 8 + size + size % 2
    return Header("WebP", width, height, plain=not data[20] & 0x10, orientation=orientation)


_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_READERS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], Header]], ...] = (
    (re.compile(rb"\xff\xd8\xff"), _read_jpeg),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), _read_png),
    (re.compile(rb"BM", re.DOTALL), _read_bmp),
    (re.compile(rb"GIF8[79]a"), _read_gif),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), _read_webp),
)


def _orientation(exif: bytes) -> int:
    """The orientation in a block of EXIF data, 1 (upright) where there is none that makes sense."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for k in range(count):
            tag, kind = struct.unpack_from(order + "HH", exif, start + 2 + 12 * k)
            if tag == 0x0112 and kind == 3:
                (value,) = struct.unpack_from(order + "H", exif, start + 2 + 12 * k + 8)
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def decode(data: bytes, header: Header, target: int = 0) -> np.ndarray:
    """The picture u8 [h, w, 3], BGR, upright; alpha is laid on white, 16 bits become 8. Raises ``Unreadable``.

    target: side in pixels that the picture will be reduced to; 0: decode at full size. Otherwise a JPEG is decoded at a
    half, a quarter or an eighth where both sides stay at least 1.5 times the target and divide evenly: that takes half
    the time. On photographs it moves the averaged result by 0.2 to 1.3 of 255 in the mean, as averaging twice does;
    sides with a remainder would be stretched, for up to 4.
    """
    flags = cv2.IMREAD_COLOR if header.plain else cv2.IMREAD_UNCHANGED
    if header.format == "JPEG" and target:
        sides = (header.width, header.height)
        for factor, reduced in ((8, cv2.IMREAD_REDUCED_COLOR_8), (4, cv2.IMREAD_REDUCED_COLOR_4),
                                (2, cv2.IMREAD_REDUCED_COLOR_2)):  # fmt: skip
            if all(side >= 1.5 * target * factor and side % factor == 0 for side in sides):
                flags = reduced
                break
    try:
        # The orientation is applied here for all formats; OpenCV ignores it with IMREAD_UNCHANGED.
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        image = None
    if image is None:
        raise Unreadable(f"a {header.format} that cannot be decoded")
    if image.dtype == np.uint16:
        image = np.rint(image.astype(np.float32) / 257).astype(np.uint8)
    if image.dtype != np.uint8:
        raise Unreadable(f"{image.dtype} values, expected 8 or 16 bits")
    if image.ndim == 2 or image.shape[2] == 1:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    elif image.shape[2] == 4:
        alpha = image[..., 3:].astype(np.float32) / 255
        image = np.rint(image[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return _upright(image, header.orientation)


def _upright(image: np.ndarray, orientation: int) -> np.ndarray:
    if orientation in (2, 5, 7, 4):
        image = cv2.flip(image, 0 if orientation == 4 else 1)
    turn = {3: cv2.ROTATE_180, 6: cv2.ROTATE_90_CLOCKWISE, 7: cv2.ROTATE_90_CLOCKWISE,
            8: cv2.ROTATE_90_COUNTERCLOCKWISE, 5: cv2.ROTATE_90_COUNTERCLOCKWISE}.get(orientation)  # fmt: skip
    return image if turn is None else cv2.rotate(image, turn)


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize to exactly this size: area average where a side shrinks, cubic where it grows."""
    for shrink, method in ((True, cv2.INTER_AREA), (False, cv2.INTER_CUBIC)):
        old_height, old_width = image.shape[:2]
        new_height = height if (height < old_height) == shrink else old_height
        new_width = width if (width < old_width) == shrink else old_width
        if (new_height, new_width) != (old_height, old_width):
            image = cv2.resize(image, (new_width, new_height), interpolation=method)
    return image


def pad(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bring a picture to exactly this size in its own proportions, with its edges repeated outwards."""
    scale = min(height / image.shape[0], width / image.shape[1])
    inner = [max(1, round(side * scale)) for side in image.shape[:2]]
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    bottom, right = height - inner[0] - top, width - inner[1] - left
    return cv2.copyMakeBorder(resize(image, *inner), top, bottom, left, right, cv2.BORDER_REPLICATE)


def load(path: Path, height: int, width: int, keep_aspect: bool = False, exact: bool = False) -> np.ndarray:
    """One picture file as u8 [height, width, 3] RGB, stretched or (``keep_aspect``) padded. Raises ``Unreadable``.

    exact: decode at full size; otherwise see ``decode``.
    """
    return load_bytes(read_bytes(path), height, width, keep_aspect, exact)


def load_bytes(data: bytes, height: int, width: int, keep_aspect: bool = False, exact: bool = False) -> np.ndarray:
    """``load`` for the bytes of a file."""
    header = read_header(data)
    try:
        image = (pad if keep_aspect else resize)(
            decode(data, header, 0 if exact else max(height, width)), height, width
        )
    except (cv2.error, MemoryError):
        raise Unreadable("too large to decode here") from None
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def files_in(folder: Path) -> Iterator[Path]:
    """All files below a folder, sorted, without hidden ones."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(parent, name)
