"""Many results written without a screen, so that a night's work can go on after it was interrupted: where each image's
result goes, which were finished before, and what is said of it in the end.

What is there is known by the recipe in its PNG: whatever says nothing, or that it was made of another image, belongs to
somebody else and is never replaced.
"""

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from trainer.contract.errors import ImageError
from trainer.contract.files import make_folder, real
from trainer.contract.headers import Unreadable
from trainer.contract.recipe import chunk, find_recipe
from trainer.contract.text import printable
from viewer.files.png import naming
from viewer.files.results import write_new
from viewer.files.tree import Found
from viewer.sessions.headless import made_folder

_MOST_NAMES: Final = 10_000
_HEAD_BYTES: Final = 1 << 20  # of a PNG, which holds its recipe
_MARKED_BYTES: Final = 1 << 16  # of an image, at either end
_MOST_NAMED: Final = 3  # files, in a line that speaks of many
_OF_FILES: Final = ("model", "file")  # of a recipe: a model that was renamed is the same
_NONE: Final = object()
_END: Final = chunk(b"IEND", b"")

Recipe = Callable[[Path], Mapping[str, Any]]
"""What the result of an image follows from."""


@dataclass(frozen=True, eq=False)
class Job:
    """A result that is to be written."""

    path: Path  # of the image
    target: Path
    recipe: Mapping[str, Any]
    replaces: bool = False  # an older result

    def write(self, data: bytes, beside: Mapping[str, bytes] | None = None) -> None:
        """Write the result, whole or not at all, and what belongs ``beside`` it as ``<stem>-<name>``. Raises
        ``ImageError``."""
        with naming(self.target):
            self.target.parent.mkdir(parents=True, exist_ok=True)
        write_new(self.target, data, replace=self.replaces)
        for name, more in (beside or {}).items():
            write_new(beside_of(self.target, name), more, replace=self.replaces)


def beside_of(target: Path, name: str) -> Path:
    """What belongs to a result, by its name."""
    return target.with_name(f"{target.stem}-{name}")


class Batch:
    """Results of images, below a folder or in the one file that is named.

    One of many that fails is skipped; the only one is an error.
    """

    def __init__(self, found: Found, target: Path, one: bool = False, count: int | None = None) -> None:
        """``one``: ``target`` is the file for the only image. ``count``: of results, where they are made of no images.
        Raises ``UserError``, also for a folder with the name of an image."""
        self.target, self.one = target, one
        self.made = self.before = self.failed = 0
        self.count = len(found.places) if count is None else count
        self.found = found
        self._others: list[tuple[Path, str]] = []  # finished before, with other settings
        self._renamed: list[Path] = []  # results whose name was taken
        for line in found.remarks():
            say(line)
        make_folder(target.parent) if one else made_folder(target)

    def plan(self, recipe: Recipe, force: bool, images: Iterable[Path], beside: Sequence[str] = ()) -> list[Job]:
        """What is to be made of these of the images, PNG files in a folder; those that are finished are counted.

        ``force``: they are made again. ``beside``: names of what belongs to each result. Raises ``ImageError``.
        """
        jobs, taken = [], {real(path) for path in self.found.places}
        for path in images:
            with self.looking():
                known = {**recipe(path), "source": _mark(path)}
                if self.one:
                    jobs.append(self._only(path, known, force))
                    continue
                job, older = self._place(path, known, taken, beside)
                taken.add(real(job.target))
                if older is None or force or not all(beside_of(job.target, name).exists() for name in beside):
                    jobs.append(job)
                    continue
                self.before += 1
                if differing := _differing(older, known):
                    self._others.append((job.target, differing))
        self._renamed = [] if self.one else [job.target for job in jobs if job.target.stem != job.path.stem]
        self._say_plan()
        return jobs

    def _only(self, path: Path, recipe: Mapping[str, Any], force: bool) -> Job:
        if os.path.lexists(self.target):
            if self.target.exists() and self.target.samefile(path):
                raise ImageError(f"{self.target}: is the image itself, expected another file")
            if not force:
                raise ImageError(f"{self.target}: exists already, expected a new file, or --force to replace it")
        return Job(path, self.target, recipe, replaces=force)

    def _place(
        self, path: Path, recipe: Mapping[str, Any], taken: set[Path], beside: Sequence[str]
    ) -> tuple[Job, Mapping[str, Any] | None]:
        """Where a result goes, and the recipe of the whole one that is there. A name that is another file's is left to
        it, and the next number taken. Raises ``ImageError``."""
        folder = self.target / self.found.places.get(path, Path())
        changed: tuple[Job, Mapping[str, Any] | None] | None = None  # a result of this image as it was before
        for target in _names(folder, path.stem):
            if real(target) in taken:
                continue
            if not os.path.lexists(target):
                if any(os.path.lexists(beside_of(target, name)) for name in beside):
                    continue
                found = changed or (Job(path, target, recipe), None)
                break
            older, whole = _older(target)
            if older is None or not _same_image(older, recipe):
                continue
            found = Job(path, target, recipe, replaces=True), older if whole else None
            source = older.get("source", recipe["source"])  # older versions do not say
            if not isinstance(source, dict):
                continue
            if source.get("content") == recipe["source"]["content"]:
                break
            if source.get("place") == recipe["source"]["place"]:
                changed = changed or found
        else:
            raise ImageError(f"{folder}: holds {_MOST_NAMES} files named {path.stem}.png already")
        return found

    def _say_plan(self) -> None:
        if self._renamed:
            verb, names = ("is", "name is") if len(self._renamed) == 1 else ("are", "names are")
            count = len(self._renamed)
            say(f"{count} result{'s' * (count > 1)} {verb} numbered, since the {names} taken: {_named(self._renamed)}")
        if self._others:
            why = ", ".join(sorted({reason for _, reason in self._others})[:_MOST_NAMED])
            count = len(self._others)
            was, it = ("was", "it is") if count == 1 else ("were", "they are")
            named = _named([path for path, _ in self._others])
            left = f"left as {it}: {named}; --force makes all anew"
            say(f"{count} of the finished {was} made otherwise ({why}), and {left}")

    @contextlib.contextmanager
    def trying(self, images: int = 1, job: Job | None = None) -> Iterator[None]:
        """Count these images as made, or as failed where an ``ImageError`` is raised. ``job``: what is written of one
        image."""
        with self.looking(images):
            try:
                yield
            except (KeyboardInterrupt, SystemExit):  # which may come just after the file is there
                self.made += job is not None and _older(job.target) == (_plain(job.recipe), True)
                raise
            self.made += images

    @contextlib.contextmanager
    def looking(self, images: int = 1) -> Iterator[None]:
        """Count these images as failed where an ``ImageError`` is raised."""
        try:
            yield
        except ImageError as error:
            if self.count == 1:
                raise
            self.failed += images
            tqdm.write(f"skipped {printable(str(error), 1000)}", file=sys.stderr)

    @contextlib.contextmanager
    def going(self) -> Iterator[None]:
        """Say in the end what there is; after Ctrl-C, what to do next. Raises ``ImageError`` where there is nothing."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            left = self.count - self.made - self.before - self.failed
            say(f"stopped: {self._counts()}, {left} to come; all that is there is whole, the same command goes on")
            raise
        if not self.made + self.before:
            raise ImageError(f"none of {self.count} files could be used; nothing was written")
        print(f"{printable(str(self.target))}: {self._counts()}")

    def _counts(self) -> str:
        return f"{self.made} made, {self.before} finished before, {self.failed} failed"


def names_one_file(words: Sequence[str], found: Found, target: Path, suffixes: Sequence[str]) -> bool:
    """Whether the target of a command line is the file for its only image, and not a folder. Raises ``ImageError``
    where it is one of another kind."""
    named = found.paths == [Path(words[0])]  # no folder, and no pattern
    if not named or target.is_dir() or target.suffix == "":
        return False
    if target.suffix.lower() not in suffixes:
        raise ImageError(f"{target}: ends in {target.suffix!r}, expected {', '.join(suffixes)}, or a folder")
    return True


def _names(folder: Path, stem: str) -> Iterator[Path]:
    yield folder / f"{stem}.png"
    for number in range(2, _MOST_NAMES):
        yield folder / f"{stem}-{number:04d}.png"


def say(line: str) -> None:
    """A line on stderr, above a progress bar."""
    tqdm.write(printable(line, 1000), file=sys.stderr)


def _named(paths: list[Path]) -> str:
    names = ", ".join(printable(str(path), 200) for path in paths[:_MOST_NAMED])
    return names + ", ..." * (len(paths) > _MOST_NAMED)


def _mark(path: Path) -> dict[str, str]:
    """What tells an image file from others, without reading all of it: its size with a hash of its two ends, and a hash
    of where it is. Raises ``ImageError``."""
    with naming(path):
        if not path.is_file():  # a pipe would wait for someone to write
            raise Unreadable("no such file" if not path.exists() else "not a file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest = hashlib.sha256(file.read(_MARKED_BYTES))
            file.seek(max(size - _MARKED_BYTES, 0))
            digest.update(file.read(_MARKED_BYTES))
    place = hashlib.sha256(os.fsencode(real(path)))
    return {"content": f"{size} bytes {digest.hexdigest()[:16]}", "place": place.hexdigest()[:16]}


def _older(target: Path) -> tuple[Mapping[str, Any] | None, bool]:
    """The recipe of a PNG that is there, ``None`` where it has none, and whether the file is whole."""
    with contextlib.suppress(OSError, Unreadable):
        if target.is_file():
            with target.open("rb") as file:
                recipe = find_recipe(file.read(_HEAD_BYTES))
                size = file.seek(0, os.SEEK_END)
                file.seek(max(size - len(_END), 0))
                return recipe, file.read() == _END
    return None, False


def _same_image(older: Mapping[str, Any], recipe: Mapping[str, Any]) -> bool:
    """Whether a result was made by the same mode of an image of the same name."""
    return all(older.get(key) == _plain(recipe.get(key)) for key in ("mode", *_image_keys(recipe)))


def _image_keys(recipe: Mapping[str, Any]) -> tuple[str, ...]:
    return ("init",) if "init" in recipe else ("image",)


def _differing(older: Mapping[str, Any], recipe: Mapping[str, Any]) -> str:
    """What of two recipes of an image differs, in words; empty where nothing does."""
    keys = [key for key in recipe if key not in (*_OF_FILES, "source") and older.get(key, _NONE) != _plain(recipe[key])]
    keys += [key for key in older if key not in recipe]
    words = ["another model" if key == "sha256" else f"{key} {printable(str(older.get(key)), 40)}" for key in keys]
    if older.get("source", recipe["source"])["content"] != recipe["source"]["content"]:
        words.append("the image has changed")
    return printable(", ".join(words), 200)


def _plain(value: Any) -> Any:
    """As a recipe that is read has it."""
    return json.loads(json.dumps(value))
