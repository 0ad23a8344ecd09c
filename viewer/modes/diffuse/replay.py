"""What diffused images follow from: written into the files that they are saved in, and read back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from trainer.contract.errors import ImageError
from trainer.contract.samplers import SAMPLERS
from viewer.model import Model
from viewer.modes.diffuse.denoiser import Denoiser
from viewer.modes.diffuse.sampling import Diffusion, Page, Settings
from viewer.modes.diffuse.state import MOST_STEPS
from viewer.replay import number_of
from viewer.sessions.classes import Classes
from viewer.state import LAST_SEED

_LARGEST_SIDE: Final = 64  # images in a row or column
_LARGEST_STRENGTH: Final = 4
_LARGEST_GUIDANCE: Final = 100


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person, or a recipe, asks for."""

    settings: Settings
    steps: int
    guidance: float = 0.0
    seed: int = 0
    rows: int = 0  # 0: as suits the images
    columns: int = 0
    cursor: int = 0
    interpolated: bool = False
    classes: Classes


def recipe_of(diffusion: Diffusion, page: Page, number: int | None = None) -> Mapping[str, Any]:
    """What a page follows from, or one of its images, for the file that it is saved in."""
    if page.photos and number is not None:  # it is the same among any others
        own_classes = replace(page.classes, label=page.labels[number], by_row=False) if page.labels else page.classes
        page = replace(page, rows=1, columns=1, photos=(page.photos[number],), classes=own_classes)
        number = 0
    settings, denoiser = diffusion.settings, diffusion.denoiser
    facts: dict[str, Any] = {
        "mode": f"diffuse {diffusion.origin}",
        "seed": page.seed,
        "rows": page.rows,
        "cols": page.columns,
        "interpolated": page.interpolated,
        "sampler": settings.sampler,
        "steps": diffusion.steps_of(page),
    }
    if settings.sampler != "ddpm":
        facts["eta"] = settings.eta
    if diffusion.origin != "noise":
        facts |= {"start": diffusion.start, "strength": settings.strength, "noise": settings.noise}
    if diffusion.generator is not None:
        facts |= {"init": diffusion.generator.path.name, "init_sha256": diffusion.generator.sha256}
    if page.photos:
        named = page.photos if number is None else [page.photos[number]]
        facts["init"] = [diffusion.photos[photo].name for photo in named]
    if number is not None:
        facts["image"] = number
    if page.labels:
        facts |= {"guidance": denoiser.guidance, "first_label": page.classes.label, "by_class": page.classes.by_row}
        own = None if number is None else page.labels[number]
        facts |= {"labels": list(page.labels)} if own is None else {"label": own, "class": denoiser.names[own]}
    return facts


def asked_by(path: Path, recipe: dict[str, Any], denoiser: Denoiser) -> Asked:
    """What an image that was saved asks for. Raises ``ImageError``."""

    def number(name: str, low: float, high: float, default: float = 0) -> float:
        return number_of(path, recipe, name, low, high, default)

    def whole(name: str, low: int, high: int, default: int = 0) -> int:
        return round(number(name, low, high, default))

    if recipe.get("sampler") not in SAMPLERS:
        raise ImageError(f"{path}: sampler is {recipe.get('sampler')!r}, expected one of {', '.join(SAMPLERS)}")
    settings = Settings(
        sampler=recipe["sampler"],
        eta=number("eta", 0, 1),
        start=whole("start", 0, denoiser.steps),
        strength=number("strength", 0, _LARGEST_STRENGTH, 1),
        noise=recipe.get("noise") is not False,
    )
    rows, columns = whole("rows", 1, _LARGEST_SIDE), whole("cols", 1, _LARGEST_SIDE)
    label = whole("first_label", 0, max(len(denoiser.names) - 1, 0))
    return Asked(
        settings=settings,
        steps=whole("steps", 1, MOST_STEPS),
        guidance=number("guidance", 0, _LARGEST_GUIDANCE),
        seed=whole("seed", 0, LAST_SEED),
        rows=rows,
        columns=columns,
        cursor=whole("image", 0, rows * columns - 1),
        interpolated=recipe.get("interpolated") is True,
        classes=Classes(len(denoiser.names), label, recipe.get("by_class") is True),
    )


def photos_of(
    path: Path, recipe: dict[str, Any], origin: str, generator: Model | None, photos: Sequence[Path]
) -> list[Path]:
    """The photographs that an image was made from, in the recipe's order, if any. Raises ``ImageError``."""
    made_from = recipe.get("init")
    if origin == "generator" and (generator is None or generator.sha256 != recipe.get("init_sha256")):
        raise ImageError(f"{path}: made with --init {made_from!r}, expected the same generator")
    if origin == "noise" and (generator is not None or photos):
        raise ImageError(f"{path}: made from noise, expected no --init")
    if origin != "photographs":
        return []
    named = {photo.name: photo for photo in reversed(photos)}
    if not isinstance(made_from, list) or not all(isinstance(name, str) and name in named for name in made_from):
        raise ImageError(f"{path}: made with --init {str(made_from)[:200]}, expected the same images")
    return [named[name] for name in made_from]
