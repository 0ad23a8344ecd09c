"""The image files that names, patterns and folders stand for."""

import glob
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from trainer.contract.errors import UserError
from trainer.contract.images import files_in
from trainer.contract.text import printable


def find(inputs: Sequence[str], output: Path = Path(), required: bool = True) -> list[Path]:
    """The files of some inputs but for ``output``: each once, in the order of the inputs, sorted within a pattern.
    Raises ``UserError`` where there is none, if they are ``required``."""
    found: dict[Path, None] = {}
    for pattern in inputs:
        path = Path(pattern)
        if os.path.isdir(path):  # noqa: PTH112  (Path.is_dir raises for a name that is too long)
            found.update(dict.fromkeys(files_in(path)))
        elif os.path.lexists(path) or not glob.has_magic(pattern):
            found[path] = None
        else:
            matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  (Path.glob takes no absolute pattern)
            if not matches:
                print(f"nothing matches {printable(pattern)}", file=sys.stderr)
            found.update((match, None) for name in matches if not (match := Path(name)).is_dir() or "**" not in pattern)
    found.pop(output, None)
    if required and not found:
        raise UserError(f"no file matches {' '.join(map(printable, inputs))}")
    return list(found)


def names_of(files: Sequence[Path]) -> list[str]:
    """What to call each of some files: its place below the folder that they all lie in, with slashes."""
    if not files:
        return []
    places = [Path(os.path.abspath(file)) for file in files]  # noqa: PTH100  (links are not followed)
    root = os.path.commonpath([place.parent for place in places])
    return [place.relative_to(root).as_posix() for place in places]
