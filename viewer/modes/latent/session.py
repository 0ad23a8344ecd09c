"""The latent mode: a plane of latent space, a line through it, the scatter of a set of images, a slider an axis."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from trainer.contract.directions import add_direction, name_error
from trainer.contract.errors import ImageError
from trainer.contract.files import make_folder
from trainer.contract.images import resize
from viewer import render
from viewer.frame import plots
from viewer.keys import Action, Event
from viewer.latents import Latents
from viewer.model import Images, Model
from viewer.modes.latent.frames import Painter
from viewer.modes.latent.layout import for_cells, make_layout
from viewer.modes.latent.naming import FOUND, Finder, entry_of, in_groups, rounded, to_name, with_name
from viewer.modes.latent.options import BINDINGS, Options
from viewer.modes.latent.plan import COARSER, ImageRequest, Plan, plan_of, point_request
from viewer.modes.latent.recipe import recipe_of
from viewer.modes.latent.scatter import Encoded, Scatter
from viewer.modes.latent.space import MIDDLE, Numbers
from viewer.modes.latent.starting import start
from viewer.modes.latent.state import LatentState, place
from viewer.named_directions import origin_of
from viewer.room import Room
from viewer.sessions.classes import class_words
from viewer.sessions.model_session import Labels, ModelSession
from viewer.sessions.replay import exact_numbers
from viewer.sessions.session import check_saved_size
from viewer.worker import Worker

_KEPT_BYTES: Final = 160_000_000  # of images that may be asked for once more
_TURNS: Final = {Action.PAGE_DOWN: 1, Action.PAGE_UP: -1}
_ENDS: Final = np.array([[-2.0], [2.0]])  # stds that the images towards A and B are away from the point
_TERMINAL_CELL: Final = 12  # half blocks that an image of the plane is wide at least

Work = tuple[tuple[ImageRequest, int], ...]  # requests, and how many images of each are there already
Made = tuple[ImageRequest, int, Images]  # some images of a request, and the number of the first one


class LatentSession(ModelSession[LatentState, Work, Made]):
    """Latent space in four views. What is coarse is made first, and what is looked at before all else."""

    bindings = BINDINGS
    follows_mouse = True
    counted = True  # the images of the plane are as many as was asked for

    def __init__(self, model: Model, state: LatentState, folder: Path, scatter: Scatter, directions: Path) -> None:
        """``scatter``: the points of the scatter. ``directions``: the file that named directions are added to."""
        self._directions = directions
        self._finder = Finder()
        self._usual = state.layout
        self._scatter = scatter
        self._latents: Latents = np.empty((len(scatter.numbers), model.latent.size), np.float32)  # the known ones first
        self._points = np.empty(len(scatter.numbers), np.int64)
        self._known = Encoded(self._latents[:0], self._points[:0], 0)
        self._add(Encoded(scatter.known, np.arange(len(scatter.known)), len(scatter.known)))
        names = model.classes
        self._own_labels = {label: names.index(name) for label, name in enumerate(scatter.classes) if name in names}
        self._kept: dict[ImageRequest, Images] = {}  # those that are there
        self._original: tuple[int | None, render.Image | None] = None, None  # a point of the scatter and its own image
        self._planned: tuple[Hashable, Plan] | None = None  # a state and a number of known points, and their plan
        self._asked: Work = ()
        self._painter = Painter(state.layout, scatter)
        self._encoding: Worker[int, Encoded] = Worker(scatter.encode)
        super().__init__(model, state, folder)
        if self._known.tried < len(scatter.numbers):
            self._encoding.ask(self._known.tried)

    def _lay_out(self, room: Room) -> bool:
        """In a terminal the plane has fewer and larger images, unless their number was asked for, and each gauge a line
        of its own. Windows enlarge the frame as it is."""
        if room.grain == 1:
            return False
        usual = self._usual
        share = min(room.width / usual.width, room.height / usual.height) / room.grain  # display pixels a frame's
        count = min(max(int(share * max(usual.plane.width, usual.plane.height) / _TERMINAL_CELL), 2), usual.rows)
        as_asked = self.counted or count >= usual.rows
        fewer = usual if as_asked else make_layout(*usual.image_size, count, count, usual.scale)
        fewer = for_cells(fewer, 2 / share)
        if fewer != self.state.layout:
            self.state = replace(self.state, layout=fewer, stop=min(self.state.stop, len(fewer.stops) - 1))
            self.changed = True
            self._painter = Painter(fewer, self._scatter)
        return False

    def pump(self, now: float) -> None:
        """Ask the workers for what is missing, and take in what has come."""
        for answer in self._encoding.take():
            if answer.error is not None:
                self._failed(answer.error)
            elif answer.result is not None:
                self._add(answer.result)
                self.changed = True
        self._find()
        super().pump(now)

    def _find(self) -> None:
        """Take in a direction that was found between the groups."""
        if (found := self._finder.take()) is not None:
            self.state, self.changed = in_groups(self.state, found), True

    def _handle(self, event: Event) -> None:
        key, in_scatter = event.key.lower(), self.state.view == "scatter"
        if event.action is Action.NEW and key == "d":
            self._name_direction(up=event.key == "D")
        elif event.action is Action.NEW and key in ("a", "b") and in_scatter:
            self._mark("ab".index(key), of_class=event.key.isupper())
        elif event.action in _TURNS and in_scatter and len(self._known.points):
            self._turn(_TURNS[event.action])
        else:
            super()._handle(event)

    def _turn(self, by: int) -> None:
        """To another point of the scatter, by its number."""
        state, known = self.state, self._known
        row = int(np.argmax(known.points == self._plan.item)) + by
        latent = known.latents[row % len(known.points)]
        there = [float(state.space.coordinates(latent, axis)) for axis in state.axes]
        self.state, self.changed = replace(state, point=state.space.move(state.point, state.axes, there)), True

    def _add(self, more: Encoded) -> None:
        """Take in more points. What was known before stays as it is: an image may be saved of it meanwhile."""
        old = len(self._known.points)
        new = old + len(more.points)
        self._latents[old:new], self._points[old:new] = more.latents, more.points
        self._known = Encoded(self._latents[:new], self._points[:new], more.tried)

    def close(self) -> None:
        """Stop work. Raises ``ImageError`` where images are left unsaved."""
        self._encoding.close()
        self._finder.close()
        super().close()

    @property
    def _busy(self) -> bool:
        return super()._busy or self._finder.busy or (self.state.view == "scatter" and self._encoding.busy)

    def _wait(self) -> None:
        super()._wait()
        self._finder.wait()
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
        item, latent = int(known.points[row]), known.latents[row]
        label = self._own_labels.get(int(self._scatter.labels[item]), state.classes.label)  # of the class that it is of
        main = ImageRequest(("item", item), label, lambda: latent[None], state.layout.image_size)
        ends = None
        if all(state.groups) and FOUND in state.space.named:
            step = state.space.named[FOUND]
            places = (latent + _ENDS * step).astype(np.float32)
            ends = ImageRequest(("ends", item, state.space), label, lambda: places, state.layout.image_size, 2)
        return Plan(state, main, item=item, ends=ends)

    # Groups, and names of directions.

    def _mark(self, group: int, of_class: bool) -> None:
        """Put the points of the rectangle, or that of the ring, into a group. ``of_class``: all of their classes."""
        state, known = self.state, self._known
        if state.selection is None:
            chosen = known.points == (-1 if self._plan.item is None else self._plan.item)
        else:
            corners = np.array(state.selection).reshape(2, 2)
            places = np.stack([state.space.coordinates(known.latents, axis) for axis in state.axes], axis=1)
            chosen = ((places >= corners.min(axis=0)) & (places <= corners.max(axis=0))).all(axis=1)
        if of_class and self._scatter.classes:
            labels = self._scatter.labels[known.points]
            chosen = np.isin(labels, np.unique(labels[chosen]))
        self.state, self.changed = state.marked(group, set(known.points[chosen].tolist())), True

    def _name_direction(self, up: bool) -> None:
        try:
            what, vector, how = to_name(self.state, up, self._finder.words(self.state))
        except ValueError as error:
            self.notify(str(error))
            return
        self.ask_text(f"name for {what}", partial(self._named, rounded(vector), how, ""))

    def _named(self, vector: Numbers, how: str, agreed: str, name: str) -> None:
        """Save a direction. ``agreed``: a name whose direction may be replaced."""
        again = partial(self._named, vector, how, name)
        if name == FOUND or (error := name_error(name)):
            wrong = "stands for what is found between groups" if name == FOUND else error
            self.ask_text(f"{name[:20]!r} {wrong}; another name", again)
        elif name in self.state.space.named and name != agreed:
            self.ask_text(f"{name!r} is taken; Enter replaces it, or another name", again, name)
        else:
            self.state = self.state.in_space(with_name(self.state.space, name, vector)).on_slider(name)
            entry = entry_of(vector, how, origin_of(self.model))
            self._have_saved(partial(_save_direction, self._directions, name, entry, replace=name == agreed))

    # From requests to images.

    def _work(self, work: Work) -> Iterator[Made]:
        for request, done in work:
            latents = request.latents()[done:]
            for part in self._decode(latents, self._labels(request, len(latents))):
                yield request, done + part.first, _sized(part.images, request.size)

    def _labels(self, request: ImageRequest, count: int) -> Labels | None:
        return np.full(count, request.label, np.int64) if self.model.classes else None

    def _ask(self) -> None:
        self._find_original()
        self._finder.ask(self.state, self._known)
        parts = ((request, len(self._made(request))) for request in self._plan.requests)
        missing = tuple((request, done) for request, done in parts if done < request.count)
        if not missing or (self._worker.busy and missing[0][0] in (request for request, _ in self._asked)):
            return
        if missing != self._asked:  # the same would fail once more
            self._asked = missing
            self._worker.ask(missing)

    def _receive(self, work: Work, part: Made) -> None:
        request, start, images = part
        made = self._made(request)
        if start <= len(made):  # what came before it may have been dropped
            self._kept[request] = np.concatenate((made[:start], images, made[start + len(images) :]))
        self.changed = True
        used, wanted = sum(images.nbytes for images in self._kept.values()), set(self._plan.requests)
        for request in [request for request in self._kept if request not in wanted]:  # the oldest first
            if used <= _KEPT_BYTES:
                break
            used -= self._kept.pop(request).nbytes

    def _made(self, request: ImageRequest) -> Images:
        """The images of a request that are there."""
        return self._kept.get(request, np.zeros((0, *request.size, 3), np.uint8))

    def _screen(self) -> render.Image:
        plan = self._plan
        images = {request: self._made(request) for request in plan.requests}
        return self._painter.frame(plan, images, self._known, self._original[1], self._words(plan))

    def _find_original(self) -> None:
        """Read the image of the point of the scatter that one is at."""
        item = self._plan.item
        if item is not None and item != self._original[0]:
            self._original = item, None
            try:
                self._original = item, self._scatter.image(item)
            except ImageError as error:  # the file was there when it was encoded
                self._failed(error)

    def _leaves(self, before: LatentState, after: LatentState) -> bool:
        """Whether a point or a line was left for another one; moving them, on the way, is none."""
        other_line = before.line[0] != after.line[0]  # of one that is being drawn with the mouse, only the end moves
        home = after.point == MIDDLE != before.point
        return before.seed != after.seed or before.classes != after.classes or other_line or home

    def _returned(self, state: LatentState) -> LatentState:
        """The state of an earlier page, with the directions and groups of now, on a terminal of the size of now."""
        now, stop = self.state, min(state.stop, len(self.state.layout.stops) - 1)
        state = replace(state.in_space(now.space), layout=now.layout, stop=stop)
        return replace(state, groups=now.groups, method=now.method)

    # In words, and on disk.

    def _words(self, plan: Plan) -> tuple[str, ...]:
        """What stands under the large image."""
        state, label = plan.state, plan.state.classes.label
        if state.view == "scatter":
            if plan.item is None:
                return ()
            return (*self._scatter.words(plan.item), *self._finder.words(state))
        if state.view == "line":
            where = f"{state.stop + 1} of {len(state.layout.stops)}"
        else:
            where = "at {}, {}".format(*map(plots.two_digits, place(state)))
        return (where, class_words(label, self.model.classes[label])) if state.classes.count else (where,)

    def _status(self) -> tuple[str, ...]:
        state = self.state
        words = (state.view, *self._words(self._plan))
        if state.view == "line":
            return (*words, "straight" if state.straight else "great circle")
        if state.view == "sliders":
            value = float(state.space.coordinates(state.space.exact(state.point), state.chosen))
            words = (state.view, f"{state.space.name(state.chosen)} {plots.two_digits(value)}", *words[1:])
        if state.view == "scatter":
            tried, total = self._known.tried, len(self._scatter.numbers)
            left, unreadable = total - tried, tried - len(self._known.points)
            words += (f"{unreadable} unreadable",) if unreadable else ()
            words += (f"{left} to come",) if left else ()
            words += ("A {}, B {}".format(*map(len, state.groups)),) if any(state.groups) else ()
        return (*words, " x ".join(state.space.name(axis) for axis in state.axes))

    def _situation(self) -> Mapping[str, object]:
        return {self.state.view: True, "classes": self.state.classes.count}

    def _recipe(self) -> Mapping[str, Any]:
        source, recipe = self._scatter.source, recipe_of(self.state)
        if source is not None:
            recipe |= {"data": source.path.name, "points": len(self._scatter.numbers), "bgr": source.bgr}
        elif self._scatter.seed is not None:
            recipe["random"] = [self._scatter.seed, len(self._scatter.numbers)]
        return recipe

    def _save(self, whole: bool) -> None:
        if whole:
            self._save_screen()
            return
        plan, recipe = self._plan, dict(self._recipe())
        request = plan.main or point_request(self.state)
        latents = request.latents()[plan.number : plan.number + 1]
        if plan.item is not None:
            recipe["item"] = int(self._scatter.numbers[plan.item])
        recipe["latent"] = exact_numbers(latents)[0]
        if self.model.classes:
            recipe |= {"label": request.label, "class": self.model.classes[request.label]}
        self._send(lambda: (self.model.generate(latents, self._labels(request, 1))[0], recipe))

    def _save_screen(self) -> None:
        self._finder.ask(self.state, self._known)
        self._finder.wait()  # moments: what is saved is what a replay shows
        self._find()
        self.state = replace(self.state, rectangle=None)
        state, recipe, scatter, seen = self.state, self._recipe(), self._scatter, self._known
        kept = {request: images for request, images in self._kept.items() if len(images) == request.count}

        def job() -> tuple[render.Image, Mapping[str, Any]]:
            check_saved_size(state.layout.width, state.layout.height)
            known = seen
            if state.view == "scatter" and seen.tried < len(scatter.numbers):
                parts = [seen, *scatter.encode(seen.tried)]
                latents = np.concatenate([part.latents for part in parts])
                known = Encoded(latents, np.concatenate([part.points for part in parts]), len(scatter.numbers))
            plan = self._plan_of(state, known, (1,))
            images = dict(kept)
            for request in (request for request in plan.requests if request not in kept):
                made = self.model.generate(request.latents(), self._labels(request, request.count))
                images[request] = _sized(made, request.size)
            original = None if plan.item is None else scatter.image(plan.item)
            return Painter(state.layout, scatter).frame(plan, images, known, original, self._words(plan)), recipe

        self._send(job)


def open_session(options: Options) -> LatentSession:
    """The view of latent space that the options ask for. Raises ``UserError``."""
    begun = start(options)
    session = LatentSession(begun.model, begun.state, options.out, begun.scatter, begun.directions)
    session.counted = begun.counted
    if begun.notice:
        session.notify(begun.notice)
    return session


def _save_direction(file: Path, name: str, entry: Mapping[str, Any], replace: bool) -> str:
    make_folder(file.parent)
    add_direction(file, name, entry, replace)
    return f"direction {name!r} is in {file}"


def _sized(images: Images, size: tuple[int, int]) -> Images:
    """Images [n, h, w, 3] at another size."""
    if images.shape[1:3] == size:
        return images
    return np.stack([resize(image, *size) for image in images])
