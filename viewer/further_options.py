"""Options of modes that write all results to files, and of denoisers: the start of the others does without them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.contract.errors import UserError
from trainer.contract.options import argument, flag
from viewer.graph.said import ScheduleSaid
from viewer.options import ReadingOptions, SessionOptions, model_file, reading_flag, whole


@dataclass(frozen=True, kw_only=True)
class NoiseOptions:
    """How a denoiser without a card is to be read, besides."""

    schedule: ScheduleSaid | None = reading_flag(
        "noise schedule: linear, scaled_linear or cosine, perhaps with its steps as in linear:1000, or the "
        "scheduler_config.json of diffusers (linear:1000)",
        "schedule", metavar="NAME|FILE",
    )  # fmt: skip
    prediction: str | None = reading_flag(
        "what it predicts: epsilon, the noise; x0, the image; or v (epsilon)", "prediction", metavar="epsilon|x0|v"
    )
    image_size: tuple[int, int] | None = reading_flag(
        "width and height of images, where it takes any (64)", "image_size", metavar="N|WxH"
    )


@dataclass(frozen=True, kw_only=True)
class OutputOptions(ReadingOptions, SessionOptions):
    """Options of modes that can write all results without a screen."""

    model: Path = argument("ONNX file", type=model_file, metavar="FILE")
    threads: int = flag(
        "cores for the model; 0: all of them, 8 at most (0)", default=0, type=whole(0, 256), metavar="N"
    )
    output: Path | None = flag(
        "folder to write all results to, without a screen; what is finished there is left as it is",
        "-o", "--output", metavar="PATH",
    )  # fmt: skip
    force: bool = flag("with -o: make finished results anew; with --record: replace an older file", default=False)

    @property
    def without_screen(self) -> bool:
        """With -o, or where there is neither a screen nor a script for one. Raises ``UserError`` for both."""
        if self.output is not None and (self.keys or self.record is not None):
            raise UserError("-o writes all results without a screen, found --keys or --record beside it")
        return self.output is not None or (self.display == "none" and not self.keys and self.record is None)


@dataclass(frozen=True, kw_only=True)
class ImagesOptions(OutputOptions):
    """Options of modes that image files go into."""

    images: Sequence[str] = argument("image files, folders, quoted patterns", default=(), nargs="*", metavar="IMAGE")
