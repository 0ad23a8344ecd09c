"""The images that words of a command line name, and where below a folder of results each has its place."""

import glob
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trainer.contract import images
from trainer.contract.errors import ImageError
from trainer.contract.files import any_case, real
from trainer.contract.headers import SUFFIXES
from trainer.contract.text import natural, printable

_MOST_KINDS = 6  # of ignored files, that are named


@dataclass(frozen=True)
class Found:
    """Images that words name."""

    places: dict[Path, Path] = field(default_factory=dict)  # each in order, with its folder below that of the results
    ignored: dict[Path, Counter[str]] = field(default_factory=dict)  # of folders: files that are no images, by suffix

    @property
    def paths(self) -> list[Path]:
        """Of the images."""
        return list(self.places)

    def remarks(self) -> list[str]:
        """Of every folder, which of its files are no images."""
        lines = []
        for folder, kinds in self.ignored.items():
            most, total = kinds.most_common(_MOST_KINDS), kinds.total()
            named = ", ".join(f"{count} {printable(kind, 20) or 'without an ending'}" for kind, count in most)
            more = ", ..." if len(kinds) > _MOST_KINDS else ""
            what = "file that is no image" if total == 1 else "files that are no images"
            lines.append(f"{printable(folder, 200)}: ignored {total} {what} ({named}{more})")
        return lines


def find_images(words: Sequence[str], results: Path | None = None) -> Found:
    """The files that words name: files, images in and below folders, and those that match patterns. Each is there once,
    in the order of the words, and within a word by name, 2 before 10.

    ``results``: a folder that results go to, whose own files are not looked for. What lies below a folder, or below
    where a pattern begins to be one, keeps its place; several folders keep their names. Raises ``ImageError`` for a
    folder or pattern without files, and where the results would lie among the images.
    """
    found = Found()
    several = sum(Path(word).is_dir() for word in words) > 1
    for word in words:
        path = Path(word)
        if path.is_dir():
            root, top = path, Path(real(path).name) if several else Path()
            files = _in_folder(found, path, results)
        elif not path.exists() and glob.has_magic(word):
            root, top = _beginning(path), Path()
            files = [one for one in map(Path, glob.glob(any_case(word), recursive=True)) if not one.is_dir()]  # noqa: PTH207
            if not files:
                raise ImageError(f"{word}: no file matches this pattern")
        else:
            root, top, files = path.parent, Path(), [path]
        for file in sorted(files, key=lambda one: natural(str(one))):
            found.places.setdefault(file, top / file.parent.relative_to(root))
    return found


def _in_folder(found: Found, folder: Path, results: Path | None) -> list[Path]:
    """The images in and below a folder; its other files are counted."""
    place, whole = None if results is None else real(results), real(folder)
    if place == whole:
        raise ImageError(f"{folder}: holds the images, and would hold the results, expected another folder after -o")
    inside = place is not None and whole in place.parents
    files, kinds = [], Counter[str]()
    for one in images.files_in(folder):
        if inside and place in real(one).parents:
            continue
        if one.suffix.lower() not in SUFFIXES:
            kinds[one.suffix.lower()] += 1
        elif one.is_file():
            files.append(one)
    if not files:
        raise ImageError(f"{folder}: found no images in this folder ({' '.join(SUFFIXES)})")
    if kinds:
        found.ignored[folder] = kinds
    return files


def _beginning(pattern: Path) -> Path:
    """The folder that a pattern begins with."""
    plain = []
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        plain.append(part)
    return Path(*plain)
