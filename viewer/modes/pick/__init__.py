"""The pick mode: a saved table of images, to cut some out."""

from typing import TYPE_CHECKING

from viewer.bindings import Binding, merged
from viewer.keys import Action
from viewer.mode import Context, Mode
from viewer.modes.pick.options import PickOptions

if TYPE_CHECKING:
    from viewer.modes.pick.session import PickSession


class Pick(Mode):
    """``python -m viewer pick``."""

    summary = "a saved table of images, to cut some out"
    Options = PickOptions
    bindings = merged(
        Binding("wheel", "zoom", (Action.WHEEL_UP, Action.WHEEL_DOWN)),
        words={
            "PageUp PageDown Home End": "Home, End: the first image, the last",
            "s": "cut the image under the cursor out, and save it",
            "S": "cut all images out, and save each",
            "+ -": "zoom (= and _ too)",
        },
        without=("i", "r", "Space", "any other key"),
    )

    def open(self, options: PickOptions, context: Context) -> "PickSession":
        """The session to show. Raises ``ViewerError``."""
        from viewer.modes.pick.session import open_pick

        return open_pick(options)


MODE = Pick()
