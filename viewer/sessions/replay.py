"""Recipes of saved images: signed with the model that they are for, and read back to begin from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from trainer.contract.errors import ImageError
from trainer.contract.hub.names import origin_of
from viewer.files.png import read_recipe
from viewer.latents import Latents
from viewer.model import Model
from viewer.sessions.classes import Classes, find_label
from viewer.state import LAST_SEED

LARGEST_SIDE: Final = 64  # images in a row or column


def signed(model: Model, recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    """A recipe with the model that it is for."""
    told = model.read_as.kept
    hub = origin_of(model.path)
    named = {"file": model.path.name} | ({} if hub is None else {"hub": str(hub)})
    signature = {"model": model.name, **named, **recipe, "sha256": model.sha256}
    return signature | ({"reading": told} if told else {})


def signed_by_all(models: Sequence[Model], recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    """A recipe with the several models that it is for, in their order."""
    return {**recipe, "models": [signed(model, {}) for model in models]}


def exact_numbers(rows: Latents) -> list[list[float]]:
    """Latents [n, d] as plain numbers, the shortest that are exact."""
    return [[float(str(number)) for number in row] for row in rows]


@dataclass(frozen=True)
class SavedRecipe:
    """The recipe of an image to begin from."""

    path: Path
    values: Mapping[str, Any]
    kind: str  # the word that follows the mode's

    def number(self, name: str, low: float, high: float, default: float = 0) -> float:
        """A number within bounds. Raises ``ImageError``."""
        value = self.values.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ImageError(f"{self.path}: {name} is {value!r}, expected a number {low:g}..{high:g}")
        return value

    def whole(self, name: str, low: int, high: int, default: float = 0, unit: int = 1) -> int:
        """A whole number of parts, ``unit`` of which make 1 in the recipe. Raises ``ImageError``."""
        return round(self.number(name, low / unit, high / unit, default) * unit)

    def page(self) -> dict[str, Any]:
        """Rows, columns and seed of a sheet, by names of options. Raises ``ImageError``."""
        rows, columns = self.whole("rows", 1, LARGEST_SIDE), self.whole("cols", 1, LARGEST_SIDE)
        return {"rows": rows, "cols": columns, "seed": self.whole("seed", 0, LAST_SEED)}

    @property
    def count(self) -> int:
        """Images of a sheet. Raises ``ImageError``."""
        page = self.page()
        return int(page["rows"] * page["cols"])

    def classes(self, count: int) -> Classes:
        """Which of ``count`` classes were drawn. Raises ``ImageError``."""
        return Classes(count, self.whole("first_label", 0, max(count - 1, 0)), self.values.get("by_class") is True)


def read_saved(path: Path, mode: str, kinds: Sequence[str], *models: Model) -> SavedRecipe:
    """The recipe of an image that this model made in a mode, or these together. ``kinds``: of the mode. Raises
    ``ImageError``."""
    recipe = read_recipe(path)
    word, _, kind = str(recipe.get("mode", "")).partition(" ")
    if word != mode or kind not in kinds:
        raise ImageError(f"{path}: saved in mode {recipe.get('mode')!r}, expected {mode}")
    found: Any = recipe.get("models", [recipe])
    signers = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    if [one.get("sha256") for one in signers] != [model.sha256 for model in models]:
        names = ", ".join(repr(one.get("file")) for one in signers) or "none"
        others, these = ("another model", "this one") if len(models) == 1 else ("other models", "these, in this order")
        raise ImageError(f"{path}: made by {others} ({names}), expected {these}")
    return SavedRecipe(path, recipe, kind)


def first_classes(label: str | None, model: Model, saved: SavedRecipe | None = None) -> Classes:
    """Which class is drawn first: that of ``--label``, of the image to begin from, or the first. Raises
    ``UserError``."""
    count = len(model.classes)
    classes = Classes(count) if saved is None else saved.classes(count)
    return classes if label is None else replace(classes, label=find_label(model.classes, label, str(model.path)))
