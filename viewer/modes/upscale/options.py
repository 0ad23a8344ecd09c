"""Images twice as large or more, beside plain enlargements."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trainer.contract.options import flag
from viewer.bindings import ARROWS, BACK, PAGES, Binding, merged
from viewer.further_options import ImagesOptions
from viewer.keys import Action
from viewer.options import whole


@dataclass(frozen=True, kw_only=True)
class Options(ImagesOptions):
    output: Path | None = flag(
        "folder to write to, or file for one, without a screen; what is finished there is left as it is",
        "-o", "--output", metavar="PATH",
    )  # fmt: skip
    tile: int = flag(
        "side of what is enlarged at a time, in input pixels: smaller takes less memory, larger less time (384)",
        default=0, type=whole(16, 8192), metavar="N",
    )  # fmt: skip


BINDINGS: Final = merged(
    Binding("left button", "take the divider along", (Action.CLICK, Action.DRAG), hint="drag the divider", rank=0),
    Binding("right button", "take the image along", (Action.SECOND_CLICK, Action.SECOND_DRAG)),
    Binding("wheel", "zoom, about the mouse", (Action.WHEEL_UP, Action.WHEEL_DOWN)),
    Binding("[ ]", "move the divider", after=ARROWS),
    Binding(ARROWS, "move the view; where all is in view, the divider", hint="arrows move"),
    Binding(
        PAGES, "the image before, the next; Home: back to the first view", hint={"images": "PageUp PageDown: images"}
    ),
    Binding("s", "save the result", hint="s save"),
    Binding("+ -", "zoom (= and _ too)", hint="+ - zoom"),
    Binding(BACK, "the image that was shown before"),
    Binding("Space", "plain side: a bicubic curve, its pixels", hint="space: pixels, bicubic"),
    Binding("any other key", "plain side: a bicubic curve, its pixels"),
    without=("i", "r"),
)
KIND: Final = "translator"
OPENS: Final = {"upscaler( image| images)+": ""}
SAVED: Final = {"upscale": {"image": "", "tile": "--tile"}}
