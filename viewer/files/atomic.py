"""Files that are written whole or not at all: under a partial name, hidden, until the disk holds all of them."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LONGEST: Final = 40  # letters of its file's name in a partial one: names have at most 255 bytes

_partial: Final[set[Path]] = set()  # under way, in any thread


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet. Raises ``FileExistsError``, ``OSError``; nothing is left behind then."""
    with partial_of(path) as partial:
        _write(partial, data)
        put_in_place(partial, path)


def write_over(path: Path, data: bytes) -> None:
    """Write a file in place of the one that may be there. Raises ``OSError``; the old one is left as it was then."""
    with partial_of(path) as partial:
        _write(partial, data)
        partial.replace(path)


@contextlib.contextmanager
def partial_of(path: Path, suffix: str = ".part") -> Iterator[Path]:
    """Where a file can lie while it is being written; what still lies there at the end is removed.

    ``suffix``: for whoever tells kinds of files by it; else nobody who looks for images finds this one.
    """
    partial = path.with_name(f".{path.name[:_LONGEST]}.{os.getpid()}.{threading.get_ident()}{suffix}")
    _partial.add(partial)
    try:
        partial.unlink(missing_ok=True)  # a kill's, which may be another name of a whole file: not to be written to
        yield partial
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        _partial.discard(partial)


def put_in_place(partial: Path, path: Path) -> None:
    """Give a whole file its name. Raises ``FileExistsError`` where there is another one, and ``OSError``."""
    try:
        os.link(partial, path)  # at once, and never over another file, as a rename would be
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        partial.rename(path)


def abandon() -> None:
    """Remove what lies under partial names: the program ends in the middle of it."""
    for partial in list(_partial):
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    """Write a file to the disk itself: a name that outlives a power cut must not be one of an empty file."""
    with path.open("xb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[os.write(file.fileno(), view) :]
        os.fsync(file.fileno())
