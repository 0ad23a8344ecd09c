"""Images out of noise, or out of other images, as you watch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from trainer.contract.options import argument, flag
from viewer.bindings import CLASS, PAGES, ROWS_BY_CLASS, Binding, merged
from viewer.further_options import NoiseOptions, OutputOptions
from viewer.keys import Action
from viewer.options import model_file, number, scale_flag, whole


@dataclass(frozen=True, kw_only=True)
class Options(NoiseOptions, OutputOptions):
    model: Path = argument("ONNX file of a denoiser", type=model_file, metavar="FILE")
    rows: int | None = flag("rows of images (3)", type=whole(1, 64), metavar="N")
    cols: int | None = flag("columns of images (4; 2 of photographs)", type=whole(1, 64), metavar="N")
    scale: float | None = scale_flag()
    label: str | None = flag("the class to draw, or none (none; with --guidance the first)", metavar="NAME|NUMBER")
    saved: Path | None = flag("begin where this image was saved, with its settings", "--from", metavar="PNG")
    sampler: Literal["ddim", "ddpm", "dpm"] = flag(
        "how noise is taken away: DDIM, DDPM (ancestral), DPM-Solver++ (ddim)", default="ddim"
    )
    steps: int | None = flag("steps from the start to the image (25; ddpm: 250)", type=whole(1, 10_000), metavar="N")
    eta: float | None = flag(
        "of ddim and dpm: how much new noise every step adds, 0..1 (0)", type=number(0, 1), metavar="X"
    )
    guidance: float = flag(
        "how much further towards the class than the model says, for models with classes (0)",
        default=0.0, type=number(0, 100), metavar="W",
    )  # fmt: skip
    init: Sequence[str] = flag(
        "begin with images instead of noise: those of a generator (.onnx), or photographs",
        default=(), nargs="+", metavar="FILE",
    )  # fmt: skip
    start: int | None = flag(
        "with --init: so many steps of noise are put on the images, and taken away (300 of 1000)",
        type=whole(1, 10_000), metavar="N",
    )  # fmt: skip
    strength: float | None = flag(
        "with --init: what images are multiplied by, grey being 0 (1; less with --no-noise)",
        type=number(0, 4), metavar="X",
    )  # fmt: skip
    no_noise: bool = flag("with --init: the images go in as they are, no noise is put on them", default=False)
    keep_steps: Literal["png", "gif"] | None = flag("beside every image that is saved, its trajectory out of the noise")


BINDINGS: Final = merged(
    Binding(
        "Tab",
        "before, after: the images of --init (if a model made them)",
        (Action.NEXT_VIEW,),
        hint={"generator": "tab before, after"},
    ),
    CLASS,
    ROWS_BY_CLASS,
    Binding(
        PAGES,
        "the page before, the next; Home, End: the first image, the last",
        hint={"pages": "PageUp PageDown: images"},
    ),
    Binding(
        "i", "between four random corners: of noise, or of latents with --init MODEL", hint={"random": "i interpolate"}
    ),
    Binding("+ -", "more steps, fewer (= and _ too)", hint="+ - steps"),
)
KIND: Final = "denoiser"
OPENS: Final = {"denoiser": "", "denoiser (generator|image( image)*)": "--init"}
SAVED: Final = {"diffuse": {"": "--from", "init": "--init"}}
