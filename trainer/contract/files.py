"""Files that are written whole or not at all: under a hidden, partial name until the disk holds all of them."""

import contextlib
import errno
import glob
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from trainer.contract.errors import UserError

_STALE_SECONDS: Final = 3600  # no writer rests for so long: what has not grown since was left behind by a kill

_partial: Final[set[Path]] = set()  # being written, in any thread
_seeking: Final = threading.Lock()


@contextlib.contextmanager
def replacing(path: Path, force: bool = True) -> Iterator[BinaryIO]:
    """Write a file under a partial name in its folder; on success it takes the place of ``path`` in one step.

    Whatever interrupts the body, the old file stays as it was and the partial one is removed. Raises ``OSError``;
    without ``force``, ``FileExistsError`` where there is a file by then: nothing is ever overwritten by surprise."""
    with partial_of(path) as partial:
        if not force and path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        with partial.open("xb") as file:
            yield file
            sync(file)
        if force:
            partial.replace(path)
        else:
            put_in_place(partial, path)
    sync_folder(path.parent)


def replace_bytes(path: Path, data: bytes, force: bool = True) -> None:
    """Write a file so that a kill at any moment leaves the old one or the whole new one. Raises as ``replacing``."""
    with replacing(path, force) as file:
        view = memoryview(data)
        while view:
            view = view[os.write(file.fileno(), view) :]


@contextlib.contextmanager
def output(path: Path, force: bool) -> Iterator[BinaryIO]:
    """``replacing`` for a person's file: what goes wrong is a ``UserError`` that names it."""
    try:
        with replacing(path, force) as file:
            yield file
    except FileExistsError:
        raise UserError(f"{path} exists; give --force to replace it") from None
    except OSError as error:  # a full disk, a folder that may not be written to
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None


@contextlib.contextmanager
def reading(path: Path | str) -> Iterator[None]:
    """What goes wrong while a file is read is a ``UserError`` that names it."""
    try:
        yield
    except EOFError:
        raise UserError(f"{path} is cut short") from None
    except OSError as error:  # a name that is too long, a folder that may not be read
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def check_free(path: Path, force: bool) -> None:
    """Raise ``UserError`` where a file cannot be written, or exists already and is not to be replaced."""
    try:
        if not path.parent.is_dir():
            raise UserError(f"there is no folder {path.parent}")
        if path.is_dir():
            raise UserError(f"{path} is a folder, expected the name of a file to write")
        if path.exists() and not force:
            raise UserError(f"{path} exists; give --force to replace it")
    except OSError as error:  # a name that is too long
        raise UserError(f"{path}: {error.strerror}") from None


def make_folder(folder: Path) -> None:
    """Raises ``UserError`` where a folder cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {folder}: {error.strerror}") from None


def any_case(pattern: str) -> str:
    """A pattern of files whose ending stands for its capitals too: ``*.jpg`` as ``*.[jJ][pP][gG]``."""
    start, dot, ending = pattern.rpartition(".")
    if not (dot and ending.isalnum() and ending.isascii()):
        return pattern
    return start + dot + "".join(f"[{c.lower()}{c.upper()}]" if c.isalpha() else c for c in ending)


@contextlib.contextmanager
def partial_of(path: Path, suffix: str = ".part") -> Iterator[Path]:
    """Where a file can lie while it is being written; what still lies there at the end is removed.

    ``suffix``: for whoever tells kinds of files by it; else nobody who looks for images finds this one."""
    name = os.fsencode(path.name)  # to which more can be added: file systems end names at 255 bytes
    start = f".{path.name if len(name) <= 200 else hashlib.sha256(name).hexdigest()}"
    partial = path.with_name(f"{start}.{os.getpid()}.{threading.get_ident()}{suffix}")
    _partial.add(partial)
    try:
        for left in path.parent.glob(f"{glob.escape(start)}.*.part"):  # by killed writers of this file
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                    left.unlink()
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
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        partial.rename(path)


def abandon() -> None:
    """Remove what lies under partial names: the program ends in the middle of it."""
    for partial in list(_partial):
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def sync(file: BinaryIO) -> None:
    """Have the disk hold what was written. Raises ``OSError``, on a full disk for one."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Have a new name in a folder survive a power cut, too, where the system can do that."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        with contextlib.suppress(OSError):  # some file systems cannot
            os.fsync(descriptor)
        os.close(descriptor)


def real(path: Path) -> Path:
    """Where a path leads, through links; links in a circle, which ``Path.resolve`` raises for, lead to themselves."""
    return Path(os.path.realpath(path))


def cache() -> Path:
    """Where this program keeps what it can download or recompute."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "utsuroi"


def read_at(file: BinaryIO, position: int, view: memoryview) -> None:
    """Fill ``view`` from a place in a file, from several threads at once. Raises ``OSError`` and ``EOFError``."""
    while view:
        if hasattr(os, "preadv"):
            count = os.preadv(file.fileno(), [view], position)
        else:
            with _seeking:
                file.seek(position)
                count = file.readinto(view)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        view, position = view[count:], position + count
