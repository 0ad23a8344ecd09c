"""The frames of the latent mode, a view each: pure functions of a state and of images."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from viewer.frame import plots
from viewer.frame.area import Area
from viewer.frame.plots import Colour, Pixels
from viewer.latents import Latents
from viewer.modes.latent.layout import Layout
from viewer.modes.latent.state import LatentState
from viewer.render import Image, fitted

_LINE: Final = 20  # pixels from one line of text to the next


def empty_plane(layout: Layout) -> Image:
    """A plane without images."""
    return np.full((layout.plane_height, layout.plane_width, 3), plots.GROUND, np.uint8)


def plane(state: LatentState, canvas: Image, image: Image | None, words: Sequence[str]) -> Image:
    """The plane; beside it the image at the point, and where the point is along all other axes."""
    frame = plots.blank(state.layout.height, state.layout.width)
    _stage(frame, state, canvas)
    latent = state.space.exact(state.point)
    plots.ring(frame, state.stage, _pixels(state, latent))
    below = _large(frame, state, image, words)
    others = [axis for axis in range(min(state.space.count, 200)) if axis not in state.axes]
    if state.space.latent.size > 2:
        entries = [(state.space.name(axis), float(state.space.coordinates(latent, axis))) for axis in others]
        plots.gauges(frame, below, state.reach, entries)
    return frame


def line(
    state: LatentState, canvas: Image, stops: Image, latents: Latents, image: Image | None, words: Sequence[str]
) -> Image:
    """The plane with the line on it, the line's images [n, h, w, 3] below, and the chosen one beside it."""
    frame = plots.blank(state.layout.height, state.layout.width)
    _stage(frame, state, canvas)
    plots.path(frame, state.stage, _pixels(state, latents), state.stop)
    _large(frame, state, image, words)
    for number, stop in enumerate(stops):
        plots.put(frame, state.layout.stop(number), stop)
    plots.mark(frame, state.layout.stop(state.stop))
    return frame


def paper(state: LatentState) -> Image:
    """The scatter without points."""
    layer = plots.blank(state.layout.height, state.layout.width)
    plots.ground(layer, state.stage, state.reach)
    plots.axes(layer, state.stage, state.reach, _names(state))
    return layer


def add_points(
    layer: Image, state: LatentState, latents: Latents, labels: NDArray[np.int64], classes: int, radius: float
) -> None:
    """A dot for each of some latents [n, d], in the colour of its class, onto the scatter."""
    colours = [plots.colour_of(label, classes) for label in range(classes)]
    plots.dots(layer, state.stage, _pixels(state, latents), [colours[label] for label in labels], radius)


def scatter(
    state: LatentState,
    layer: Image,
    chosen: Latents | None,
    images: Sequence[tuple[str, Image]],
    words: Sequence[str],
    legend: Sequence[tuple[str, Colour]],
) -> Image:
    """The scatter with a ring round the chosen latent [d]; beside it its images with their captions, and a legend."""
    frame = layer.copy()
    if chosen is not None:
        plots.ring(frame, state.stage, _pixels(state, chosen))
    alone = len(images) == 1
    below = _large(frame, state, images[0][1], words) if alone else _pair(frame, state.layout.panel, images, words)
    plots.legend(frame, below, legend)
    return frame


def _pair(frame: Image, panel: Area, images: Sequence[tuple[str, Image]], words: Sequence[str]) -> Area:
    """Two images side by side with their captions; what is left of the panel."""
    half = (panel.width - 8) // 2
    bottom = panel.top
    for number, (caption, image) in enumerate(images):
        place = Area(panel.left + number * (half + 8), panel.top, half, half)
        area = plots.image_area(place, *image.shape[:2])
        plots.put(frame, area, image)
        plots.frame_round(frame, area)
        plots.write(frame, area.left + area.width / 2, area.bottom + 13, caption, plots.FAINT, "middle")
        bottom = max(bottom, area.bottom + 22)
    return _words(frame, panel, bottom, words, panel.left)


def sliders(state: LatentState, tracks: Mapping[int, Image], image: Image | None, words: Sequence[str]) -> Image:
    """A slider an axis; the images [n, h, w, 3] behind it are those that its knob would lead to."""
    layout, latent = state.layout, state.space.exact(state.point)
    frame = plots.blank(layout.height, layout.width)
    _, width, height = layout.track_images
    for row, (axis, images) in enumerate(tracks.items()):
        track = layout.track(row)
        value = float(state.space.coordinates(latent, axis))
        mark = {state.axes[0]: "x", state.axes[1]: "y"}.get(axis, "")
        plots.slider(frame, layout.slider(row), track, state.space.name(axis), mark, value, axis == state.chosen)
        for number, tile in enumerate(images):
            plots.put(frame, Area(track.left + number * width, track.top, width, height), tile)
        plots.knob(frame, track, value, state.reach)
    below = _large(frame, state, image, words)
    first, last = state.first_slider + 1, state.first_slider + len(tracks)
    if len(tracks) < state.space.count:
        plots.write(frame, below.left, below.top + 8, f"sliders {first}-{last} of {state.space.count}", plots.FAINT)
        plots.write(frame, below.left, below.top + 8 + _LINE, "PageUp, PageDown: the others", plots.FAINT)
    return frame


def _stage(frame: Image, state: LatentState, canvas: Image) -> None:
    plots.put(frame, state.stage, canvas)
    plots.axes(frame, state.stage, state.reach, _names(state))


def _names(state: LatentState) -> tuple[str, str]:
    across, up = state.axes
    return state.space.name(across), state.space.name(up)


def _pixels(state: LatentState, latents: NDArray[np.floating]) -> Pixels:
    """Where latents [n, d], or one [d], lie on the plane."""
    across, up = (np.atleast_1d(state.space.coordinates(latents, axis)) for axis in state.axes)
    return plots.pixels(state.stage, state.reach, across, up)


def _large(frame: Image, state: LatentState, image: Image | None, words: Sequence[str]) -> Area:
    """The large image on the panel, and the words below it; what is left of the panel."""
    panel, layout = state.layout.panel, state.layout
    area = plots.image_area(panel, layout.image_height, layout.image_width)
    if image is not None:
        plots.put(frame, area, image)
    plots.frame_round(frame, area)
    return _words(frame, panel, area.bottom + 4, words, area.left)


def _words(frame: Image, panel: Area, top: int, words: Sequence[str], left: int) -> Area:
    """Lines of text from ``left`` on; what is left of the panel below them."""
    for number, word in enumerate(words):
        plots.write(frame, left, top + 12 + number * _LINE, fitted(word, panel.right - left))
    top += 12 + len(words) * _LINE
    return Area(panel.left, top, panel.width, max(panel.bottom - top, 0))
