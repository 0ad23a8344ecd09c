"""The latent mode: latent space itself, as planes, lines, points and sliders."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from trainer.contract.options import flag
from viewer.bindings import CLASS, Binding, merged
from viewer.keys import Action
from viewer.mode import Context, Mode, SheetOptions, number, scale_flag, whole

if TYPE_CHECKING:
    from viewer.modes.latent.session import LatentSession


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


class LatentMode(Mode):
    """``python -m viewer latent``."""

    summary = "latent space itself: planes, lines, points, sliders"
    Options = LatentOptions
    bindings = merged(
        Binding("Tab", "next view: plane, line, scatter, sliders", (Action.NEXT_VIEW,)),
        Binding(
            "mouse",
            "plane: see what is under it; line: drag from A to B; scatter: click a point; sliders: drag one",
            (Action.MOVE, Action.DRAG, Action.RELEASE),
        ),
        CLASS,
        Binding("x y, X Y", "next axis, the one before; sliders: this one becomes the axis", after="r"),
        Binding("l", "straight line, great circle", after="r"),
        words={
            "arrows, click": "move the point; line: along it; sliders: choose one, move it",
            "PageUp PageDown Home End": "sliders: further; line: its ends; Home elsewhere: back to the middle",
            "i": "the line between two random points",
            "r": "to a random point",
            "+ -": "nearer, further; sliders: move it (= and _ too)",
            "Space": "to a random point",
            "any other key": "to a random point",
        },
    )
    kind = "generator"

    def open(self, options: LatentOptions, context: Context) -> "LatentSession":
        """The session to show. Raises ``ViewerError``."""
        from viewer.modes.latent.opening import open_latent

        return open_latent(options, context)


MODE = LatentMode()
