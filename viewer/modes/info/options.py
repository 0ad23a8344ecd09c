"""What a model file is, or what a saved image was made from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trainer.contract.options import argument, flag
from viewer.options import BUILT_IN, LimitOptions, model_file


@dataclass(frozen=True, kw_only=True)
class Options(LimitOptions):
    model: Path = argument(
        "ONNX file, or a PNG that the viewer saved",
        default=BUILT_IN, nargs="?", type=model_file, metavar="FILE",
    )  # fmt: skip
    json: bool = flag("print everything as JSON, with all numbers", default=False)
    without_screen = True


OPENS: Final = {"encoder|detail|other|saved": ""}
