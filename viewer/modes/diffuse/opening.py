"""From the command line, or an image that was saved, to the diffuse mode: what is asked for is checked here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from trainer.contract.errors import UserError
from viewer.files.inputs import find_photos
from viewer.model import Model, open_model
from viewer.modes.diffuse.denoiser import Denoiser
from viewer.modes.diffuse.options import Options
from viewer.modes.diffuse.replay import options_of, photos_of
from viewer.modes.diffuse.sampling import Diffusion, Settings
from viewer.modes.diffuse.state import ORIGINS, DiffuseState
from viewer.options import model_threads, with_saved
from viewer.sessions.classes import Classes, find_label
from viewer.sessions.headless import readable
from viewer.sessions.replay import read_saved
from viewer.sheet import auto_scale, fitting_sheet

USUAL_STEPS: Final[Mapping[str, int]] = {"ddim": 25, "ddpm": 250, "dpm": 25}
_START: Final = 0.3  # of all steps, where images begin
_ROWS, _COLUMNS = 3, 4  # images


def begin(options: Options) -> tuple[Diffusion, DiffuseState]:
    """The mode as its flags say, or as ``--from`` says. Raises ``UserError``."""
    threads = model_threads(options.threads, all_cores=True)
    model = open_model(options.model, threads=threads, wanted="denoiser")
    for name, value in (("start", options.start), ("strength", options.strength), ("no-noise", options.no_noise)):
        if value and not options.init:
            raise UserError(f"--{name} is for images to begin with, expected --init beside it")
    if options.eta is not None and options.sampler == "ddpm":
        raise UserError("--eta is for the samplers ddim and dpm, found ddpm, whose eta is 1")
    generator, photos = _open_init(options.init, threads)
    denoiser = Denoiser(model)
    names = denoiser.names
    label = None if options.label is None else find_label(names, options.label, str(model.path))
    cursor, interpolated = 0, False
    if options.saved is None:
        usual = 0 if options.guidance else max(len(names) - 1, 0)  # the last is none of the classes
        classes = Classes(len(names), usual if label is None else label)
    else:
        saved = read_saved(options.saved, "diffuse", ORIGINS, model)
        photos = photos_of(saved, generator, photos)
        classes = saved.classes(len(names))
        own_label = options.label if label in (None, classes.label) else names[classes.label]
        options = with_saved(options, {**options_of(saved, denoiser.steps), "label": own_label})
        cursor = saved.whole("image", 0, (options.rows or 1) * (options.cols or 1) - 1)
        interpolated = saved.values.get("interpolated") is True
    diffusion = Diffusion(Denoiser(model, options.guidance), _settings_of(options, denoiser), generator, photos)
    rows, columns = options.rows or _ROWS, options.cols or _COLUMNS
    if photos:
        columns = options.cols or min(2, len(photos))
        rows = options.rows or min(-(-len(photos) // columns), _ROWS)
    across = 2 if photos else 1
    scale = options.scale or auto_scale(rows, columns * across, *model.image_size)
    state = DiffuseState(
        fitting_sheet(rows, columns, *model.image_size, scale, across=across),
        min(options.steps or USUAL_STEPS[options.sampler], diffusion.start),
        diffusion.start,
        diffusion.origin,
        interpolated=interpolated and not photos,
        photos=len(photos),
        seed=options.seed,
        cursor=cursor,
        classes=classes,
    )
    return diffusion, state


def usual_start(denoiser: Denoiser) -> int:
    """The step whose noise is added to images to begin with, unless another is chosen."""
    return max(round(_START * denoiser.steps), 1)


def _open_init(words: Sequence[str], threads: int) -> tuple[Model | None, list[Path]]:
    """The generator, or the photographs, to begin with."""
    if not any(word.endswith(".onnx") for word in words):
        return None, list(readable(find_photos(words))) if words else []
    if len(words) > 1:
        raise UserError(f"--init has {len(words)} files, expected one generator (.onnx), or photographs")
    return open_model(Path(words[0]), threads=threads, wanted="generator"), []


def _settings_of(options: Options, denoiser: Denoiser) -> Settings:
    start = options.start or (usual_start(denoiser) if options.init else 0)
    strength = 1.0
    if options.no_noise:  # as faded as the network expects images there to be
        strength = denoiser.schedule["alpha_bar"][min(start, denoiser.steps) - 1] ** 0.5
    return Settings(
        sampler=options.sampler,
        eta=options.eta or 0.0,
        start=start,
        strength=strength if options.strength is None else options.strength,
        noise=not options.no_noise,
    )
