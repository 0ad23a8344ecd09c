"""The animate mode: a walk through latent space."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.contract.options import flag
from viewer.bindings import CLASS, ROWS_BY_CLASS, Binding, merged
from viewer.mode import Context, Mode, SheetOptions, columns_flag, rows_flag, scale_flag, whole
from viewer.sessions.grid import gain_flag

if TYPE_CHECKING:
    from viewer.modes.animate.session import AnimateSession


@dataclass(frozen=True, kw_only=True)
class AnimateOptions(SheetOptions):
    """Options of ``animate``."""

    rows: int = rows_flag(1)
    cols: int = columns_flag(1)
    scale: float | None = scale_flag("3")
    detail: Path | None = flag(
        "ONNX file of a detail network of the same latents, to be added", type=Path, metavar="FILE"
    )
    gain: float | None = gain_flag()
    lerp: bool = flag("walk in straight lines, not on great circles", default=False, action="store_true")
    frames: int | None = flag("stop after so many frames (60 with --display none)", type=whole(1, 10**6), metavar="N")
    loop: bool = flag(
        "a closed walk of --frames frames, 30 a leg, that ends where it began", default=False, action="store_true"
    )


class Animate(Mode):
    """``python -m viewer animate``."""

    summary = "a walk through latent space"
    Options = AnimateOptions
    bindings = merged(
        Binding("[ ]", "slower, faster", after="arrows, click"),
        CLASS,
        ROWS_BY_CLASS,
        words={
            "s": "save the image",
            "+ -": "faster, slower; with --detail: more of it, less (= and _ too)",
            "Space": "pause, go on",
            "any other key": "walk to somewhere new",
        },
    )
    kind = "generator"

    def open(self, options: AnimateOptions, context: Context) -> "AnimateSession":
        """The session to show. Raises ``ViewerError``."""
        from viewer.modes.animate.opening import open_animate

        return open_animate(options, context)


MODE = Animate()
