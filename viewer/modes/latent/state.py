"""What the latent mode shows, as plain values, and how an event changes it.

There are four views of one point: the plane through it along two axes, a line between two points, the scatter of a set
of images, and a slider for every axis.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final, Literal

from viewer.frame.area import Area
from viewer.keys import Action, Event
from viewer.modes.latent.groups import METHODS, Method
from viewer.modes.latent.layout import Layout, gauge_track
from viewer.modes.latent.space import MIDDLE, Point, Space
from viewer.sessions.classes import NO_CLASSES, Classes
from viewer.sheet import STEPS
from viewer.state import next_seed

Groups = tuple[frozenset[int], frozenset[int]]  # points of the scatter in group A, and in B
View = Literal["plane", "line", "scatter", "sliders"]
VIEWS: Final[tuple[View, ...]] = ("plane", "line", "scatter", "sliders")
REACHES: Final = (0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)  # that + and - lead through
_STEPS: Final = 40  # of an arrow key, from one end of a slider to the other


@dataclass(frozen=True)
class LatentState:
    """A point in latent space, and how one looks at it. The layout never changes, the space as directions are named."""

    space: Space
    layout: Layout
    axes: tuple[int, int]  # across and up
    line: tuple[Point, Point]
    views: tuple[View, ...] = VIEWS  # that there are
    view: View = "plane"
    seed: int = 0  # of the next random point
    point: Point = MIDDLE
    reach: float = 4.0  # of the plane and the sliders, in both directions
    stop: int = 0  # the image of the line that is looked at
    straight: bool = True  # lerp along the line instead of slerp
    always_straight: bool = False  # lerp between random points too
    chosen: int = 0  # axis of the slider that the keys move
    pressed: Point | None = None  # where the mouse is being dragged from
    held: int | None = None  # axis of the small slider beside the plane that is being dragged
    groups: Groups = (frozenset(), frozenset())
    method: Method = METHODS[0]  # by which a direction is found between the groups
    # across, up, across, up: coordinates of the corners of a rectangle on the scatter, the first where it was begun
    rectangle: tuple[float, float, float, float] | None = None
    classes: Classes = NO_CLASSES

    @property
    def first_slider(self) -> int:
        """The axis of the uppermost slider on the screen."""
        return self.chosen - self.chosen % len(self.layout.sliders)

    @property
    def stage(self) -> Area:
        """Where the plane lies in this view."""
        return self.layout.plane_above_line if self.view == "line" else self.layout.plane

    @property
    def selection(self) -> tuple[float, float, float, float] | None:
        """The rectangle, where it is more than a click."""
        drawn = self.rectangle is not None and self.rectangle[:2] != self.rectangle[2:]
        return self.rectangle if drawn else None

    def gauges(self) -> list[tuple[int, Area]]:
        """The small sliders beside the plane: for as many other axes as there is room, each with its row."""
        if self.space.latent.size <= 2:
            return []
        rows = self.layout.gauges(1 + (self.classes.count > 0))
        if len(rows) < self.space.count - 2:
            rows = rows[:-1]  # the last one says how many are left
        others = (axis for axis in range(self.space.count) if axis not in self.axes)
        return list(zip(others, rows, strict=False))

    def in_space(self, space: Space) -> "LatentState":
        """The same in another space of the model: it has all directions of this one, some perhaps with other steps."""
        old = self.space

        def axis(number: int) -> int:
            there = space.axis_of(old.ref(number))
            assert there is not None, "directions are added or replaced, never taken away"
            return there

        return replace(
            self,
            space=space,
            axes=(axis(self.axes[0]), axis(self.axes[1])),
            line=(space.adopted(self.line[0], old), space.adopted(self.line[1], old)),
            point=space.adopted(self.point, old),
            chosen=axis(self.chosen),
            pressed=None,
            held=None,
        )

    def on_slider(self, name: str) -> "LatentState":
        """The same with the slider of a named direction chosen."""
        return replace(self, chosen=list(self.space.named).index(name))

    def marked(self, group: int, points: AbstractSet[int]) -> "LatentState":
        """With more points in group A (0) or B (1); with fewer where all of them are in it already."""
        new, other = frozenset(points), self.groups[1 - group] - points
        old = self.groups[group]
        ours = old - new if new <= old else old | new
        return replace(self, groups=(ours, other) if group == 0 else (other, ours), rectangle=None)

    def after(self, event: Event) -> "LatentState":
        """The state after an event."""
        if (classes := self.classes.after(event)) is not None:
            return replace(self, classes=replace(classes, by_row=False))
        match event.action:
            case Action.MOVE | Action.CLICK | Action.DRAG:
                return _point_at(self, event)
            case Action.RELEASE:
                return replace(self, pressed=None, held=None)
            case Action.SECOND_CLICK | Action.SECOND_DRAG:
                return _rectangle_at(self, event)
            case Action.NEXT_VIEW:
                following = self.views.index(self.view) + 1
                view = self.views[following % len(self.views)]
                return replace(self, view=view, pressed=None, held=None, rectangle=None)
            case Action.LEFT | Action.RIGHT | Action.UP | Action.DOWN:
                return _step(self, event.action)
            case Action.MORE | Action.LESS if self.view == "sliders":
                return _slide(self, 1 if event.action is Action.MORE else -1)
            case Action.MORE:
                return replace(self, reach=max((reach for reach in REACHES if reach < self.reach), default=self.reach))
            case Action.LESS:
                return replace(self, reach=min((reach for reach in REACHES if reach > self.reach), default=self.reach))
            case Action.HOME | Action.END if self.view == "line":
                return replace(self, stop=0 if event.action is Action.HOME else len(self.layout.stops) - 1)
            case Action.HOME:
                return replace(self, point=MIDDLE, chosen=0)
            case Action.END if self.view == "sliders":
                return replace(self, chosen=self.space.count - 1)
            case Action.PAGE_UP | Action.PAGE_DOWN if self.view == "sliders":
                page = len(self.layout.sliders) * (1 if event.action is Action.PAGE_DOWN else -1)
                return replace(self, chosen=min(max(self.chosen + page, 0), self.space.count - 1))
            case Action.NEW if event.key in ("l", "L"):
                return replace(self, straight=not self.straight)
            case Action.NEW if event.key in ("x", "X", "y", "Y"):
                return replace(self, axes=_other_axes(self, event.key))
            case Action.NEW if self.view == "scatter" and event.key in ("e", "E"):
                return replace(self, groups=(frozenset(), frozenset()), rectangle=None)
            case Action.NEW if self.view == "scatter" and event.key in ("m", "M"):
                return replace(self, method=METHODS[(METHODS.index(self.method) + 1) % len(METHODS)])
            case Action.RANDOM | Action.PAUSE | Action.NEW if self.view != "line":
                return replace(self, point=Point(self.seed), seed=next_seed(self.seed))
            case Action.INTERPOLATE | Action.RANDOM | Action.PAUSE | Action.NEW:
                return _random_line(self)
        return self


def begin(
    space: Space, layout: Layout, seed: int = 0, reach: float | None = None, straight: bool = False
) -> LatentState:
    """The first state: a plane along the first principal directions, or along the numbers of a latent of two.

    Its point is the mean of the training images; where that is unknown a random one, since the mean of a prior of many
    dimensions is like none of its draws. ``reach``: ``None``: as suits the prior. ``straight``: lerp between random
    points instead of slerp, which keeps the length that a normal prior expects.
    """
    uniform = space.latent.prior == "uniform"
    first = len(space.named) if len(space.directions) >= 2 and space.latent.size > 2 else space.first_raw
    axes = (first, first + 1)
    reach = reach or (1.0 if uniform else 4.0)
    start, end = (space.move(MIDDLE, axes, (half, half)) for half in (-0.5 * reach, 0.5 * reach))
    in_middle = space.latent.size == 2 or len(space.middle) > 0
    return LatentState(
        space=space,
        layout=layout,
        axes=axes,
        line=(start, end),
        seed=seed if in_middle else next_seed(seed),
        point=MIDDLE if in_middle else Point(seed),
        reach=reach,
        always_straight=straight or uniform or space.latent.size == 2,
    )


def _other_axes(state: LatentState, key: str) -> tuple[int, int]:
    """The axes after x, y (the next one) or X, Y (the one before); two axes are never the same one."""
    across, up = state.axes
    old, other = (across, up) if key in "xX" else (up, across)
    if state.view == "sliders":
        new = state.chosen
        other = old if new == other else other
    else:
        step = 1 if key.islower() else -1
        new = (old + step) % state.space.count
        new = (new + step) % state.space.count if new == other else new
    return (new, other) if key in "xX" else (other, new)


def _random_line(state: LatentState) -> LatentState:
    second = next_seed(state.seed)
    ends = Point(state.seed), Point(second)
    return replace(state, view="line", line=ends, straight=state.always_straight, seed=next_seed(second))


def _step(state: LatentState, action: Action) -> LatentState:
    """An arrow key."""
    down, along = STEPS[action]
    if state.view == "line":
        return replace(state, stop=(state.stop + along) % len(state.layout.stops))
    if state.view == "sliders":
        return _slide(state, along) if along else replace(state, chosen=(state.chosen + down) % state.space.count)
    x, y = place(state)
    across, high = 2 * state.reach / state.layout.columns, 2 * state.reach / state.layout.rows
    return _to(state, state.axes, x + along * across, y - down * high)


def _slide(state: LatentState, steps: int) -> LatentState:
    """Move the slider that is chosen."""
    here = float(state.space.coordinates(state.space.exact(state.point), state.chosen))
    return _to(state, (state.chosen,), here + steps * 2 * state.reach / _STEPS)


def place(state: LatentState) -> tuple[float, float]:
    """Where the point lies on the plane: its coordinates along both axes."""
    latent = state.space.exact(state.point)
    across, up = (float(state.space.coordinates(latent, axis)) for axis in state.axes)
    return across, up


def _point_at(state: LatentState, event: Event) -> LatentState:
    """The mouse moved or was pressed."""
    if state.view == "line":
        return _line_at(state, event)
    if state.view == "sliders":
        return state if event.action is Action.MOVE else _slider_at(state, event)
    if state.view == "plane" and event.action is not Action.MOVE and (moved := _gauge_at(state, event)) is not None:
        return moved
    wanted = event.action is not Action.MOVE or state.view == "plane"
    inside = state.stage.holds(event.x, event.y)
    if event.action is Action.CLICK:
        state = replace(state, pressed=state.point if inside else None)
    dragged = event.action is Action.DRAG and state.pressed is not None
    return _to(state, state.axes, *_coordinates(state, event)) if wanted and (inside or dragged) else state


def _line_at(state: LatentState, event: Event) -> LatentState:
    """In the line view: a drag on the plane draws a line, the images of the line are pointed at."""
    on_plane, images = state.stage.holds(event.x, event.y), state.layout.line
    here = state.space.move(state.point, state.axes, _coordinates(state, event))
    if event.action is Action.CLICK:
        state = replace(state, pressed=here if on_plane else None)
    elif event.action is Action.DRAG and state.pressed is not None:
        return replace(state, line=(state.pressed, here), straight=True)
    if images.holds(event.x, event.y):
        return replace(state, stop=(event.x - images.left) * len(state.layout.stops) // images.width)
    return state


def _slider_at(state: LatentState, event: Event) -> LatentState:
    """In the slider view: a press takes hold of a slider, a drag moves it."""
    if event.action is Action.CLICK:
        state, first = replace(state, pressed=None), state.first_slider
        for row, slider in enumerate(state.layout.sliders[: state.space.count - first]):
            if slider.holds(event.x, event.y):
                on_track = state.layout.tracks[row].holds(event.x, event.y)
                state = replace(state, chosen=first + row, pressed=state.point if on_track else None)
    if state.pressed is None:
        return state
    across, _ = state.layout.tracks[state.chosen - state.first_slider].fraction(event.x, event.y)
    return _to(state, (state.chosen,), (2 * across - 1) * state.reach)


def _gauge_at(state: LatentState, event: Event) -> LatentState | None:
    """Beside the plane: a press takes hold of a small slider, a drag moves it; ``None``: the mouse is elsewhere."""
    if event.action is Action.CLICK:
        held = next((axis for axis, row in state.gauges() if gauge_track(row).holds(event.x, event.y)), None)
        state = replace(state, held=held, pressed=None)
    row = next((row for axis, row in state.gauges() if axis == state.held), None)
    if row is None or state.held is None:
        return None
    across, _ = gauge_track(row).fraction(event.x, event.y)
    return _to(state, (state.held,), (2 * across - 1) * state.reach)


def _rectangle_at(state: LatentState, event: Event) -> LatentState:
    """In the scatter: the right button draws a rectangle; a click with it takes it away."""
    if state.view != "scatter":
        return state
    here = _coordinates(state, event)
    if event.action is Action.SECOND_CLICK:
        inside = state.stage.holds(event.x, event.y)
        return replace(state, rectangle=(*here, *here) if inside else None)
    return state if state.rectangle is None else replace(state, rectangle=(*state.rectangle[:2], *here))


def _coordinates(state: LatentState, event: Event) -> tuple[float, float]:
    """Of the mouse, along the two axes of the plane."""
    across, down = state.stage.fraction(event.x, event.y)
    return (2 * across - 1) * state.reach, (1 - 2 * down) * state.reach


def _to(state: LatentState, axes: tuple[int, ...], *values: float) -> LatentState:
    """The point at these coordinates, or as near to them as what is shown goes."""
    there = [min(max(value, -state.reach), state.reach) for value in values]
    return replace(state, point=state.space.move(state.point, axes, there))
