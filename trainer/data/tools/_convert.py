"""What tools share that make an image file of each image file. No torch."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from trainer.contract.errors import UserError
from trainer.contract.headers import Header, Unreadable, read_header
from trainer.contract.images import read_bytes
from trainer.contract.text import printable
from trainer.data.sources.folder import find, real
from trainer.data.sources.npy import check_free, output
from trainer.data.sources.threads import in_threads

Change = Callable[[bytes, Header], np.ndarray]
"""A file's bytes and its header → the new image as OpenCV writes it. Raises ``Unreadable``."""


def plan(inputs: list[str], folder: Path, suffix: str) -> tuple[dict[Path, Path], int]:
    """Where each image's result goes: source → target in ``folder``, by its place in the folder that was named; and
    how many were left out, with a line on each, since another of the same name goes there.

    Raises ``UserError`` where there is no file, or a result would take the place of a source.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{printable(folder)} is a file, expected a folder to write to")
    whole = real(folder)
    targets: dict[Path, Path] = {}
    taken: dict[Path, Path] = {}
    skipped = 0
    for pattern in inputs:
        root = Path(pattern) if Path(pattern).is_dir() else None
        for path in find([pattern], folder):
            if path in targets or (root and whole != real(root) and whole in real(path).parents):
                continue  # named twice, or of an earlier run
            target = (folder / (path.relative_to(root) if root else path.name)).with_suffix(suffix)
            if target in taken:
                print(f"skipped {printable(path)}: {printable(taken[target])} has the same name", file=sys.stderr)
                skipped += 1
                continue
            targets[path], taken[target] = target, path
    if not targets:
        raise UserError(f"no file matches {' '.join(map(printable, inputs))}")
    sources = {real(path) for path in targets}
    for path, target in targets.items():
        if real(target) in sources:
            raise UserError(f"{printable(target)}: would take the place of {printable(path)}; choose another --output")
    return targets, skipped


def make_folder(folder: Path) -> None:
    """Raises ``UserError`` where a folder cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {printable(folder)}: {error.strerror}") from None


def convert(
    targets: Mapping[Path, Path],
    change: Change,
    what: str,
    workers: int,
    force: bool,
    written_one: Callable[[Path], None] = lambda _: None,
) -> int | None:
    """Write the PNG that ``change`` makes of each source to its target. Files that cannot be used are named and left
    out; ``written_one`` is told each source whose result is safely on the disk.

    Returns how many were written, or None where Ctrl-C ended it, which is said. Raises ``UserError``.
    """
    for target in targets.values():
        if target.parent.exists():
            check_free(target, force)

    def make(path: Path) -> bytes | str:
        try:
            data = read_bytes(path)
            image = change(data, read_header(data))
        except Unreadable as error:
            return str(error)
        except (cv2.error, MemoryError):
            return "too large to decode here"
        return cv2.imencode(".png", image)[1].tobytes()

    written = 0
    try:
        made = in_threads(list(targets), make, workers)
        for path, result in tqdm(made, what, len(targets), unit="image", disable=None):
            if isinstance(result, str):
                tqdm.write(f"skipped {printable(path)}: {printable(result)}", file=sys.stderr)
                continue
            make_folder(targets[path].parent)
            with output(targets[path], force) as file:
                file.write(result)
            written += 1
            written_one(path)
    except KeyboardInterrupt:
        print(f"interrupted: {written} of {len(targets)} were written, each whole", file=sys.stderr)
        return None
    return written
