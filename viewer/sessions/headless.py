"""Results written without a screen: with progress, each file whole or not at all."""

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from tqdm import tqdm

from trainer.contract.errors import ImageError
from trainer.contract.files import make_folder
from trainer.contract.text import printable
from viewer.files.inputs import FILM_SUFFIXES, photo_size
from viewer.files.results import SUFFIXES
from viewer.worker import Worker

_LOOK_SECONDS: Final = 0.02  # between looks at the worker
_BAR_SECONDS: Final = 1.0  # between two looks of a bar while nothing is finished

Made = TypeVar("Made")


def readable(paths: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """Height and width of the images that can be read; a line on each other one. Raises ``ImageError`` for none."""
    sizes: dict[Path, tuple[int, int]] = {}
    for path in paths:
        try:
            sizes[path] = photo_size(path)
        except ImageError as error:
            if len(paths) == 1:
                raise
            tqdm.write(f"skipped {printable(str(error), 1000)}", file=sys.stderr)
    if not sizes:
        raise ImageError(f"none of {len(paths)} files is an image that can be used")
    return sizes


def beside(results: Iterator[Made], bar: "tqdm[Any] | None" = None) -> Iterator[Made]:
    """The same results, made in another thread: so that Ctrl-C is heard at once, whatever native code does. A ``bar``
    goes on to count the time meanwhile."""
    shown = time.monotonic()
    worker: Worker[None, Made] = Worker(lambda _: results)
    try:
        worker.ask(None)
        while worker.busy:
            worker.wait(_LOOK_SECONDS)
            for answer in worker.take():
                yield answer.get()
            if bar is not None and time.monotonic() - shown > _BAR_SECONDS:
                shown = time.monotonic()
                bar.refresh()
    finally:
        worker.close()


def made_folder(folder: Path) -> Path:
    """The folder, made where it is missing. Raises ``UserError``, also where its name is that of an image."""
    if folder.suffix.lower() in (*SUFFIXES, *FILM_SUFFIXES) and not folder.is_dir():
        raise ImageError(f"{folder}: ends in {folder.suffix!r} as one file does, expected a folder")
    make_folder(folder)
    return folder
