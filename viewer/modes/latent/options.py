"""Options of the latent mode."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainer.contract.options import flag
from viewer.mode import SheetOptions, number, scale_flag, whole


@dataclass(frozen=True, kw_only=True)
class LatentOptions(SheetOptions):
    """Options of ``latent``."""

    scale: float | None = scale_flag("as fits; 2 is twice that")
    data: Path | None = flag(
        "images to scatter by the encoder beside the model: a set as training takes it", type=Path, metavar="SET"
    )
    bgr: bool = flag("a .npy file holds BGR, as plain OpenCV scripts write it", default=False, action="store_true")
    points: int = flag("of these, so many at most (5000)", default=5000, type=whole(1, 10**6), metavar="N")
    reach: float | None = flag(
        "of the axes, -X..X (4; 1 for a uniform prior)", "--range", type=number(0.01, 100), metavar="X"
    )
    lerp: bool = flag("straight lines, not great circles", default=False, action="store_true")
    view: Literal["plane", "line", "scatter", "sliders"] = flag(
        "what is shown first (plane); Tab leads on", default="plane", choices=("plane", "line", "scatter", "sliders")
    )
