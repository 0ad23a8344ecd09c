"""A corpus of what people's folders hold beside sound images, and of sets and labels that nobody should believe."""

import io
import json
import os
import socket
import struct
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

FAILING = Path("/proc/self/mem")  # a regular file that may be opened and whose first byte cannot be read, on Linux


class Bad(NamedTuple):
    """A file, and a word of the reason why it is refused; '' where it has to be taken, whatever it looks like."""

    path: Path
    word: str


def photo(height: int = 48, width: int = 64) -> np.ndarray:
    """Something smooth with some noise, u8 [h, w, 3]."""
    random = np.random.default_rng(height * width)
    coarse = random.integers(0, 256, (6, 8, 3), np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(int)
    return np.clip(image + random.integers(-8, 9, image.shape), 0, 255).astype(np.uint8)


def encoded(suffix: str, image: np.ndarray | None = None) -> bytes:
    return cv2.imencode(suffix, photo() if image is None else image)[1].tobytes()


def by_pillow(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)  # type: ignore[arg-type]
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *more: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def frames(count: int = 3) -> list[Image.Image]:
    return [Image.fromarray(np.roll(photo(), 5 * k, 1)) for k in range(count)]


def rgb_floats() -> Image.Image:
    return Image.fromarray(photo()[..., 0].astype(np.float32))


def turned(orientation: int) -> bytes:
    """A JPEG with an EXIF orientation."""
    block = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0) + bytes(4)
    jpeg = encoded(".jpg")
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


def truncated() -> Iterator[tuple[str, bytes, str]]:
    for suffix in (".jpg", ".png", ".bmp", ".gif", ".webp"):
        data = encoded(suffix)
        for percent in (10, 50, 90):
            yield f"cut-{percent}{suffix}", data[: len(data) * percent // 100], "truncated"


def odd_kinds() -> Iterator[tuple[str, bytes, str]]:
    """Sound files of unusual kinds."""
    rgb = Image.fromarray(photo())
    alpha = np.dstack([photo(), np.arange(48 * 64, dtype=np.uint8).reshape(48, 64)])
    yield "cmyk.jpg", by_pillow(rgb.convert("CMYK"), "JPEG"), ""
    yield "grey.jpg", by_pillow(rgb.convert("L"), "JPEG"), ""
    yield "phone.jpg", by_pillow(rgb, "MPO", save_all=True, append_images=frames()[1:]), ""
    yield "scan.tiff", by_pillow(rgb, "TIFF"), ""
    yield "scan-sixteen.tiff", encoded(".tiff", photo().astype(np.uint16) * 257), ""
    yield "image.ppm", by_pillow(rgb, "PPM"), ""
    yield "grey-clear.png", by_pillow(rgb.convert("L"), "PNG", transparency=7), ""
    yield "progressive.jpg", by_pillow(rgb, "JPEG", progressive=True), ""
    yield "bytes-after.jpg", encoded(".jpg") + bytes(5000), ""
    yield "sixteen-grey.png", encoded(".png", photo()[..., 0].astype(np.uint16) * 257), ""
    yield "sixteen.png", encoded(".png", photo().astype(np.uint16) * 257), ""
    yield "sixteen-alpha.png", encoded(".png", alpha.astype(np.uint16) * 257), ""
    yield "rgba.png", encoded(".png", alpha), ""
    yield "grey-alpha.png", by_pillow(rgb.convert("LA"), "PNG"), ""
    yield "palette.png", by_pillow(rgb.convert("P"), "PNG"), ""
    yield "palette-clear.png", by_pillow(rgb.convert("P"), "PNG", transparency=0), ""
    yield "one-bit.png", by_pillow(rgb.convert("1"), "PNG"), ""
    yield "still.gif", by_pillow(rgb.convert("P"), "GIF"), ""
    yield "still.avif", by_pillow(rgb, "AVIF"), ""
    yield "lossless.webp", by_pillow(Image.fromarray(alpha), "WEBP", lossless=True), ""
    yield "exif-turned.jpg", turned(6), ""
    yield "exif-nonsense.jpg", turned(99), ""
    yield "really-a-png.jpg", encoded(".png"), ""
    yield "no-ending", encoded(".png"), ""
    yield "one-pixel.png", encoded(".png", photo()[:1, :1]), ""
    yield "sliver.png", encoded(".png", photo(4, 3000)), ""
    yield "chatty.png", png(4, 4, 8, 0, bytes(20), chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 25)))), ""


def not_images() -> Iterator[tuple[str, bytes, str]]:
    jpeg, sound = encoded(".jpg"), encoded(".png")
    flipped = bytearray(sound)
    flipped[len(sound) // 2] ^= 1
    scan = jpeg[jpeg.index(b"\xff\xda") : -2]
    sized = jpeg.index(b"\xff\xc0") + 5
    plain = by_pillow(Image.fromarray(photo()).convert("CMYK"), "JPEG")
    adobe = plain.index(b"\xff\xee")
    unsaid = plain[:adobe] + plain[adobe + 2 + int.from_bytes(plain[adobe + 2 : adobe + 4], "big") :]
    reel: dict[str, object] = {"save_all": True, "append_images": frames()[1:]}
    thumbnail = b"\xff\xe1" + struct.pack(">H", len(jpeg[:200]) + 4) + jpeg[:200] + b"\xff\xd9"
    yield "empty.png", b"", "empty"
    yield "text.jpg", b"not an image\n", "not an image"
    yield "page.png", b"<!doctype html><title>Not found</title>", "not an image"
    yield "drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"
    yield "noise.jpg", np.random.default_rng(0).bytes(4096), "not an image"
    yield "a\x1b[31mb\r\n\x07.jpg", b"escape sequences in its name", "not an image"
    yield "right-to-left-\u202egnp.jpg", b"a name that reads backwards", "not an image"
    yield "start-only.jpg", b"\xff\xd8\xff", "truncated"
    yield "start-only.png", sound[:8], "truncated"
    yield "thumbnail-whole.jpg", jpeg[:2] + thumbnail + jpeg[2 : len(jpeg) // 2], "truncated"
    yield "no-scan.jpg", jpeg[: jpeg.index(b"\xff\xda")] + b"\xff\xd9", "truncated"
    yield "five-hundred-scans.jpg", jpeg[:-2] + scan * 500 + b"\xff\xd9", "scans"
    yield "flipped-bit.png", bytes(flipped), "damaged"
    yield "cmyk-unsaid.jpg", unsaid, "CMYK"
    yield "moving.gif", by_pillow(frames()[0].convert("P"), "GIF", **reel), "animated"
    yield "moving.webp", by_pillow(frames()[0], "WEBP", **reel), "animated"
    avif = by_pillow(frames()[0], "AVIF")
    yield "cut.avif", avif[: len(avif) * 9 // 10], "truncated"
    yield "moving.avif", by_pillow(frames()[0], "AVIF", **reel), "an AVIF of 3 images"
    yield "empty.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "damaged" if find_spec("pillow_heif") else "pillow-heif"
    yield "film.jpg", b"\0\0\0\x18ftypisom\0\0\0\0isomavc1", "a film"
    yield "pages.tiff", by_pillow(frames()[0], "TIFF", **reel), "a TIFF of 3 images"
    yield "raw.tiff", by_pillow(frames()[0], "TIFF", tiffinfo={254: 1}), "a raw photograph"
    yield "fractions.tiff", by_pillow(rgb_floats(), "TIFF"), "fractions"
    yield "cut.tiff", by_pillow(frames()[0], "TIFF")[:-400], "decoded"
    yield "start-only.tiff", b"II*\0\x08", "damaged"
    yield "text.ppm", b"P3 is not all that an image needs", "damaged"
    yield "a-set.jpg", b"\x93NUMPY\x01\0" + bytes(100), ".npy"
    yield "no-width.png", png(0, 10, 8, 0, bytes(10)), "no size"
    yield "no-height.jpg", jpeg[:sized] + bytes(2) + jpeg[sized + 2 :], "no size"
    yield "no-size.gif", b"GIF89a" + bytes(7) + b";", "no size"
    yield "vast.png", png(20_000, 20_000, 1, 0, bytes(2501 * 20_000)), "million"
    yield "deep-and-vast.png", png(9_000, 9_000, 16, 6, bytes(100)), "million"
    yield "vast.jpg", jpeg[:sized] + b"\xff\xdc\xff\xdc" + jpeg[sized + 4 :], "million"
    yield "vast.gif", b"GIF89a\xff\xff\xff\xff\0\0\0" + b";", "million"
    yield "vast.webp", b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\xff\x00" * 2, "million"
    yield "lying.bmp", encoded(".bmp")[:18] + struct.pack("<ii", 9000, 9000) + encoded(".bmp")[26:], "truncated"


def make_images(folder: Path) -> list[Bad]:
    """Write all the image files that can be made here."""
    folder.mkdir()
    made = [*truncated(), *odd_kinds(), *not_images()]
    found = []
    for name, data, word in made:
        (folder / name).write_bytes(data)
        found.append(Bad(folder / name, word))
    for name in (os.fsdecode(b"\xff\xfe.png"), "🐈 with a space.png", "n" * 251 + ".png", "-o.png", "[ab]*?.png"):
        (folder / name).write_bytes(encoded(".png"))
        found.append(Bad(folder / name, ""))
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(folder / "socket.png"))
    (folder / "to-nothing.png").symlink_to("nothing")
    (folder / "to-itself.png").symlink_to("to-itself.png")
    with (folder / "six-hundred-megabytes.png").open("wb") as file:
        file.truncate(600 << 20)
    (folder / "locked.png").write_bytes(encoded(".png"))
    (folder / "locked.png").chmod(0)
    locked = "" if os.access(folder / "locked.png", os.R_OK) else "permission"
    more = {}
    if FAILING.exists():
        (folder / "failing.png").symlink_to(FAILING)
        more = {"failing": "/output error"}
    words = {
        "pipe": "regular", "socket": "regular", "to-nothing": "no such", "to-itself": "links",
        "six-hundred-megabytes": "bytes", "locked": locked, **more,
    }  # fmt: skip
    return found + [Bad(folder / f"{name}.png", word) for name, word in words.items()]


def header(text: str, size: int = 0, version: bytes = b"\x01\0") -> bytes:
    """A .npy file with whatever is claimed, and ``size`` bytes."""
    padded = (text + " " * (-(10 + len(text) + 1) % 64) + "\n").encode("latin-1")
    length = struct.pack("<H" if version == b"\x01\0" else "<I", len(padded))
    return b"\x93NUMPY" + version + length + padded + bytes(size)


def claim(shape: object, kind: str = "|u1", order: str = "False") -> str:
    return f"{{'descr': {kind!r}, 'fortran_order': {order}, 'shape': {shape}, }}"


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def make_sets(folder: Path) -> list[Bad]:
    """Write .npy files, none of them a sound set of images."""
    folder.mkdir()
    sound = saved(np.stack([photo(8, 8)] * 5))
    files = {
        "empty": (b"", "not a .npy"),
        "text": (b"hello", "not a .npy"),
        "magic-only": (sound[:6], "not a .npy"),
        "header-cut": (sound[:40], "not a .npy"),
        "header-endless": (b"\x93NUMPY\x02\0\xff\xff\xff\xff" + sound[10:], "not a .npy"),
        "unknown-version": (b"\x93NUMPY\x09\x09" + sound[8:], "version"),
        "code": (header("__import__('os').abort()"), "not a .npy"),
        "nested": (header("(" * 20_000), "not a .npy"),
        "keys-missing": (header("{'descr': '|u1'}"), "not a .npy"),
        "lying": (header(claim((10**15, 8, 8, 3)), 100), "cut short"),
        "lying-beyond-numbers": (header(claim((2**70, 8, 8, 3)), 100), "cut short"),
        "negative": (header(claim((-5, 8, 8, 3)), 960), "shape"),
        "shape-of-words": (header(claim("('a', 8, 8, 3)"), 960), "not a .npy"),
        "shape-of-truths": (header(claim((True, True, True, 3)), 3), "shape"),
        "longer": (sound + b"x", "too many"),
        "pickled": (saved(np.array([{}, []], dtype=object)), "pickled"),
        "floats": (saved(np.zeros((2, 8, 8, 3), np.float32)), "float32"),
        "numbers": (saved(np.zeros((2, 8, 8, 3), np.int64)), "int64"),
        "records": (saved(np.zeros(3, [("a", "u1"), ("b", "u1")])), "expected u8"),
        "planar": (saved(np.zeros((2, 3, 8, 8), np.uint8)), "transpose"),
        "alpha": (saved(np.zeros((2, 8, 8, 4), np.uint8)), "alpha"),
        "single": (saved(np.zeros((8, 8, 3), np.uint8)), "one image"),
        "flat": (saved(np.zeros(192, np.uint8)), "expected u8"),
        "five-axes": (saved(np.zeros((1, 1, 8, 8, 3), np.uint8)), "expected u8"),
        "none": (saved(np.zeros((0, 8, 8, 3), np.uint8)), "no images"),
        "no-width": (saved(np.zeros((4, 8, 0, 3), np.uint8)), "no images"),
        "fortran": (saved(np.asfortranarray(np.zeros((2, 8, 8, 3), np.uint8))), "Fortran"),
        "cut-10": (sound[: len(sound) // 10], "not a .npy"),
        "cut-50": (sound[: len(sound) // 2], "cut short"),
        "cut-90": (sound[: len(sound) * 9 // 10], "cut short"),
    }
    for name, (data, _) in files.items():
        (folder / f"{name}.npy").write_bytes(data)
    (folder / "folder.npy").mkdir()
    os.mkfifo(folder / "pipe.npy")
    (folder / "to-nothing.npy").symlink_to("nothing")
    more = {"folder": "folder", "pipe": "regular", "to-nothing": "no"}
    if FAILING.exists():
        (folder / "failing.npy").symlink_to(FAILING)
        more["failing"] = "/output error"
    reasons = {**{name: word for name, (_, word) in files.items()}, **more}
    return [Bad(folder / f"{name}.npy", word) for name, word in reasons.items()]


def make_labelled(folder: Path) -> list[Bad]:
    """Write sound .npy files of five images, with JSON beside them that does not fit or is none."""
    folder.mkdir()
    good = {"classes": ["a", "b"], "labels": [0, 1, 0, 1, 0]}
    beside = {
        "too-few": ({**good, "labels": [0, 1]}, "2 labels, expected 5"),
        "out-of-range": ({**good, "labels": [0, 1, 2, 0, 1]}, "outside"),
        "negative": ({**good, "labels": [0, 1, -1, 0, 1]}, "outside"),
        "fractions": ({**good, "labels": [0.0] * 5}, "outside"),
        "truths": ({**good, "labels": [True] * 5}, "outside"),
        "labels-of-words": ({**good, "labels": "01010"}, "labels"),
        "no-classes": ({"labels": [0] * 5}, "classes"),
        "classes-of-numbers": ({**good, "classes": [1, 2]}, "classes"),
        "names-too-many": ({"names": ["a"] * 6}, "6 names"),
        "names-of-numbers": ({"names": [1] * 5}, "names"),
        "sizes-negative": ({"sizes": [[1, -1]] * 5}, "sizes"),
        "sizes-of-words": ({"sizes": ["64x64"] * 5}, "sizes"),
        "groups-too-few": ({"groups": [0] * 4}, "4 groups"),
        "groups-of-words": ({"groups": ["a"] * 5}, "groups"),
        "groups-negative": ({"groups": [0, 0, 1, 1, -2]}, "groups"),
        "groups-too-large": ({"groups": [1 << 63] * 5}, "groups"),
        "unknown-order": ({"order": "GBR\x1b[2J"}, "order"),
        "grey-in-colours": ({"order": "grey"}, "order"),
        "factors-too-few": ({"factors": {"tilt": [1.0]}}, "factors"),
        "of-other-images": ({**good, "fingerprint": "1-00000000"}, "other images"),
        "a-list": ([1, 2, 3], "JSON object"),
    }
    texts: dict[str, tuple[bytes, str]] = {
        "no-json": (b"{'labels': ", "JSON"),
        "empty": (b"", "JSON"),
        "not-utf-8": (b'{"classes": ["\xff"]}', "cannot read"),
        "nested": (b"[" * 100_000, "JSON"),
        "endless-number": (b'{"labels": ' + b"9" * 10_000 + b"}", "cannot read"),
        "huge": (b" " * (3 << 20), "expected at most"),
        **{name: (json.dumps(values).encode(), word) for name, (values, word) in beside.items()},
    }
    for name, (data, _) in texts.items():
        np.save(folder / f"{name}.npy", np.stack([photo(8, 8)] * 5))
        (folder / f"{name}.json").write_bytes(data)
    np.save(folder / "a-pipe.npy", np.stack([photo(8, 8)] * 5))
    os.mkfifo(folder / "a-pipe.json")
    words = {**{name: word for name, (_, word) in texts.items()}, "a-pipe": "regular"}
    return [Bad(folder / f"{name}.npy", word) for name, word in words.items()]


def make_tables_of_labels(folder: Path) -> list[Bad]:
    """Write files that do not give labels to ``a.png``."""
    folder.mkdir()
    texts = {
        "other-names": (b"b.png,cat\nc.png,dog\n", "none of the 1 files"),
        "one-column": (b"a.png\n", "column"),
        "three-columns": (b"a.png,cat,dog\n", "3 column"),
        "no-label": (b"a.png,\n", "column"),
        "two-labels": (b"a.png,cat\na.png,dog\n", "above"),
        "empty": (b"", "no labels"),
        "binary": (encoded(".png"), "UTF-8"),
        "zeros": (bytes(100), "line"),
        "open-quote": (b'"a.png,cat\n', "line"),
        "one-endless-line": (b'"' + b"a" * (1 << 20) + b'",cat\n', "line"),
    }
    for name, (data, _) in texts.items():
        (folder / f"{name}.csv").write_bytes(data)
    (folder / "folder.csv").mkdir()
    os.mkfifo(folder / "pipe.csv")
    words = {**{name: word for name, (_, word) in texts.items()}, "folder": "no such file", "pipe": "no such file"}
    return [Bad(folder / f"{name}.csv", word) for name, word in words.items()]
