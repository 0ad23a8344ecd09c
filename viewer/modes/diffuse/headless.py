"""Images out of noise without a screen: every one of a page, or of many photographs, with progress."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tqdm import tqdm

from viewer.files.png import encode_png, save_numbered
from viewer.files.results import free_name, write_new
from viewer.modes.diffuse.options import Options
from viewer.modes.diffuse.replay import recipe_of
from viewer.modes.diffuse.session import begin, page_of
from viewer.modes.diffuse.trajectory import Trajectory
from viewer.sessions.headless import Tally, beside, made_folder
from viewer.sessions.replay import signed
from viewer.sessions.sampling import Diffusion, Page


def write(options: Options) -> None:
    """Write all images of a page, and none over another file: what is made of photographs keeps their names, other
    images are numbered. Raises ``UserError``."""
    diffusion, state, _ = begin(options)
    page = page_of(state)
    if state.photos:  # all of them, whatever fits on a page; of one class
        classes, photos = replace(state.classes, by_row=False), tuple(range(state.photos))
        page = replace(page, rows=state.photos, columns=1, classes=classes, photos=photos)
    folder = made_folder(options.output or options.out)
    tally = Tally(len(page.numbers))
    with tqdm(total=len(page.numbers) * diffusion.steps_of(page), desc="diffuse", unit="step", disable=None) as bar:
        for numbers in diffusion.groups_of(page, page.numbers):
            bar_end = bar.n + len(numbers) * diffusion.steps_of(page)
            with tally.trying(len(numbers)):
                _make(diffusion, page, numbers, options, bar)
            bar.update(bar_end - bar.n)
    tally.say(folder)


def _make(diffusion: Diffusion, page: Page, numbers: Sequence[int], options: Options, bar: "tqdm[Any]") -> None:
    """Make and write images. Raises ``UserError``."""
    run, folder = diffusion.begin(page, numbers), options.output or options.out
    trajectory = Trajectory(run, options.keep_steps)

    def save(position: int) -> None:
        number, image = numbers[position], run.images()[position]
        recipe = signed(diffusion.denoiser.model, recipe_of(diffusion, page, number))
        data, more = encode_png(image, recipe), trajectory.files(recipe, 1, slice(position, position + 1))
        if not page.photos:
            save_numbered(folder, diffusion.denoiser.model.name, data, more)
            return
        target = free_name(folder, diffusion.photos[page.photos[number]].stem, ".png")
        write_new(target, data)
        for ending, other in more.items():
            write_new(target.with_name(f"{target.stem}-{ending}"), other)

    for _ in beside(iter(trajectory.advance, False)):
        bar.update(len(numbers))
    for _ in beside(map(save, range(len(numbers)))):
        pass
