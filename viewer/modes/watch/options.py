"""A training that goes on or has ended: its sheets, curves and progress."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from trainer.contract.options import argument, flag
from viewer.bindings import ARROWS, PAGES, Binding, merged
from viewer.keys import Action
from viewer.options import SessionOptions, number, whole

MOST_RUNS: Final = 8


@dataclass(frozen=True, kw_only=True)
class Options(SessionOptions):
    runs: Sequence[Path] = argument(f"folders of runs, or of several, {MOST_RUNS} at most", nargs="+", metavar="RUN")
    view: Literal["both", "sheets", "curves"] = flag("what to show: sheets, curves or both (both)", default="both")
    curves: str = flag("begin with the curves whose names contain this", default="", metavar="TEXT")
    smooth: float = flag("smoothing, as in TensorBoard (0.6)", default=0.6, type=number(0, 0.999), metavar="X")
    log_scale: bool = flag("logarithmic curves", default=False)
    frames: int | None = flag(
        "frames of a film, with --display none and --record (all sheets, for a moment each)",
        type=whole(2, 10**5),
        metavar="N",
    )  # fmt: skip

    @property
    def without_screen(self) -> bool:
        """Where there is neither a screen nor a script for one, the state of the runs is printed."""
        return self.display == "none" and not self.keys and self.record is None

    @property
    def is_film(self) -> bool:
        """Whether all sheets are to be recorded, without a screen."""
        record = self.record
        return self.display == "none" and not self.keys and record is not None and record.suffix.lower() != ".png"


BINDINGS: Final = merged(
    Binding("left right", "the sheet before, the next", after=ARROWS, hint={"sheets": "left right: in time"}, rank=0),
    Binding("Tab", "sheets and curves, sheets alone, curves alone", (Action.NEXT_VIEW,), hint="tab view"),
    Binding("Enter", "the selected curve alone, all", after="S", hint="enter: curve alone"),
    Binding("c", "all curves, losses, scores, learning rates, speed", after="S", hint="c choose curves"),
    Binding("[ ]", "curves less smooth, smoother", after="S", hint="[ ] smooth"),
    Binding("l", "logarithmic curves, and back", after="S", hint="l log"),
    Binding("o", "outliers: curves within their usual range, all of them", after="S"),
    Binding("z", "fewer images of a sheet, larger", after="S", hint={"sheets": "z larger"}),
    Binding("f F", "faster, slower", after="S", hint={"sheets": "f faster"}),
    Binding("1-9", "hide this run, show it", after="S", hint={"several": "1-9 hide a run"}),
    Binding(ARROWS, "up, down: select a curve; click into a curve: to the sheet of that time"),
    Binding(PAGES, "ten sheets back, on; Home, End: the first sheet, the newest"),
    Binding("s", "save the sheet as it is"),
    Binding("+ -", "closer to the time of the sheet, further (= and _ too)", hint="+ - zoom"),
    Binding("Space", "play the sheets, pause", hint={"sheets": "space play"}, rank=0),
    Binding("any other key", "the newest sheet, and follow", hint={"behind": "any key: newest"}, rank=0),
    without=("i", "r"),
)
OPENS: Final = {"run( run)*|runs": ""}
