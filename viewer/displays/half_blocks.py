"""Draw images with coloured half blocks: two pixels a character cell. Only cells that changed are written."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_BLOCK: Final = np.frombuffer("▀".encode(), np.uint8)  # foreground above, background below
_DECIMALS: Final = np.array([list(f"{n:\0>4}".encode()) for n in range(10_000)], np.uint8)  # [10000, 4], NUL-padded
_CUBE: Final = np.array([0, 95, 135, 175, 215, 255])  # levels of the 6x6x6 colours of 256
_NEAREST: Final = np.abs(np.arange(256)[:, None] - _CUBE).argmin(axis=1)  # [256] → index of the level


class Painter:
    """Keeps what is on the screen. ``true_colour``: 24 bits a colour, else the 256 of xterm."""

    def __init__(self, true_colour: bool) -> None:
        self._true_colour = true_colour
        self._shown: NDArray[np.int32] | None = None  # [rows, columns, 2] colour codes

    def forget(self) -> None:
        """The screen was cleared or its size changed: the next image is written whole."""
        self._shown = None

    def paint(self, pixels: NDArray[np.uint8]) -> bytes:
        """Escape sequences that make the screen show pixels, BGR [2 * rows, columns, 3], from its top left."""
        codes = _true_codes(pixels) if self._true_colour else _palette_codes(pixels)
        cells = np.stack([codes[0::2], codes[1::2]], axis=2)  # [rows, columns, 2]
        if self._shown is None or self._shown.shape != cells.shape:
            changed = np.ones(cells.shape[:2], bool)
        else:
            changed = (cells != self._shown).any(axis=2)
        self._shown = cells
        rows, columns = np.nonzero(changed)
        if not rows.size:
            return b""
        colours = cells[rows, columns]  # [n, 2]
        moved = np.ones(rows.size, bool)
        moved[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1] + 1)
        fresh = np.ones(colours.shape, bool)
        fresh[1:] = colours[1:] != colours[:-1]
        parts = [
            _join(b"\x1b[", (rows + 1, columns + 1), b"H") * moved[:, None],
            self._colour(colours[:, 0], b"38") * fresh[:, :1],
            self._colour(colours[:, 1], b"48") * fresh[:, 1:],
            np.broadcast_to(_BLOCK, (rows.size, _BLOCK.size)),
        ]
        text = np.concatenate(parts, axis=1).ravel()
        return bytes(text[text != 0])  # NULs are what was left out

    def _colour(self, codes: NDArray[np.int32], layer: bytes) -> NDArray[np.uint8]:
        """Sequences that set a layer's colour, NUL-padded: [n, bytes]."""
        if self._true_colour:
            channels = (codes >> 16, codes >> 8 & 255, codes & 255)
            return _join(b"\x1b[" + layer + b";2;", channels, b"m")
        return _join(b"\x1b[" + layer + b";5;", (codes,), b"m")


def _join(start: bytes, numbers: tuple[NDArray[np.int32] | NDArray[np.intp], ...], end: bytes) -> NDArray[np.uint8]:
    """Rows of ``start``, decimal numbers with semicolons between, ``end``; NUL-padded."""
    count = len(numbers[0])
    parts = [np.broadcast_to(np.frombuffer(start, np.uint8), (count, len(start)))]
    for index, number in enumerate(numbers):
        parts.append(_DECIMALS[np.minimum(number, len(_DECIMALS) - 1)])
        mark = end if index == len(numbers) - 1 else b";"
        parts.append(np.broadcast_to(np.frombuffer(mark, np.uint8), (count, len(mark))))
    return np.concatenate(parts, axis=1)


def _true_codes(pixels: NDArray[np.uint8]) -> NDArray[np.int32]:
    """RRGGBB of BGR pixels: [h, w]."""
    blue, green, red = np.moveaxis(pixels.astype(np.int32), 2, 0)
    codes: NDArray[np.int32] = red << 16 | green << 8 | blue
    return codes


def _palette_codes(pixels: NDArray[np.uint8]) -> NDArray[np.int32]:
    """The nearest of xterm's colours 16..255 (the cube and 24 greys) of BGR pixels: [h, w]."""
    level = _NEAREST[pixels]  # [h, w, 3]
    grey = np.clip((pixels.mean(axis=2) - 3) / 10, 0, 23).round().astype(np.intp)  # grey n is 8 + 10 n
    wide = pixels.astype(np.intp)
    cube_error = ((wide - _CUBE[level]) ** 2).sum(axis=2)
    grey_error = ((wide - (8 + 10 * grey)[..., None]) ** 2).sum(axis=2)
    cube = 16 + 36 * level[..., 2] + 6 * level[..., 1] + level[..., 0]
    codes: NDArray[np.int32] = np.where(grey_error < cube_error, 232 + grey, cube).astype(np.int32)
    return codes
