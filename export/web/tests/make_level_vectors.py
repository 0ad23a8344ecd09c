"""Write ``vectors/levels.json``: image files whose numbers are classes, or hold 10 or 12 bits, and others that look
alike; with what the viewer reads of each. ``python export/web/tests/make_level_vectors.py``; needs only the viewer."""

import base64
import json
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np

from trainer.contract.levels import palette
from viewer.files.inputs import read_photo

_TARGET: Final = Path(__file__).parent / "vectors" / "levels.json"
_COLOURS: Final = {1: 0, 2: 4, 3: 2, 4: 6}  # PNG's colour types by channels
_PASSES: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def png(image: np.ndarray, interlaced: bool = False, filters: bool = True) -> bytes:
    """A PNG of u8 or u16 [h, w, c], c: grey, grey and alpha, RGB or RGBA. ``filters``: every row has another one."""
    height, width, channels = image.shape
    deep = image.dtype == np.uint16
    rows = []
    for left, top, across, down in _PASSES if interlaced else ((0, 0, 1, 1),):
        part = image[top::down, left::across]
        if not part.size:
            continue
        stored = part.astype(">u2" if deep else "u1").reshape(len(part), -1).view(np.uint8).astype(int)
        step = channels * (1 + deep)
        shifted = np.pad(stored, ((1, 0), (step, 0)))
        old, above, corner = shifted[1:, :-step], shifted[:-1, step:], shifted[:-1, :-step]
        guess = old + above - corner
        far = np.abs(np.stack([old, above, corner]) - guess)
        nearest = np.choose(far.argmin(0), [old, above, corner])
        expected = [0 * old, old, above, (old + above) // 2, nearest]
        for number in range(len(part)):
            kind = number % 5 if filters else 0
            rows.append(bytes([kind]) + (stored[number] - expected[kind][number]).astype(np.uint8).tobytes())

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16 if deep else 8, _COLOURS[channels], 0, 0, interlaced)
    data = zlib.compress(b"".join(rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def files() -> dict[str, bytes]:
    """Files by what they are."""
    random = np.random.default_rng(20)
    blocks = np.kron(random.integers(0, 5, (4, 5)), np.ones((6, 6), int)).astype(np.uint8)[..., None]
    border = blocks.copy()
    border[11:13] = 255
    ramp = np.linspace(0, 1, 24 * 30).reshape(24, 30, 1)
    ink = np.full((24, 30, 1), 255, np.uint8)
    ink[4:9, 4:20] = 3
    ink[12:15, 4:20] = 7
    colours = random.random((24, 30, 3))

    def deep(image: np.ndarray, most: int) -> np.ndarray:
        return np.round(image * most).astype(np.uint16)

    clear = deep(random.random((13, 11, 4)), 65535)
    clear[:3] = 0
    grey_clear = random.integers(0, 256, (9, 14, 2)).astype(np.uint8)
    return {
        "mask": png(blocks),
        "mask without filters": png(blocks, filters=False),
        "interlaced mask": png(blocks, interlaced=True),
        "mask with a border": png(border),
        "mask in colours": png(np.repeat(blocks, 3, 2)),
        "mask of one class": png(np.full((8, 9, 1), 3, np.uint8)),
        "mask of class 70": png(blocks + np.uint8(70)),
        "black": png(np.zeros((8, 9, 1), np.uint8)),
        "black and white": png((blocks > 2).astype(np.uint8) * np.uint8(255)),
        "ink on paper": png(ink),
        "noise of few levels": png(random.integers(0, 9, (24, 30, 1)).astype(np.uint8)),
        "dark photograph": png((ramp * 38).astype(np.uint8)),
        "grey photograph": png((ramp * 255).astype(np.uint8)),
        "grey and alpha": png(grey_clear),
        "interlaced grey and alpha": png(grey_clear, interlaced=True),
        "10 bits": png(deep(ramp, 1023)),
        "12 bits": png(deep(ramp, 4095)),
        "dark 12 bits": png(deep(ramp, 100)),
        "16 bits": png(deep(ramp, 65535)),
        "nearly nothing of 16 bits": png(deep(ramp, 9)),
        "dark 16 bits": png(deep(ramp, 9000)),
        "colours of 12 bits": png(deep(colours, 4000)),
        "interlaced colours of 10 bits": png(deep(colours, 1000), interlaced=True),
        "colours of 16 bits and alpha": png(clear),
    }


def cases() -> list[dict[str, Any]]:
    """What the viewer reads of every file: RGBA, whether it is grey, and its notes."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files().items():
            path = Path(folder) / "image.png"
            path.write_bytes(data)
            photo = read_photo(path)
            height, width = photo.image.shape[:2]
            alpha = np.full((height, width), 255, np.uint8) if photo.alpha is None else photo.alpha
            image = np.dstack([photo.image[..., ::-1], alpha])
            case = {"name": name, "width": width, "grey": photo.grey, "notes": photo.notes}
            read = base64.b64encode(zlib.compress(np.ascontiguousarray(image), 9)).decode()
            found.append(case | {"file": base64.b64encode(data).decode(), "read": read})
    return found


if __name__ == "__main__":
    _TARGET.write_text(json.dumps({"palette": palette().tolist(), "cases": cases()}, indent=1) + "\n")
