"""Where the images of a saved table lie: as its recipe says, as one is told, or by the lines between them.

``trainer.contract.sheet`` cuts tables up by the same rules, which the viewer may not import.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trainer.contract.errors import ImageError
from viewer.files.png import Image
from viewer.frame.area import Area

MARGIN: Final = 2  # pixels, as the viewer's sheets and a run's samples have
MOST: Final = 256  # rows, and columns
_LEAST_SIDE: Final = 4  # pixels of an image that is found by the lines round it
_WIDEST: Final = 64  # pixels of a margin that is found
_MOST_UNEXPLAINED: Final = 0.5  # of the lines along a side, where margins are not as the viewer has them
_COLOURS: Final = 4  # that are tried for the margin

# What a recipe calls a fact of one image, and the list of those of all images of a table.
ONE_A_IMAGE: Final = {
    "latent": "latents",
    "label": "labels",
    "class": "classes",
    "number": "numbers",
    "name": "names",
    "file": "files",
}

Lines = NDArray[np.bool_]  # [side]


@dataclass(frozen=True)
class Table:
    """Images of one size in rows and columns, in pixels."""

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

    def area(self, index: int) -> Area:
        """Where an image lies."""
        row, column = divmod(index, self.columns)
        left = self.border + column * (self.width + self.margin)
        return Area(left, self.border + row * (self.height + self.margin), self.width, self.height)

    def cell_at(self, x: float, y: float) -> int:
        """The image under a point, or the nearest."""
        row = int((y - self.border + self.margin / 2) // (self.height + self.margin))
        column = int((x - self.border + self.margin / 2) // (self.width + self.margin))
        return min(max(row, 0), self.rows - 1) * self.columns + min(max(column, 0), self.columns - 1)


def find_table(
    path: Path,
    image: Image,
    recipe: Mapping[str, Any],
    rows: int | None = None,
    columns: int | None = None,
    margin: int | None = None,
) -> Table:
    """The layout of a table that was read from ``path``; what is not given is found. Raises ``ImageError``."""
    if "image" in recipe and rows is None and columns is None:
        raise ImageError(f"{path}: is one image of the viewer, expected a table, as S saves it")
    shape = image.shape[0], image.shape[1]
    wanted = rows or _whole(recipe.get("rows")), columns or _whole(recipe.get("cols"))
    if wanted[0] and wanted[1]:
        told = rows is not None and columns is not None
        gap = MARGIN if told or "gap" not in recipe else _whole(recipe["gap"], 0)
        found = _layout(image, wanted[0], wanted[1], gap if margin is None else margin)
        if found is not None:
            return found
        if told and margin is not None:
            raise ImageError(
                f"{path}: {shape[1]}x{shape[0]} pixels are not {rows} rows and {columns} columns with {margin} between "
                "them, expected other --rows, --cols or --margin"
            )
    found = _by_lines(image, rows, columns, margin)
    if found is None:
        raise ImageError(f"{path}: no lines between its images, expected --rows, --cols and --margin")
    return found


def _whole(value: Any, least: int = 1) -> int | None:
    return value if type(value) is int and least <= value <= 10_000 else None


def _layout(image: Image, rows: int, columns: int, margin: int | None) -> Table | None:
    """So many images, with a border round them all or without; ``None`` where that does not come out even. Where both
    do, that counts whose margins are more of one colour."""
    shape = image.shape[:2]
    margin = MARGIN if margin is None else margin
    fitting = []
    for border in (margin, 0):
        insides = [side - 2 * border + margin for side in shape]
        pitches = [inside // parts for inside, parts in zip(insides, (rows, columns), strict=True)]
        if insides == [pitches[0] * rows, pitches[1] * columns] and min(pitches) > margin:
            fitting.append(Table(rows, columns, pitches[1] - margin, pitches[0] - margin, margin, border))
    return min(fitting, key=lambda table: _unevenness(image, table) if len(fitting) > 1 else 0.0, default=None)


def _unevenness(image: Image, table: Table) -> float:
    """How far the margins of a table are from one colour, in levels."""
    between = np.ones(image.shape[:2], np.bool_)
    for index in range(table.count):
        area = table.area(index)
        between[area.top : area.bottom, area.left : area.right] = False
    return float(image[between].std(axis=0).mean()) if between.any() else 0.0


def _by_lines(image: Image, rows: int | None, columns: int | None, margin: int | None) -> Table | None:
    """The layout whose margins are lines of one colour, all of them, across the whole table.

    Images may have such lines themselves. Of several layouts, one with the margins of this program's own tables
    counts most, then one that leaves the fewest lines unexplained; one that leaves most of them is none.
    """
    across, down = _colours(image), _colours(image.swapaxes(0, 1))
    best: tuple[tuple[bool, float], Table] | None = None
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
                    best = rank, Table(high, wide_count, width, height, wide, border)
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
    """How many images lie along a side whose margins are all ``lines``, the side of one, and the share of the lines
    that are no margins; the fewest of these counts. (0, 0, 0.0): there is no such layout."""
    side, total = len(lines), int(lines.sum())
    inside = side - 2 * border + margin
    best = (0, 0, 0.0)
    if not (lines[:border].all() and lines[side - border :].all()):
        return best
    for count in (wanted,) if wanted else range(1, min(MOST, total // margin + 1) + 1 if margin else 1):
        pitch = inside // count
        if inside % count or pitch - margin < _LEAST_SIDE or pitch * count < 1:
            continue
        starts = border + pitch - margin + pitch * np.arange(count - 1)
        if not lines[starts[:, None] + np.arange(margin)].all():
            continue
        left = (total - margin * (count - 1) - 2 * border) / max(total, 1)
        if not best[0] or left < best[2]:
            best = count, pitch - margin, left
    return best
