"""Find the runs that folders are or hold."""

from collections.abc import Sequence
from pathlib import Path

from trainer.contract.errors import UserError
from trainer.contract.recognise import recognise
from trainer.contract.run_folder import LOG, is_run, runs_below
from trainer.contract.text import printable
from viewer.modes.watch.options import MOST_RUNS
from viewer.modes.watch.run import RunReader


def find(paths: Sequence[Path]) -> list[Path]:
    """The runs that folders are or hold. Raises ``UserError``."""
    found: dict[Path, Path] = {}
    for path in paths:
        runs = [path] if _is_run(path) else [run for run in runs_below(path) if _is_run(run)]
        if not runs:
            raise UserError(f"{path}: {_what(path)}, expected the folder of a run, or one with runs below it")
        found |= {run.resolve(): run for run in runs}
    if len(found) > MOST_RUNS:
        raise UserError(f"{len(found)} runs, expected {MOST_RUNS} at most: name those that are to be watched")
    return list(found.values())


def _is_run(path: Path) -> bool:
    """Whether a folder is that of a run; its config.json may be damaged."""
    return is_run(path) or (path / LOG).is_file()


def _what(path: Path) -> str:
    """What is in the place of a run, in words."""
    try:
        found = recognise(path)
    except FileNotFoundError:
        return "there is no such folder"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    if found is None:
        return "no folder"
    return f"{found.what} ({found.way_out})" if found.way_out else found.what


def names_of(paths: Sequence[Path]) -> list[str]:
    """Short names that tell runs apart."""
    resolved = [path.resolve() for path in paths]
    names = [path.name for path in resolved]
    if len(set(names)) < len(names):
        names = ["/".join(path.parts[-2:]) for path in resolved]
    return [printable(name, 40) for name in names]


def open_readers(paths: Sequence[Path]) -> list[RunReader]:
    """Readers of the runs that folders are or hold. Raises ``UserError``."""
    runs = find(paths)
    return [RunReader(run, name) for run, name in zip(runs, names_of(runs), strict=True)]
