"""The latent mode: latent space itself, as planes, lines, points and sliders."""

from typing import TYPE_CHECKING

from viewer.bindings import CLASS, Binding, merged
from viewer.keys import Action
from viewer.mode import Context, Mode
from viewer.modes.latent.options import LatentOptions

if TYPE_CHECKING:
    from viewer.modes.latent.session import LatentSession


class LatentMode(Mode):
    """``python -m viewer latent``."""

    summary = "latent space itself: planes, lines, points, sliders"
    Options = LatentOptions
    bindings = merged(
        Binding("Tab", "next view: plane, line, scatter, sliders", (Action.NEXT_VIEW,)),
        Binding(
            "mouse",
            "plane: see what is under it; line: drag from A to B; scatter: click a point; sliders: drag one",
            (Action.MOVE, Action.DRAG, Action.RELEASE),
        ),
        CLASS,
        Binding("x y, X Y", "next axis, the one before; sliders: this one becomes the axis", after="r"),
        Binding("l", "straight line, great circle", after="r"),
        words={
            "arrows, click": "move the point; line: along it; sliders: choose one, move it",
            "PageUp PageDown Home End": "sliders: further; line: its ends; Home elsewhere: back to the middle",
            "i": "the line between two random points",
            "r": "to a random point",
            "+ -": "nearer, further; sliders: move it (= and _ too)",
            "Space": "to a random point",
            "any other key": "to a random point",
        },
    )
    kind = "generator"

    def open(self, options: LatentOptions, context: Context) -> "LatentSession":
        """The session to show. Raises ``ViewerError``."""
        from viewer.modes.latent.opening import open_latent

        return open_latent(options, context)


MODE = LatentMode()
