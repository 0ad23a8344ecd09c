"""A saved table of images, to cut some out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trainer.contract.options import argument, flag
from viewer.bindings import ARROWS, BACK, PAGES, Binding, merged
from viewer.keys import Action
from viewer.options import SessionOptions, scale_flag, whole


@dataclass(frozen=True, kw_only=True)
class Options(SessionOptions):
    table: Path = argument("image of a table: a screen saved with S, a sheet of samples", metavar="TABLE")
    rows: int | None = flag(
        "rows of the table (as its recipe says, or by the lines between its images)", type=whole(1, 256), metavar="N"
    )
    cols: int | None = flag("columns of the table (likewise)", type=whole(1, 256), metavar="N")
    margin: int | None = flag("pixels between its images (likewise)", type=whole(0, 4096), metavar="N")
    scale: float | None = scale_flag(pixel="a pixel of the table")


BINDINGS: Final = merged(
    Binding("wheel", "zoom", (Action.WHEEL_UP, Action.WHEEL_DOWN)),
    Binding(ARROWS, "move the cursor (wraps round)", hint="arrows move"),
    Binding(PAGES, "Home, End: the first image, the last"),
    Binding("s", "cut the image under the cursor out, and save it", hint="s cut out", rank=0),
    Binding("S", "cut all images out, and save each", hint="S cut all out"),
    Binding("+ -", "zoom (= and _ too)", hint="+ - zoom"),
    without=("i", "r", BACK, "Space", "any other key"),
)
OPENS: Final = {"sheet": ""}
