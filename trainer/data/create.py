"""Make one .npy file, u8 [n, size, size, 3] RGB, of picture files or of a packed set.

Patterns may be quoted, and '**' looks into all folders below; a folder means all files in and below it. Pictures are
stretched to a square, or with --keep-aspect fitted into it with their edges repeated outwards. A file that cannot be
used is named and left out; the exit code is 2 only when there was no usable one. A packed set (idx as MNIST's,
CIFAR-10's binary folder, parquet, hub:OWNER/NAME) keeps its size unless told otherwise, idx its one channel; its labels
are written beside the pictures.

    python -m trainer.data create 'cats/*.jpg' more-cats/ -o cats.npy --size 128
    python -m trainer.data create mnist/ -o mnist.npy
"""

import argparse
import glob
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from trainer.config import UserError, require
from trainer.data.formats import open_packed
from trainer.data.npy import Writer, check_free, check_output, output, printable, write_facts
from trainer.data.packed import Packed
from trainer.data.pictures import Unreadable, files_in, load
from trainer.data.threads import in_threads


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "inputs", nargs="+", metavar="PATTERN", help="picture files, quoted patterns, folders; or one set"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .npy file to write")
    parser.add_argument("--size", type=int, help="side of the pictures in pixels (128, or that of a packed set)")
    parser.add_argument("--keep-aspect", action="store_true", help="pad by repeating the edge instead of stretching")
    parser.add_argument("--exact", action="store_true", help="decode all at full size: slower, and 1 of 255 closer")
    parser.add_argument("--workers", type=int, default=0, help="pictures decoded at once (0: one a core)")
    parser.add_argument("--force", action="store_true", help="replace an output that exists")


def run(arguments: argparse.Namespace) -> int:
    """Create the file; returns the exit code."""
    require(arguments.size is None or 1 <= arguments.size <= 4096, "size", arguments.size, "1 to 4096")
    require(0 <= arguments.workers <= 256, "workers", arguments.workers, "0 to 256")
    path: Path = arguments.output
    check_output(path, arguments.force)
    if len(arguments.inputs) == 1:
        packed = open_packed(arguments.inputs[0], arguments.size or 0, arguments.keep_aspect)
        if packed is not None:
            return write_packed(packed, path, arguments.force)
    size = arguments.size or 128
    files = find(arguments.inputs, path)
    if not files:
        raise UserError(f"no file matches {' '.join(printable(pattern) for pattern in arguments.inputs)}")
    skipped = 0
    with output(path, arguments.force) as file, Writer(file, (size, size, 3)) as writer:
        pictures = decode_all(files, size, arguments.keep_aspect, arguments.exact, arguments.workers)
        for source, picture in tqdm(pictures, "pictures", len(files), unit="file", disable=None):
            if isinstance(picture, str):
                skipped += 1
                tqdm.write(f"skipped {printable(source)}: {picture}", file=sys.stderr)
            else:
                writer.append(picture)
        if not writer.count:
            raise UserError(f"none of the {len(files)} files is a readable picture; nothing was written")
    note_older(path.with_suffix(".factors.json"), path.with_suffix(".json"))
    print(f"{printable(path)}: {writer.count} pictures of {size}x{size} px, {skipped} skipped")
    return 0


def note_older(*sides: Path) -> None:
    """Say which files of labels were there before the pictures beside them."""
    for side in sides:
        if side.exists():
            note = f"note: {printable(side)} is older than the pictures beside it; its labels may not fit"
            tqdm.write(note, file=sys.stderr)


def write_packed(packed: Packed, path: Path, force: bool) -> int:
    """Write a packed set, and its labels to ``<stem>.json``; returns the exit code."""
    beside = path.with_suffix(".json")
    if packed.classes:
        check_free(beside, force)
    labels: list[int] = []
    count, height, width, channels = packed.shape
    with output(path, force) as file, Writer(file, (height, width, channels)) as writer:
        with tqdm(total=count, desc="pictures", unit="picture", disable=None) as bar:
            for images, numbers in packed.pieces():
                writer.append(images)
                labels += [] if numbers is None else numbers.tolist()
                bar.update(len(images))
        if not writer.count:
            raise UserError(f"{printable(packed.name)} holds no readable picture; nothing was written")
    if labels:
        write_facts(beside, {"classes": packed.classes, "labels": labels}, force)
        note_older(path.with_suffix(".factors.json"))
    else:
        note_older(path.with_suffix(".factors.json"), beside)
    kind = f"labels of {len(packed.classes)} classes in {printable(beside)}" if labels else "no labels"
    print(f"{printable(path)}: {writer.count} pictures of {width}x{height} px, {channels} channel(s), {kind}")
    return 0


def find(inputs: Iterable[str], output: Path) -> list[Path]:
    """The files that names, patterns and folders stand for: each once, in the order given, sorted within a pattern."""
    found: dict[Path, None] = {}
    for pattern in inputs:
        path = Path(pattern)
        if path.is_dir():
            found.update(dict.fromkeys(files_in(path)))
        elif os.path.lexists(path) or not glob.has_magic(pattern):
            found[path] = None
        else:
            matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  (Path.glob takes no absolute pattern)
            if not matches:
                print(f"nothing matches {printable(pattern)}", file=sys.stderr)
            found.update((match, None) for name in matches if not (match := Path(name)).is_dir() or "**" not in pattern)
    found.pop(output, None)
    return list(found)


def decode_all(
    files: Iterable[Path], size: int, keep_aspect: bool, exact: bool = False, workers: int = 0
) -> Iterator[tuple[Path, np.ndarray | str]]:
    """Each file, in order, with its picture u8 [size, size, 3] or why it is left out."""

    def one(path: Path) -> np.ndarray | str:
        try:
            return load(path, size, size, keep_aspect, exact)
        except Unreadable as error:
            return str(error)

    return in_threads(files, one, workers)
