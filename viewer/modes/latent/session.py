"""The latent mode: a plane of latent space, a line through it, the scatter of a set of images, a slider an axis."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from trainer.contract.errors import ImageError, UserError
from trainer.contract.images import resize
from viewer import render
from viewer.frame import plots
from viewer.latents import Latents
from viewer.model import Images, Model, ModelError, open_model, open_sibling_encoder
from viewer.modes.latent import frames as scene
from viewer.modes.latent.layout import make_layout
from viewer.modes.latent.options import BINDINGS, Options
from viewer.modes.latent.plan import COARSER, ImageRequest, Plan, plan_of, point_request, scatter_plan
from viewer.modes.latent.scatter import Encoded, Scatter, open_scatter
from viewer.modes.latent.space import Point, space_of
from viewer.modes.latent.state import VIEWS, LatentState, begin, place, state_of
from viewer.options import existing_model, model_threads
from viewer.sessions.classes import class_words
from viewer.sessions.model_session import Labels, ModelSession, Part
from viewer.sessions.replay import exact_numbers, first_classes, read_saved
from viewer.sessions.session import check_saved_size
from viewer.worker import Worker

_KEPT_BYTES: Final = 160_000_000  # of images that may be asked for once more
_LARGEST_FRAME: Final = 2**24  # pixels

Work = tuple[tuple[ImageRequest, int], ...]  # requests, and how many images of each are there already


@dataclass
class Made:
    """Images [n, h, w, 3] of a request, as far as they are there."""

    images: Images
    done: int = 0


@dataclass
class Seen:
    """State kept between frames."""

    large: dict[bool, render.Image] = field(default_factory=dict)  # of the scatter or not, until the next one is there
    layer: render.Image = field(default_factory=lambda: np.zeros((0, 0, 3), np.uint8))  # the scatter with its points
    plane: Hashable = None  # that the layer is of
    points: int = 0  # that are on the layer


class LatentSession(ModelSession[LatentState, Work, Part]):
    """Latent space in four views. What is coarse is made first, and what is looked at before all else."""

    bindings = BINDINGS
    follows_mouse = True

    def __init__(self, model: Model, state: LatentState, folder: Path, scatter: Scatter) -> None:
        """``scatter``: the points of the scatter."""
        self._scatter = scatter
        self._latents: Latents = np.empty((scatter.count, model.latent.size), np.float32)  # those known come first
        self._points = np.empty(scatter.count, np.int64)
        self._known = Encoded(self._latents[:0], self._points[:0], 0)
        self._add(Encoded(scatter.known, np.arange(len(scatter.known)), len(scatter.known)))
        names = model.classes
        self._own_labels = [names.index(name) if name in names else None for name in scatter.classes]  # in the model
        self._kept: dict[ImageRequest, Made] = {}
        self._wanted: set[ImageRequest] = set()  # of the last frame
        self._original: tuple[int | None, render.Image | None] = None, None  # a point of the scatter and its own image
        self._planned: tuple[Hashable, Plan] | None = None  # a state and a number of known points, and their plan
        self._asked: Work = ()
        self._canvas: render.Image = scene.empty_plane(state.layout)
        self._drawn: Hashable = None  # what the canvas shows
        self._seen = Seen()
        self._encoding: Worker[int, Encoded] = Worker(scatter.encode)
        super().__init__(model, state, folder)
        if self._known.tried < scatter.count:
            self._encoding.ask(self._known.tried)

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

    @property
    def _plan(self) -> Plan:
        """What is shown now."""
        now = self.state, len(self._known.points)
        if self._planned is None or self._planned[0] != now:
            self._planned = now, self._plan_of(self.state, self._known)
        return self._planned[1]

    def _plan_of(self, state: LatentState, known: Encoded, factors: Sequence[int] = COARSER) -> Plan:
        """What a view shows. ``known``: points of the scatter. ``factors``: how many times coarser planes are."""
        if state.view != "scatter":
            return plan_of(state, factors)
        if not len(known.points):
            return Plan(state)
        across, up = (state.space.coordinates(known.latents, axis) for axis in state.axes)
        x, y = place(state)
        row = int(np.argmin((across - x) ** 2 + (up - y) ** 2))
        item, label = int(known.points[row]), None
        if self._own_labels:  # an image is decoded as the class that it is of
            label = self._own_labels[int(self._scatter.labels[item])]
        return scatter_plan(state, known.latents[row], item, state.classes.label if label is None else label)

    # From requests to images.

    def _work(self, work: Work) -> Iterator[Part]:
        first = 0
        for request, done in work:
            latents = request.latents()[done:]
            for part in self._decode(latents, self._labels(request, len(latents))):
                yield Part(first + part.first, _sized(part.images, request.size))
            first += len(latents)

    def _labels(self, request: ImageRequest, count: int) -> Labels | None:
        return np.full(count, request.label, np.int64) if self.model.classes else None

    def _ask(self) -> None:
        self._find_original()
        self._wanted = set(self._plan.requests)
        parts = ((request, len(self._made(request))) for request in self._plan.requests)
        missing = tuple((request, done) for request, done in parts if done < request.count)
        if not missing or (self._worker.busy and missing[0][0] in (request for request, _ in self._asked)):
            return
        if missing != self._asked:  # the same would fail once more
            self._asked = missing
            self._worker.ask(missing)

    def _receive(self, work: Work, part: Part) -> None:
        first = part.first
        for request, done in work:
            if first < request.count - done:
                made = self._kept.get(request)
                if made is None:
                    made = self._kept[request] = Made(np.empty((request.count, *request.size, 3), np.uint8))
                start = done + first
                if start <= made.done:
                    made.images[start : start + len(part.images)] = part.images
                    made.done = max(made.done, start + len(part.images))
                break
            first -= request.count - done
        self.changed = True
        used = sum(made.images.nbytes for made in self._kept.values())
        for request in [request for request in self._kept if request not in self._wanted]:  # the oldest first
            if used <= _KEPT_BYTES:
                break
            used -= self._kept.pop(request).images.nbytes

    def _made(self, request: ImageRequest) -> Images:
        """The images of a request that are there."""
        made = self._kept.get(request)
        return np.zeros((0, *request.size, 3), np.uint8) if made is None else made.images[: made.done]

    def _screen(self) -> render.Image:
        images = {request: self._made(request) for request in self._plan.requests}
        planes = self._plan.planes
        now = (planes, *(len(images[request]) for request in planes))
        if planes and now != self._drawn:
            self._drawn = now
            for request in planes:
                plots.mosaic(self._canvas, *request.grid, images[request])
        return self._draw(self._plan, self._canvas, images, self._known, self._original[1], self._seen)

    def _find_original(self) -> None:
        """Read the image of the point of the scatter that one is at."""
        item = self._plan.item
        if item is not None and item != self._original[0]:
            self._original = item, None
            try:
                self._original = item, self._scatter.image(item)
            except ImageError as error:  # the file was there when it was encoded
                self._failed(error)

    def _draw(
        self,
        plan: Plan,
        canvas: render.Image,
        images: Mapping[ImageRequest, Images],
        known: Encoded,
        original: render.Image | None,
        seen: Seen,
    ) -> render.Image:
        """The frame of a plan. ``original``: the image that the scatter is at. ``seen``: updated."""
        state, main, words = plan.state, plan.main, self._words(plan)
        in_scatter = state.view == "scatter"
        if main is not None and len(images[main]) > plan.number:
            seen.large[in_scatter] = images[main][plan.number]
        large = seen.large.get(in_scatter)
        if main is None or in_scatter:
            pair = [("image", original), ("decoded", large)]
            latent = None if main is None else main.latents()[0]
            there = [(caption, image) for caption, image in pair if image is not None]
            names = self._scatter.classes
            legend = [(name, plots.colour_of(label, len(names))) for label, name in enumerate(names)]
            return scene.scatter(state, self._layer(state, known, seen), latent, there, words, legend)
        if state.view == "line":
            return scene.line(state, canvas, images[main], main.latents(), large, words)
        if state.view == "sliders":
            tracks = {axis: images[request] for axis, request in plan.tracks.items()}
            return scene.sliders(state, tracks, large, words)
        return scene.plane(state, canvas, large, words)

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

    # In words, and on disk.

    def _words(self, plan: Plan) -> tuple[str, ...]:
        """What stands under the large image."""
        state, label = plan.state, plan.state.classes.label
        if state.view == "scatter":
            if plan.item is None:
                return ()
            number, names = self._scatter.number(plan.item), self._scatter.classes
            if not self._scatter.name:
                return (f"training image {number + 1}",)
            own = (f"class {names[int(self._scatter.labels[plan.item])]}",) if names else ()
            return (f"number {number}", *own)
        if state.view == "line":
            where = f"{state.stop + 1} of {state.layout.stop_count}"
        else:
            where = "at {}, {}".format(*map(plots.two_digits, place(state)))
        return (where, class_words(label, self.model.classes[label])) if state.classes.count else (where,)

    def _status(self) -> tuple[str, ...]:
        state = self.state
        words = (state.view, *self._words(self._plan))
        if state.view == "line":
            return (*words, "straight" if state.straight else "great circle")
        if state.view == "scatter":
            left, unreadable = self._scatter.count - self._known.tried, self._known.tried - len(self._known.points)
            words += (f"{unreadable} unreadable",) if unreadable else ()
            words += (f"{left} to come",) if left else ()
        return (*words, " x ".join(state.space.name(axis) for axis in state.axes))

    def _situation(self) -> Mapping[str, object]:
        return {self.state.view: True, "classes": self.state.classes.count}

    def _recipe(self) -> Mapping[str, Any]:
        state = self.state
        recipe: dict[str, Any] = {
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
            recipe["first_label"] = state.classes.label
        if self._scatter.name:
            recipe |= {"data": self._scatter.name, "points": self._scatter.count, "bgr": self._scatter.bgr}
        return recipe

    def _save(self, whole: bool) -> None:
        if whole:
            self._save_screen()
            return
        plan, recipe = self._plan, dict(self._recipe())
        request = plan.main or point_request(self.state)
        latents = request.latents()[plan.number : plan.number + 1]
        if plan.item is not None:
            recipe["item"] = self._scatter.number(plan.item)
        recipe["latent"] = exact_numbers(latents)[0]
        if self.model.classes:
            recipe |= {"label": request.label, "class": self.model.classes[request.label]}
        self._send(lambda: (self.model.generate(latents, self._labels(request, 1))[0], recipe))

    def _save_screen(self) -> None:
        state, recipe, scatter, seen = self.state, self._recipe(), self._scatter, self._known
        kept = {request: made.images for request, made in self._kept.items() if made.done == len(made.images)}

        def job() -> tuple[render.Image, Mapping[str, Any]]:
            check_saved_size(state.layout.width, state.layout.height)
            known = seen
            if state.view == "scatter" and seen.tried < scatter.count:
                parts = [seen, *scatter.encode(seen.tried)]
                latents = np.concatenate([part.latents for part in parts])
                known = Encoded(latents, np.concatenate([part.points for part in parts]), scatter.count)
            plan = self._plan_of(state, known, (1,))
            images = dict(kept)
            for request in (request for request in plan.requests if request not in kept):
                made = self.model.generate(request.latents(), self._labels(request, request.count))
                images[request] = _sized(made, request.size)
            canvas = scene.empty_plane(state.layout)
            for request in plan.planes:
                plots.mosaic(canvas, *request.grid, images[request])
            original = None if plan.item is None else scatter.image(plan.item)
            return self._draw(plan, canvas, images, known, original, Seen()), recipe

        self._send(job)


def open_session(options: Options) -> LatentSession:
    """The view of latent space that the options ask for. Raises ``UserError``."""
    if options.bgr and options.data is None:
        raise UserError("--bgr is for the .npy file of --data, found it without")
    path, threads = existing_model(options.model), model_threads(options.threads)
    model = open_model(path, threads=threads, wanted="generator")
    if model.latent.size < 2:
        raise ModelError(f"{path}: a latent of {model.latent.size} number, expected 2 at least")
    space = space_of(model.card, model.latent)
    encoder = None if options.data is None else open_sibling_encoder(path, threads=threads)
    most, bgr = options.points, options.bgr
    saved = None if options.saved is None else read_saved(options.saved, "latent", VIEWS, model)
    if saved is not None:
        most, bgr = saved.whole("points", 1, 10**6, 1), bgr or saved.values.get("bgr") is True
    scatter = open_scatter(model, encoder, options.data, most, bgr)
    classes = first_classes(options.label, model, saved)
    if saved is None:
        layout = make_layout(*model.image_size, options.rows, options.cols, options.scale or 1.0)
        state = begin(
            space, layout,
            seed=options.seed, reach=options.reach, straight=options.lerp, view=options.view, classes=classes,
        )  # fmt: skip
    else:
        state, data = state_of(saved, model, space, classes), str(saved.values.get("data", ""))
        if state.view == "scatter" and data != scatter.name:
            raise ModelError(f"{saved.path}: made with --data {data!r}, found {scatter.name!r}")
    views = VIEWS if scatter.count else tuple(view for view in VIEWS if view != "scatter")
    if state.view not in views:
        raise ModelError(f"{path}: keeps no latents of training images; to scatter others, give --data")
    layout = state.layout
    if layout.width * layout.height > _LARGEST_FRAME:
        raise ModelError(f"a frame of {layout.width}x{layout.height} pixels is too large; try a smaller --scale")
    return LatentSession(model, replace(state, views=views), options.out, scatter)


def _sized(images: Images, size: tuple[int, int]) -> Images:
    """Images [n, h, w, 3] at another size."""
    if images.shape[1:3] == size:
        return images
    return np.stack([resize(image, *size) for image in images])


def _plain(point: Point) -> dict[str, Any]:
    """A point as JSON has it."""
    return {"seed": point.seed, "moves": [list(move) for move in point.moves]}
