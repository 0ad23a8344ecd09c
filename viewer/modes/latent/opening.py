"""From the command line, or an image that was saved, to the latent mode."""

from dataclasses import replace

from trainer.contract.errors import ViewerError
from viewer.mode import Context, existing_model
from viewer.model import ModelError, open_model, open_sibling_encoder
from viewer.modes.latent.layout import make_layout
from viewer.modes.latent.options import LatentOptions
from viewer.modes.latent.replay import read_latent_start
from viewer.modes.latent.scatter import open_scatter
from viewer.modes.latent.session import LatentSession, check_layout
from viewer.modes.latent.space import space_of
from viewer.modes.latent.state import VIEWS, begin
from viewer.sessions.sheet_start import first_classes


def open_latent(options: LatentOptions, context: Context) -> LatentSession:
    """The view of latent space that the options ask for. Raises ``ViewerError``."""
    if options.bgr and options.data is None:
        raise ViewerError("--bgr is for the .npy file of --data, found it without")
    path, threads = existing_model(options.model), context.threads(options.threads)
    model = open_model(path, threads=threads, wanted="generator")
    if model.latent.size < 2:
        raise ModelError(f"{path}: a latent of {model.latent.size} number, expected 2 at least")
    space = space_of(model.card, model.latent)
    start = None if options.start is None else read_latent_start(options.start, model, space)
    encoder = None if options.data is None else open_sibling_encoder(path, threads=threads)
    most, bgr = (options.points, options.bgr) if start is None else (start.points, options.bgr or start.bgr)
    scatter = open_scatter(model, encoder, options.data, most, bgr)
    views = VIEWS if scatter.count else tuple(view for view in VIEWS if view != "scatter")
    if start is None:
        layout = make_layout(*model.image_size, options.rows, options.cols, options.scale or 1.0)
        classes = first_classes(options.label, model)
        state = begin(
            space, layout,
            seed=options.seed, reach=options.reach, straight=options.lerp, view=options.view, classes=classes,
        )  # fmt: skip
    else:
        state = start.state
        if state.view == "scatter" and start.data != scatter.name:
            raise ModelError(f"{options.start}: made with --data {start.data!r}, found {scatter.name!r}")
        if options.label is not None:
            state = replace(state, classes=first_classes(options.label, model))
    if state.view not in views:
        raise ModelError(f"{path}: keeps no latents of training images; to scatter others, give --data")
    check_layout(state.layout)
    return LatentSession(model, replace(state, views=views), options.out, scatter)
