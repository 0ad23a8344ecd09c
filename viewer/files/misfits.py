"""Files that are something else than what was expected: what they are, and what to type. For messages alone."""

import contextlib
import shlex
from collections.abc import Container
from pathlib import Path
from typing import Final

from trainer.contract.errors import UserError
from trainer.contract.formats import Found
from trainer.contract.headers import Unreadable
from trainer.contract.recipe import find_recipe
from trainer.contract.recognise import recognise, runs_in
from trainer.contract.run_folder import is_run

A_MODEL: Final = "an ONNX model"
_LEVELS: Final = 3  # at most, between a run and the files of its checkpoints
_MOST_BYTES: Final = 1 << 26  # of an image whose recipe is looked for


def misfit(path: Path, expected: str, found: Found | None) -> str:
    """What is there instead of what was ``expected``, and the way out; empty where its bytes do not tell."""
    if found is None:
        return ""
    way = way_out(path, found)
    if found.kind == "image" and expected == A_MODEL:
        way = way or "it goes after a model"
    return f"found {found.what}, expected {expected}{way and f'; {way}'}"


def misfit_of(path: Path, expected: str, but: Container[str] = ()) -> str:
    """``misfit`` of whatever is there; empty where nothing tells, it cannot be read, or is of a kind in ``but``."""
    with contextlib.suppress(OSError, ValueError):
        found = recognise(path)
        return "" if found is None or found.kind in but else misfit(path, expected, found)
    return ""


def way_out(path: Path, found: Found) -> str:
    """What to do with what was found, in words; empty where nothing here can do anything with it."""
    file, opens = _quoted(path), f"python -m viewer {_quoted(path)} opens it"
    match found.kind:
        case "run":
            return f"export it first: python -m export {file} -o {_named(path)}"
        case "runs":
            one = runs_in(path)[0]
            return f"export one of them: python -m export {_quoted(one)} -o {_named(one)}"
        case "weights" | "folder" if (run := next(filter(is_run, path.parents[:_LEVELS]), None)) is not None:
            return f"export its run: python -m export {_quoted(run)} -o {_named(run)}"
        case "weights":
            return f"python -m export {file} -o {_named(path)} makes one of weights that it knows"
        case "images" | "model":
            return opens
        case "set" | "folder":
            return opens if is_set(str(path)) else found.way_out
        case "image":
            return opens if has_recipe(path) else ""
        case _:
            return found.way_out


def has_recipe(path: Path) -> bool:
    """Whether an image says what it was made from. A very large one is not looked at."""
    with contextlib.suppress(OSError, Unreadable):
        return path.stat().st_size <= _MOST_BYTES and find_recipe(path.read_bytes()) is not None
    return False


def is_set(name: str) -> bool:
    """Whether a file, a folder that holds more than images, or a name such as ``hub:...`` is a set of images, by a
    look."""
    from trainer.data.sources import find_source

    with contextlib.suppress(UserError):
        found = find_source(name)
        return found is not None and found.kind != "folder"
    return False


def _named(path: Path) -> str:
    """What an export is to be called."""
    real = path.resolve()
    return _quoted(Path(f"{real.name if real.is_dir() else real.stem}.onnx"))


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
