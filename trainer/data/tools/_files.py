"""The image files that tools read and write, and how they become squares."""

import glob
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.files import any_case, output
from trainer.contract.images import FITS, Fit, crop, files_in, fit_note
from trainer.contract.options import flag
from trainer.contract.text import printable
from trainer.data.sources._threads import say
from trainer.data.sources.npy_set import check_set
from trainer.data.tools import ToolOptions

FIT_FLAGS = "--pad or --stretch for another way"


@dataclass(frozen=True, kw_only=True)
class FitOption(ToolOptions):
    """Options of tools that bring images to squares: what is left open crops them to their middle."""

    pad: bool = flag("keep all of an image, its edges repeated", "--pad", "--keep-aspect", default=False)
    stretch: bool = flag("keep all of an image, distorted", default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pad and self.stretch:
            raise UserError("--pad and --stretch exclude each other: expected one of them")

    @property
    def fit(self) -> Fit:
        """How images are brought to a square."""
        return FITS["pad" if self.pad else "stretch" if self.stretch else "crop"]


def print_fit(sizes: Mapping[tuple[int, int], int], fit: Fit) -> None:
    """Say what became of so many image files of each size (h, w) that were no squares."""
    note = fit_note(sizes, fit)
    if note:
        print(printable(f"{note} ({FIT_FLAGS})" if fit is crop else note))


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
            matches = sorted(glob.glob(any_case(pattern), recursive=True))  # noqa: PTH207  (Path.glob takes no absolute pattern)
            if not matches:
                say(f"nothing matches {pattern}")
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


def check_set_or_folder(path: Path, force: bool, inputs: Iterable[Path] = ()) -> None:
    """Raise ``UserError`` early where ``path`` can be neither a .npy file to write nor a folder to write to."""
    if path.suffix.lower() == ".npy":
        check_set(path, force, inputs)
    elif path.exists() and not path.is_dir():
        raise UserError(f"the output is {path}, a file, expected a name that ends in .npy, or a folder")


def write_png(path: Path, image: np.ndarray, force: bool) -> None:
    """Write an image u8 [h, w, 3] RGB or [h, w, 1]. Raises ``UserError``."""
    with output(path, force) as file:
        file.write(encode_png(cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.shape[2] == 3 else image))


def encode_png(image: np.ndarray) -> bytes:
    """A PNG of an image u8 [h, w, 3] BGR or [h, w, 1], as OpenCV has them."""
    return cv2.imencode(".png", image)[1].tobytes()


def file_stem(name: str) -> str:
    """The name of an image without its folder and ending, fit for the name of a file."""
    return re.sub(r"[^\w.-]+", "_", Path(name).stem)[:80].lstrip(".")
