"""The hpf mode: a page of images with fine detail, of a second network or by sharpening."""

from viewer.modes.hpf.options import BINDINGS, Options
from viewer.sessions.generator_page.session import GridSession, open_grid


def open_session(options: Options) -> GridSession:
    """The page that the options ask for. Raises ``UserError``."""
    return open_grid(GridSession, options, "hpf", BINDINGS, with_detail=True, detail=options.detail, gain=options.gain)
