"""From the command line, or an image that was saved, to a grid."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeVar

from trainer.contract.text import printable
from viewer.bindings import Binding
from viewer.files.png import fit
from viewer.model import ModelError, open_model, open_sibling_encoder
from viewer.options import existing_model, model_threads, with_saved
from viewer.sessions.detail_layer import first_gain, open_layer
from viewer.sessions.grid import GridOptions
from viewer.sessions.grid.session import GridSession
from viewer.sessions.grid.state import LARGEST_TRUNCATION, LEAST_SAMPLES, TRUNCATION_STEPS, GridMode, GridState
from viewer.sessions.replay import first_classes, read_saved
from viewer.sheet import auto_scale, fitting_sheet

Grid = TypeVar("Grid", bound=GridSession)
_MODES: Final[tuple[GridMode, ...]] = ("random", "interpolation", "mix")


def open_grid(
    make: type[Grid],
    options: GridOptions,
    name: str,
    bindings: Sequence[Binding],
    *,
    with_detail: bool = False,
    detail: Path | None = None,
    gain: float | None = None,
) -> Grid:
    """The grid that the options ask for, as a session of class ``make``.

    ``name``: of the mode, for recipes. ``bindings``: its key table. ``with_detail``: something is added to the images,
    by ``detail``, the file of a detail network, or by sharpening; ``gain``: how much of it to begin with. Raises
    ``UserError``.
    """
    path, threads = existing_model(options.model), model_threads(options.threads)
    model = open_model(path, threads=threads, wanted="generator")
    layer = open_layer(model, detail, threads=threads) if with_detail else None
    encoded, source = None, ""
    if options.encode is not None:
        from viewer.files.inputs import read_photo  # and Pillow, here alone

        encoder, source = open_sibling_encoder(path, threads=threads), options.encode.name
        encoded = encoder.encode(fit(read_photo(options.encode).on_white(), *encoder.image_size)[None])[0]
        if encoded.size != model.latent.size:
            raise ModelError(f"{path}: its encoder gives {encoded.size} numbers, expected {model.latent.size}")
    saved = None if options.saved is None else read_saved(options.saved, name, _MODES, model)
    mode: GridMode = "mix" if options.mix else "interpolation" if encoded is not None else "random"
    cursor, truncation_steps = 0, TRUNCATION_STEPS
    if saved is not None:
        options = with_saved(options, {**saved.page(), "mix": saved.kind == "mix"})
        mode = next(one for one in _MODES if one == saved.kind)
        cursor = saved.whole("image", 0, options.rows * options.cols - 1)
        truncation_steps = saved.whole("truncation", 0, LARGEST_TRUNCATION, 1, TRUNCATION_STEPS)
        from_image = str(saved.values.get("encoded", ""))
        if from_image != source and mode == "interpolation":
            raise ModelError(f"{saved.path}: made with --encode {from_image!r}, found {source!r}")
    kept = len(model.samples)
    if mode == "mix" and kept < LEAST_SAMPLES:
        raise ModelError(f"{path}: keeps {kept} latents of training images, expected {LEAST_SAMPLES} for mixes")
    scale = options.scale or auto_scale(options.rows, options.cols, *model.image_size)
    state = GridState(
        fitting_sheet(options.rows, options.cols, *model.image_size, scale),
        mode,
        truncation_steps,
        can_mix=kept >= LEAST_SAMPLES,
        seed=options.seed,
        cursor=cursor,
        classes=first_classes(options.label, model, saved),
        gain=first_gain(gain, layer, saved),
    )
    return make(model, state, options.out, encoded, printable(source), layer, name, bindings)
