"""Back from a saved picture to the state that it was saved in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from viewer.pictures import PictureError, read_recipe
from viewer.state import LARGEST_TRUNCATION, LAST_SEED, LEG_TICKS, TRUNCATION_STEPS

_LARGEST_SIDE: Final = 64  # pictures in a row or column
_LAST_TICK: Final = 2**53


@dataclass(frozen=True)
class Start:
    """What a saved picture says of its sheet. Facts of the other modes have their first values."""

    way: str  # random or interpolation; slerp or lerp
    seed: int
    rows: int
    columns: int
    cursor: int
    encoded: str  # name of the real picture at the first corner
    truncation_steps: int
    position: int  # ticks
    legs: int


def read_start(path: Path, mode: str, sha256: str) -> Start:
    """The start that a picture saved in ``mode`` by the model of that hash gives. Raises ``PictureError``."""
    recipe = read_recipe(path)
    word, _, way = str(recipe.get("mode", "")).partition(" ")
    if word != mode or way not in ("random", "interpolation", "slerp", "lerp"):
        raise PictureError(f"{path}: saved in mode {recipe.get('mode')!r}, expected {mode}")
    if recipe.get("sha256") != sha256:
        raise PictureError(f"{path}: made by another model ({recipe.get('file')!r}), expected this one")

    def whole(name: str, low: int, high: int, default: float = 0, unit: int = 1) -> int:
        value = recipe.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value * unit <= high:
            raise PictureError(f"{path}: {name} is {value!r}, expected a number {low / unit:g}..{high / unit:g}")
        return round(value * unit)

    rows, columns = whole("rows", 1, _LARGEST_SIDE), whole("cols", 1, _LARGEST_SIDE)
    return Start(
        way=way,
        seed=whole("seed", 0, LAST_SEED),
        rows=rows,
        columns=columns,
        cursor=whole("picture", 0, rows * columns - 1),
        encoded=str(recipe.get("encoded", "")),
        truncation_steps=whole("truncation", 0, LARGEST_TRUNCATION, 1, TRUNCATION_STEPS),
        position=whole("position", 0, _LAST_TICK, 0, LEG_TICKS),
        legs=whole("legs", 0, _LAST_TICK),
    )
