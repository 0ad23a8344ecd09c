"""The animate mode: a walk through latent space."""

from typing import TYPE_CHECKING

from viewer.bindings import CLASS, ROWS_BY_CLASS, Binding, merged
from viewer.mode import Context, Mode
from viewer.modes.animate.options import AnimateOptions

if TYPE_CHECKING:
    from viewer.modes.animate.session import AnimateSession


class Animate(Mode):
    """``python -m viewer animate``."""

    summary = "a walk through latent space"
    Options = AnimateOptions
    bindings = merged(
        Binding("[ ]", "slower, faster", after="arrows, click"),
        CLASS,
        ROWS_BY_CLASS,
        words={
            "s": "save the image",
            "+ -": "faster, slower; with --detail: more of it, less (= and _ too)",
            "Space": "pause, go on",
            "any other key": "walk to somewhere new",
        },
    )
    kind = "generator"

    def open(self, options: AnimateOptions, context: Context) -> "AnimateSession":
        """The session to show. Raises ``ViewerError``."""
        from viewer.modes.animate.opening import open_animate

        return open_animate(options, context)


MODE = Animate()
