"""The hpf mode: a page of images with fine detail, of a second network or by sharpening."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.contract.options import argument
from viewer.bindings import merged
from viewer.mode import Context, Mode
from viewer.sessions.grid import GRID_BINDINGS, GridOptions, gain_flag

if TYPE_CHECKING:
    from viewer.sessions.grid.session import GridSession


@dataclass(frozen=True, kw_only=True)
class HpfOptions(GridOptions):
    """Options of ``hpf``."""

    detail: Path | None = argument(
        "ONNX file of a detail network of the same latents; without, images are sharpened",
        default=None, nargs="?", type=Path, metavar="DETAIL",
    )  # fmt: skip
    gain: float | None = gain_flag()


class Hpf(Mode):
    """``python -m viewer hpf``."""

    summary = "a page of images, with fine detail of a second network, or sharpened"
    Options = HpfOptions
    bindings = merged(*GRID_BINDINGS, words={"+ -": "more detail, less (= and _ too)"})
    kind = "generator"

    def open(self, options: HpfOptions, context: Context) -> "GridSession":
        """The session to show. Raises ``ViewerError``."""
        from viewer.sessions.grid.opening import open_grid

        return open_grid(options, context, "hpf", with_detail=True, detail=options.detail, gain=options.gain)


MODE = Hpf()
