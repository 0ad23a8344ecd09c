"""The diffuse mode: a page of images that come out of noise, or out of other images, as one watches."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, final

import numpy as np

from trainer.contract.errors import ImageError, UserError
from trainer.contract.hub.names import is_hub_name
from trainer.contract.text import printable
from viewer import render
from viewer.files.png import encode_png, save_numbered
from viewer.files.tree import find_images
from viewer.keys import Action, Event
from viewer.model import Images, Model, open_model
from viewer.modes.diffuse.options import BINDINGS, Options
from viewer.modes.diffuse.replay import options_of, photos_of, recipe_of
from viewer.modes.diffuse.saturation import remark
from viewer.modes.diffuse.trajectory import Trajectory, TrajectoryKind
from viewer.options import model_threads, with_saved
from viewer.room import Room, Tiling
from viewer.sessions.classes import Classes, class_words, find_label
from viewer.sessions.denoiser import Denoiser
from viewer.sessions.headless import readable
from viewer.sessions.model_session import ModelSession
from viewer.sessions.replay import read_saved, signed
from viewer.sessions.sampling import (
    ORIGINS,
    USUAL_STEPS,
    Diffusion,
    Origin,
    Page,
    Settings,
    fewer_steps,
    more_steps,
    usual_start,
)
from viewer.sessions.session import check_saved_size
from viewer.sessions.sheet_state import SheetState
from viewer.sheet import Sheet, moved
from viewer.state import next_seed

_ROWS, _COLUMNS = 3, 4  # images
_DOUBT_SECONDS: Final = 8.0  # that a line about a page is shown
_PREVIEW_SECONDS: Final = 0.2  # between looks at images in the making: they should cost a few percent at most


@final
@dataclass(frozen=True)
class DiffuseState(SheetState):
    """A page of images that come out of noise."""

    steps: int
    most_steps: int  # as many as there are from the start to no noise
    origin: Origin = "noise"
    interpolated: bool = False
    before: bool = False  # the images that a generator made are shown, not what became of them
    photos: int = 0  # that there are
    first: int = 0  # photograph of the page

    @property
    def count(self) -> int:
        """Images of the page."""
        return min(self.sheet.count, self.photos - self.first) if self.origin == "photographs" else self.sheet.count

    def _after(self, event: Event) -> "DiffuseState":
        match event.action:
            case Action.INTERPOLATE if self.origin != "photographs":
                return self._switched(interpolated=True)
            case Action.RANDOM:
                return self._switched(interpolated=False)
            case Action.MORE:
                return replace(self, steps=more_steps(self.steps, self.most_steps))
            case Action.LESS:
                return replace(self, steps=fewer_steps(self.steps))
            case Action.NEXT_VIEW if self.origin == "generator":
                return replace(self, before=not self.before)
            case Action.PAGE_UP | Action.PAGE_DOWN if self.origin == "photographs":
                return _turn(self, 1 if event.action is Action.PAGE_DOWN else -1)
            case Action.PAGE_UP:
                return replace(self, seed=max(self.seed - 1, 0))
            case Action.NEW | Action.PAUSE | Action.PAGE_DOWN:
                return replace(self, seed=next_seed(self.seed))
            case _:
                return replace(self, cursor=min(moved(self.sheet, self.cursor, event), self.count - 1))


def _turn(state: DiffuseState, pages: int) -> DiffuseState:
    """To another page of photographs."""
    firsts = range(0, state.photos, state.sheet.count)
    turned = replace(state, first=firsts[(firsts.index(state.first) + pages) % len(firsts)])
    return replace(turned, cursor=min(state.cursor, turned.count - 1))


@dataclass(frozen=True, eq=False)
class Progress:
    """How far a page is."""

    step: int = 0
    seconds: float = math.inf  # that are left
    images: Images | None = None  # the images, if it is time for a look
    sources: Images | None = None  # what they began with, unless it is noise
    finished: bool = False


class DiffuseSession(ModelSession[DiffuseState, Page, Progress]):
    """All images of a page take their steps together; whatever key comes is heard after one run of the network."""

    bindings = BINDINGS
    page_fields = ("seed", "interpolated", "first", "classes")

    def __init__(
        self,
        diffusion: Diffusion,
        state: DiffuseState,
        folder: Path,
        trajectory: TrajectoryKind | None = None,
        tiling: Tiling | None = None,
    ) -> None:
        """``trajectory``: what is kept of the trajectory of images that are saved, if anything. ``tiling``: how the
        sheet follows from the room that there is; ``None``: it does not."""
        self._tiling = tiling
        self._saved_gap = state.sheet.gap
        self.diffusion = diffusion
        self._kept = trajectory
        self._asked: Page | None = None
        self._progress = Progress()
        self._shown = Progress()  # the latest with images
        self._waiting: list[Callable[[Images | None], str]] = []  # saves of the page in the making
        super().__init__(diffusion.denoiser.model, state, folder)

    def _lay_out(self, room: Room) -> bool:
        if self._tiling is None:
            return False
        state, sheet = self.state, self._tiling.sheet(room)
        shown = state.first + state.cursor
        first = shown // sheet.count * sheet.count if state.photos else 0
        cursor = shown - first if state.photos else min(state.cursor, sheet.count - 1)
        self.state = replace(state, sheet=sheet, first=first, cursor=cursor)
        if sheet.places != state.sheet.places:
            self._shown = Progress()  # of another page
        return True

    def _work(self, request: Page) -> Iterator[Progress]:
        run = self.diffusion.begin(request)
        yield Progress(0, math.inf, run.images(), run.sources)
        began = looked = time.monotonic()
        while run.advance():
            now, finished = time.monotonic(), run.done == run.total
            left = (now - began) / run.done * (run.total - run.done)
            images = None
            if finished or now - looked >= _PREVIEW_SECONDS:
                images, looked = run.images(), now
            yield Progress(run.step, left, images, run.sources, finished)

    def _ask(self) -> None:
        page = page_of(self.state)
        if page != self._asked:
            self._save_waiting(None)  # their page will not come any more
            self._asked, self._progress = page, Progress()
            self._worker.ask(page)

    def _receive(self, request: Page, part: Progress) -> None:
        if request != self._asked:
            return
        self._progress = part
        if part.images is not None:
            self._shown, self.changed = part, True
        if part.finished:
            if part.images is not None and (doubt := remark(self.diffusion, part.images)):
                self.notify(doubt, seconds=_DOUBT_SECONDS)
            self._save_waiting(part.images)

    def _screen(self) -> render.Image:
        canvas, sheet = render.blank(self.state.sheet), self.state.sheet
        if self._shown.images is not None:
            render.place(canvas, sheet, 0, cells(self.state, self._shown.images, self._shown.sources))
        return canvas

    def _cursor(self) -> tuple[Sheet | None, int]:
        return self.state.sheet if self.state.sheet.count > 1 else None, self.state.cursor

    def _captions(self) -> Sequence[render.Caption]:
        return self.state.classes.captions(self.diffusion.denoiser.names, self.state.sheet, self._text_scale)

    # Saving. What is asked for while a page is in the making waits for it, unless another page is wanted first.

    def _save(self, whole: bool) -> None:
        page, state = page_of(self.state), self.state
        before = {"before": True} if state.before else {}
        recipe = signed(self.model, {**recipe_of(self.diffusion, page, None if whole else state.cursor), **before})

        def job(images: Images | None) -> str:
            numbers = list(page.numbers) if whole else [state.cursor]
            height, width = self.diffusion.denoiser.height, self.diffusion.denoiser.width
            native = Sheet(page.rows, page.columns, width * (1 + bool(page.photos)), height, self._saved_gap)
            check_saved_size(native.width, native.height)
            beside: dict[str, bytes] = {}
            if images is not None and self._kept is None:
                made = images[numbers]
            else:
                run = self.diffusion.begin(page, numbers)
                trajectory = Trajectory(run, self._kept)
                while trajectory.advance():
                    pass
                made, beside = run.images(), trajectory.files(recipe, page.columns)
            with_sources = state.before or (whole and page.photos)
            shown = cells(state, made, self.diffusion.sources(page, numbers) if with_sources else None)
            image = render.place(render.blank(native), native, 0, shown) if whole else shown[0]
            path = save_numbered(self._folder, self.model.name, encode_png(image, recipe), beside)
            return f"saved {path}" + (" and its trajectory" if beside else "")

        self._waiting.append(job)
        if page == self._asked and self._progress.finished:
            self._save_waiting(self._shown.images)
        else:
            self.notify("to be saved when it is there")

    def _save_waiting(self, images: Images | None) -> None:
        """Have what waits for a page saved. ``images``: of the page, if they are there."""
        for job in self._waiting:
            self._have_saved(partial(job, images))
        self._waiting.clear()

    @property
    def unsaved(self) -> int:
        """Images that were asked to be saved and may yet be."""
        return super().unsaved + (len(self._waiting) if self._worker.busy else 0)

    def close(self) -> None:
        """Stop work. Raises ``ImageError`` where images are left unsaved."""
        super().close()
        if self._waiting:
            raise ImageError(f"images not saved: {len(self._waiting)}; there was no time to make them")

    # In words.

    def _status(self) -> tuple[str, ...]:
        state, progress, settings = self.state, self._progress, self.diffusion.settings
        words: tuple[str, ...] = ()
        if not progress.finished:
            seconds, left = progress.seconds, ""
            if seconds < math.inf:
                left = f", {math.ceil(seconds)} s left" if seconds < 90 else f", {math.ceil(seconds / 60)} min left"
            words += (f"step {progress.step} of {min(state.steps, state.most_steps)}{left}",)
        if state.origin == "photographs":
            words += (printable(self.diffusion.photos[state.first + state.cursor].name, 60),)
        else:
            words += ("interpolation" if state.interpolated else "random",)
        if state.classes.count:
            label = state.classes.of_row(state.cursor // state.sheet.columns)
            words += (class_words(label, self.diffusion.denoiser.names[label]),)
            words += ("rows by class",) if state.classes.by_row else ()
        words += ("before",) if state.before else ()
        return (*words, f"seed {state.seed}", f"{settings.sampler} {state.steps} steps")

    def _situation(self) -> Mapping[str, object]:
        state = self.state
        return {
            "classes": state.classes.count,
            "generator": state.origin == "generator",
            "pages": state.photos > state.sheet.count,
            "random": state.origin != "photographs" and not state.interpolated,
            "interpolation": state.interpolated,
        }


def open_session(options: Options) -> DiffuseSession:
    """The page that the options ask for. Raises ``UserError``."""
    diffusion, state, tiling = begin(options)
    return DiffuseSession(diffusion, state, options.out, options.keep_steps, tiling)


def begin(options: Options) -> tuple[Diffusion, DiffuseState, Tiling]:
    """The mode as its flags or ``--from`` say, and how its sheet follows from the room. Raises ``UserError``."""
    threads = model_threads(options.threads, all_cores=True)
    model = open_model(options.model, threads=threads, wanted="denoiser", reading=options.reading)
    for name, value in (("start", options.start), ("strength", options.strength), ("no-noise", options.no_noise)):
        if value and not options.init:
            raise UserError(f"--{name} is for images to begin with, expected --init beside it")
    if options.eta is not None and options.sampler == "ddpm":
        raise UserError("--eta is for the samplers ddim and dpm, found ddpm, whose eta is 1")
    generator, photos = _open_init(options.init, threads)
    denoiser = Denoiser(model)
    names = denoiser.names
    label = None if options.label is None else find_label(names, options.label, str(model.path))
    cursor, interpolated = 0, False
    if options.saved is None:
        usual = 0 if options.guidance else max(len(names) - 1, 0)  # the last is none of the classes
        classes = Classes(len(names), usual if label is None else label)
    else:
        saved = read_saved(options.saved, "diffuse", ORIGINS, model)
        photos = photos_of(saved, generator, photos)
        classes = saved.classes(len(names))
        own_label = options.label if label in (None, classes.label) else names[classes.label]
        options = with_saved(options, {**options_of(saved, denoiser.steps), "label": own_label})
        cursor = saved.whole("image", 0, (options.rows or 1) * (options.cols or 1) - 1)
        interpolated = saved.values.get("interpolated") is True
    diffusion = Diffusion(Denoiser(model, options.guidance), _settings_of(options, denoiser), generator, photos)
    tiling = _tiling(options, diffusion)
    state = DiffuseState(
        tiling.sheet(),
        min(options.steps or USUAL_STEPS[options.sampler], diffusion.start),
        diffusion.start,
        diffusion.origin,
        interpolated=interpolated and not photos,
        photos=len(photos),
        seed=options.seed,
        cursor=cursor,
        classes=classes,
    )
    return diffusion, state, tiling


def _tiling(options: Options, diffusion: Diffusion) -> Tiling:
    """How large the images are and how many."""
    usual, across, count = (_ROWS, _COLUMNS), 1, len(diffusion.photos)
    if count:
        columns = options.cols or min(2, count)
        usual, across = (min(-(-count // columns), _ROWS), columns), 2
    return Tiling(*diffusion.denoiser.model.image_size, options.rows, options.cols, usual, options.scale, across=across)


def _open_init(words: Sequence[str], threads: int) -> tuple[Model | None, list[Path]]:
    """The generator, or the photographs, to begin with."""
    if not any(word.lower().endswith(".onnx") or is_hub_name(word) for word in words):
        return None, list(readable(find_images(words).paths)) if words else []
    if len(words) > 1:
        raise UserError(f"--init has {len(words)} files, expected one generator (.onnx), or photographs")
    path = Path(words[0])
    if is_hub_name(path):
        from trainer.contract.hub.files import local

        path = local(path)
    return open_model(path, threads=threads, wanted="generator"), []


def _settings_of(options: Options, denoiser: Denoiser) -> Settings:
    start = options.start or (usual_start(denoiser) if options.init else 0)
    strength = 1.0
    if options.no_noise:  # as faded as the network expects images there to be
        strength = denoiser.schedule["alpha_bar"][min(start, denoiser.steps) - 1] ** 0.5
    return Settings(
        sampler=options.sampler,
        eta=options.eta or 0.0,
        start=start,
        strength=strength if options.strength is None else options.strength,
        noise=not options.no_noise,
    )


def page_of(state: DiffuseState) -> Page:
    """What the images of a state follow from."""
    sheet = state.sheet
    photos = tuple(range(state.first, state.first + state.count)) if state.origin == "photographs" else ()
    return Page(state.seed, state.steps, sheet.rows, sheet.columns, state.interpolated, state.classes, photos)


def cells(state: DiffuseState, images: Images, sources: Images | None) -> Images:
    """What a sheet shows of images [n, h, w, 3] and of what they began with: photographs beside their results."""
    if sources is None:
        return images
    if state.origin == "photographs":
        return np.concatenate([sources, images], axis=2)
    return sources if state.before else images
