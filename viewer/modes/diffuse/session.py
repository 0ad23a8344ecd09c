"""The diffuse mode: a page of images that come out of noise, or out of other images, as one watches."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from trainer.contract.errors import ImageError
from trainer.contract.text import printable
from viewer import render
from viewer.files.png import encode_png, save_numbered
from viewer.model import Images
from viewer.modes.diffuse.opening import begin
from viewer.modes.diffuse.options import BINDINGS, Options
from viewer.modes.diffuse.replay import recipe_of
from viewer.modes.diffuse.sampling import Diffusion, Page
from viewer.modes.diffuse.state import DiffuseState
from viewer.modes.diffuse.trajectory import Trajectory, TrajectoryKind
from viewer.sessions.model_session import ModelSession
from viewer.sessions.replay import signed
from viewer.sessions.session import check_saved_size
from viewer.sheet import Sheet

_PREVIEW_SECONDS: Final = 0.2  # between looks at images in the making: they should cost a few percent at most


@dataclass(frozen=True, eq=False)
class Progress:
    """How far a page is."""

    step: int
    seconds: float  # that are left
    images: Images | None  # the images, if it is time for a look
    sources: Images | None  # what they began with, unless it is noise
    finished: bool = False


class DiffuseSession(ModelSession[DiffuseState, Page, Progress]):
    """All images of a page take their steps together; whatever key comes is heard after one run of the network."""

    bindings = BINDINGS

    def __init__(
        self, diffusion: Diffusion, state: DiffuseState, folder: Path, trajectory: TrajectoryKind | None = None
    ) -> None:
        """``trajectory``: what is kept of the trajectory of images that are saved, if anything."""
        self.diffusion = diffusion
        self._kept = trajectory
        self._asked: Page | None = None
        self._progress = Progress(0, math.inf, None, None)
        self._shown: tuple[Images | None, Images | None] = None, None  # the latest images, and what they began with
        self._waiting: list[Callable[[Images | None], None]] = []  # saves of the page in the making
        self._canvas = render.blank(state.sheet)
        super().__init__(diffusion.denoiser.model, state, folder)

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
            for save in self._waiting:  # their page will not come any more
                save(None)
            self._waiting.clear()
            self._asked, self._progress = page, Progress(0, math.inf, None, None)
            self._worker.ask(page)

    def _receive(self, request: Page, part: Progress) -> None:
        if request != self._asked:
            return
        self._progress = part
        if part.images is not None:
            self._shown, self.changed = (part.images, part.sources), True
        if part.finished:
            for save in self._waiting:
                save(part.images)
            self._waiting.clear()

    def _screen(self) -> render.Image:
        images, sources = self._shown
        if images is not None:
            self._canvas = render.blank(self.state.sheet)
            render.place(self._canvas, self.state.sheet, 0, cells(self.state, images, sources))
        return self._canvas

    def _cursor(self) -> tuple[Sheet | None, int]:
        return self.state.sheet if self.state.sheet.count > 1 else None, self.state.cursor

    # Saving. What is asked for while a page is in the making waits for it, unless another page is wanted first.

    def _save(self, whole: bool) -> None:
        page, state = page_of(self.state), self.state
        recipe = {**recipe_of(self.diffusion, page, None if whole else state.cursor)}
        recipe |= {"before": True} if state.before else {}
        save = partial(self._write, state, page, whole, signed(self.model, recipe))
        if page == self._asked and self._progress.finished:
            save(self._shown[0])
        else:
            self._waiting.append(save)
            self.notify("to be saved when it is there")

    def _write(
        self, state: DiffuseState, page: Page, whole: bool, recipe: Mapping[str, Any], images: Images | None
    ) -> None:
        """Have something saved as it was asked for. ``images``: of its whole page, if they are there."""

        def job() -> str:
            numbers = list(page.numbers) if whole else [state.cursor]
            height, width = self.diffusion.denoiser.height, self.diffusion.denoiser.width
            native = Sheet(page.rows, page.columns, width * (1 + bool(page.photos)), height, state.sheet.gap)
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
            sources = self.diffusion.sources(page, numbers) if page.photos or state.before else None
            if whole:
                image = render.blank(native)
                render.place(image, native, 0, cells(state, made, sources))
            else:
                image = made[0] if sources is None or page.photos else sources[0]
            path = save_numbered(self._folder, self.model.name, encode_png(image, recipe), beside)
            return f"saved {path}" + (" and its trajectory" if beside else "")

        self._saves.send(job)

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
            words += (f"class {self.diffusion.denoiser.names[label]}",)
            words += ("rows by class",) if state.classes.by_row else ()
        words += ("before",) if state.before else ()
        return (*words, f"seed {state.seed}", f"{settings.sampler} {state.steps} steps")

    def _situation(self) -> Mapping[str, object]:
        state = self.state
        drawn = state.origin != "photographs"
        return {
            "classes": state.classes.count,
            "generator": state.origin == "generator",
            "pages": state.photos > state.sheet.count,
            "random": drawn and not state.interpolated,
            "interpolation": drawn and state.interpolated,
        }


def open_session(options: Options) -> DiffuseSession:
    """The page that the options ask for. Raises ``UserError``."""
    diffusion, state = begin(options)
    return DiffuseSession(diffusion, state, options.out, options.keep_steps)


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
