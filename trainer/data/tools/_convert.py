"""Image files made of image files, one of each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path

import numpy as np

from trainer.contract.errors import UserError, fail
from trainer.contract.headers import Header, read_header
from trainer.contract.images import read_bytes
from trainer.contract.options import argument, flag
from trainer.data.sources._threads import say, usable
from trainer.data.sources.folder import named
from trainer.data.tools import ForceOption, ValuesOption, WorkersOption
from trainer.data.tools._files import check_targets, encode_png, find, look_at, write_file

Change = Callable[[bytes, Header], np.ndarray]
"""A file's bytes and its header → the new image as OpenCV writes it. Raises ``Unreadable``."""


@dataclass(frozen=True, kw_only=True)
class ConvertOptions(ValuesOption, WorkersOption, ForceOption):
    """Options of tools that make an image file of each image file."""

    inputs: Sequence[str] = argument("folders, quoted patterns, or image files", metavar="IN")
    output: Path = flag("folder to write to", "-o", "--output", default=MISSING, metavar="OUT")


def convert_all(options: ConvertOptions, change: Change) -> tuple[int, int]:
    """``convert`` all inputs; how many were written, and how many were left out."""
    targets, skipped = plan(options.inputs, options.output, options.force)
    written = sum(1 for _ in convert(targets, change, options))
    return written, skipped + len(targets) - written


def plan(inputs: Sequence[str], folder: Path, force: bool) -> tuple[dict[Path, Path], int]:
    """Where each image's result goes: source → target in ``folder``, by its place in the folder that was named; and
    how many were left out, with a line on each, since another of the same name goes there. Raises ``UserError`` where
    there is no file, and where a result cannot be written."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file, expected a folder to write to")
    roots = [Path(name) for name in inputs if Path(name).is_dir()]
    sources: dict[Path, Path] = {}
    skipped = 0
    files = find(inputs, folder)
    for path in files:
        root = next((root for root in roots if root in path.parents), path.parent)
        target = (folder / path.relative_to(root)).with_suffix(".png")
        if sources.setdefault(target, path) != path:
            say(f"skipped {path}: {sources[target]} has the same name")
            skipped += 1
    check_targets(sources, files, force)
    return {path: target for target, path in sources.items()}, skipped


def convert(targets: Mapping[Path, Path], change: Change, options: ConvertOptions) -> Iterator[Path]:
    """Write the PNG that ``change`` makes of each source to its target; files that cannot be used are named and left
    out. Gives each source whose result is safely on the disk. Raises ``UserError`` where there is none."""
    levels = look_at(list(targets), options.values)

    def make(path: Path) -> bytes:
        data = read_bytes(path)
        return encode_png(change(data, levels.on(read_header(data))))

    written = 0
    try:
        for _, path, made in usable(list(targets), make, len(targets), name=named, workers=options.workers):
            write_file(targets[path], made, options.force)
            written += 1
            yield path
    except KeyboardInterrupt:
        fail(f"interrupted: {written} of {len(targets)} were written, each whole", 130)
    if not written:
        raise UserError(f"none of the {len(targets)} files is a readable image; nothing was written")
