"""Sheets: images of one size in rows and columns, saved by the viewer, by a training run or by other programs.

Where the images lie follows from the recipe in the file, from what is asked for, or from the lines between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.contract.errors import ImageError
from trainer.contract.headers import Unreadable, read_header
from trainer.contract.images import decode, read_bytes
from trainer.contract.recipe import find_recipe

MARGIN: Final = 2  # pixels, as the viewer's sheets and a run's samples have
_MOST: Final = 256  # rows, and columns
_LEAST_SIDE: Final = 4  # pixels of an image that is found by the lines round it
_WIDEST: Final = 64  # pixels of a margin that is found
_MOST_UNEXPLAINED: Final = 0.5  # of the lines along a side, where margins are not as the viewer has them
_COLOURS: Final = 4  # that are tried for the margin

Image = NDArray[np.uint8]  # [h, w, 3], of any order of the colours
Lines = NDArray[np.bool_]  # [side]


@dataclass(frozen=True)
class SheetLayout:
    """Where the images of a sheet lie, in pixels."""

    rows: int
    columns: int
    width: int  # of an image
    height: int
    margin: int = 0  # between two
    border: int = 0  # round all of them

    @property
    def count(self) -> int:
        """How many images there are."""
        return self.rows * self.columns

    def corner(self, index: int) -> tuple[int, int]:
        """The leftmost column and the top row of an image."""
        row, column = divmod(index, self.columns)
        return self.border + column * (self.width + self.margin), self.border + row * (self.height + self.margin)

    def part(self, index: int) -> tuple[slice, slice]:
        """The rows and columns of pixels of an image."""
        left, top = self.corner(index)
        return slice(top, top + self.height), slice(left, left + self.width)

    def cell_at(self, x: float, y: float) -> int:
        """The image under a point, or the nearest."""
        row = int((y - self.border + self.margin / 2) // (self.height + self.margin))
        column = int((x - self.border + self.margin / 2) // (self.width + self.margin))
        return min(max(row, 0), self.rows - 1) * self.columns + min(max(column, 0), self.columns - 1)


def read_sheet(
    path: Path, rows: int | None = None, columns: int | None = None, margin: int | None = None
) -> NDArray[np.uint8]:
    """The images u8 [n, h, w, 3] RGB of a file; see ``find_layout``. Raises ``ImageError``."""
    try:
        data = read_bytes(path)
        image = np.asarray(cv2.cvtColor(decode(data, read_header(data)), cv2.COLOR_BGR2RGB), np.uint8)
    except Unreadable as error:
        raise ImageError(f"cannot cut {path}: {error}") from None
    try:
        recipe = find_recipe(data) or {}
    except Unreadable:
        recipe = {}
    layout = find_layout(path, image, recipe, rows, columns, margin)
    return np.stack([image[layout.part(index)] for index in range(layout.count)])


def find_layout(
    path: Path,
    image: Image,
    recipe: Mapping[str, Any],
    rows: int | None = None,
    columns: int | None = None,
    margin: int | None = None,
    flag: str = "--columns",
) -> SheetLayout:
    """The layout of a sheet that was read from ``path``; what is ``None`` is found.

    ``flag``: for the number of columns, in messages. Raises ``ImageError`` where no layout fits."""
    if "image" in recipe and rows is None and columns is None:
        raise ImageError(f"{path}: is one image of the viewer, expected a table, as S saves it")
    shape = image.shape[0], image.shape[1]
    wanted = rows or _whole(recipe.get("rows")), columns or _whole(recipe.get("cols"))
    if wanted[0] and wanted[1]:
        asked = rows is not None and columns is not None
        gap = MARGIN if asked or "gap" not in recipe else _whole(recipe["gap"], 0)
        found = _fitting(image, wanted[0], wanted[1], gap if margin is None else margin)
        if found is not None:
            return found
        if asked and margin is not None:
            raise ImageError(
                f"{path}: {shape[1]}x{shape[0]} pixels are not {rows} rows and {columns} columns with {margin} between "
                f"them, expected other --rows, {flag} or --margin"
            )
    found = _by_lines(image, rows, columns, margin)
    if found is None:
        raise ImageError(f"{path}: no lines between its images, expected --rows, {flag} and --margin")
    return found


def _whole(value: Any, least: int = 1) -> int | None:
    return value if type(value) is int and least <= value <= 10_000 else None


def _fitting(image: Image, rows: int, columns: int, margin: int | None) -> SheetLayout | None:
    """The layout of so many images, with a border round them all or without, whichever fits; where both do, that whose
    margins are closer to one colour; ``None`` where neither does."""
    shape = image.shape[:2]
    margin = MARGIN if margin is None else margin
    fitting = []
    for border in (margin, 0):
        insides = [side - 2 * border + margin for side in shape]
        pitches = [inside // parts for inside, parts in zip(insides, (rows, columns), strict=True)]
        if insides == [pitches[0] * rows, pitches[1] * columns] and min(pitches) > margin:
            fitting.append(SheetLayout(rows, columns, pitches[1] - margin, pitches[0] - margin, margin, border))
    return min(fitting, key=lambda one: _unevenness(image, one) if len(fitting) > 1 else 0.0, default=None)


def _unevenness(image: Image, layout: SheetLayout) -> float:
    """How far the margins of a sheet are from one colour, in levels."""
    between = np.ones(image.shape[:2], np.bool_)
    for index in range(layout.count):
        between[layout.part(index)] = False
    return float(image[between].std(axis=0).mean()) if between.any() else 0.0


def _by_lines(image: Image, rows: int | None, columns: int | None, margin: int | None) -> SheetLayout | None:
    """The layout whose margins are lines of one colour, all of them, across the whole table.

    Images may have such lines themselves. Of several layouts, one with the margins of this program's own sheets
    is taken first, then one that leaves the fewest lines unexplained, of less than half of them."""
    across, down = _colours(image), _colours(image.swapaxes(0, 1))
    best: tuple[tuple[bool, float], SheetLayout] | None = None
    for colour in {*across[1], *down[1]}:
        lines = across[0] == colour, down[0] == colour
        if lines[0].all() or lines[1].all():
            continue
        for wide in range(1, _WIDEST + 1) if margin is None else (margin,):
            for border in (wide, 0):
                halves = [_parts(line, wide, border, n) for line, n in zip(lines, (rows, columns), strict=True)]
                if halves[0][0] * halves[1][0] < 2:
                    continue
                (high, height, left), (wide_count, width, right) = halves
                usual = (wide, border) == (MARGIN, MARGIN)
                if not usual and max(left, right) > _MOST_UNEXPLAINED:
                    continue
                rank = not usual, left + right
                if best is None or rank < best[0]:
                    best = rank, SheetLayout(high, wide_count, width, height, wide, border)
    return None if best is None else best[1]


def _colours(image: Image) -> tuple[NDArray[np.int64], list[int]]:
    """The colour of every row of pixels as a number, -1 where it has several; and those that most rows have."""
    found = np.full(len(image), -1, np.int64)
    sample = image[:, :: max(image.shape[1] // 16, 1)]
    for row in np.flatnonzero((sample == sample[:, :1]).all(axis=(1, 2))).tolist():
        if (image[row] == image[row, 0]).all():
            found[row] = int.from_bytes(image[row, 0].tobytes(), "big")
    colours, counts = np.unique(found[found >= 0], return_counts=True)
    return found, colours[np.argsort(-counts, kind="stable")][:_COLOURS].tolist()


def _parts(lines: Lines, margin: int, border: int, wanted: int | None) -> tuple[int, int, float]:
    """How many images lie along a side whose margins are all ``lines``, the side of one, and the fraction of the
    lines that are no margins; the fewest of these counts. (0, 0, 0.0): there is no such layout."""
    side, total = len(lines), int(lines.sum())
    inside = side - 2 * border + margin
    best = (0, 0, 0.0)
    if not (lines[:border].all() and lines[side - border :].all()):
        return best
    for count in (wanted,) if wanted else range(1, min(_MOST, total // margin + 1) + 1 if margin else 1):
        pitch = inside // count
        if inside % count or pitch - margin < _LEAST_SIDE or pitch * count < 1:
            continue
        firsts = border + pitch - margin + pitch * np.arange(count - 1)
        if not lines[firsts[:, None] + np.arange(margin)].all():
            continue
        left = (total - margin * (count - 1) - 2 * border) / max(total, 1)
        if not best[0] or left < best[2]:
            best = count, pitch - margin, left
    return best
