"""Pages of a data set, to look through and to mark images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trainer.contract.options import argument, flag
from viewer.bindings import ARROWS, BACK, PAGES, Binding, merged
from viewer.keys import Action
from viewer.options import SessionOptions, count_flag, scale_flag

SIDE: Final = 8  # rows and columns, where the screen is large enough


@dataclass(frozen=True, kw_only=True)
class Options(SessionOptions):
    files: Sequence[Path] = argument("sets as training takes them, or image files", nargs="+", metavar="FILE")
    rows: int | None = count_flag("rows", SIDE)
    cols: int | None = count_flag("columns", SIDE)
    scale: float | None = scale_flag()
    bgr: bool = flag("a .npy file holds BGR, as plain OpenCV scripts write it", default=False)
    marks: Path | None = flag("list of the marked images (FILE.marks.txt beside FILE)", metavar="LIST")


BINDINGS: Final = merged(
    Binding("Tab", "the next of several files", (Action.NEXT_VIEW,), hint={"files": "tab next file"}),
    Binding("[ ]", "the marked image before, the next", after=ARROWS),
    Binding("d", "mark the selected image, take its mark away", after="S", hint="d mark"),
    Binding("0-9 Enter", "to the image of this number", after="S", hint="0-9 enter: go to"),
    Binding("Enter", "the selected image alone, large; the page", after="S"),
    Binding("c, 0-9 c", "only the class of the selected image, or all; the class of this number", after="S"),
    Binding("n p", "only the next class, the one before", after="r", hint={"classes": "c n p class"}),
    Binding(ARROWS, "move the cursor; at the edge of a page, to the next one"),
    Binding(PAGES, "the page before, the next; Home, End: the first image, the last"),
    Binding("S", "save the whole screen", hint="S save page", rank=2),
    Binding("r", "to a random image"),
    Binding(BACK, "the page before this one, 100 times; of a number that is typed, the last digit"),
    Binding("Space", "the next page", hint="space: next page", rank=0),
    Binding("any other key", "the next page"),
    without=("i", "+ -"),
)
OPENS: Final = {"set|images|(set|images|image)( set| images| image)+": ""}
