"""The grid mode: a page of images to choose from, random or interpolated."""

from viewer.modes.grid.options import BINDINGS, Options
from viewer.sessions.generator_page.session import GridSession, open_grid


def open_session(options: Options) -> GridSession:
    """The page that the options ask for. Raises ``UserError``."""
    return open_grid(GridSession, options, "grid", BINDINGS)
