"""Results written without a screen: with progress, each file whole or not at all."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from tqdm import tqdm

from trainer.contract.errors import ImageError
from trainer.contract.files import make_folder
from trainer.contract.text import printable
from viewer.files.inputs import FILM_SUFFIXES, photo_size
from viewer.files.results import SUFFIXES
from viewer.worker import Worker

_LOOK_SECONDS: Final = 0.02  # between looks at the worker

Made = TypeVar("Made")


class Tally:
    """Counts what is written of so many inputs. One of many that fails is skipped; the only one is an error."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.written = 0

    @contextmanager
    def trying(self, images: int = 1) -> Iterator[None]:
        """Count these images where no ``ImageError`` is raised."""
        try:
            yield
            self.written += images
        except ImageError as error:
            if self.count == 1:
                raise
            tqdm.write(f"skipped {printable(str(error), 1000)}", file=sys.stderr)

    def say(self, target: Path) -> None:
        """The last line. Raises ``ImageError`` where nothing was written."""
        if not self.written:
            raise ImageError(f"none of {self.count} files could be used; nothing was written")
        left = f", {self.count - self.written} skipped" if self.written < self.count else ""
        print(f"{printable(str(target))}: {self.written} written{left}")


def readable(paths: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """Height and width of the images that can be read; a line on each other one. Raises ``ImageError`` for none."""
    sizes: dict[Path, tuple[int, int]] = {}
    tally = Tally(len(paths))
    for path in paths:
        with tally.trying():
            sizes[path] = photo_size(path)
    if not sizes:
        raise ImageError(f"none of {len(paths)} files is an image that can be used")
    return sizes


def beside(results: Iterator[Made]) -> Iterator[Made]:
    """The same results, made in another thread: so that Ctrl-C is heard at once, whatever native code does."""
    worker: Worker[None, Made] = Worker(lambda _: results)
    try:
        worker.ask(None)
        while worker.busy:
            worker.wait(_LOOK_SECONDS)
            for answer in worker.take():
                yield answer.get()
    finally:
        worker.close()


def made_folder(folder: Path) -> Path:
    """The folder, made where it is missing. Raises ``UserError``, also where its name is that of an image."""
    if folder.suffix.lower() in (*SUFFIXES, *FILM_SUFFIXES) and not folder.is_dir():
        raise ImageError(f"{folder}: ends in {folder.suffix!r} as one file does, expected a folder")
    make_folder(folder)
    return folder
