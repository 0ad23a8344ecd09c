"""The upscale mode: images twice as large or more, beside plain enlargements."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.contract.errors import ViewerError
from trainer.contract.options import flag
from viewer.bindings import Binding, merged
from viewer.keys import Action
from viewer.mode import Context, ImagesOptions, Mode, whole

if TYPE_CHECKING:
    from viewer.modes.upscale.session import UpscaleSession
    from viewer.sessions.translation import Upscaler


@dataclass(frozen=True, kw_only=True)
class UpscaleOptions(ImagesOptions):
    """Options of ``upscale``."""

    output: Path | None = flag(
        "folder to write to, or file for one, without a screen; nothing is ever overwritten",
        "-o", "--output", type=Path, metavar="PATH",
    )  # fmt: skip
    tile: int = flag(
        "side of what is enlarged at a time, in input pixels: smaller takes less memory, larger less time (384)",
        default=0, type=whole(16, 8192), metavar="N",
    )  # fmt: skip


class Upscale(Mode):
    """``python -m viewer upscale``."""

    summary = "images twice as large or more, beside plain enlargements"
    Options = UpscaleOptions
    bindings = merged(
        Binding("left button", "take the divider along", (Action.CLICK, Action.DRAG)),
        Binding("right button", "take the image along", (Action.SECOND_CLICK, Action.SECOND_DRAG)),
        Binding("wheel", "zoom, about the mouse", (Action.WHEEL_UP, Action.WHEEL_DOWN)),
        Binding("[ ]", "move the divider", after="arrows, click"),
        words={
            "arrows, click": "move the view; where all is in view, the divider",
            "PageUp PageDown Home End": "the image before, the next; Home: back to the first view",
            "s": "save the result",
            "+ -": "zoom (= and _ too)",
            "Space": "plain side: a bicubic curve, its pixels",
            "any other key": "plain side: a bicubic curve, its pixels",
        },
        without=("i", "r"),
    )
    kind = "translator"

    def open(self, options: UpscaleOptions, context: Context) -> "UpscaleSession":
        """The session to show. Raises ``ViewerError``."""
        from viewer.files.inputs import is_film
        from viewer.modes.upscale.session import UpscaleSession, begin
        from viewer.sessions.headless import readable

        paths, upscaler = _opened(options, context)
        films = [path for path in paths if is_film(path)]
        if films:
            raise ViewerError(f"{films[0]}: is a film, which is enlarged without a screen: add -o FILE")
        paths = list(readable(paths))
        return UpscaleSession(upscaler, begin(len(paths)), options.out, paths)

    def write(self, options: UpscaleOptions, context: Context) -> None:
        """Write all results without a screen. Raises ``ViewerError``."""
        from viewer.modes.upscale.headless import upscale_files

        paths, upscaler = _opened(options, context)
        one = paths == [Path(options.images[0])]  # no folder, and no pattern
        upscale_files(upscaler, paths, options.output or options.out, one)


def _opened(options: UpscaleOptions, context: Context) -> "tuple[list[Path], Upscaler]":
    """The images and films, and the model."""
    from viewer.files.inputs import find_photos
    from viewer.model import open_model
    from viewer.sessions.translation import Upscaler

    paths = find_photos(options.named_images("some"))
    threads = context.threads(options.threads, all_cores=True)
    model = open_model(options.model, threads=threads, wanted="translator", many_sizes=True)
    return paths, Upscaler(model, options.tile)


MODE = Upscale()
