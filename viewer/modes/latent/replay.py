"""Back from an image that was saved in the latent mode to its state."""

from pathlib import Path
from typing import Any, Final

from trainer.contract.errors import ImageError
from viewer.model import Model
from viewer.modes.latent.layout import make_layout
from viewer.modes.latent.space import Point, Space
from viewer.modes.latent.state import REACH, VIEWS, LatentState
from viewer.sessions.replay import LARGEST_SIDE, SavedRecipe
from viewer.state import LAST_SEED

_FARTHEST: Final = 1e9  # that a point moves along an axis


def state_of(saved: SavedRecipe, model: Model, space: Space) -> LatentState:
    """The state, with all views, that an image was saved in by this model. Raises ``ImageError``."""
    path, recipe, whole = saved.path, saved.values, saved.whole
    axes, ends = recipe.get("axes"), recipe.get("line")
    if not isinstance(axes, list) or len(axes) != 2 or not all(_is_axis(axis, space) for axis in axes):
        raise ImageError(f"{path}: axes are {axes!r}, expected two of 0..{space.count - 1}")
    if axes[0] == axes[1] or not isinstance(ends, list) or len(ends) != 2:
        raise ImageError(f"{path}: what it was made from is damaged")
    rows, columns = whole("rows", 1, LARGEST_SIDE, 1), whole("cols", 1, LARGEST_SIDE, 1)
    layout = make_layout(*model.image_size, rows, columns, saved.number("scale", 0.05, 64, 1))
    return LatentState(
        space=space,
        layout=layout,
        axes=(axes[0], axes[1]),
        line=(_point(path, ends[0], space), _point(path, ends[1], space)),
        view=next(view for view in VIEWS if view == saved.kind),
        seed=whole("seed", 0, LAST_SEED),
        point=_point(path, recipe.get("point"), space),
        reach=saved.number("range", *REACH, 4.0),
        stop=whole("stop", 0, layout.stop_count - 1),
        straight=recipe.get("straight") is True,
        always_straight=recipe.get("always_straight") is True,
        chosen=whole("slider", 0, space.count - 1),
        classes=saved.classes(len(model.classes)),
    )


def _is_axis(value: Any, space: Space) -> bool:
    return type(value) is int and 0 <= value < space.count


def _point(path: Path, value: Any, space: Space) -> Point:
    """A point of a recipe."""
    seed, moves = (value.get("seed"), value.get("moves")) if isinstance(value, dict) else (None, None)
    sound = isinstance(moves, list) and all(
        isinstance(move, list)
        and len(move) == 2
        and _is_axis(move[0], space)
        and isinstance(move[1], int | float)
        and abs(move[1]) < _FARTHEST
        for move in moves
    )
    if not sound or not isinstance(moves, list) or not (seed is None or (type(seed) is int and 0 <= seed <= LAST_SEED)):
        raise ImageError(f"{path}: a point is {str(value)[:80]!r}, expected a seed and moves along axes")
    return Point(seed, tuple((move[0], float(move[1])) for move in moves))
