"""The latent mode: a plane of latent space, a line through it, the scatter of a set of images, a slider an axis."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from trainer.contract.errors import ImageError
from trainer.contract.images import resize
from viewer import render
from viewer.frame import plots
from viewer.keys import Event
from viewer.latents import Latents
from viewer.model import Images, Model, ModelError
from viewer.modes.latent import frames as scene
from viewer.modes.latent import requests
from viewer.modes.latent.layout import Layout
from viewer.modes.latent.requests import ImageRequest, Made, Work
from viewer.modes.latent.scatter import Encoded, Scatter
from viewer.modes.latent.space import Point
from viewer.modes.latent.state import LatentState, View, place, reduce_latent
from viewer.sessions.classes import class_words
from viewer.sessions.model_session import Labels, ModelSession, Part, exact_numbers
from viewer.sessions.session import check_saved_size
from viewer.worker import Worker

_KEPT_BYTES: Final = 160_000_000  # of images that may be asked for once more
_LARGEST_FRAME: Final = 2**24  # pixels
_HINTS: Final[Mapping[View, tuple[str, ...]]] = {
    "plane": ("tab line", "esc quit", "s save", "x y axes", "r random", "+ - zoom"),
    "line": ("tab on", "esc quit", "drag from A to B", "s save", "l straight or round", "i random"),
    "scatter": ("tab on", "esc quit", "click a point", "s save", "x y axes", "+ - zoom"),
    "sliders": ("tab plane", "esc quit", "arrows move", "s save", "x y axis of the plane", "home middle"),
}


@dataclass
class Seen:
    """What frames leave for those after them."""

    large: dict[str, render.Image] = field(default_factory=dict)  # images, until the ones wanted now are there
    layer: render.Image = field(default_factory=lambda: np.zeros((0, 0, 3), np.uint8))  # the scatter with its points
    plane: Hashable = None  # that the layer is of
    points: int = 0  # that are on the layer


class LatentSession(ModelSession[LatentState, Work, Part]):
    """Latent space in four views. What is coarse is made first, and what the person looks at before all else."""

    def __init__(self, model: Model, state: LatentState, folder: Path, scatter: Scatter) -> None:
        """``scatter``: the points of the scatter."""
        self._scatter = scatter
        self._latents: Latents = np.empty((scatter.count, model.latent.size), np.float32)  # those known come first
        self._points = np.empty(scatter.count, np.int64)
        self._known = Encoded(self._latents[:0], self._points[:0], 0)
        self._add(Encoded(scatter.known, np.arange(len(scatter.known)), len(scatter.known)))
        names = model.classes
        self._own_labels = [names.index(name) if name in names else None for name in scatter.classes]  # in the model
        self._kept: dict[Hashable, Made] = {}  # by the keys of requests
        self._wanted: set[Hashable] = set()  # keys of the requests of the last frame
        self._original: tuple[int, render.Image | None] = (-1, None)  # a point of the scatter and its own image
        self._asked: Work | None = None
        self._canvas: render.Image = scene.empty_plane(state.layout)
        self._drawn: Hashable = None  # what the canvas shows
        self._seen = Seen()
        self._encoding: Worker[int, Encoded] = Worker(scatter.encode)
        super().__init__(model, state, folder)
        if self._known.tried < scatter.count:
            self._encoding.ask(self._known.tried)

    def reduce(self, event: Event) -> LatentState:
        """The state after an event."""
        return reduce_latent(self.state, event)

    @property
    def follows_mouse(self) -> bool:
        """Whether movements of the mouse mean something."""
        return True

    def pump(self, now: float) -> None:
        """Ask the workers for what is missing, and take in what has come."""
        for answer in self._encoding.take():
            if answer.error is not None:
                self._failed(answer.error)
            elif answer.result is not None:
                self._add(answer.result)
                self.changed = True
        super().pump(now)

    def _add(self, more: Encoded) -> None:
        """Take in more points. What was known before stays as it is: an image may be saved of it meanwhile."""
        old = len(self._known.points)
        new = old + len(more.points)
        self._latents[old:new], self._points[old:new] = more.latents, more.points
        self._known = Encoded(self._latents[:new], self._points[:new], more.tried)

    def close(self) -> None:
        """Stop work. Raises ``ImageError`` where images are left unsaved."""
        self._encoding.close()
        super().close()

    @property
    def _busy(self) -> bool:
        return super()._busy or (self.state.view == "scatter" and self._encoding.busy)

    def _wait(self) -> None:
        super()._wait()
        if self.state.view == "scatter":
            self._encoding.wait()

    def _requests(
        self, state: LatentState, known: Encoded, factors: Sequence[int] = requests.COARSER
    ) -> list[ImageRequest]:
        """What a view shows, in the order of need.

        ``known``: points of the scatter. ``factors``: how many times coarser planes are.
        """
        match state.view:
            case "line":
                return [requests.for_line(state), *requests.for_plane(state, factors)]
            case "scatter":
                row = requests.nearest(state, known.latents)
                return [] if row is None else [self._item_request(state, known, row)]
            case "sliders":
                return [requests.for_point(state), *(request for _, request in requests.for_sliders(state))]
        return [requests.for_point(state), *requests.for_plane(state, factors)]

    def _item_request(self, state: LatentState, known: Encoded, row: int) -> ImageRequest:
        item, label = int(known.points[row]), None
        if self._own_labels:  # an image is decoded as the class that it is of
            label = self._own_labels[int(self._scatter.labels[item])]
        return requests.for_item(state, known.latents[row], item, state.classes.label if label is None else label)

    # From requests to images.

    def _work(self, work: Work) -> Iterator[Part]:
        first = 0
        for request, done in work.parts:
            latents = request.latents()[done:]
            for part in self._decoder.parts(latents, self._labels(request, len(latents))):
                yield Part(first + part.first, _sized(part.images, request.size))
            first += len(latents)

    def _labels(self, request: ImageRequest, count: int) -> Labels | None:
        return np.full(count, request.label, np.int64) if self.model.classes else None

    def _ask(self) -> None:
        self._find_original()
        wanted = self._requests(self.state, self._known)
        self._wanted = {request.key for request in wanted}
        parts = ((request, len(self._made(request))) for request in wanted)
        missing = Work(tuple((request, done) for request, done in parts if done < request.count))
        if not missing.parts:
            return
        asked = self._asked
        if (
            asked is not None
            and self._worker.busy
            and missing.parts[0][0].key in (request.key for request, _ in asked.parts)
        ):
            return
        if asked is None or missing.signature != asked.signature:  # the same would fail once more
            self._asked = missing
            self._worker.ask(missing)

    def _receive(self, work: Work, part: Part) -> None:
        first = part.first
        for request, done in work.parts:
            if first < request.count - done:
                made = self._kept.get(request.key)
                if made is None:
                    made = self._kept[request.key] = Made(np.empty((request.count, *request.size, 3), np.uint8))
                start = done + first
                if start <= made.done:
                    made.images[start : start + len(part.images)] = part.images
                    made.done = max(made.done, start + len(part.images))
                break
            first -= request.count - done
        self.changed = True
        used = sum(made.images.nbytes for made in self._kept.values())
        for key in [key for key in self._kept if key not in self._wanted]:  # the oldest first
            if used <= _KEPT_BYTES:
                break
            used -= self._kept.pop(key).images.nbytes

    def _made(self, request: ImageRequest) -> Images:
        """The images of a request that are there."""
        made = self._kept.get(request.key)
        return np.zeros((0, *request.size, 3), np.uint8) if made is None else made.images[: made.done]

    def _screen(self) -> render.Image:
        state, known = self.state, self._known
        if state.view in ("plane", "line"):
            planes = [self._made(request) for request in requests.for_plane(state)]
            now = (requests.plane_key(state), *map(len, planes))
            if now != self._drawn:
                self._drawn = now
                for request, made in zip(requests.for_plane(state), planes, strict=True):
                    scene.paint(self._canvas, request.grid or (1, 1), made)
        images = {request.key: self._made(request) for request in self._requests(state, known)}
        return self._draw(state, self._canvas, images, known, self._original[1], self._seen)

    def _item(self, state: LatentState, known: Encoded) -> int | None:
        """The point of the scatter that one is at in the scatter, if there is any."""
        row = requests.nearest(state, known.latents) if state.view == "scatter" else None
        return None if row is None else int(known.points[row])

    def _find_original(self) -> None:
        """Read the image of the point of the scatter that one is at."""
        item = self._item(self.state, self._known)
        if item is not None and item != self._original[0]:
            self._original = item, None
            try:
                self._original = item, self._scatter.image(item)
            except ImageError as error:  # the file was there when it was encoded
                self._failed(error)

    def _draw(
        self,
        state: LatentState,
        canvas: render.Image,
        images: Mapping[Hashable, Images],
        known: Encoded,
        original: render.Image | None,
        seen: Seen,
    ) -> render.Image:
        """The frame of a state. ``original``: the image that the scatter is at. ``seen``: updated."""

        def large(name: str, made: Images | None) -> render.Image | None:
            if made is not None and len(made):
                seen.large[name] = made[0]
            return seen.large.get(name)

        if state.view == "line":
            request = requests.for_line(state)
            stops = images[request.key]
            large("point", stops[state.stop : state.stop + 1])
            return scene.line(state, canvas, stops, request.latents(), large("point", None), self._words(state))
        if state.view == "scatter":
            row = requests.nearest(state, known.latents)
            if row is None:
                return scene.scatter(state, self._layer(state, known, seen), None, [], (), self._legend())
            drawn = large("item", images[self._item_request(state, known, row).key])
            pair = [("image", original)] if original is not None else []
            pair += [("decoded", drawn)] if drawn is not None else []
            words, layer = self._item_words(int(known.points[row])), self._layer(state, known, seen)
            return scene.scatter(state, layer, known.latents[row], pair, words, self._legend())
        image = large("point", images[requests.for_point(state).key])
        if state.view == "sliders":
            tracks = {axis: images[request.key] for axis, request in requests.for_sliders(state)}
            return scene.sliders(state, tracks, image, self._words(state))
        return scene.plane(state, canvas, image, self._words(state))

    def _layer(self, state: LatentState, known: Encoded, seen: Seen) -> render.Image:
        """The scatter's paper with its points; what was seen is added to, or begun anew where something changed."""
        plane = state.axes, state.reach, known.tried == self._scatter.count  # all together look the same every time
        if seen.plane != plane:
            seen.plane, seen.points, seen.layer = plane, 0, scene.paper(state)
        if seen.points < len(known.points):
            new = slice(seen.points, len(known.points))
            count, classes = self._scatter.count, max(len(self._scatter.classes), 1)
            radius = 2.0 if count > 2000 else 3.0 if count > 200 else 4.0
            labels = self._scatter.labels[known.points[new]]
            scene.add_points(seen.layer, state, known.latents[new], labels, classes, radius)
            seen.points = len(known.points)
        return seen.layer

    def _legend(self) -> Sequence[tuple[str, plots.Colour]]:
        names = self._scatter.classes
        return [(name, plots.colour_of(label, len(names))) for label, name in enumerate(names)]

    # In words, and on disk.

    def _words(self, state: LatentState) -> tuple[str, ...]:
        """What stands under the large image."""
        if state.view == "line":
            where = f"{state.stop + 1} of {state.layout.stop_count}"
        else:
            where = "at {}, {}".format(*map(plots.two_digits, place(state)))
        return (where, *self._class_words(state))

    def _class_words(self, state: LatentState) -> tuple[str, ...]:
        label = state.classes.label
        return (class_words(label, self.model.classes[label]),) if state.classes.count else ()

    def _item_words(self, item: int) -> tuple[str, ...]:
        number = self._scatter.number(item)
        if not self._scatter.name:
            return (f"training image {number + 1}",)
        names = self._scatter.classes
        name = (f"class {names[int(self._scatter.labels[item])]}",) if names else ()
        return (f"number {number}", *name)

    def _status(self) -> tuple[str, ...]:
        state = self.state
        words = (state.view, *(word for word in self._words(state) if state.view != "scatter"))
        if state.view == "line":
            return (*words, "straight" if state.straight else "great circle")
        if state.view == "scatter":
            left, unreadable = self._scatter.count - self._known.tried, self._known.tried - len(self._known.points)
            item = self._item(state, self._known)
            words += () if item is None else self._item_words(item)
            words += (f"{unreadable} unreadable",) if unreadable else ()
            words += (f"{left} to come",) if left else ()
        return (*words, " x ".join(state.space.name(axis) for axis in state.axes))

    def _hints(self) -> tuple[str, ...]:
        classes = ("0-9 n p class",) if self.state.classes.count else ()
        return (*_HINTS[self.state.view][:2], *classes, *_HINTS[self.state.view][2:])

    def _facts(self) -> Mapping[str, Any]:
        state = self.state
        facts: dict[str, Any] = {
            "mode": f"latent {state.view}",
            "seed": state.seed,
            "rows": state.layout.rows,
            "cols": state.layout.columns,
            "scale": state.layout.scale,
            "range": state.reach,
            "axes": list(state.axes),
            "point": _plain(state.point),
            "line": [_plain(point) for point in state.line],
            "stop": state.stop,
            "straight": state.straight,
            "always_straight": state.always_straight,
            "slider": state.chosen,
        }
        if state.classes.count:
            facts["first_label"] = state.classes.label
        if self._scatter.name:
            facts |= {"data": self._scatter.name, "points": self._scatter.count, "bgr": self._scatter.bgr}
        return facts

    def _save(self, whole: bool) -> None:
        if whole:
            self._save_screen()
            return
        state, known, recipe = self.state, self._known, dict(self._facts())
        row = requests.nearest(state, known.latents) if state.view == "scatter" else None
        if row is not None:
            request, number = self._item_request(state, known, row), 0
            recipe["item"] = self._scatter.number(int(known.points[row]))
        elif state.view == "line":
            request, number = requests.for_line(state), state.stop
        else:
            request, number = requests.for_point(state), 0
        latents = request.latents()[number : number + 1]
        recipe["latent"] = exact_numbers(latents)[0]
        if self.model.classes:
            recipe |= {"label": request.label, "class": self.model.classes[request.label]}
        self._send(lambda: (self.model.generate(latents, self._labels(request, 1))[0], recipe))

    def _save_screen(self) -> None:
        state, recipe, scatter, seen = self.state, self._facts(), self._scatter, self._known
        kept = {key: made.images for key, made in self._kept.items() if made.done == len(made.images)}

        def job() -> tuple[render.Image, Mapping[str, Any]]:
            check_saved_size(state.layout.width, state.layout.height)
            known = seen
            if state.view == "scatter" and seen.tried < scatter.count:
                parts = [seen, *scatter.encode(seen.tried)]
                latents = np.concatenate([part.latents for part in parts])
                known = Encoded(latents, np.concatenate([part.points for part in parts]), scatter.count)
            images = {}
            canvas = scene.empty_plane(state.layout)
            for request in self._requests(state, known, (1,)):
                images[request.key] = kept[request.key] if request.key in kept else self._make(request)
                if request.grid:
                    scene.paint(canvas, request.grid, images[request.key])
            item = self._item(state, known)
            original = None if item is None else scatter.image(item)
            return self._draw(state, canvas, images, known, original, Seen()), recipe

        self._send(job)

    def _make(self, request: ImageRequest) -> Images:
        return _sized(self.model.generate(request.latents(), self._labels(request, request.count)), request.size)


def check_layout(layout: Layout) -> None:
    """Raise ``ModelError`` where the frame would be absurd."""
    if layout.width * layout.height > _LARGEST_FRAME:
        raise ModelError(f"a frame of {layout.width}x{layout.height} pixels is too large; try a smaller --scale")


def _sized(images: Images, size: tuple[int, int]) -> Images:
    """Images [n, h, w, 3] at another size."""
    if images.shape[1:3] == size:
        return images
    return np.stack([resize(image, *size) for image in images])


def _plain(point: Point) -> dict[str, Any]:
    """A point as JSON has it."""
    return {"seed": point.seed, "moves": [list(move) for move in point.moves]}
