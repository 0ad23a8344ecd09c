"""What the latent mode begins with: the model, the points of the scatter, the directions that are known, the state."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from trainer.contract.errors import UserError
from viewer.model import Model, ModelError, open_model, open_sibling_encoder
from viewer.modes.latent.layout import make_layout
from viewer.modes.latent.options import Options
from viewer.modes.latent.recipe import named_of, saved_random, state_of
from viewer.modes.latent.scatter import Scatter, open_scatter, random_scatter
from viewer.modes.latent.space import space_of
from viewer.modes.latent.state import VIEWS, LatentState, begin
from viewer.named_directions import file_of, known_directions
from viewer.options import model_threads
from viewer.sessions.replay import first_classes, read_saved

_LARGEST_FRAME: Final = 2**24  # pixels


@dataclass(frozen=True)
class Start:
    """What a session begins with."""

    model: Model
    state: LatentState
    scatter: Scatter
    directions: Path  # the file that named directions are added to
    counted: bool  # the images of the plane are as many as was asked for
    notice: str  # of the file of directions; empty: none


def start(options: Options) -> Start:
    """What the options ask for. Raises ``UserError``."""
    if options.bgr and options.data is None:
        raise UserError("--bgr is for the .npy file of --data, found it without")
    if options.random is not None and options.data is not None:
        raise UserError("--random and --data both say what to scatter, expected one of them")
    path, threads = options.model, model_threads(options.threads)
    model = open_model(path, threads=threads, wanted="generator", reading=options.reading)
    if model.latent.size < 2:
        raise ModelError(f"{path}: a latent of {model.latent.size} number, expected 2 at least")
    encoder = None if options.data is None else open_sibling_encoder(path, threads=threads)
    most, bgr = options.points, options.bgr
    saved = None if options.saved is None else read_saved(options.saved, "latent", VIEWS, model)
    if saved is not None:
        most, bgr = saved.whole("points", 1, 10**6, 1), bgr or saved.values.get("bgr") is True
    drawn = None if options.random is None else (options.seed, options.random)
    if saved is not None and "random" in saved.values and options.data is None:
        drawn = saved_random(saved)
    scatter = open_scatter(model, encoder, options.data, most, bgr) if drawn is None else random_scatter(model, *drawn)
    classes = first_classes(options.label, model, saved)
    file = file_of(model, options.directions, options.out)
    known = known_directions(model, file)
    named = known.vectors if saved is None else named_of(saved, known.vectors, model.latent.size)
    space = space_of(model.card, model.latent, named)
    if saved is None:
        layout = make_layout(*model.image_size, options.rows, options.cols, options.scale or 1.0)
        state = begin(space, layout, options.seed, options.reach, options.lerp)
        state = replace(state, view=options.view, classes=classes)
    else:
        state, data = state_of(saved, model, space, classes, len(scatter.numbers)), str(saved.values.get("data", ""))
        found = "" if scatter.source is None else scatter.source.path.name
        if state.view == "scatter" and data != found:
            raise ModelError(f"{saved.path}: made with --data {data!r}, found {found!r}")
    views = VIEWS if len(scatter.numbers) else tuple(view for view in VIEWS if view != "scatter")
    if state.view not in views:
        raise ModelError(f"{path}: keeps no latents of training images; to scatter others, give --data or --random")
    layout = state.layout
    if layout.width * layout.height > _LARGEST_FRAME:
        raise ModelError(f"a frame of {layout.width}x{layout.height} pixels is too large; try a smaller --scale")
    counted = saved is not None or any(one is not None for one in (options.rows, options.cols, options.scale))
    notice = ""
    if known.strangers:
        names = ", ".join(known.strangers)
        notice = f"{file.name}: found in another model, may mean nothing in this one: {names}"
    elif options.directions is not None and not file.exists():
        notice = f"{file}: not there yet, key d makes it"
    return Start(model, replace(state, views=views), scatter, file, counted, notice)
