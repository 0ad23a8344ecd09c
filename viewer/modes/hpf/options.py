"""A page of images, with fine detail of a second network, or sharpened."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trainer.contract.options import argument
from viewer.bindings import Binding, merged
from viewer.options import model_file
from viewer.sessions.generator_page import GRID_BINDINGS, GridOptions, gain_flag


@dataclass(frozen=True, kw_only=True)
class Options(GridOptions):
    detail: Path | None = argument(
        "ONNX file of a detail network of the same latents; without, images are sharpened",
        default=None, nargs="?", type=model_file, metavar="DETAIL",
    )  # fmt: skip
    gain: float | None = gain_flag()


BINDINGS: Final = merged(
    *GRID_BINDINGS,
    Binding("+ -", "more detail, less (= and _ too)", hint={"gain": "+ - gain", "sharpening": "+ - sharpening"}),
)
KIND: Final = "generator"
OPENS: Final = {"generator detail": ""}
SAVED: Final = {"hpf": {"": "--from", "detail": "", "encoded": "--encode"}}
