"""Images and text in the character cells of a terminal: two pixels a cell, or one character."""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from viewer.labels import Colour, Label

Number = TypeVar("Number", np.uint8, np.uint32)

_BLOCK: Final = np.frombuffer("▀".encode(), np.uint8)  # foreground above, background below
_GLYPH_BYTES: Final = 4  # that a character takes at most, in UTF-8
_DECIMALS: Final = np.array([list(f"{n:\0>4}".encode()) for n in range(10_000)], np.uint8)  # [10000, 4], NUL-padded
_CUBE: Final = np.array([0, 95, 135, 175, 215, 255])  # levels of the 6x6x6 colours of 256
_NEAREST: Final = np.abs(np.arange(256)[:, None] - _CUBE).argmin(axis=1)  # [256] → index of the level
_LUMA: Final = np.array([0.114, 0.587, 0.299])  # of blue, green, red (ITU-R BT.601)
_CONTRAST: Final = 100  # levels of luma between text and its ground at least
_DARK: Final = 20  # level of a ground that is darkened for light text
_BRAILLE: Final = 0x2800  # the character without dots
_BRAILLE_DOTS: Final = np.array([1, 8, 2, 16, 4, 32, 64, 128])  # of its dots, row by row
_LEAST_LINE: Final = 40  # level, of 255, that a dot has at least
_LEAST_CUT: Final = 3  # characters that are worth showing of a text that does not fit


@dataclass(frozen=True)
class CellText:
    """Characters in cells of a terminal, one after another in a row."""

    row: int
    column: int
    characters: Sequence[str]  # one a cell; a wide one is followed by an empty one
    colour: Colour
    legible: bool = True  # whether the ground gives way where it is too much like them


def characters_of(text: str) -> list[str]:
    """What goes into each cell: a character, or nothing behind a wide one; ``?`` for what does not print (escapes)."""
    cells: list[str] = []
    for character in text:
        cells.append(character if character.isprintable() else "?")
        if unicodedata.east_asian_width(character) in "WF":
            cells.append("")
    return cells


def place_labels(
    labels: Sequence[Label], size: tuple[int, int], place: tuple[float, float, float, float], screen: tuple[int, int]
) -> list[CellText]:
    """Text of a frame in the cells below it. Where two texts meet, the one that was written first stays whole.

    ``size``: width and height of the frame in pixels. ``place``: left, top, width and height of where it is shown, in
    cells. ``screen``: columns and rows that there are.
    """
    left, top, across, down = place
    columns, rows = screen
    taken = np.zeros((rows, columns + 2), bool)  # with a column at either side, so that texts never touch
    found = []
    for label in labels:
        x, y = left + label.x * across / size[0], top + label.y * down / size[1]
        characters = characters_of(label.text)
        if label.upright:
            parts = [one for one in characters if one]
            first = math.floor(y - len(parts) / 2 + 0.5)
            column = _free_column(taken[max(first, 0) : max(first + len(parts), 0)], math.floor(x))
            pieces = [(first + number, column, [one]) for number, one in enumerate(parts)]
        else:
            begin = math.floor(x - {"left": 0.0, "middle": 0.5, "right": 1.0}[label.anchor] * len(characters) + 0.5)
            pieces = [(math.floor(y), begin, characters)]
        for row, begin, one in pieces:
            cut = _cut(taken[row], begin, one) if 0 <= row < rows and begin < columns else []
            if cut:
                column = max(begin, 0)
                taken[row, column + 1 : column + 1 + len(cut)] = True
                found.append(CellText(row, column, cut, label.colour))
    return found


def _free_column(taken: NDArray[np.bool_], wanted: int) -> int:
    """The column that is wanted, or one near it, if no text touches it there; else the one that is wanted."""
    for column in (wanted, wanted - 1, wanted + 1, wanted - 2, wanted + 2):
        if 0 <= column < taken.shape[1] - 2 and not taken[:, column : column + 3].any():
            return column
    return wanted


def _cut(taken: NDArray[np.bool_], begin: int, characters: Sequence[str]) -> Sequence[str]:
    """As many of the characters as fit from a column on; none where too little is left of them."""
    column, room = max(begin, 0), 0
    one = list(characters[column - begin :])
    while room < len(one) and column + room < len(taken) - 2 and not taken[column + room : column + room + 3].any():
        room += 1
    if room < len(one) and room < _LEAST_CUT:
        return []
    if room < len(one) and one[room] == "":  # half of a wide character
        room -= 1
    return one[:room]


def place_lines(
    lines: NDArray[np.uint8], place: tuple[int, int, int, float], screen: tuple[int, int]
) -> list[CellText]:
    """Thin lines of a frame, [h, w, 3] BGR, black where there are none, as braille: 2 x 4 dots a cell, of the
    brightest colour in it. ``place``, ``screen``: as for labels."""
    left, top, across, down = place
    columns, rows = screen
    height = math.ceil(down)
    bright = lines.max(axis=2)
    dots = _most_of(bright, round(down * 4), across * 2)
    dots = np.pad(dots, ((0, height * 4 - len(dots)), (0, 0)))
    parts = (dots > _LEAST_LINE).reshape(height, 4, across, 2).transpose(0, 2, 1, 3).reshape(height, across, 8)
    codes = (parts * _BRAILLE_DOTS).sum(axis=2)
    ranked = (bright.astype(np.uint32) << 24) | (lines.astype(np.uint32) << (0, 8, 16)).sum(axis=2, dtype=np.uint32)
    shades = _most_of(ranked, max(round(down), 1), across)
    codes, shades = codes[: max(rows - top, 0), : max(columns - left, 0)], shades[:, : max(columns - left, 0)]
    found = []
    for row, (line, colours) in enumerate(zip(codes, shades, strict=False)):
        there = np.flatnonzero(line)
        breaks = np.flatnonzero((np.diff(there) != 1) | (colours[there][1:] != colours[there][:-1])) + 1
        for run in np.split(there, breaks) if there.size else ():
            shade = int(colours[run[0]])
            colour = shade & 255, shade >> 8 & 255, shade >> 16 & 255
            characters = [chr(_BRAILLE + code) for code in line[run].tolist()]
            found.append(CellText(top + row, left + int(run[0]), characters, colour, legible=False))
    return found


def _most_of(image: NDArray[Number], height: int, width: int) -> NDArray[Number]:
    """An image [h, w] at a smaller size, or a larger one, each pixel the largest of those that it stands for."""
    for axis, wanted in ((0, height), (1, width)):
        size = image.shape[axis]
        if size > wanted:
            firsts = np.arange(wanted) * size // wanted
            image = np.asarray(np.maximum.reduceat(image, firsts, axis=axis), image.dtype)
        else:
            image = image.take(np.arange(wanted) * size // wanted, axis=axis)
    return image


class Painter:
    """Draws images with half blocks, two pixels a cell; writes only cells that changed on a screen that begins empty.

    ``true_colour``: 24 bits a colour, else the 256 of xterm.
    """

    def __init__(self, true_colour: bool) -> None:
        self._true_colour = true_colour
        self._shown: NDArray[np.uint8] | None = None  # [rows, columns, 2, numbers that set a colour]
        self._glyphs: NDArray[np.uint8] | None = None  # [rows, columns, bytes], NUL-padded; None: all are blocks

    def paint(self, pixels: NDArray[np.uint8], texts: Sequence[CellText] = ()) -> bytes:
        """Escape sequences that make the screen show pixels, BGR [2 * rows, columns, 3], from its top left, and texts
        over them."""
        glyphs = None
        if texts:
            pixels, glyphs = pixels.copy(), _blocks(len(pixels) // 2, pixels.shape[1])
            for text in texts:
                _put(pixels, glyphs, text)
        numbers = pixels[..., ::-1] if self._true_colour else _palette_codes(pixels)
        cells = np.stack([numbers[0::2], numbers[1::2]], axis=2)
        if self._shown is None or self._shown.shape != cells.shape:
            changed = np.ones(cells.shape[:2], bool)
        else:
            changed = (cells != self._shown).any(axis=(2, 3))
            if glyphs is not None or self._glyphs is not None:
                blocks = _blocks(*changed.shape)
                before, after = (blocks if one is None else one for one in (self._glyphs, glyphs))
                changed |= (before != after).any(axis=2)
        self._shown, self._glyphs = cells, glyphs
        return self._written(cells, glyphs, *np.nonzero(changed))

    def _written(
        self,
        cells: NDArray[np.uint8],
        glyphs: NDArray[np.uint8] | None,
        rows: NDArray[np.intp],
        columns: NDArray[np.intp],
    ) -> bytes:
        """Escape sequences for some of the cells, row by row."""
        if not rows.size:
            return b""
        colours = cells[rows, columns].astype(np.intp)  # [n, 2, numbers]
        moved = np.ones(rows.size, bool)
        moved[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1] + 1)
        fresh = np.ones((rows.size, 2), bool)
        fresh[1:] = (colours[1:] != colours[:-1]).any(axis=2)
        kind = b";2;" if self._true_colour else b";5;"
        parts = [
            _join(b"\x1b[", (rows + 1, columns + 1), b"H") * moved[:, None],
            _join(b"\x1b[38" + kind, colours[:, 0].T, b"m") * fresh[:, :1],
            _join(b"\x1b[48" + kind, colours[:, 1].T, b"m") * fresh[:, 1:],
            np.broadcast_to(_BLOCK, (rows.size, _BLOCK.size)) if glyphs is None else glyphs[rows, columns],
        ]
        text = np.concatenate(parts, axis=1).ravel()
        return bytes(text[text != 0])  # NULs are what was left out


def _put(pixels: NDArray[np.uint8], glyphs: NDArray[np.uint8], text: CellText) -> None:
    """A text into its cells: its colour above, the ground below, which is what was there, or darker where that
    is too light to read it."""
    row, end = text.row, text.column + len(text.characters)
    cells = pixels[2 * row : 2 * row + 2, text.column : end]
    ground = cells.mean(axis=0)
    bright = float(np.array(text.colour) @ _LUMA)
    if text.legible:
        poor = np.abs(ground @ _LUMA - bright) < _CONTRAST
        ground[poor] = _DARK if bright > 128 else 255 - _DARK
    cells[1], cells[0] = ground.round(), text.colour
    for column, character in enumerate(text.characters, text.column):
        glyphs[row, column] = _glyph(character)


def _blocks(rows: int, columns: int) -> NDArray[np.uint8]:
    """Cells without text, [rows, columns, bytes]."""
    glyphs = np.zeros((rows, columns, _GLYPH_BYTES), np.uint8)
    glyphs[..., : _BLOCK.size] = _BLOCK
    return glyphs


def _glyph(character: str) -> NDArray[np.uint8]:
    return np.frombuffer(character.encode("utf-8", "replace")[:_GLYPH_BYTES].ljust(_GLYPH_BYTES, b"\0"), np.uint8)


def _join(start: bytes, numbers: Sequence[NDArray[np.intp]] | NDArray[np.intp], end: bytes) -> NDArray[np.uint8]:
    """Rows of ``start``, decimal numbers with semicolons between, ``end``; NUL-padded."""
    count = len(numbers[0])
    parts = [np.broadcast_to(np.frombuffer(start, np.uint8), (count, len(start)))]
    for index, number in enumerate(numbers):
        parts.append(_DECIMALS[np.minimum(number, len(_DECIMALS) - 1)])
        mark = end if index == len(numbers) - 1 else b";"
        parts.append(np.broadcast_to(np.frombuffer(mark, np.uint8), (count, len(mark))))
    return np.concatenate(parts, axis=1)


def _palette_codes(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The nearest of xterm's colours 16..255 (the cube and 24 greys) of BGR pixels: [h, w, 1]."""
    level = _NEAREST[pixels]  # [h, w, 3]
    grey = np.clip((pixels.mean(axis=2) - 3) / 10, 0, 23).round().astype(np.intp)  # grey n is 8 + 10 n
    wide = pixels.astype(np.intp)
    cube_error = ((wide - _CUBE[level]) ** 2).sum(axis=2)
    grey_error = ((wide - (8 + 10 * grey)[..., None]) ** 2).sum(axis=2)
    cube = 16 + 36 * level[..., 2] + 6 * level[..., 1] + level[..., 0]
    return np.asarray(np.where(grey_error < cube_error, 232 + grey, cube), np.uint8)[..., None]
