"""The frames of the latent mode: of a plan, and of the images for it that are there."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from viewer.frame import plots
from viewer.frame.area import Area, image_area
from viewer.frame.plots import Pixels
from viewer.labels import Image, fitted, one_colour, write
from viewer.latents import Latents
from viewer.model import Images
from viewer.modes.latent.layout import TEXT_LINE, TRACK, Layout, gauge_track
from viewer.modes.latent.plan import ImageRequest, Plan
from viewer.modes.latent.scatter import Encoded, Scatter
from viewer.modes.latent.state import LatentState

Ready = Mapping[ImageRequest, Images]

GROUP_COLOURS: Final = ((255, 255, 255), (255, 240, 40))  # of A and B: blue, green, red; no class has them


class Painter:
    """Draws frame after frame; keeps what changes less often than they do."""

    def __init__(self, layout: Layout, scatter: Scatter) -> None:
        self._canvas = empty_plane(layout)
        self._drawn: Hashable = None  # what the canvas shows
        self._large: dict[bool, Image] = {}  # of the scatter or not, until the next one is there
        self._scatter = scatter
        classes = max(len(scatter.classes), 1)
        self._colours = [plots.colour_of(label, classes) for label in range(classes)]
        self._layer = plots.blank(0, 0)  # the scatter with its points
        self._plane: Hashable = None  # that the layer is of
        self._points = 0  # that are on the layer

    def frame(self, plan: Plan, images: Ready, known: Encoded, original: Image | None, words: Sequence[str]) -> Image:
        """The frame of a plan.

        ``images``: of its requests, as far as they are there. ``known``: points of the scatter. ``original``: the image
        of the one that it is at. ``words``: below the large image.
        """
        state, main = plan.state, plan.main
        now = (plan.planes, *(len(images[request]) for request in plan.planes))
        if plan.planes and now != self._drawn:
            self._drawn = now
            for request in plan.planes:
                plots.mosaic(self._canvas, *request.grid, images[request])
        in_scatter = state.view == "scatter"
        if main is not None and len(images[main]) > plan.number:
            self._large[in_scatter] = images[main][plan.number]
        large = self._large.get(in_scatter)
        if main is None or in_scatter:
            ends = [] if plan.ends is None else list(images[plan.ends])
            return self._scattered(plan, known, {"image": original, "decoded": large}, ends, words)
        if state.view == "line":
            return line(state, self._canvas, images[main], main.latents(), large, words)
        if state.view == "sliders":
            return sliders(state, {axis: images[request] for axis, request in plan.tracks.items()}, large, words)
        return plane(state, self._canvas, large, words)

    def _scattered(
        self,
        plan: Plan,
        known: Encoded,
        images: Mapping[str, Image | None],
        ends: Sequence[Image],
        words: Sequence[str],
    ) -> Image:
        """The scatter with a ring round the chosen point; beside it its images with their captions, those to both sides
        of it along the direction that was found, and a legend."""
        state, count = plan.state, len(self._scatter.numbers)
        plane = state.axes, state.reach, known.tried == count  # all together look the same every time
        if self._plane != plane:
            self._plane, self._points, self._layer = plane, 0, plots.blank(state.layout.height, state.layout.width)
            plots.ground(self._layer, state.stage, state.reach)
        new, self._points = slice(self._points, len(known.points)), len(known.points)
        if new.start < new.stop:
            radius = 2.0 if count > 2000 else 3.0 if count > 200 else 4.0
            colours = [self._colours[label] for label in self._scatter.labels[known.points[new]]]
            plots.dots(self._layer, state.stage, _pixels(state, known.latents[new]), colours, radius)
        frame = self._layer.copy()
        _axes(frame, state)
        for group, colour in zip(state.groups, GROUP_COLOURS, strict=True):
            marked = known.latents[np.isin(known.points, list(group))] if group else known.latents[:0]
            plots.circles(frame, state.stage, _pixels(state, marked), colour, 6.0)
        if plan.ends is not None:
            plots.arrow(frame, state.stage, _pixels(state, plan.ends.latents()))
        if plan.main is not None:
            radius = 11 if any(state.groups) else 7  # round the mark of a group, too
            plots.ring(frame, state.stage, _pixels(state, plan.main.latents()), radius)
        if state.selection is not None:
            corners = np.array(state.selection).reshape(2, 2)
            plots.rectangle(frame, state.stage, plots.pixels(state.stage, state.reach, corners[:, 0], corners[:, 1]))
        there = {caption: image for caption, image in images.items() if image is not None}
        if len(there) == 1:
            below = _large(frame, state, next(iter(there.values())), words)
        else:
            below = _pair(frame, state.layout.panel, there, words)
        if len(ends) == 2 and below.height > below.width // 2 + 2 * TEXT_LINE:
            below = _pair(frame, below, dict(zip(("towards A", "towards B"), ends, strict=True)), ())
        groups = [
            (f"group {name}: {len(group)}", colour)
            for name, group, colour in zip("AB", state.groups, GROUP_COLOURS, strict=True)
            if any(state.groups)
        ]
        plots.legend(frame, below, [*groups, *zip(self._scatter.classes, self._colours, strict=False)])
        return frame


def empty_plane(layout: Layout) -> Image:
    """A plane without images."""
    return one_colour(layout.plane.height, layout.plane.width, plots.GROUND)


def plane(state: LatentState, canvas: Image, image: Image | None, words: Sequence[str]) -> Image:
    """The plane; beside it the image at the point, and small sliders for other axes."""
    frame = _stage(state, canvas)
    latent = state.space.exact(state.point)
    plots.ring(frame, state.stage, _pixels(state, latent))
    _large(frame, state, image, words)
    gauges = state.gauges()
    for axis, row in gauges:
        value = float(state.space.coordinates(latent, axis))
        plots.gauge(frame, row, gauge_track(row), state.space.name(axis), value, state.reach)
    if (more := state.space.count - 2 - len(gauges)) and gauges:
        row = gauges[-1][1]
        write(frame, row.left, row.bottom + row.height // 2, f"and {more} more", plots.FAINT)
    return frame


def line(
    state: LatentState, canvas: Image, stops: Image, latents: Latents, image: Image | None, words: Sequence[str]
) -> Image:
    """The plane with the line on it, the line's images [n, h, w, 3] below, and the chosen one beside it."""
    frame = _stage(state, canvas)
    plots.path(frame, state.stage, _pixels(state, latents), state.stop)
    _large(frame, state, image, words)
    for area, stop in zip(state.layout.stops, stops, strict=False):
        plots.put(frame, area, stop)
    plots.mark(frame, state.layout.stops[state.stop])
    return frame


def _pair(frame: Image, panel: Area, images: Mapping[str, Image], words: Sequence[str]) -> Area:
    """Two images side by side with their captions; what is left of the panel."""
    half = (panel.width - 8) // 2
    bottom = panel.top
    for number, (caption, image) in enumerate(images.items()):
        place = Area(panel.left + number * (half + 8), panel.top, half, half)
        area = image_area(place, *image.shape[:2])
        plots.put(frame, area, image)
        plots.frame_round(frame, area)
        write(frame, area.left + area.width / 2, area.bottom + 13, caption, plots.FAINT, "middle")
        bottom = max(bottom, area.bottom + 22)
    return _words(frame, panel, bottom, words, panel.left)


def sliders(state: LatentState, tracks: Mapping[int, Image], image: Image | None, words: Sequence[str]) -> Image:
    """A slider an axis; the images [n, h, w, 3] behind it are those that its knob would lead to."""
    layout, latent = state.layout, state.space.exact(state.point)
    frame = plots.blank(layout.height, layout.width)
    for row, (axis, images) in enumerate(tracks.items()):
        track = layout.tracks[row]
        value = float(state.space.coordinates(latent, axis))
        mark = {state.axes[0]: "x", state.axes[1]: "y"}.get(axis, "")
        plots.slider(frame, layout.sliders[row], track, state.space.name(axis), mark, value, axis == state.chosen)
        for number, tile in enumerate(images):
            plots.put(frame, Area(track.left + number * layout.track_width, track.top, layout.track_width, TRACK), tile)
        plots.knob(frame, track, value, state.reach)
    below = _large(frame, state, image, words)
    first, last = state.first_slider + 1, state.first_slider + len(tracks)
    if len(tracks) < state.space.count:
        write(frame, below.left, below.top + 8, f"sliders {first}-{last} of {state.space.count}", plots.FAINT)
        write(frame, below.left, below.top + 8 + TEXT_LINE, "PageUp, PageDown: the others", plots.FAINT)
    return frame


def _stage(state: LatentState, canvas: Image) -> Image:
    """A frame with nothing but the plane on it."""
    frame = plots.blank(state.layout.height, state.layout.width)
    plots.put(frame, state.stage, canvas)
    _axes(frame, state)
    return frame


def _axes(frame: Image, state: LatentState) -> None:
    across, up = (state.space.name(axis) for axis in state.axes)
    plots.axes(frame, state.stage, state.reach, (across, up))


def _pixels(state: LatentState, latents: NDArray[np.floating]) -> Pixels:
    """Where latents [n, d], or one [d], lie on the plane."""
    across, up = (np.atleast_1d(state.space.coordinates(latents, axis)) for axis in state.axes)
    return plots.pixels(state.stage, state.reach, across, up)


def _large(frame: Image, state: LatentState, image: Image | None, words: Sequence[str]) -> Area:
    """The large image on the panel, and the words below it; what is left of the panel."""
    area = state.layout.image
    if image is not None:
        plots.put(frame, area, image)
    plots.frame_round(frame, area)
    return _words(frame, state.layout.panel, area.bottom + 4, words, area.left)


def _words(frame: Image, panel: Area, top: int, words: Sequence[str], left: int) -> Area:
    """Lines of text from ``left`` on; what is left of the panel below them."""
    for number, word in enumerate(words):
        write(frame, left, top + 12 + number * TEXT_LINE, fitted(word, panel.right - left))
    top += 12 + len(words) * TEXT_LINE
    return Area(panel.left, top, panel.width, max(panel.bottom - top, 0))
