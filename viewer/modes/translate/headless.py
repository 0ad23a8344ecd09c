"""Translating without a screen: images, with progress, each written whole or not at all."""

from tqdm import tqdm

from viewer.files.inputs import Photo, read_photo
from viewer.files.results import encode, free_name, write_new
from viewer.modes.translate.options import Options
from viewer.modes.translate.session import make, open_inputs, recipe_of
from viewer.sessions.headless import Tally, beside, made_folder
from viewer.sessions.replay import signed


def write(options: Options) -> None:
    """Write the result of every image to ``<folder>/<stem>.png``. Raises ``UserError``."""
    paths, translator, state = open_inputs(options)
    folder = made_folder(options.output or options.out)
    tally = Tally(len(paths))
    with tqdm(total=len(paths), desc="translate", unit="image", disable=None) as bar:
        for path in paths:
            with tally.trying():
                photo = read_photo(path).on_white()
                (made,) = beside(make(translator, one, state) for one in [photo])
                recipe = signed(translator.model, recipe_of(translator, state, path))
                write_new(free_name(folder, path.stem, ".png"), encode(made.results[0], Photo(photo), ".png", recipe))
            bar.update()
    tally.say(folder)
