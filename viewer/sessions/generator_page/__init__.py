"""A page of images to choose from: options and keys of the modes that show one. Imports nothing heavy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trainer.contract.options import flag
from viewer.bindings import CLASS, ROWS_BY_CLASS, Binding
from viewer.options import SheetOptions, count_flag, number

ROWS, COLUMNS = 6, 8  # images, where the screen is large enough
GRID_BINDINGS: Final = (
    Binding("m", "mixes of three training images (if the model keeps some)", after="r", hint={"mixes": "m mixes"}),
    CLASS,
    ROWS_BY_CLASS,
)


def gain_flag() -> Any:
    """``--gain``."""
    return flag(
        "what detail is multiplied by to begin with, 0..128 (1: as trained); of sharpening, 0..1 (0.2)",
        type=number(0, 128), metavar="X",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class GridOptions(SheetOptions):
    """Options of modes that show a page of images."""

    rows: int | None = count_flag("rows", ROWS)
    cols: int | None = count_flag("columns", COLUMNS)
    encode: Path | None = flag("interpolate from this image, by the encoder beside the model", metavar="IMAGE")
    mix: bool = flag("begin with mixes of three training images each, whose latents the model keeps", default=False)
