"""What a model file is, or what a saved image was made from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trainer.contract.options import argument, flag
from viewer.further_options import NoiseOptions
from viewer.options import BUILT_IN, ReadingOptions, model_file, output_flag


@dataclass(frozen=True, kw_only=True)
class Options(NoiseOptions, ReadingOptions):
    model: Path = argument(
        "ONNX file, or a PNG that the viewer saved",
        default=BUILT_IN, nargs="?", type=model_file, metavar="FILE",
    )  # fmt: skip
    output_name: str | None = output_flag()
    json: bool = flag("print everything as JSON, with all numbers", default=False)
    without_screen = True


OPENS: Final = {"encoder|detail|other|saved": ""}
