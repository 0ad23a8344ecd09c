"""From the command line, or an image that was saved, to a grid."""

from pathlib import Path
from typing import Final

from trainer.contract.text import printable
from viewer.files.png import fit
from viewer.latents import Latents
from viewer.mode import Context, check_beside_saved, existing_model
from viewer.model import Model, ModelError, open_model, open_sibling_encoder
from viewer.sessions.detail_layer import Layer, open_layer
from viewer.sessions.grid import GridOptions
from viewer.sessions.grid.session import GridSession
from viewer.sessions.grid.state import (
    LARGEST_TRUNCATION,
    LEAST_SAMPLES,
    TRUNCATION_STEPS,
    GridMode,
    GridState,
)
from viewer.sessions.sheet_session import make_sheet
from viewer.sessions.sheet_start import SheetStart, first_classes, first_gain, read_sheet_start
from viewer.sheet import auto_scale

_MODES: Final[tuple[GridMode, ...]] = ("random", "interpolation", "mix")


def open_grid(
    options: GridOptions,
    context: Context,
    name: str,
    *,
    make: type[GridSession] = GridSession,
    with_detail: bool = False,
    detail: Path | None = None,
    gain: float | None = None,
) -> GridSession:
    """The grid that the options ask for, as a session of class ``make``.

    ``name``: of the mode, which recipes tell. ``with_detail``: something is added to the images, by ``detail``, the
    file of a detail network, or by sharpening; ``gain``: how much of it to begin with. Raises ``ViewerError``.
    """
    path, threads = existing_model(options.model), context.threads(options.threads)
    model = open_model(path, threads=threads, wanted="generator")
    layer = open_layer(model, detail, threads=threads) if with_detail else None
    encoded = None if options.encode is None else _encode(path, options.encode, model, threads)
    source = "" if options.encode is None else options.encode.name
    start = None if options.start is None else read_sheet_start(options.start, name, _MODES, model)
    state = _first_state(options, model, layer, start, gain, encoded is not None)
    if start is not None and start.encoded != source and start.mode == "interpolation":
        raise ModelError(f"{options.start}: made with --encode {start.encoded!r}, found {source!r}")
    if state.mode == "mix" and not state.can_mix:
        kept = len(model.samples)
        raise ModelError(f"{path}: keeps {kept} latents of training images, expected {LEAST_SAMPLES} for mixes")
    session = make(model, state, options.out, encoded, printable(source), layer, name)
    session.say_other_low()
    return session


def _first_state(
    options: GridOptions,
    model: Model,
    layer: Layer | None,
    start: SheetStart | None,
    gain: float | None,
    from_image: bool,
) -> GridState:
    rows, columns = (options.rows, options.cols) if start is None else (start.rows, start.columns)
    mode: GridMode = "mix" if options.mix else "interpolation" if from_image else "random"
    seed, cursor, truncation_steps = options.seed, 0, TRUNCATION_STEPS
    if start is not None:
        check_beside_saved(options, {**start.options, "mix": start.mode == "mix"})
        mode = next(one for one in _MODES if one == start.mode)
        seed, cursor = start.seed, start.cursor
        truncation_steps = start.whole("truncation", 0, LARGEST_TRUNCATION, 1, TRUNCATION_STEPS)
    return GridState(
        make_sheet(model, rows, columns, options.scale or auto_scale(rows, columns, *model.image_size)),
        seed,
        cursor,
        mode,
        truncation_steps,
        first_classes(options.label, model, start),
        can_mix=len(model.samples) >= LEAST_SAMPLES,
        gain=first_gain(gain, layer, start),
    )


def _encode(path: Path, image: Path, model: Model, threads: int) -> Latents:
    """The latent [d] of an image, by the encoder beside the model."""
    from viewer.files.inputs import read_photo  # and Pillow, here alone

    encoder = open_sibling_encoder(path, threads=threads)
    pixels = fit(read_photo(image).on_white(), *encoder.image_size)
    encoded: Latents = encoder.encode(pixels[None])[0]
    if encoded.size != model.latent.size:
        raise ModelError(f"{path}: its encoder gives {encoded.size} numbers, expected {model.latent.size}")
    return encoded
