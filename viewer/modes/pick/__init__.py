"""The pick mode: a saved table of images, to cut some out."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.contract.options import argument, flag
from viewer.bindings import Binding, merged
from viewer.keys import Action
from viewer.mode import Context, Mode, SessionOptions, scale_flag, whole

if TYPE_CHECKING:
    from viewer.modes.pick.session import PickSession


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


class Pick(Mode):
    """``python -m viewer pick``."""

    summary = "a saved table of images, to cut some out"
    Options = PickOptions
    bindings = merged(
        Binding("wheel", "zoom", (Action.WHEEL_UP, Action.WHEEL_DOWN)),
        words={
            "PageUp PageDown Home End": "Home, End: the first image, the last",
            "s": "cut the image under the cursor out, and save it",
            "S": "cut all images out, and save each",
            "+ -": "zoom (= and _ too)",
        },
        without=("i", "r", "Space", "any other key"),
    )

    def open(self, options: PickOptions, context: Context) -> "PickSession":
        """The session to show. Raises ``ViewerError``."""
        from viewer.modes.pick.session import open_pick

        return open_pick(options)


MODE = Pick()
