"""Images as sixels: six rows of pixels at a time, one colour after another (VT3xx Graphics Programming, chapter 14).

https://vt100.net/docs/vt3xx-gp/chapter14.html
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from viewer.labels import Image

WIDEST: Final = 4096  # pixels of an image
HIGHEST: Final = 3072  # pixels; 512 bands
_COLOURS: Final = 256
_START: Final = "\x1bP0;1q"  # pixels that are not drawn stay as they are
_END: Final = b"\x1b\\"
_FEW: Final = 3  # sixels that are written out; more of the same are counted
_BITS: Final = np.array([1, 2, 4, 8, 16, 32], np.uint8)  # of a sixel, from the top


def _counts() -> NDArray[np.uint8]:
    """``!n`` for every n, [WIDEST + 1, 5], NUL-padded; nothing for few."""
    words = [f"!{n}" if n > _FEW else "" for n in range(WIDEST + 1)]
    return np.array([list(f"{word:\0<5}".encode()) for word in words], np.uint8)


_COUNTS: list[NDArray[np.uint8]] = []  # made when it is needed


def encode_sixel(image: Image) -> bytes:
    """An image [h, w, 3] BGR, at most WIDEST and HIGHEST, as a sixel sequence with a palette of its own."""
    from PIL import Image as Pillow  # a tenth of the start of a viewer

    height, width = image.shape[:2]
    quantised = Pillow.fromarray(np.ascontiguousarray(image[..., ::-1])).quantize(
        _COLOURS, method=Pillow.Quantize.FASTOCTREE, dither=Pillow.Dither.NONE
    )
    palette = np.array(quantised.getpalette() or [], np.intp).reshape(-1, 3)
    levels = (palette * 100 + 127) // 255  # in percent
    colours = "".join(f"#{number};2;{red};{green};{blue}" for number, (red, green, blue) in enumerate(levels.tolist()))
    head = f'{_START}"1;1;{width};{height}{colours}'
    return head.encode() + _bands(np.asarray(quantised, np.uint8)) + _END


def _bands(pixels: NDArray[np.uint8]) -> bytes:
    """Sixels of the pixels' numbers in the palette [h, w]."""
    height, width = pixels.shape
    # Sorted by band, colour, column and row, all in one number, the pixels of a sixel are neighbours.
    rows, columns = np.arange(height, dtype=np.uint32), np.arange(width, dtype=np.uint32)
    keys = pixels.astype(np.uint32) << 15
    keys |= (rows // 6 << 23 | rows % 6)[:, None]
    keys |= columns << 3
    keys = np.sort(keys, axis=None)
    places = keys >> 3  # band, colour, column
    begins = np.flatnonzero(np.diff(places, prepend=~places[:1]))
    sixels = np.add.reduceat(_BITS[keys & 7], begins).astype(np.uint8) + 63
    places = places[begins]

    # Runs of the same sixel in columns beside each other, of one band and colour.
    same = np.zeros(len(places), bool)
    same[1:] = (places[1:] == places[:-1] + 1) & (sixels[1:] == sixels[:-1]) & (places[1:] & 4095 > 0)
    firsts = np.flatnonzero(~same)
    lengths = np.diff(firsts, append=len(places))
    places, sixels = places[firsts], sixels[firsts]
    line, column = places >> 12, (places & 4095).astype(np.intp)
    fresh = np.ones(len(line), bool)
    fresh[1:] = line[1:] != line[:-1]
    ends = np.where(fresh, 0, np.roll(column + lengths, 1))
    gaps = column - ends

    colour = (line & 255).astype(np.intp)
    band = line >> 8
    next_band = np.zeros(len(line), bool)
    next_band[1:] = band[1:] != band[:-1]
    between = np.where(next_band, ord("-"), np.where(fresh, ord("$"), 0)).astype(np.uint8)
    between[0] = 0
    if not _COUNTS:
        _COUNTS.append(_counts())
    counts = _COUNTS[0]
    parts = [
        between[:, None],
        _names()[colour] * fresh[:, None],
        counts[gaps],
        _few(np.full(len(gaps), ord("?"), np.uint8), gaps),
        counts[lengths],
        _few(sixels, lengths),
    ]
    text = np.concatenate(parts, axis=1).ravel()
    return bytes(text[text != 0])


def _few(sixels: NDArray[np.uint8], counts: NDArray[np.intp]) -> NDArray[np.uint8]:
    """A sixel once, or as often as it is written out, [n, _FEW], NUL-padded; nothing for none."""
    times = np.where(counts > _FEW, 1, counts)
    return sixels[:, None] * (np.arange(_FEW) < times[:, None])


def _names() -> NDArray[np.uint8]:
    """``#n`` for every colour, [_COLOURS, 4], NUL-padded."""
    return np.array([list(f"{f'#{number}':\0<4}".encode()) for number in range(_COLOURS)], np.uint8)
