"""What modes with sheets begin with: as their options say, or as the image of ``--from`` does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from trainer.contract.errors import ViewerError
from viewer.model import Model
from viewer.replay import number_of, recipe_by
from viewer.sessions.classes import Classes, find_label
from viewer.sessions.detail_layer import Layer
from viewer.sessions.gain import DETAIL, Gain
from viewer.state import LAST_SEED

LARGEST_SIDE: Final = 64  # images in a row or column


@dataclass(frozen=True)
class SheetStart:
    """What a saved image says of the sheet that it is of."""

    path: Path
    recipe: Mapping[str, Any]
    mode: str  # the second word of the recipe's mode
    rows: int
    columns: int
    seed: int
    cursor: int
    label: int  # the class, or that of the first row
    gain: float | None  # of what was added to the images; None: nothing was

    def whole(self, name: str, low: int, high: int, default: float = 0, unit: int = 1) -> int:
        """A number of the recipe, in ``unit`` parts. Raises ``ImageError``."""
        return round(number_of(self.path, self.recipe, name, low / unit, high / unit, default) * unit)

    @property
    def options(self) -> Mapping[str, object]:
        """By names of options."""
        return {"rows": self.rows, "cols": self.columns, "seed": self.seed}

    @property
    def encoded(self) -> str:
        """Name of the real image at the first corner."""
        return str(self.recipe.get("encoded", ""))

    @property
    def detail(self) -> str:
        """SHA-256 of the detail network that drew what was added; empty: none did."""
        found = self.recipe.get("detail")
        return str(found.get("sha256", "")) if isinstance(found, dict) else ""


def read_sheet_start(path: Path, mode: str, kinds: Sequence[str], model: Model) -> SheetStart:
    """What an image that was saved in ``mode`` by this model says. ``kinds``: of the mode. Raises ``ImageError``."""
    recipe, kind = recipe_by(path, mode, kinds, model)

    def whole(name: str, low: int, high: int) -> int:
        return round(number_of(path, recipe, name, low, high))

    rows, columns = whole("rows", 1, LARGEST_SIDE), whole("cols", 1, LARGEST_SIDE)
    return SheetStart(
        path=path,
        recipe=recipe,
        mode=kind,
        rows=rows,
        columns=columns,
        seed=whole("seed", 0, LAST_SEED),
        cursor=whole("image", 0, rows * columns - 1),
        label=whole("first_label", 0, max(len(model.classes) - 1, 0)),
        gain=number_of(path, recipe, "gain", 0, DETAIL.scale[-1]) if "gain" in recipe else None,
    )


def first_classes(label: str | None, model: Model, start: SheetStart | None = None) -> Classes:
    """Which class is drawn first: that of ``--label``, else that of the image to begin from, else the first."""
    classes = Classes(len(model.classes))
    if start is not None and classes.count:
        classes = replace(classes, label=start.label, by_row=start.recipe.get("by_class") is True)
    if label is not None:
        classes = replace(classes, label=find_label(model.classes, label, str(model.path)))
    return classes


def first_gain(wanted: float | None, layer: Layer | None, start: SheetStart | None) -> Gain | None:
    """How much of a layer is added first: as ``--gain`` says, else the image to begin from, else the layer itself.

    Raises ``ViewerError``.
    """
    detail = layer.facts["detail"] if layer is not None else {"file": "", "sha256": ""}
    if start is not None and start.detail != detail["sha256"]:
        found = repr(detail["file"]) if detail["file"] else "none"
        raise ViewerError(f"{start.path}: made with another detail network, found {found}")
    if layer is None:
        return None
    if wanted is None and start is not None:
        wanted = start.gain
    if wanted is not None and wanted > layer.gain.scale[-1]:
        raise ViewerError(f"--gain is {wanted:g}, expected 0..{layer.gain.scale[-1]:g} for sharpening")
    return layer.gain if wanted is None else layer.gain.at(wanted)
