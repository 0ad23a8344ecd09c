"""What diffused images follow from: written into the files that they are saved in, and read back."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from trainer.contract.errors import ImageError
from trainer.contract.samplers import SAMPLERS
from viewer.model import Model
from viewer.sessions.replay import SavedRecipe
from viewer.sessions.sampling import Diffusion, Page

_MOST_STEPS: Final = 10_000


def recipe_of(diffusion: Diffusion, page: Page, number: int | None = None) -> Mapping[str, Any]:
    """What a page follows from, or one of its images, for the file that it is saved in."""
    if page.photos and number is not None:  # it is the same among any others
        own_classes = replace(page.classes, label=page.labels[number], by_row=False) if page.labels else page.classes
        page = replace(page, rows=1, columns=1, photos=(page.photos[number],), classes=own_classes)
        number = 0
    settings, denoiser = diffusion.settings, diffusion.denoiser
    recipe: dict[str, Any] = {
        "mode": f"diffuse {diffusion.origin}",
        "seed": page.seed,
        "rows": page.rows,
        "cols": page.columns,
        "interpolated": page.interpolated,
        "sampler": settings.sampler,
        "steps": diffusion.steps_of(page),
    }
    if settings.sampler != "ddpm":
        recipe["eta"] = settings.eta
    if diffusion.origin != "noise":
        recipe |= {"start": diffusion.start, "strength": settings.strength, "noise": settings.noise}
    if diffusion.generator is not None:
        recipe |= {"init": diffusion.generator.path.name, "init_sha256": diffusion.generator.sha256}
    if page.photos:
        named = page.photos if number is None else [page.photos[number]]
        recipe["init"] = [diffusion.photos[photo].name for photo in named]
    if number is not None:
        recipe["image"] = number
    if page.labels:
        recipe |= {"guidance": denoiser.guidance, "first_label": page.classes.label, "by_class": page.classes.by_row}
        own = None if number is None else page.labels[number]
        recipe |= {"labels": list(page.labels)} if own is None else {"label": own, "class": denoiser.names[own]}
    return recipe


def options_of(saved: SavedRecipe, steps: int) -> dict[str, Any]:
    """What a saved image says, by names of options. ``steps``: of the denoiser. Raises ``ImageError``."""
    sampler = saved.values.get("sampler")
    if sampler not in SAMPLERS:
        raise ImageError(f"{saved.path}: sampler is {sampler!r}, expected one of {', '.join(SAMPLERS)}")
    return {
        "sampler": sampler,
        "eta": saved.number("eta", 0, 1),
        "start": saved.whole("start", 0, steps),
        "strength": saved.number("strength", 0, 4, 1),
        "no_noise": saved.values.get("noise") is False,
        "steps": saved.whole("steps", 1, _MOST_STEPS),
        "guidance": saved.number("guidance", 0, 100),
        **saved.page(),
    }


def photos_of(saved: SavedRecipe, generator: Model | None, photos: Sequence[Path]) -> list[Path]:
    """The photographs that an image was made from, in the recipe's order, if any. Raises ``ImageError``."""
    path, made_from = saved.path, saved.values.get("init")
    if saved.kind == "generator" and (generator is None or generator.sha256 != saved.values.get("init_sha256")):
        raise ImageError(f"{path}: made with --init {made_from!r}, expected the same generator")
    if saved.kind == "noise" and (generator is not None or photos):
        raise ImageError(f"{path}: made from noise, expected no --init")
    if saved.kind != "photographs":
        return []
    named = {photo.name: photo for photo in reversed(photos)}
    if not isinstance(made_from, list) or not all(isinstance(name, str) and name in named for name in made_from):
        raise ImageError(f"{path}: made with --init {str(made_from)[:200]}, expected the same images")
    return [named[name] for name in made_from]
