"""Fingerprints of data sets, without reading all of them: a resumed run is to have the same images. No torch."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from trainer.contract.images import is_junk
from trainer.data.sources._layout import training_part
from trainer.data.sources._sidecar import sampled
from trainer.data.sources.base import FoundSource

BLOCKS = 32  # of a file that are looked at, spread over it
LABELS = 1_000_000  # that are looked at, spread over all
SIZES = 4096  # of a folder's files that are asked for, spread over it: each takes the system some microseconds
# What lies beside images and changes without them.
BESIDE = (".json", ".jsonl", ".txt", ".md", ".csv", ".html", ".log", ".db", ".ini", ".py")


def fingerprint(sources: Iterable[FoundSource], labels: np.ndarray | None, without: Path) -> str:
    """A hash of the labels, and of the sets that options name, but for what lies below the folder ``without``. Of
    folders and shards, names and sizes count; of a file, its size and some blocks; of very many sizes or bytes, some.
    Raises ``UserError``."""
    digest = hashlib.sha256()
    if labels is not None:
        digest.update(labels[:: max(1, len(labels) // LABELS)].tobytes())
    for found in sources:
        for part in getattr(found.source, "identity", of_path)(found.data, os.path.realpath(without)):
            digest.update(part)
    return digest.hexdigest()[:16]


def of_path(data: str, without: str) -> Iterator[bytes]:
    """What a file or a folder is known by."""
    if os.path.isdir(data):  # noqa: PTH112  (Path.is_dir raises for a name that is too long)
        folder = os.path.realpath(training_part(Path(data)))
        names = sorted(name[len(folder) :] for name in files_below(folder, without))
        yield "\n".join(names).encode("utf-8", "surrogateescape")
        for name in names[:: max(1, len(names) // SIZES)]:
            yield line("", size_of(folder + name))
    elif os.path.isfile(data):  # noqa: PTH113
        yield from blocks(Path(data))


def of_name(data: str, without: str) -> Iterator[bytes]:
    """Of what is downloaded or drawn, the labels alone count."""
    yield from ()


def files_below(folder: str, without: str) -> Iterator[str]:
    """The files that may be images."""
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    if is_junk(entry.name) or entry.path == without:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif not entry.name.lower().endswith(BESIDE):
                        yield entry.path
        except OSError:  # what cannot be read is no image of the set either
            continue


def blocks(path: Path) -> Iterator[bytes]:
    """The size of a file, its beginning and end, and some blocks between."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            yield line("", size)
            yield from sampled(file, size, BLOCKS)
    except OSError:  # opening the set has named it, or will
        return


def size_of(path: Path | str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116  (of thousands)
    except OSError:
        return -1


def line(name: str, size: int) -> bytes:
    return f"{size} {name}\n".encode("utf-8", "surrogateescape")
