"""Files that are written whole or not at all, whatever happens in between."""

import contextlib
import errno
import glob
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_STALE_SECONDS = 3600  # no writer rests for so long: what has not grown since was left behind by a kill


@contextlib.contextmanager
def replacing(path: Path, force: bool = True) -> Iterator[BinaryIO]:
    """Write a file under a temporary name in its folder; on success it takes the place of ``path`` in one step.

    Whatever interrupts the body, the old file stays as it was and the temporary one is removed. Raises ``OSError``;
    without ``force``, ``FileExistsError`` where there is a file by then: nothing is ever overwritten by surprise.
    """
    if path.exists() and not force:
        raise FileExistsError(errno.EEXIST, "exists already", str(path))
    _sweep(path)
    temporary = path.with_name(f".{_short(path.name)}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            yield file
            sync(file)
        if force:
            temporary.replace(path)
        else:
            _take_free_name(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def replace_bytes(path: Path, data: bytes) -> None:
    """Write a file so that a kill at any moment leaves the old one or the whole new one. Raises ``OSError``."""
    with replacing(path) as file:
        file.write(data)


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


def cache() -> Path:
    """Where this program keeps what it can download or find out again."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "utsuroi"


def _take_free_name(temporary: Path, path: Path) -> None:
    """Rename, but never over a file that appeared in the meantime."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, "exists already", str(path)) from None
    except OSError:  # a file system without links
        if path.exists():
            raise FileExistsError(errno.EEXIST, "exists already", str(path)) from None
        temporary.replace(path)


def _short(name: str) -> str:
    """A name to which more can be added: file systems end names at 255 bytes."""
    data = os.fsencode(name)
    return name if len(data) <= 200 else hashlib.sha256(data).hexdigest()


def _sweep(path: Path) -> None:
    """Remove what killed writers of this file have left."""
    for left in path.parent.glob(f".{glob.escape(_short(path.name))}.*.part"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                left.unlink()
