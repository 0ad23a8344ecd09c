"""A walk through latent space."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trainer.contract.options import flag
from viewer.bindings import ARROWS, BACK, CLASS, ROWS_BY_CLASS, Binding, merged
from viewer.options import SheetOptions, count_flag, model_file, scale_flag, whole
from viewer.sessions.generator_page import gain_flag


@dataclass(frozen=True, kw_only=True)
class Options(SheetOptions):
    rows: int | None = count_flag("rows", 1)
    cols: int | None = count_flag("columns", 1)
    scale: float | None = scale_flag("as fits the screen; 3 without one")
    detail: Path | None = flag(
        "ONNX file of a detail network of the same latents, to be added", type=model_file, metavar="FILE"
    )
    gain: float | None = gain_flag()
    lerp: bool = flag("walk in straight lines, not on great circles", default=False)
    frames: int | None = flag("stop after so many frames (60 with --display none)", type=whole(1, 10**6), metavar="N")
    loop: bool = flag("a closed walk of --frames frames, 30 a leg, that ends where it began", default=False)


BINDINGS: Final = merged(
    Binding("r", "walk to somewhere new"),
    Binding("[ ]", "slower, faster", after=ARROWS, hint={"gain": "[ ] speed", "scalar": "[ ] speed"}),
    CLASS,
    ROWS_BY_CLASS,
    Binding("s", "save the image", hint="s save"),
    Binding(
        "+ -",
        "faster, slower; with --detail: more of it, less; of models that take a number besides: this (= and _ too)",
        hint={"gain": "+ - gain", "scalar": "+ - number", "": "+ - speed"},
    ),
    Binding(BACK, "back to where the walk was left, 100 times"),
    Binding("Space", "pause, go on", hint="space pause", rank=0),
    Binding("any other key", "walk to somewhere new"),
    without=("i",),
)
KIND: Final = "generator"
SAVED: Final = {"animate": {"": "--from", "detail": "--detail"}}
