"""Which images each view of the latent mode wants: pure functions of its state.

An image request has a key, from which its images follow, so that what is kept need not be made a second time; the
latents are worked out only where it has to be made.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from viewer.latents import Latents, lerp, slerp
from viewer.model import Images
from viewer.modes.latent.space import Numbers
from viewer.modes.latent.state import LatentState, place

COARSER: Final = (4, 2, 1)  # a plane has first a quarter of its images along each side, then half, then all


@dataclass(frozen=True, eq=False)
class ImageRequest:
    """Some images that are wanted together."""

    key: Hashable
    count: int
    latents: Callable[[], Latents]  # [count, d]
    size: tuple[int, int]  # height and width in which they are kept
    label: int = 0
    grid: tuple[int, int] | None = None  # rows and columns of a plane


@dataclass(frozen=True, eq=False)
class Work:
    """What is to be made next: requests, and how many images of each are there already."""

    parts: tuple[tuple[ImageRequest, int], ...]

    @property
    def signature(self) -> tuple[tuple[Hashable, int], ...]:
        """By which two requests are compared."""
        return tuple((request.key, done) for request, done in self.parts)


@dataclass
class Made:
    """Images [n, h, w, 3] of a request, as far as they are there."""

    images: Images
    done: int = 0


def for_point(state: LatentState) -> ImageRequest:
    """The image at the point."""

    def latents() -> Latents:
        return state.space.latent_at(state.point)[None]

    label = state.classes.label
    return ImageRequest(("point", state.point, label), 1, latents, _own_size(state), label)


def for_plane(state: LatentState, factors: Sequence[int] = COARSER) -> Iterator[ImageRequest]:
    """The plane, coarse to fine. ``factors``: how many times coarser than the finest one."""
    layout = state.layout
    sizes = {(-(-layout.rows // factor), -(-layout.columns // factor)) for factor in factors}
    for rows, columns in sorted(sizes):
        yield _plane_of(state, rows, columns)


def _plane_of(state: LatentState, rows: int, columns: int) -> ImageRequest:
    def latents() -> Latents:
        across, up = _centres(columns, state.reach), -_centres(rows, state.reach)
        values = np.stack(np.meshgrid(across, up), axis=2).reshape(-1, 2)
        return state.space.spread(state.point, state.axes, values)

    size = -(-state.layout.plane_height // rows), -(-state.layout.plane_width // columns)
    key = ("plane", rows, columns, *plane_key(state))
    return ImageRequest(key, rows * columns, latents, size, state.classes.label, (rows, columns))


def plane_key(state: LatentState) -> tuple[Hashable, ...]:
    """What the images of a plane follow from, however many they are."""
    return state.point.without(state.axes), state.axes, state.reach, state.classes.label


def for_line(state: LatentState) -> ImageRequest:
    """The images of the line, its ends included."""
    count, label = state.layout.stop_count, state.classes.label

    def latents() -> Latents:
        start, end = (state.space.latent_at(point) for point in state.line)
        between = lerp if state.straight else slerp
        return np.stack([between(start, end, share) for share in np.linspace(0.0, 1.0, count)])

    return ImageRequest(("line", state.line, state.straight, count, label), count, latents, _own_size(state), label)


def for_item(state: LatentState, latent: Latents, item: int, label: int) -> ImageRequest:
    """The image of a point of the scatter, of its own latent [d] and class."""

    def latents() -> Latents:
        return latent[None]

    return ImageRequest(("item", item, label), 1, latents, _own_size(state), label)


def for_sliders(state: LatentState) -> Iterator[tuple[int, ImageRequest]]:
    """The axes whose sliders are on the screen, and the images behind each."""
    last = min(state.first_slider + state.layout.slider_count, state.space.count)
    for axis in range(state.first_slider, last):
        yield axis, _track_of(state, axis)


def _track_of(state: LatentState, axis: int) -> ImageRequest:
    count, width, height = state.layout.track_images

    def latents() -> Latents:
        return state.space.spread(state.point, (axis,), _centres(count, state.reach)[:, None])

    key = ("track", axis, state.point.without((axis,)), state.reach, state.classes.label)
    return ImageRequest(key, count, latents, (height, width), state.classes.label)


def nearest(state: LatentState, points: Latents) -> int | None:
    """The point [n, d] of the scatter that lies nearest to where one is, as one sees it, if there is any."""
    if not len(points):
        return None
    across, up = (state.space.coordinates(points, axis) for axis in state.axes)
    x, y = place(state)
    return int(np.argmin((across - x) ** 2 + (up - y) ** 2))


def _own_size(state: LatentState) -> tuple[int, int]:
    return state.layout.image_height, state.layout.image_width


def _centres(count: int, reach: float) -> Numbers:
    """The middles of so many equal parts of -reach to reach."""
    return ((2 * np.arange(count) + 1) / count - 1) * reach
