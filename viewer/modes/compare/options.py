"""Two to four models side by side: the same seeds, or the same images, through each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from trainer.contract.errors import UserError
from trainer.contract.options import argument, flag
from viewer.bindings import ARROWS, CLASS, PAGES, ROWS_BY_CLASS, Binding, merged
from viewer.further_options import NoiseOptions
from viewer.keys import Action
from viewer.options import ReadingOptions, SessionOptions, model_file, scale_flag, whole

View = Literal["side", "wipe", "difference", "figures"]


@dataclass(frozen=True, kw_only=True)
class Options(NoiseOptions, ReadingOptions, SessionOptions):
    models: Sequence[Path] = argument(
        "two to four ONNX files of one kind, or runs (the best checkpoint of each); one run: its checkpoints",
        nargs="+", type=model_file, metavar="FILE|RUN",
    )  # fmt: skip
    threads: int = flag(
        "cores for the models; 0: half of them, 4 at most (0)", default=0, type=whole(0, 256), metavar="N"
    )
    rows: int | None = flag("rows of comparisons (as fits the screen)", type=whole(1, 64), metavar="N")
    cols: int | None = flag("comparisons beside each other (as fits the screen)", type=whole(1, 64), metavar="N")
    scale: float | None = scale_flag()
    view: View = flag("what is shown first (side); Tab leads on", default="side")
    label: str | None = flag("the class to draw, for models with classes (0)", metavar="NAME|NUMBER")
    saved: Path | None = flag("begin where this image was saved, with its settings", "--from", metavar="PNG")
    weights: Sequence[str] = flag(
        "checkpoints of a run: steps, best, last (of one run: up to four, evenly; of several: best)",
        default=(), nargs="+", metavar="STEP",
    )  # fmt: skip
    encode: Sequence[str] = flag(
        "images through generators with an encoder beside each: files, folders, quoted patterns",
        default=(), nargs="+", metavar="IMAGE",
    )  # fmt: skip
    images: Sequence[str] = flag(
        "images for translators and upscalers: files, folders, quoted patterns", default=(), nargs="+", metavar="IMAGE"
    )
    size: int = flag(
        "longer side of an image that goes into a translator at most, in pixels (that of the training); of upscalers "
        "the middle of the image (512)",
        default=0, type=whole(8, 4096), metavar="N",
    )  # fmt: skip
    sampler: Literal["ddim", "ddpm", "dpm"] | None = flag("of denoisers: DDIM, DDPM, DPM-Solver++ (ddim)")
    steps: int | None = flag("of denoisers: steps to the image (25; ddpm: 250)", type=whole(1, 10_000), metavar="N")
    data: str | None = flag("measure the models on this set, as training takes it", metavar="SET", group="figures")
    bgr: bool = flag("a .npy file holds BGR, as plain OpenCV scripts write it", default=False, group="figures")
    pairs: str | None = flag(
        "what goes into translators that take images as they are, for each image of --data: another set, or halves "
        "(its left half; the right one is the result)",
        metavar="SET|halves", group="figures",
    )  # fmt: skip
    features: Path | None = flag(
        "also compare what this network says of images: an encoder, a classifier, a feature extractor",
        type=model_file, metavar="NET.onnx", group="figures",
    )  # fmt: skip
    count: int = flag(
        "images of the set, and as many samples, at most (500)", default=500, type=whole(2, 10**6), metavar="N",
        group="figures",
    )  # fmt: skip
    output: Path | None = flag(
        "file to write the figures to, as JSON, without a screen",
        "-o", "--output", metavar="FILE.json", group="figures",
    )  # fmt: skip
    amplify: int = flag(
        "what differences are multiplied by to begin with (8)", default=8, type=int, choices=(1, 2, 4, 8, 16, 32, 64)
    )

    @property
    def without_screen(self) -> bool:
        """With -o, or where there is neither a screen nor a script for one: the figures are printed. Raises
        ``UserError``."""
        if self.output is not None and (self.keys or self.record is not None):
            raise UserError("-o writes the figures without a screen, found --keys or --record beside it")
        return self.output is not None or (self.display == "none" and not self.keys and self.record is None)


BINDINGS: Final = merged(
    Binding("Tab", "next view: side by side, wipe, difference, figures", (Action.NEXT_VIEW,), hint="tab next view"),
    Binding(
        "left button",
        "choose; wipe: take the divider along",
        (Action.CLICK, Action.DRAG),
        hint={"wipe": "drag the divider"},
        rank=0,
    ),
    Binding("right button", "take the enlarged images along", (Action.SECOND_CLICK, Action.SECOND_DRAG)),
    Binding("wheel", "zoom all images, about the mouse", (Action.WHEEL_UP, Action.WHEEL_DOWN)),
    Binding(
        "[ ]",
        "wipe: move the divider; difference: amplify less, more",
        after=ARROWS,
        hint={"wipe": "[ ] divider", "difference": "[ ] amplify"},
    ),
    Binding("a b", "wipe, difference: another one on the left (the one subtracted), on the right", after="r",
            hint={"pair": "a b others"}),
    CLASS,
    ROWS_BY_CLASS,
    Binding(ARROWS, "move the cursor (wraps round); where one comparison is enlarged, the view"),
    Binding(PAGES, "the page before, the next; Home, End: the first comparison, the last"),
    Binding("s", "save the selected comparison"),
    Binding("+ -", "generators: more varied, more typical; denoisers: more steps, fewer; images: zoom (= and _ too)",
            hint={"generator": "+ - truncation", "denoiser": "+ - steps", "translator": "+ - zoom"}),
    Binding("Space", "new images", hint=""),
    Binding("any other key", "new images, by the same seed for each model; translators: a new latent",
            hint={"new": "any key: new"}, rank=0),
)  # fmt: skip
KIND: Final = "generator"
_TRANSLATORS: Final = "(translator|upscaler)( (translator|upscaler)){1,3}"
OPENS: Final = {
    "generator( generator){1,3}|denoiser( denoiser){1,3}": "",
    "generator( generator){1,3}(?P<rest>( image| images)+)": "--encode",
    f"{_TRANSLATORS}(?P<rest>( image| images)+)": "--images",
}
SAVED: Final = {"compare": {"": "--from", "encoded": "--encode", "images": "--images"}}
