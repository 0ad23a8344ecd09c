"""The scalar input of a model without a card that + and - change."""

from typing import TYPE_CHECKING, Any

from trainer.contract.text import printable
from viewer.model import Model
from viewer.sessions.replay import SavedRecipe
from viewer.sessions.sheet_state import Gain

if TYPE_CHECKING:
    from viewer.graph.ports import Settings


def first_knob(model: Model, saved: SavedRecipe | None = None) -> Gain | None:
    """Where the scalar begins: as --set says, the image to begin from, or as is usual; ``None`` where the model has
    none. Raises ``ImageError``."""
    extra = model.knob
    if extra is None:
        return None
    knob = Gain(extra.choices, extra.choices.index(extra.value), extra.name)
    found = {} if saved is None else saved.values.get("settings", {})
    value = found.get(extra.name) if isinstance(found, dict) else None
    return knob.at(value) if isinstance(value, int | float) else knob


def settings_of(knob: Gain | None) -> "Settings | None":
    """What the model is given."""
    return None if knob is None else {knob.name: knob.value}


def knob_words(knob: Gain | None) -> tuple[str, ...]:
    """What it is, in words."""
    return () if knob is None else (f"{printable(knob.name, 60)} {knob.value:.3g}",)


def knob_recipe(knob: Gain | None) -> dict[str, Any]:
    """The same in a recipe."""
    return {} if knob is None else {"settings": {knob.name: knob.value}}
