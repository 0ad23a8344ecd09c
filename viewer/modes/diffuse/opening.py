"""From the command line, or an image that was saved, to the diffuse mode: what is asked for is checked here."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from trainer.contract.errors import ViewerError
from viewer.files.inputs import find_photos
from viewer.mode import check_beside_saved
from viewer.model import Model, open_model
from viewer.modes.diffuse.denoiser import Denoiser
from viewer.modes.diffuse.options import DiffuseOptions
from viewer.modes.diffuse.replay import Asked, asked_by, photos_of
from viewer.modes.diffuse.sampling import Diffusion, Settings
from viewer.modes.diffuse.state import ORIGINS, DiffuseState
from viewer.replay import recipe_by
from viewer.sessions.classes import Classes, find_label
from viewer.sessions.headless import readable
from viewer.sessions.sheet_session import make_sheet
from viewer.sheet import auto_scale

_STEPS: Final = {"ddim": 25, "ddpm": 250, "dpm": 25}
_START: Final = 0.3  # of all steps, where images begin
_ROWS, _COLUMNS = 3, 4  # images


def begin(options: DiffuseOptions, threads: int) -> tuple[Diffusion, DiffuseState]:
    """The mode as its flags say, or as ``--from`` says. Raises ``ViewerError``."""
    model = open_model(options.model, threads=threads, wanted="denoiser")
    _check_flags(options)
    generator, photos = _open_init(options.init, threads)
    recipe: dict[str, Any] | None = None
    if options.saved is not None:
        recipe, origin = recipe_by(options.saved, "diffuse", ORIGINS, model)
        photos = photos_of(options.saved, recipe, origin, generator, photos)
    known = Denoiser(model)
    if recipe is None or options.saved is None:
        asked = _by_flags(options, known)
    else:
        asked = asked_by(options.saved, recipe, known)
        check_beside_saved(options, _flags_of(asked, known, options.label))
    diffusion = Diffusion(Denoiser(model, asked.guidance), asked.settings, generator, photos)
    rows, columns = asked.rows or _ROWS, asked.columns or _COLUMNS
    if photos:
        columns = asked.columns or min(2, len(photos))
        rows = asked.rows or min(-(-len(photos) // columns), _ROWS)
    across = 2 if photos else 1
    scale = options.scale or auto_scale(rows, columns * across, *model.image_size)
    state = DiffuseState(
        make_sheet(model, rows, columns, scale, across=across),
        min(asked.steps, diffusion.start),
        diffusion.start,
        diffusion.origin,
        seed=asked.seed,
        cursor=min(asked.cursor, rows * columns - 1),
        interpolated=asked.interpolated and not photos,
        photos=len(photos),
        classes=asked.classes,
    )
    return diffusion, state


def _flags_of(asked: Asked, denoiser: Denoiser, written: str | None) -> dict[str, object]:
    """What one would write for it; the class as it was ``written``, where that means it, else by its name."""
    settings, names = asked.settings, denoiser.names
    label = names[asked.classes.label] if names else None
    if written is not None and find_label(names, written, str(denoiser.model.path)) == asked.classes.label:
        label = written
    return {
        "sampler": settings.sampler,
        "eta": settings.eta,
        "start": settings.start,
        "strength": settings.strength,
        "no_noise": not settings.noise,
        "steps": asked.steps,
        "guidance": asked.guidance,
        "seed": asked.seed,
        "rows": asked.rows,
        "cols": asked.columns,
        "label": label,
    }


def _check_flags(options: DiffuseOptions) -> None:
    """Flags that have no meaning beside, or without, others."""
    for name, value in (("start", options.start), ("strength", options.strength), ("no-noise", options.no_noise)):
        if value and not options.init:
            raise ViewerError(f"--{name} is for images to begin with, expected --init beside it")
    if options.eta is not None and options.sampler == "ddpm":
        raise ViewerError("--eta is for the samplers ddim and dpm, found ddpm, whose eta is 1")


def _open_init(words: Sequence[str], threads: int) -> tuple[Model | None, list[Path]]:
    """The generator, or the photographs, to begin with."""
    if not any(word.endswith(".onnx") for word in words):
        return None, list(readable(find_photos(words))) if words else []
    if len(words) > 1:
        raise ViewerError(f"--init has {len(words)} files, expected one generator (.onnx), or photographs")
    return open_model(Path(words[0]), threads=threads, wanted="generator"), []


def _by_flags(options: DiffuseOptions, denoiser: Denoiser) -> Asked:
    label = 0 if options.guidance else max(len(denoiser.names) - 1, 0)  # the last is none of the classes
    if options.label is not None:
        label = find_label(denoiser.names, options.label, str(denoiser.model.path))
    start = options.start or (max(round(_START * denoiser.steps), 1) if options.init else 0)
    strength = 1.0
    if options.no_noise:  # as faded as the network expects images there to be
        strength = denoiser.schedule["alpha_bar"][min(start, denoiser.steps) - 1] ** 0.5
    settings = Settings(
        sampler=options.sampler,
        eta=options.eta or 0.0,
        start=start,
        strength=strength if options.strength is None else options.strength,
        noise=not options.no_noise,
    )
    return Asked(
        settings=settings,
        steps=options.steps or _STEPS[options.sampler],
        guidance=options.guidance,
        seed=options.seed,
        rows=options.rows or 0,
        columns=options.cols or 0,
        classes=Classes(len(denoiser.names), label),
    )
