"""The images that tools read and write, in files and in sets, and how they become squares."""

import glob
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.files import any_case, check_free, make_folder, output, real
from trainer.contract.images import FITS, Fit, crop, files_in, fit_note
from trainer.contract.levels import Levels
from trainer.contract.options import flag
from trainer.contract.text import printable
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources._threads import say, say_counts
from trainer.data.sources.base import ImageSource
from trainer.data.sources.folder import FolderImages
from trainer.data.sources.npy_set import check_set
from trainer.data.tools import ToolOptions

FIT_FLAGS = "--pad or --stretch for another way"
Item = Path | np.ndarray
"""An image file, or an image u8 [h, w, c] RGB or grey."""


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


@dataclass(kw_only=True)
class Inputs:
    """Images that a tool takes one by one: files, or those of a set."""

    items: Iterable[Item]
    files: Sequence[Path] = ()
    count: int  # of a set there may turn out to be fewer
    channels: int = 3
    sidecar: Sidecar  # what is known before they are read
    labels: list[int] = field(default_factory=list)  # of a set, as it is read

    @classmethod
    def of_files(cls, files: Sequence[Path]) -> "Inputs":
        """Files, which are called by their places below the folder that they all lie in, with slashes."""
        places = [Path(os.path.abspath(file)) for file in files]  # noqa: PTH100  (links are not followed)
        root = os.path.commonpath([place.parent for place in places])
        names = tuple(place.relative_to(root).as_posix() for place in places)
        return cls(items=files, files=files, count=len(files), sidecar=Sidecar(names=names))

    @classmethod
    def of_set(cls, source: ImageSource) -> "Inputs":
        """The images of a set, which come once."""
        labels: list[int] = []

        def items() -> Iterator[Item]:
            for images, numbers in source.pieces():
                labels.extend([] if numbers is None else numbers.tolist())
                yield from images

        count, _, _, channels = source.shape
        return cls(items=items(), count=count, channels=channels, sidecar=source.sidecar, labels=labels)

    def title(self, number: int, _: object = None) -> str:
        """What to call an image in a message."""
        if self.files:
            return str(self.files[number])
        return f"image {number}" + (f", {self.sidecar.names[number]}" if self.sidecar.names else "")

    def known(self, kept: Sequence[int]) -> Sidecar:
        """What is known of some of the images, once they have been read."""
        labels = np.array(self.labels, np.int64) if self.labels else self.sidecar.labels
        return replace(self.sidecar, labels=labels).take(np.array(kept))


def look_at(files: Sequence[Path], values: str) -> Levels:
    """What the values of image files mean; said, where that was a guess."""
    images = FolderImages(files, (0, 0), crop)
    if files:
        images.look(values, f"{len(files):,} files")
    return images.levels


def find(inputs: Sequence[str], output: Path | None = None, required: bool = True) -> list[Path]:
    """The files of some inputs but for ``output``, and for what lies below it: each once, in the order of the inputs,
    sorted within a pattern. Raises ``UserError`` where there is none, if they are ``required``."""
    found: dict[Path, None] = {}
    junk: list[Path] = []
    for pattern in inputs:
        path = Path(pattern)
        if os.path.isdir(path):  # noqa: PTH112  (Path.is_dir raises for a name that is too long)
            results = real(output) if output and output.is_dir() and real(output) != real(path) else None
            found.update(
                (file, None) for file in files_in(path, junk) if not results or results not in real(file).parents
            )
        elif os.path.lexists(path) or not glob.has_magic(pattern):
            found[path] = None
        else:
            matches = sorted(glob.glob(any_case(pattern), recursive=True))  # noqa: PTH207  (Path.glob takes no absolute pattern)
            if not matches:
                say(f"nothing matches {pattern}")
            found.update((match, None) for name in matches if not (match := Path(name)).is_dir() or "**" not in pattern)
    if output is not None:
        found.pop(output, None)
    if junk:
        say_counts(" ".join(inputs), len(found), len(found) + len(junk), {"of the system": [one.name for one in junk]})
    if required and not found:
        raise UserError(f"no file matches {' '.join(map(printable, inputs))}")
    return list(found)


def check_set_or_folder(path: Path, force: bool, inputs: Iterable[Path] = ()) -> None:
    """Raise ``UserError`` early where ``path`` can be neither a .npy file to write nor a folder to write to."""
    if path.suffix.lower() == ".npy":
        check_set(path, force, inputs)
    elif path.exists() and not path.is_dir():
        raise UserError(f"the output is {path}, a file, expected a name that ends in .npy, or a folder")


def check_targets(targets: Iterable[Path], inputs: Iterable[Path], force: bool) -> None:
    """Raise ``UserError`` early for what would be written twice, or replace an input, or anything without ``force``."""
    sources, taken = set(map(real, inputs)), set[Path]()
    for target in targets:
        if target in taken:
            raise UserError(f"{target} would be written twice, expected other names or another --jitter")
        if real(target) in sources:
            raise UserError(f"{target}: would take the place of an input; choose another --output")
        if target.parent.exists():
            check_free(target, force)
        taken.add(target)


def write_file(path: Path, data: bytes, force: bool) -> None:
    """Write a file, and the folders above it. Raises ``UserError``."""
    make_folder(path.parent)
    with output(path, force) as file:
        file.write(data)


def write_png(path: Path, image: np.ndarray, force: bool) -> None:
    """Write an image u8 [h, w, 3] RGB or [h, w, 1], and the folders above it. Raises ``UserError``."""
    write_file(path, encode_png(cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.shape[2] == 3 else image), force)


def encode_png(image: np.ndarray) -> bytes:
    """A PNG of an image u8 [h, w, 3] BGR or [h, w, 1], as OpenCV has them."""
    return cv2.imencode(".png", image)[1].tobytes()


def stems_of(names: Sequence[str]) -> list[str]:
    """The names of images without their folders and endings, fit for names of files."""
    return [re.sub(r"[^\w.-]+", "_", Path(name).stem)[:80].lstrip(".") for name in names]


def numbered_stems(names: Sequence[str], numbers: Sequence[int], count: int, own: str) -> list[str]:
    """What to call files of some images of a set of ``count``: by their names, else by that of the set, and numbers."""
    stems = stems_of(names) or [""] * len(numbers)
    digits = len(str(count - 1))
    return [f"{stem or own}-{number:0{digits}}" for stem, number in zip(stems, numbers, strict=True)]
