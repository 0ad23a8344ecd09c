"""Latent space itself: planes, lines, points, sliders."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from trainer.contract.options import flag
from viewer.bindings import ARROWS, BACK, CLASS, PAGES, Binding, merged
from viewer.keys import Action
from viewer.options import SheetOptions, number, scale_flag, whole


@dataclass(frozen=True, kw_only=True)
class Options(SheetOptions):
    scale: float | None = scale_flag("as fits; 2 is twice that")
    data: Path | None = flag(
        "images to scatter by the encoder beside the model: a set as training takes it", metavar="SET"
    )
    random: int | None = flag(
        "so many random latents to scatter, instead of images: for models without an encoder, too",
        type=whole(2, 10**5), metavar="N",
    )  # fmt: skip
    bgr: bool = flag("a .npy file holds BGR, as plain OpenCV scripts write it", default=False)
    points: int = flag("of these, so many at most (5000)", default=5000, type=whole(1, 10**6), metavar="N")
    reach: float | None = flag(
        "of the axes, -X..X (4; 1 for a uniform prior)", "--range", type=number(0.01, 100), metavar="X"
    )
    directions: Path | None = flag(
        "file of named directions, read and written (MODEL.directions.json beside the model)", metavar="FILE"
    )
    lerp: bool = flag("straight lines, not great circles", default=False)
    view: Literal["plane", "line", "scatter", "sliders"] = flag(
        "what is shown first (plane); Tab leads on", default="plane"
    )


BINDINGS: Final = merged(
    Binding("Tab", "next view: plane, line, scatter, sliders", (Action.NEXT_VIEW,), hint="tab next view"),
    Binding(
        "mouse",
        "plane: see what is under it, drag a slider beside it; line: drag from A to B; scatter: click a point, right "
        "button: a rectangle; sliders: drag one",
        (Action.MOVE, Action.DRAG, Action.RELEASE),
        hint={"line": "drag from A to B", "scatter": "click a point"},
    ),
    CLASS,
    Binding(
        "x y, X Y",
        "next axis, the one before; sliders: this one becomes the axis",
        after="r",
        hint={"sliders": "x y axis of the plane", "line": "", "": "x y axes"},
    ),
    Binding(
        "a b, A B",
        "scatter: the point or the rectangle into group A, B, or out of it; A B: with all of its class",
        after="r",
        hint={"scatter": "a b groups"},
    ),
    Binding("m e", "scatter: direction from A to B by LDA or by means; empty both groups", after="r"),
    Binding(
        "d D",
        "name a direction and save it: line, scatter: from A to B; sliders: this one; plane: across, D: up",
        after="S",
        hint="d name direction",
    ),
    Binding(
        "Enter, Backspace", "save under the name that is typed; take its last letter away", (Action.BACK,), after="S"
    ),
    Binding("l", "straight line, great circle", after="r", hint={"line": "l straight or round"}),
    Binding(ARROWS, "move the point; line: along it; sliders: choose one, move it", hint={"sliders": "arrows move"}),
    Binding(
        PAGES,
        "sliders: further; scatter: the next point; line: its ends; Home elsewhere: back to the middle",
        hint={"sliders": "home middle"},
    ),
    Binding("i", "the line between two random points", hint={"line": "i random"}),
    Binding("r", "to a random point", hint={"plane": "r random"}),
    Binding(
        "+ -", "nearer, further; sliders: move it (= and _ too)", hint={"plane": "+ - zoom", "scatter": "+ - zoom"}
    ),
    Binding(BACK, "the point or the line before, 100 times"),
    Binding("Space", "to a random point"),
    Binding("any other key", "to a random point"),
)
KIND: Final = "generator"
SAVED: Final = {"latent": {"": "--from", "data": "--data", "bgr": "--bgr"}}
