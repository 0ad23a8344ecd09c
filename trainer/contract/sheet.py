"""Cut the images out of a table: a sheet that the viewer saved, a run's samples, any rows and columns. No torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.headers import Unreadable, read_header
from trainer.contract.images import decode, read_bytes
from trainer.contract.text import printable

MARGIN = 2  # pixels, as the viewer's sheets and a run's samples have
MOST_RECIPE = 1 << 24  # bytes
KEYWORD = b"utsuroi\0"


@dataclass(frozen=True)
class Table:
    """Where images lie on a table, in pixels."""

    rows: int
    columns: int
    margin: int  # between two images
    border: int  # round all of them: the margin, or nothing

    def cut(self, image: np.ndarray) -> np.ndarray:
        """Images [rows * columns, h, w, c] of a table [height, width, c]."""
        return np.stack([image[place] for place in self.places(image.shape)])

    def places(self, shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
        """Where each image is on a table [height, width, c], row by row."""
        height = (shape[0] - 2 * self.border + self.margin) // self.rows - self.margin
        width = (shape[1] - 2 * self.border + self.margin) // self.columns - self.margin
        tops = [self.border + row * (height + self.margin) for row in range(self.rows)]
        lefts = [self.border + column * (width + self.margin) for column in range(self.columns)]
        return [(slice(top, top + height), slice(left, left + width)) for top in tops for left in lefts]

    def unevenness(self, image: np.ndarray) -> float:
        """How far from one colour that is which lies between and round the images."""
        between = np.ones(image.shape[:2], bool)
        for place in self.places(image.shape):
            between[place] = False
        return float(image[between].std(0).mean()) if between.any() else 0.0


def read_table(path: Path, rows: int | None, columns: int | None, margin: int | None) -> np.ndarray:
    """The images u8 [n, h, w, 3] RGB of a file; what is not given is taken from what the viewer wrote into it.

    Raises ``UserError`` where the file is no image, does not say its layout, or does not have it.
    """
    name = printable(path)
    try:
        data = read_bytes(path)
        image = cv2.cvtColor(decode(data, read_header(data)), cv2.COLOR_BGR2RGB)
    except Unreadable as error:
        raise UserError(f"cannot cut {name}: {error}") from None
    recipe = read_recipe(data) if rows is None or columns is None else {}
    if "image" in recipe and rows is None and columns is None:
        raise UserError(f"{name} is one image of the viewer, expected a table, as S saves it")
    found = rows or recipe.get("rows"), columns or recipe.get("cols")
    if not all(type(value) is int and 1 <= value <= 10_000 for value in found):
        raise UserError(f"{name} does not say its rows and columns, expected --rows and --columns")
    gap = recipe.get("gap", MARGIN) if margin is None else margin
    return layout(name, image, found[0], found[1], gap if type(gap) is int else MARGIN).cut(image)  # type: ignore[arg-type]


def layout(name: str, image: np.ndarray, rows: int, columns: int, margin: int) -> Table:
    """Whether images of a table [height, width, c] have a border round them all; where its size allows both, the
    layout with plain margins. Raises ``UserError`` where no such layout fits."""
    fitting = []
    for border in (margin, 0):
        insides = [side - 2 * border + margin for side in image.shape[:2]]
        if all(
            inside % parts == 0 and inside // parts > margin
            for inside, parts in zip(insides, (rows, columns), strict=True)
        ):
            fitting.append(Table(rows, columns, margin, border))
    if not fitting:
        raise UserError(
            f"{name} has {image.shape[1]}x{image.shape[0]} px, not {columns} columns and {rows} rows with {margin} px "
            "between them: expected other --rows, --columns or --margin"
        )
    return min(fitting, key=lambda table: table.unevenness(image)) if len(fitting) > 1 else fitting[0]


def read_recipe(data: bytes) -> dict[str, Any]:
    """What the viewer wrote into a PNG, of which the header has been checked; nothing where there is nothing sound."""
    position = 8
    while data.startswith(b"\x89PNG") and position + 12 <= len(data):
        length, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        body = data[position + 8 : position + 8 + length]
        position += 12 + length
        if kind == b"tEXt" and body.startswith(KEYWORD) and length <= MOST_RECIPE:
            try:
                recipe = json.loads(body[len(KEYWORD) :])
            except (ValueError, RecursionError):
                return {}
            if not isinstance(recipe, dict):
                return {}
            if "picture" in recipe:  # the key of version 0.1
                recipe["image"] = recipe.pop("picture")
            return recipe
    return {}
