"""Options of the pick mode."""

from dataclasses import dataclass
from pathlib import Path

from trainer.contract.options import argument, flag
from viewer.mode import SessionOptions, scale_flag, whole


@dataclass(frozen=True, kw_only=True)
class PickOptions(SessionOptions):
    """Options of ``pick``."""

    table: Path = argument("image of a table: a screen saved with S, a sheet of samples", type=Path, metavar="TABLE")
    rows: int | None = flag(
        "rows of the table (as its recipe says, or by the lines between its images)",
        type=whole(1, 256), metavar="N",
    )  # fmt: skip
    cols: int | None = flag("columns of the table (likewise)", type=whole(1, 256), metavar="N")
    margin: int | None = flag("pixels between its images (likewise)", type=whole(0, 4096), metavar="N")
    scale: float | None = scale_flag(pixel="a pixel of the table")
