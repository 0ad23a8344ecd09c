"""Options of the translate mode."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainer.contract.options import flag
from viewer.mode import ImagesOptions, whole


@dataclass(frozen=True, kw_only=True)
class TranslateOptions(ImagesOptions):
    """Options of ``translate``."""

    size: int = flag(
        "longer side of an image at most, in pixels (that of the training)",
        default=0, type=whole(8, 4096), metavar="N",
    )  # fmt: skip
    condition: Literal["", "given", "edges"] = flag(
        "what goes into the model: the image as it is, or its edges (as the model's card says)",
        default="", choices=("given", "edges"),
    )  # fmt: skip
    draw: bool = flag(
        "draw with the mouse on an empty page, and see the result beside it", default=False, action="store_true"
    )
    start: Path | None = flag("draw on top of this image's edges, or on a saved drawing", type=Path, metavar="IMAGE")

    @property
    def without_screen(self) -> bool:
        """Whether results are written, and nothing is shown; never for drawing."""
        return not self.draw and super().without_screen
