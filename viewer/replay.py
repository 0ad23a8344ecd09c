"""Back from a saved image to the state that it was saved in: what the modes share."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer.contract.errors import ImageError
from viewer.files.png import read_recipe
from viewer.model import Model


def recipe_by(path: Path, mode: str, kinds: Sequence[str], model: Model) -> tuple[dict[str, Any], str]:
    """The recipe of an image that this model made in a mode, and the word that follows the mode's. Raises
    ``ImageError``."""
    recipe = read_recipe(path)
    word, _, kind = str(recipe.get("mode", "")).partition(" ")
    if word != mode or kind not in kinds:
        raise ImageError(f"{path}: saved in mode {recipe.get('mode')!r}, expected {mode}")
    if recipe.get("sha256") != model.sha256:
        raise ImageError(f"{path}: made by another model ({recipe.get('file')!r}), expected this one")
    return recipe, kind


def number_of(path: Path, facts: Mapping[str, Any], name: str, low: float, high: float, default: float = 0) -> float:
    """A number of a recipe within bounds. Raises ``ImageError``."""
    value = facts.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ImageError(f"{path}: {name} is {value!r}, expected a number {low:g}..{high:g}")
    return value
