"""The grid mode: a page of images to choose from, random or interpolated."""

from typing import TYPE_CHECKING

from viewer.bindings import merged
from viewer.mode import Context, Mode
from viewer.sessions.grid import GRID_BINDINGS, GridOptions

if TYPE_CHECKING:
    from viewer.sessions.grid.session import GridSession


class Grid(Mode):
    """``python -m viewer grid``."""

    summary = "a page of images to choose from, random or interpolated"
    Options = GridOptions
    bindings = merged(*GRID_BINDINGS, words={"+ -": "more varied, more typical (= and _ too)"})
    kind = "generator"

    def open(self, options: GridOptions, context: Context) -> "GridSession":
        """The session to show. Raises ``ViewerError``."""
        from viewer.sessions.grid.opening import open_grid

        return open_grid(options, context, "grid")


MODE = Grid()
