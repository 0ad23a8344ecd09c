"""What a model file is, or what a saved image was made from."""

from dataclasses import dataclass
from pathlib import Path

from trainer.contract.options import argument
from viewer.options import BUILT_IN, LimitOptions


@dataclass(frozen=True, kw_only=True)
class Options(LimitOptions):
    model: Path = argument("ONNX file, or a PNG that the viewer saved", default=BUILT_IN, nargs="?", metavar="FILE")
    without_screen = True
