"""The info mode: what a model file is, or what a saved image was made from, in words."""

import io
import sys
from dataclasses import dataclass
from pathlib import Path

from trainer.contract.options import argument
from trainer.contract.text import printable
from viewer.mode import BUILT_IN, Context, LimitOptions, Mode, existing_model


@dataclass(frozen=True, kw_only=True)
class InfoOptions(LimitOptions):
    """Options of ``info``."""

    model: Path = argument(
        "ONNX file, or a PNG that the viewer saved", default=BUILT_IN, nargs="?", type=Path, metavar="FILE"
    )
    without_screen = True


class Info(Mode):
    """``python -m viewer info``."""

    summary = "what a model file is, or what a saved image was made from"
    Options = InfoOptions

    def write(self, options: InfoOptions, context: Context) -> None:
        """Print the lines. Raises ``ViewerError``."""
        from viewer.files.png import is_png, read_recipe

        if is_png(options.model):
            lines = [(name, str(value)) for name, value in read_recipe(options.model).items()]
        else:
            from viewer.model import open_model
            from viewer.modes.info.describe import describe_model

            lines = list(describe_model(open_model(existing_model(options.model))))
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a model's own words may not fit the terminal's alphabet
        shown = [(printable(name, 40), printable(text, 20_000)) for name, text in lines]
        width = max((len(name) for name, _ in shown), default=0)
        for name, text in shown:
            print(f"{name:<{width}}  {text}")


MODE = Info()
