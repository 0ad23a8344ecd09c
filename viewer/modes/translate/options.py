"""Images, or what you draw, beside what a model makes of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from trainer.contract.options import flag
from viewer.bindings import ARROWS, BACK, PAGES, Binding, merged
from viewer.further_options import ImagesOptions
from viewer.keys import Action
from viewer.options import whole


@dataclass(frozen=True, kw_only=True)
class Options(ImagesOptions):
    output: Path | None = flag(
        "folder to write to, or file for one, without a screen; what is finished there is left as it is",
        "-o", "--output", metavar="PATH",
    )  # fmt: skip
    size: int = flag(
        "longer side of an image at most, in pixels (that of the training; any for restorers)",
        default=0,
        type=whole(8, 4096),
        metavar="N",
    )
    condition: Literal["", "given", "edges"] = flag(
        "what goes into the model: the image as it is, or its edges (as the model's card says)",
        default="", choices=("given", "edges"),
    )  # fmt: skip
    draw: bool = flag("draw with the mouse on an empty page, and see the result beside it", default=False)
    start: Path | None = flag("draw on top of this image's edges, or on a saved drawing", metavar="IMAGE")

    @property
    def without_screen(self) -> bool:
        """Whether results are written, and nothing is shown; never for drawing."""
        return not self.draw and super().without_screen


_LATENT: Final = "a new latent (if the model has one)"
BINDINGS: Final = merged(
    Binding(
        ARROWS,
        "left, right: the image before, the next; up, down: along the results between two latents",
        hint={"images": "arrows: images"},
        rank=0,
    ),
    Binding(PAGES, "the image before, the next, the first, the last"),
    Binding("s", "save the result", hint="s save"),
    Binding("i", "results between this latent and the next (if the model has latents)", hint={"one": "i between two"}),
    Binding("r", "back to one result, then a new latent", hint={"line": "r one result"}),
    Binding(BACK, "the image or the latent before, 100 times"),
    Binding(
        "+ -",
        "thresholds of edges further apart, closer: their sigma; of models that take a number besides: this (= and _ "
        "too)",
        hint={"edges": "+ - edges", "scalar": "+ - number"},
    ),
    Binding("Space", _LATENT),
    Binding("any other key", _LATENT, hint={"one": "any key: new latent"}),
)
DRAW_BINDINGS: Final = merged(
    Binding("left button", "draw; on a colour: choose it", (Action.CLICK, Action.DRAG, Action.RELEASE),
            hint="left draws", rank=0),
    Binding("right button", "erase", (Action.SECOND_CLICK, Action.SECOND_DRAG, Action.SECOND_RELEASE),
            hint="right erases", rank=0),
    Binding("wheel", "brush size", (Action.WHEEL_UP, Action.WHEEL_DOWN)),
    Binding("z, Ctrl+Z", "undo the last stroke", (Action.NEW, Action.UNDO), hint="z undo"),
    Binding("y", "redo the stroke that was undone", hint="y redo", rank=2),
    Binding("c", "clear the page", hint="c clear", rank=2),
    Binding("0-9", "this colour (if the model is for colours)", hint={"colours": "0-9 colours"}),
    Binding("s", "save the result and the drawing", hint="s save"),
    Binding(BACK, "undo the last stroke, or the last new latent"),
    Binding("q", "quit, if the drawing is empty or saved; else as any other key"),
    Binding("+ -", "brush size (= and _ too)", hint="+ - brush"),
    Binding("Space", _LATENT),
    Binding("any other key", _LATENT, hint={"latent": "any key: new latent"}),
    without=(ARROWS, PAGES, "i", "r"),
)  # fmt: skip
MORE_BINDINGS: Final = {"keys with --draw": DRAW_BINDINGS}
KIND: Final = "translator"
OPENS: Final = {"translator": "--draw", "translator( image| images)+": ""}
SAVED: Final = {
    "translate": {"image": "", "size": "--size", "condition": "--condition", "seed": "--seed"},
    "drawing": {"": "--draw --start"},
}
