"""Translating without a screen: images, with progress, each written whole or not at all."""

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from trainer.contract.errors import ImageError
from viewer.files.inputs import Photo, read_photo
from viewer.files.results import encode, free_name, write_new
from viewer.modes.translate.session import Wanted, make, recipe_of
from viewer.sessions.headless import beside, made_folder, readable, say_written, signed, skip_or_stop
from viewer.sessions.translation import Translator


def translate_files(translator: Translator, wanted: Wanted, paths: Sequence[Path], folder: Path) -> None:
    """Write the result of every image to ``<folder>/<stem>.png``. Raises ``ImageError`` where none can be read."""
    paths = list(readable(paths))
    folder = made_folder(folder)
    written = 0
    with tqdm(total=len(paths), desc="translate", unit="image", disable=None) as bar:
        for path in paths:
            try:
                photo = read_photo(path).on_white()
                (made,) = beside(make(translator, one, wanted) for one in [photo])
                recipe = signed(translator.model, recipe_of(translator, wanted, path))
                write_new(free_name(folder, path.stem, ".png"), encode(made.results[0], Photo(photo), ".png", recipe))
                written += 1
            except ImageError as error:
                skip_or_stop(error, len(paths))
            bar.update()
    say_written(written, len(paths), folder)
