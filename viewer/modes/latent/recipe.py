"""What a saved image of the latent mode was made from, and the state that such a recipe leads back to.

Axes are named by ``Space.ref``, and the named directions that they mean are part of the recipe: it needs no other file.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from trainer.contract.directions import check_directions
from trainer.contract.errors import ImageError
from viewer.model import Model
from viewer.modes.latent.groups import METHODS
from viewer.modes.latent.layout import make_layout
from viewer.modes.latent.space import Numbers, Point, Space
from viewer.modes.latent.state import VIEWS, Groups, LatentState
from viewer.sessions.classes import Classes
from viewer.sessions.replay import SavedRecipe
from viewer.state import LAST_SEED

_FARTHEST: Final = 1e9  # that a saved point moves along an axis


def recipe_of(state: LatentState) -> dict[str, Any]:
    """What a state is made again from."""
    space = state.space
    recipe: dict[str, Any] = {
        "mode": f"latent {state.view}",
        "seed": state.seed,
        "rows": state.layout.rows,
        "cols": state.layout.columns,
        "scale": state.layout.scale,
        "range": state.reach,
        "axes": [space.ref(axis) for axis in state.axes],
        "point": _plain(state.point, space),
        "line": [_plain(point, space) for point in state.line],
        "stop": state.stop,
        "straight": state.straight,
        "always_straight": state.always_straight,
        "slider": space.ref(state.chosen),
    }
    if named := _used(state):
        recipe["directions"] = {name: vector.tolist() for name, vector in named.items()}
    if any(state.groups):
        recipe |= {"groups": [sorted(group) for group in state.groups], "method": state.method}
    if state.classes.count:
        recipe["first_label"] = state.classes.label
    return recipe


def _plain(point: Point, space: Space) -> Mapping[str, Any]:
    return {"seed": point.seed, "moves": [[space.ref(axis), far] for axis, far in point.moves]}


def _used(state: LatentState) -> Mapping[str, Numbers]:
    """The named directions that a state needs: those of its axes and moves, or all where all of them are shown."""
    if state.view in ("plane", "sliders") or any(state.groups):
        return state.space.named
    axes = {*state.axes, state.chosen}
    axes.update(axis for point in (state.point, *state.line) for axis, _ in point.moves)
    return {name: vector for axis, (name, vector) in enumerate(state.space.named.items()) if axis in axes}


def named_of(saved: SavedRecipe, known: Mapping[str, Numbers], size: int) -> Mapping[str, Numbers]:
    """The named directions to begin with: those of a recipe, and where not all of them are shown those that are known
    besides. Raises ``ImageError``."""
    try:
        own = check_directions(saved.values.get("directions", {}), size)
    except ValueError as error:
        raise ImageError(f"{saved.path}: {error}") from None
    found: dict[str, Numbers] = {name: np.array(vector) for name, vector in own.items()}
    if saved.kind in ("plane", "sliders") or "groups" in saved.values:
        return found
    return {**found, **{name: vector for name, vector in known.items() if name not in found}}


def saved_random(saved: SavedRecipe) -> tuple[int, int]:
    """The seed and the number of the random latents that were scattered. Raises ``ImageError``."""
    found = saved.values["random"]
    if not isinstance(found, list) or len(found) != 2 or not all(type(number) is int for number in found):
        raise ImageError(f"{saved.path}: random is {str(found)[:80]}, expected a seed and a number of latents")
    if not (0 <= found[0] <= LAST_SEED and 2 <= found[1] <= 10**5):
        raise ImageError(f"{saved.path}: random is {str(found)[:80]}, expected a seed and 2..100000 latents")
    return found[0], found[1]


def state_of(saved: SavedRecipe, model: Model, space: Space, classes: Classes, points: int) -> LatentState:
    """The state, with all views, that an image was saved in by this model. ``points``: of the scatter. Raises
    ``ImageError``."""
    path, recipe = saved.path, saved.values
    axes, ends, method = recipe.get("axes"), recipe.get("line"), recipe.get("method", METHODS[0])
    found = [space.axis_of(axis) for axis in axes] if isinstance(axes, list) and len(axes) == 2 else [None]
    across, up = found if None not in found else (None, None)
    if across is None or up is None:
        raise ImageError(f"{path}: axes are {str(axes)[:80]}, expected two of {_axes(space)}")
    if across == up or not isinstance(ends, list) or len(ends) != 2 or method not in METHODS:
        raise ImageError(f"{path}: what it was made from is damaged")
    chosen = space.axis_of(recipe.get("slider", 0))
    if chosen is None:
        raise ImageError(f"{path}: slider is {str(recipe['slider'])[:80]}, expected one of {_axes(space)}")
    page = saved.page()
    layout = make_layout(*model.image_size, page["rows"], page["cols"], saved.number("scale", 0.05, 64, 1))
    return LatentState(
        space=space,
        layout=layout,
        axes=(across, up),
        line=(_point(path, ends[0], space), _point(path, ends[1], space)),
        view=next(view for view in VIEWS if view == saved.kind),
        seed=page["seed"],
        point=_point(path, recipe.get("point"), space),
        reach=saved.number("range", 0.01, 100, 4.0),
        stop=saved.whole("stop", 0, len(layout.stops) - 1),
        straight=recipe.get("straight") is True,
        always_straight=recipe.get("always_straight") is True,
        chosen=chosen,
        groups=_groups(path, recipe.get("groups", [[], []]), points),
        method=method,
        classes=classes,
    )


def _axes(space: Space) -> str:
    """The axes of a recipe in words."""
    return f"0..{space.count - len(space.named) - 1}" + (" or its named directions" if space.named else "")


def _groups(path: Path, value: Any, points: int) -> Groups:
    sound = isinstance(value, list) and len(value) == 2 and all(isinstance(group, list) for group in value)
    if not sound or not all(type(point) is int and 0 <= point < points for group in value for point in group):
        raise ImageError(f"{path}: groups are {str(value)[:80]}, expected two lists of points 0..{points - 1}")
    return frozenset(value[0]), frozenset(value[1]) - frozenset(value[0])


def _point(path: Path, value: Any, space: Space) -> Point:
    """A point of a recipe."""
    try:
        seed, moves = value.get("seed"), [(space.axis_of(axis), far) for axis, far in value.get("moves")]
        sound = (seed is None or (type(seed) is int and 0 <= seed <= LAST_SEED)) and all(
            axis is not None and isinstance(far, int | float) and abs(far) < _FARTHEST for axis, far in moves
        )
    except (AttributeError, TypeError, ValueError):
        sound = False
    if not sound:
        raise ImageError(f"{path}: a point is {str(value)[:80]!r}, expected a seed and moves along axes")
    return Point(seed, tuple((axis, float(far)) for axis, far in moves if axis is not None))
