"""Options of the dataset mode."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.contract.options import argument, flag
from viewer.mode import SessionOptions, scale_flag, whole


@dataclass(frozen=True, kw_only=True)
class DatasetOptions(SessionOptions):
    """Options of ``dataset``."""

    files: Sequence[Path] = argument(
        "sets as training takes them, or image files",
        nargs="+",
        type=Path,
        metavar="FILE",
    )
    rows: int = flag("rows of a page (8)", default=8, type=whole(1, 64), metavar="N")
    cols: int = flag("columns of a page (8)", default=8, type=whole(1, 64), metavar="N")
    scale: float | None = scale_flag()
    bgr: bool = flag("a .npy file holds BGR, as plain OpenCV scripts write it", default=False, action="store_true")
    marks: Path | None = flag("list of the marked images (FILE.marks.txt beside FILE)", type=Path, metavar="LIST")
