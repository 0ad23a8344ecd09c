"""Images out of noise without a screen: every one of a page, or of many photographs, with progress."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tqdm import tqdm

from trainer.contract.text import printable, say
from viewer.files.png import encode_png, save_numbered
from viewer.files.tree import Found, find_images
from viewer.modes.diffuse.options import Options
from viewer.modes.diffuse.replay import recipe_of
from viewer.modes.diffuse.saturation import remark
from viewer.modes.diffuse.session import begin, page_of
from viewer.modes.diffuse.trajectory import Trajectory
from viewer.sessions.batch import Batch
from viewer.sessions.headless import beside
from viewer.sessions.replay import signed
from viewer.sessions.sampling import Diffusion, Page

_STEPS: Final = {"png": "steps.png", "gif": "steps.gif"}  # what --keep-steps writes beside a result

Write = Callable[[int, bytes, Mapping[str, bytes]], None]
"""Writes the image of a number, and what belongs beside it, by its name."""


def write(options: Options) -> None:
    """Write all images of a page, and none over another file: what is made of photographs keeps their names and
    folders, other images are numbered. Raises ``UserError``."""
    diffusion, state, _ = begin(options)
    page, target = page_of(state), options.output or options.out
    model = diffusion.denoiser.model
    if not state.photos:
        batch = Batch(Found(), target, count=len(page.numbers))

        def save(number: int, data: bytes, more: Mapping[str, bytes]) -> None:
            save_numbered(target, model.name, data, more)

        with batch.going():
            _make_all(diffusion, page, page.numbers, options, batch, save)
        return
    # all of them, whatever fits on a page; of one class
    classes, photos = replace(state.classes, by_row=False), tuple(range(state.photos))
    page = replace(page, rows=state.photos, columns=1, classes=classes, photos=photos)
    numbers = {path: number for number, path in enumerate(diffusion.photos)}
    batch = Batch(find_images(options.init, target), target)
    with batch.going():
        steps = [] if options.keep_steps is None else [_STEPS[options.keep_steps]]
        made_of = [path for path in diffusion.photos if path in batch.found.places]
        if options.saved is None:  # else it says which are to be made
            batch.failed = batch.count - len(made_of)  # they could not be read
        else:
            batch.count = len(made_of)
        jobs = batch.plan(
            lambda path: signed(model, recipe_of(diffusion, page, numbers[path])), options.force, made_of, steps
        )
        by_number = {numbers[job.path]: job for job in jobs}

        def replace_older(number: int, data: bytes, more: Mapping[str, bytes]) -> None:
            by_number[number].write(data, more)

        recipes = {number: job.recipe for number, job in by_number.items()}
        _make_all(diffusion, page, list(by_number), options, batch, replace_older, recipes)


def _make_all(
    diffusion: Diffusion,
    page: Page,
    numbers: Sequence[int],
    options: Options,
    batch: Batch,
    save: Write,
    recipes: Mapping[int, Mapping[str, Any]] | None = None,
) -> None:
    """Make images and have them written. ``recipes``: by number; else as they follow from the page."""
    steps = diffusion.steps_of(page)
    doubts: set[str] = set()
    with tqdm(total=len(numbers) * steps, desc="diffuse", unit="step", disable=None) as bar:
        for group in diffusion.groups_of(page, numbers):
            bar_end = bar.n + len(group) * steps
            with batch.trying(len(group)):
                doubts.add(_make(diffusion, page, group, options, bar, save, recipes or {}))
            bar.update(bar_end - bar.n)
    if len(doubts) == 1 and (doubt := doubts.pop()):  # of all groups
        say(f"{printable(diffusion.denoiser.model.path)}: {doubt}")


def _make(
    diffusion: Diffusion,
    page: Page,
    numbers: Sequence[int],
    options: Options,
    bar: "tqdm[Any]",
    save: Write,
    recipes: Mapping[int, Mapping[str, Any]],
) -> str:
    """Make and write images. Returns what is to be said of all of them. Raises ``UserError``."""
    run = diffusion.begin(page, numbers)
    trajectory = Trajectory(run, options.keep_steps)

    def finish(position: int) -> None:
        number, image = numbers[position], run.images()[position]
        recipe = recipes.get(number) or signed(diffusion.denoiser.model, recipe_of(diffusion, page, number))
        more = trajectory.files(recipe, 1, slice(position, position + 1))
        save(number, encode_png(image, recipe), more)

    for _ in beside(iter(trajectory.advance, False), bar):
        bar.update(len(numbers))
    for _ in beside(map(finish, range(len(numbers))), bar):
        pass
    return remark(diffusion, run.images())
