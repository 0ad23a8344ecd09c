"""Formats of image files, by their headers: which are read, size, alpha, orientation, and whether a file is whole.

OpenCV returns a full image for a truncated JPEG and decodes a 1 MB bomb to gigabytes, so nothing reaches it that has
not been looked at here."""

import contextlib
import re
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO

from trainer.contract.formats import TAIL, of_bytes, of_text
from trainer.contract.packages import how_to_install

MOST_PIXELS = 100_000_000
MOST_DEEP_PIXELS = 50_000_000  # with alpha or 16 bits, which take twice the memory and more
MOST_SCANS = 100  # of a JPEG: each goes over all its pixels, and encoders write about ten
FORMATS = "JPEG, PNG, BMP, GIF, WebP, TIFF, PPM, AVIF, HEIC"
SUFFIXES = (  # of their files
    ".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".avif",
    ".heic", ".heif", ".hif",
)  # fmt: skip


class Unreadable(Exception):
    """Why a file cannot be used, in a few words."""


@dataclass(frozen=True)
class Header:
    """What a file says of its image before it is decoded."""

    format: str
    width: int  # pixels, as stored
    height: int
    plain: bool = True  # 8 bits a channel and no alpha
    orientation: int = 1  # EXIF, 1..8
    rgb: bool = True  # stored in three colours, where the format tells: not grey, CMYK, a palette or with alpha
    deep: bool = False  # 16 bits a channel
    cmyk: bool = False
    grey_alpha: bool = False  # stored as grey and alpha, which OpenCV gives as colours
    by_pillow: bool = False  # OpenCV would not read it, or not all of it
    bits: int = 16  # that deep files really hold: see ``trainer.contract.levels``
    ids: bool = False  # grey values are numbers of classes

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width as shown, after the orientation."""
        return (self.width, self.height) if self.orientation > 4 else (self.height, self.width)


def read_header(data: bytes) -> Header:
    """Check the header, the size and the end of an image. Raises ``Unreadable``."""
    for magic, reader in _READERS:
        if magic.match(data):
            try:
                header = reader(data)
            except (struct.error, IndexError):
                raise Unreadable("truncated") from None
            break
    else:
        known = of_bytes(data, data[-TAIL:]) or of_text(data)
        if known is None:
            raise Unreadable(f"not an image ({FORMATS})")
        raise Unreadable(f"{'' if known.kind == 'image' else 'not an image but '}{known.instead_of(FORMATS)}")
    if header.width < 1 or header.height < 1:
        raise Unreadable("an image of no size")
    most = MOST_PIXELS if header.plain else MOST_DEEP_PIXELS
    if header.width * header.height > most:
        kind = "" if header.plain else " with alpha or 16 bits"
        raise Unreadable(f"{header.width}x{header.height} pixels{kind}, at most {most // 1_000_000} million")
    return header


def _read_jpeg(data: bytes) -> Header:
    """Walk all segments: a thumbnail's end inside of one is not the image's, and bytes may follow the end."""
    height = width = components = scans = 0
    orientation, adobe, position = 1, False, 2
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
    if not components or not scans:
        raise Unreadable("truncated")
    if scans > MOST_SCANS:
        raise Unreadable(f"a JPEG of {scans} scans, at most {MOST_SCANS}")
    if components == 4 and not adobe:
        raise Unreadable("CMYK without an Adobe marker: its polarity is not known")
    return Header("JPEG", width, height, True, orientation, rgb=components == 3, cmyk=components == 4)


def _read_png(data: bytes) -> Header:
    """Walk all chunks and check their CRC: newer versions of OpenCV show a damaged image as far as it goes."""
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    plain, orientation, by_pillow = depth <= 8 and colour not in (4, 6), 1, False
    for kind, start, end in png_chunks(data):
        (crc,) = struct.unpack_from(">I", data, end - 4)
        if kind[:1].isupper() and zlib.crc32(memoryview(data)[start + 4 : end - 4]) != crc:
            raise Unreadable("damaged")
        if kind == b"tRNS":
            plain, by_pillow = False, colour == 0 and depth <= 8
        elif kind == b"eXIf":
            orientation = _orientation(data[start + 8 : end - 4])
    return Header(
        "PNG", width, height, plain, orientation,
        rgb=colour == 2, deep=depth == 16, grey_alpha=colour == 4 or by_pillow, by_pillow=by_pillow,
    )  # fmt: skip


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The chunks of a PNG up to its end: kind, and first and last byte of length, kind, contents and CRC. Raises
    ``struct.error`` where the file ends before."""
    kind, end = b"", 8
    while kind != b"IEND":
        start = end
        length, kind = struct.unpack_from(">I4s", data, start)
        end = start + 12 + length
        yield kind, start, end


def essential(data: bytes) -> bytes:
    """A PNG that ``read_header`` has read, with the chunks alone that its pixels need.

    Decoders complain about others, on the terminal and in words that name no file, and unpack them, however large."""
    kept = [data[start:end] for kind, start, end in png_chunks(data) if kind[:1].isupper() or kind == b"tRNS"]
    return data[:8] + b"".join(kept)


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
    """Walk all blocks, to count the frames: the first of many is not what somebody meant by an image."""
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


def _read_boxes(data: bytes) -> Header:
    """AVIF and HEIC: boxes of a length and a kind, of which the first tells the brands (ISO/IEC 14496-12, 4.2, 4.3)."""
    (length,) = struct.unpack_from(">I", data)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, min(length, len(data)), 4))}
    avif = bool(brands & _AVIF)
    if not avif and not brands & _HEIC:
        raise Unreadable(f"a film, or an image of an unknown kind, expected {FORMATS}")
    end = 0
    while end < len(data):  # decoders may show the part of an image that is there
        start = end
        (length,) = struct.unpack_from(">I", data, start)
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start + 8)
        end = start + length if length else len(data)
        if end > len(data) or end < start + 8:
            raise Unreadable("truncated")
    if not avif:
        _need_heif()
        return _read_by_pillow(data, ("HEIF",))
    _need_avif()
    header = _read_by_pillow(data, ("AVIF",))
    settings = data.find(b"av1C") + 6  # AV1 Codec ISO Media File Format Binding, 2.3.3
    deep = settings > 6 and bool(data[settings] & 0x40)
    return replace(header, plain=header.plain and not deep, deep=deep)


def readable() -> tuple[str, ...]:
    """What tells two installations apart that read different images: changes with each optional decoder."""
    found = [FORMATS]
    for need in (_need_heif, _need_avif):
        with contextlib.suppress(Unreadable):
            need()
            found.append(need.__name__)
    return tuple(found)


@cache
def _need_heif() -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise Unreadable(f"a HEIC, which takes the package pillow-heif: {how_to_install('data')}") from None
    register_heif_opener()


@cache
def _need_avif() -> None:
    from PIL import features

    if not features.check("avif"):
        raise Unreadable("an AVIF, which takes Pillow 11.3 or newer: pip install -U pillow")


def _read_by_pillow(data: bytes, formats: tuple[str, ...] = ("TIFF", "PPM")) -> Header:
    from PIL import Image  # takes time to load, and few images need it

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes, which are checked here
            opened = Image.open(BytesIO(data), formats=formats)
            frames = int(getattr(opened, "n_frames", 1))
            orientation = opened.getexif().get(0x0112, 1)
    except Image.DecompressionBombError:
        raise Unreadable(f"more than {MOST_PIXELS // 1_000_000} million pixels") from None
    except MemoryError:
        raise
    except Exception:  # Pillow raises a dozen kinds for damaged files
        raise Unreadable("damaged") from None
    tags = getattr(opened, "tag_v2", {})
    if tags.get(_SUBFILE, 0) == 1:
        raise Unreadable(f"a raw photograph, expected {FORMATS}")
    if frames > 1 and opened.format != "HEIF":  # whose first one is the photograph, as a phone's bursts have it
        raise Unreadable(f"{'an' if opened.format == 'AVIF' else 'a'} {opened.format} of {frames} images")
    if opened.mode == "F":
        raise Unreadable("pixels that are fractions, expected 8 or 16 bits: save it as a PNG of levels 0 to 255")
    bits = tags.get(_BITS, opened.info.get("bit_depth", 8))
    deep = opened.mode.startswith("I") or any(bit > 8 for bit in (bits if isinstance(bits, tuple) else (bits,)))
    return Header(
        str(opened.format), *opened.size, not deep and opened.mode in ("1", "L", "P", "RGB", "CMYK"),
        orientation if orientation in range(1, 9) else 1,
        rgb=opened.mode == "RGB", deep=deep, cmyk=opened.mode == "CMYK", grey_alpha=opened.mode == "LA",
        by_pillow=not deep or opened.format == "HEIF",
    )  # fmt: skip


_AVIF = frozenset((b"avif", b"avis"))
_HEIC = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
_SUBFILE = 254  # TIFF tag: 1 where the first image is a small one of another, as in raw photographs
_BITS = 258  # TIFF tag: a sample
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_READERS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], Header]], ...] = (
    (re.compile(rb"\xff\xd8\xff"), _read_jpeg),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), _read_png),
    (re.compile(rb"BM", re.DOTALL), _read_bmp),
    (re.compile(rb"GIF8[79]a"), _read_gif),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), _read_webp),
    (re.compile(rb"II\*\0|MM\0\*|P[1-6]\s"), _read_by_pillow),
    (re.compile(rb".{4}ftyp", re.DOTALL), _read_boxes),
)


def begins_as_image(data: bytes) -> bool:
    """Whether a file may be an image, by its first bytes."""
    return any(magic.match(data) for magic, _ in _READERS)


def _orientation(exif: bytes) -> int:
    """The orientation in a block of EXIF data, 1 (upright) where there is none that makes sense."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4], "")
    with contextlib.suppress(struct.error):
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for k in range(count if order else 0):
            tag, kind, value = struct.unpack_from(order + "HH4xH", exif, start + 2 + 12 * k)
            if tag == 0x0112 and kind == 3:
                return int(value) if 1 <= value <= 8 else 1
    return 1
