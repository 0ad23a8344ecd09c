"""Image files made of image files, one of each."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.files import check_free, make_folder, output, real
from trainer.contract.headers import Header, read_header
from trainer.contract.images import read_bytes
from trainer.contract.options import argument, flag
from trainer.contract.text import printable
from trainer.data.sources._threads import say, usable
from trainer.data.sources.folder import named
from trainer.data.tools import ForceOption, WorkersOption
from trainer.data.tools._files import encode_png, find

Change = Callable[[bytes, Header], np.ndarray]
"""A file's bytes and its header → the new image as OpenCV writes it. Raises ``Unreadable``."""


@dataclass(frozen=True, kw_only=True)
class ConvertOptions(WorkersOption, ForceOption):
    """Options of tools that make an image file of each image file."""

    inputs: Sequence[str] = argument("folders, quoted patterns, or image files", metavar="IN")
    output: Path = flag("folder to write to", "-o", "--output", default=MISSING, metavar="OUT")


def convert_all(options: ConvertOptions, change: Change) -> tuple[int, int]:
    """``convert`` all inputs; how many were written, and how many were left out."""
    targets, skipped = plan(options.inputs, options.output)
    written = convert(targets, change, options)
    return written, skipped + len(targets) - written


def plan(inputs: Sequence[str], folder: Path, suffix: str = ".png") -> tuple[dict[Path, Path], int]:
    """Where each image's result goes: source → target in ``folder``, by its place in the folder that was named; and
    how many were left out, with a line on each, since another of the same name goes there.

    Raises ``UserError`` where there is no file, or a result would take the place of a source."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file, expected a folder to write to")
    whole = real(folder)
    targets: dict[Path, Path] = {}
    taken: dict[Path, Path] = {}
    skipped = 0
    for pattern in inputs:
        root = Path(pattern) if Path(pattern).is_dir() else None
        for path in find([pattern], folder, required=False):
            if path in targets or (root and whole != real(root) and whole in real(path).parents):
                continue  # named twice, or of an earlier run
            target = (folder / (path.relative_to(root) if root else path.name)).with_suffix(suffix)
            if target in taken:
                say(f"skipped {path}: {taken[target]} has the same name")
                skipped += 1
                continue
            targets[path], taken[target] = target, path
    if not targets:
        raise UserError(f"no file matches {' '.join(map(printable, inputs))}")
    sources = {real(path) for path in targets}
    for path, target in targets.items():
        if real(target) in sources:
            raise UserError(f"{target}: would take the place of {path}; choose another --output")
    return targets, skipped


def convert(
    targets: Mapping[Path, Path], change: Change, options: ConvertOptions, then: Callable[[Path], None] | None = None
) -> int:
    """Write the PNG that ``change`` makes of each source to its target. Files that cannot be used are named and left
    out; ``then`` is called with each source whose result is safely on the disk.

    Returns how many were written; Ctrl-C ends the program, saying how many. Raises ``UserError`` where it is none."""
    for target in targets.values():
        if target.parent.exists():
            check_free(target, options.force)

    def make(path: Path) -> bytes:
        data = read_bytes(path)
        return encode_png(change(data, read_header(data)))

    written = 0
    try:
        for _, path, made in usable(list(targets), make, len(targets), name=named, workers=options.workers):
            make_folder(targets[path].parent)
            with output(targets[path], options.force) as file:
                file.write(made)
            written += 1
            if then is not None:
                then(path)
    except KeyboardInterrupt:
        print(f"interrupted: {written} of {len(targets)} were written, each whole", file=sys.stderr)
        raise SystemExit(130) from None
    if not written:
        raise UserError(f"none of the {len(targets)} files is a readable image; nothing was written")
    return written
