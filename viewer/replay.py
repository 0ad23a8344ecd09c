"""Back from a saved image to the state that it was saved in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trainer.contract.errors import ImageError
from viewer.files.png import read_recipe
from viewer.model import Model
from viewer.modes.animate.state import LEG_TICKS
from viewer.modes.latent.layout import make_layout
from viewer.modes.latent.space import Point, Space
from viewer.modes.latent.state import REACH, VIEWS, LatentState, View
from viewer.sessions.classes import Classes
from viewer.sessions.gain import DETAIL
from viewer.sessions.grid_state import LARGEST_TRUNCATION, TRUNCATION_STEPS
from viewer.state import LAST_SEED

_LARGEST_SIDE: Final = 64  # images in a row or column
_LAST_TICK: Final = 2**53
_FARTHEST: Final = 1e9  # that a point moves along an axis
_WAYS: Final = {"grid": ("random", "interpolation", "mix"), "hpf": ("random", "interpolation", "mix"),
                "animate": ("slerp", "lerp")}  # fmt: skip


@dataclass(frozen=True)
class Start:
    """What a saved image says of its sheet. Facts of the other modes have their first values."""

    way: str  # random, interpolation or mix; slerp or lerp
    seed: int
    rows: int
    columns: int
    cursor: int
    encoded: str  # name of the real image at the first corner
    truncation_steps: int
    position: int  # ticks
    legs: int
    label: int  # the class, or that of the first row
    by_class: bool
    gain: float | None  # of what was added to the images; None: nothing was
    detail: str  # SHA-256 of the detail network that drew what was added; empty: none did


@dataclass(frozen=True)
class LatentStart:
    """What an image that was saved in the latent mode says of its frame."""

    state: LatentState  # with all views
    data: str  # name of the set that was scattered
    points: int  # of it, at most
    bgr: bool  # whether it was opened as BGR


def read_start(path: Path, mode: str, model: Model) -> Start:
    """The start that an image saved in ``mode`` by this model gives. Raises ``ImageError``."""
    recipe, way = recipe_by(path, mode, _WAYS[mode], model)

    def whole(name: str, low: int, high: int, default: float = 0, unit: int = 1) -> int:
        return round(number_of(path, recipe, name, low / unit, high / unit, default) * unit)

    rows, columns = whole("rows", 1, _LARGEST_SIDE), whole("cols", 1, _LARGEST_SIDE)
    return Start(
        way=way,
        seed=whole("seed", 0, LAST_SEED),
        rows=rows,
        columns=columns,
        cursor=whole("image", 0, rows * columns - 1),
        encoded=str(recipe.get("encoded", "")),
        truncation_steps=whole("truncation", 0, LARGEST_TRUNCATION, 1, TRUNCATION_STEPS),
        position=whole("position", 0, _LAST_TICK, 0, LEG_TICKS),
        legs=whole("legs", 0, _LAST_TICK),
        label=whole("first_label", 0, max(len(model.classes) - 1, 0)),
        by_class=recipe.get("by_class") is True,
        gain=number_of(path, recipe, "gain", 0, DETAIL.scale[-1]) if "gain" in recipe else None,
        detail=str(detail.get("sha256", "")) if isinstance(detail := recipe.get("detail"), dict) else "",
    )


def read_latent_start(path: Path, model: Model, space: Space) -> LatentStart:
    """The start that an image saved in the latent mode by this model gives. Raises ``ImageError``."""
    recipe, _ = recipe_by(path, "latent", VIEWS, model)

    def number(name: str, low: float, high: float, default: float = 0) -> float:
        return number_of(path, recipe, name, low, high, default)

    def whole(name: str, low: int, high: int, default: int = 0) -> int:
        return round(number(name, low, high, default))

    axes, ends = recipe.get("axes"), recipe.get("line")
    if not isinstance(axes, list) or len(axes) != 2 or not all(_is_axis(axis, space) for axis in axes):
        raise ImageError(f"{path}: axes are {axes!r}, expected two of 0..{space.count - 1}")
    if axes[0] == axes[1] or not isinstance(ends, list) or len(ends) != 2:
        raise ImageError(f"{path}: what it was made from is damaged")
    layout = make_layout(
        *model.image_size,
        whole("rows", 1, _LARGEST_SIDE, 1),
        whole("cols", 1, _LARGEST_SIDE, 1),
        number("scale", 0.05, 64, 1),
    )
    reach = number("range", *REACH, 4.0)
    classes = Classes(len(model.classes), whole("first_label", 0, max(len(model.classes) - 1, 0)))
    view: View = next(view for view in VIEWS if recipe["mode"] == f"latent {view}")
    state = LatentState(
        space=space,
        layout=layout,
        axes=(axes[0], axes[1]),
        line=(_point(path, ends[0], space), _point(path, ends[1], space)),
        view=view,
        seed=whole("seed", 0, LAST_SEED),
        point=_point(path, recipe.get("point"), space),
        reach=reach,
        stop=whole("stop", 0, layout.stop_count - 1),
        straight=recipe.get("straight") is True,
        always_straight=recipe.get("always_straight") is True,
        chosen=whole("slider", 0, space.count - 1),
        classes=classes,
    )
    return LatentStart(state, str(recipe.get("data", "")), whole("points", 1, 10**6, 1), recipe.get("bgr") is True)


def _is_axis(value: Any, space: Space) -> bool:
    return type(value) is int and 0 <= value < space.count


def _point(path: Path, facts: Any, space: Space) -> Point:
    """A point of a recipe."""
    seed, moves = (facts.get("seed"), facts.get("moves")) if isinstance(facts, dict) else (None, None)
    sound = isinstance(moves, list) and all(
        isinstance(move, list)
        and len(move) == 2
        and _is_axis(move[0], space)
        and isinstance(move[1], int | float)
        and abs(move[1]) < _FARTHEST
        for move in moves
    )
    if not sound or not isinstance(moves, list) or not (seed is None or (type(seed) is int and 0 <= seed <= LAST_SEED)):
        raise ImageError(f"{path}: a point is {str(facts)[:80]!r}, expected a seed and moves along axes")
    return Point(seed, tuple((move[0], float(move[1])) for move in moves))


def recipe_by(path: Path, mode: str, ways: Sequence[str], model: Model) -> tuple[dict[str, Any], str]:
    """The recipe of an image that this model made in a mode, and which way of the mode it was. Raises
    ``ImageError``."""
    recipe = read_recipe(path)
    word, _, way = str(recipe.get("mode", "")).partition(" ")
    if word != mode or way not in ways:
        raise ImageError(f"{path}: saved in mode {recipe.get('mode')!r}, expected {mode}")
    if recipe.get("sha256") != model.sha256:
        raise ImageError(f"{path}: made by another model ({recipe.get('file')!r}), expected this one")
    return recipe, way


def number_of(path: Path, facts: Mapping[str, Any], name: str, low: float, high: float, default: float = 0) -> float:
    """A number of a recipe within bounds. Raises ``ImageError``."""
    value = facts.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ImageError(f"{path}: {name} is {value!r}, expected a number {low:g}..{high:g}")
    return value
