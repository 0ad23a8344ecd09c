"""What each view of the latent mode shows, worked out once a state: which images it needs, the most urgent first.

The images of a request follow from its key and its label, so that what is kept need not be made a second time; the
latents are worked out only where it has to be made.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from viewer.latents import Latents, lerp, slerp
from viewer.modes.latent.layout import TRACK
from viewer.modes.latent.state import LatentState

COARSER: Final = (4, 2, 1)  # a plane has first a quarter of its images along each side, then half, then all


@dataclass(frozen=True)
class ImageRequest:
    """Some images that are made together. Two are the same where their keys and labels are."""

    key: Hashable
    label: int
    latents: Callable[[], Latents] = field(compare=False)  # [count, d]
    size: tuple[int, int] = field(compare=False)  # height and width in which they are kept
    count: int = field(default=1, compare=False)
    grid: tuple[int, int] = field(default=(1, 1), compare=False)  # rows and columns


@dataclass(frozen=True)
class Plan:
    """What a view shows."""

    state: LatentState
    main: ImageRequest | None = None  # one of its images is shown large; None: the scatter has no points
    number: int = 0  # of that one
    planes: Sequence[ImageRequest] = ()  # the same plane, coarse to fine
    tracks: Mapping[int, ImageRequest] = field(default_factory=dict)  # images behind the sliders of axes
    item: int | None = None  # the point of the scatter that one is at
    ends: ImageRequest | None = None  # of the scatter, where a direction was found: that point further to A, and to B

    @property
    def requests(self) -> Sequence[ImageRequest]:
        """All of them, in the order of need."""
        first = [request for request in (self.main, self.ends) if request is not None]
        return [*first, *self.planes, *self.tracks.values()]


def plan_of(state: LatentState, factors: Sequence[int] = COARSER) -> Plan:
    """What a view but the scatter shows. ``factors``: how many times coarser than the finest plane others are."""
    layout = state.layout
    if state.view == "sliders":
        last = min(state.first_slider + len(layout.sliders), state.space.count)
        size = TRACK, layout.track_width
        tracks = {axis: _grid(state, (axis,), 1, layout.track_count, size) for axis in range(state.first_slider, last)}
        return Plan(state, point_request(state), tracks=tracks)
    planes = []
    for rows, columns in sorted({(-(-layout.rows // factor), -(-layout.columns // factor)) for factor in factors}):
        size = -(-layout.plane.height // rows), -(-layout.plane.width // columns)
        planes.append(_grid(state, state.axes, rows, columns, size))
    if state.view == "line":
        return Plan(state, _line(state), state.stop, planes)
    return Plan(state, point_request(state), planes=planes)


def point_request(state: LatentState) -> ImageRequest:
    """The image at the point."""
    key, size = ("point", state.space, state.point), state.layout.image_size
    return ImageRequest(key, state.classes.label, lambda: state.space.latent_at(state.point)[None], size)


def _grid(state: LatentState, axes: tuple[int, ...], rows: int, columns: int, size: tuple[int, int]) -> ImageRequest:
    """Images in the middles of equal parts of one axis, from left to right, or of the plane of two, row by row from
    the top left."""

    def latents() -> Latents:
        across, up = (((2 * np.arange(count) + 1) / count - 1) * state.reach for count in (columns, rows))
        values = np.stack(np.meshgrid(across, -up), axis=2).reshape(-1, 2)
        return state.space.spread(state.point, axes, values[:, : len(axes)])

    key = ("grid", state.space, axes, rows, columns, state.point.without(axes), state.reach)
    return ImageRequest(key, state.classes.label, latents, size, rows * columns, (rows, columns))


def _line(state: LatentState) -> ImageRequest:
    """The images of the line, its ends included."""
    count = len(state.layout.stops)

    def latents() -> Latents:
        start, end = (state.space.latent_at(point) for point in state.line)
        between = lerp if state.straight else slerp
        return np.stack([between(start, end, fraction) for fraction in np.linspace(0.0, 1.0, count)])

    key = ("line", state.space, state.line, state.straight, count)
    return ImageRequest(key, state.classes.label, latents, state.layout.image_size, count)
