"""Find the runs that folders are or hold."""

from collections.abc import Sequence
from pathlib import Path

from trainer.contract.errors import UserError
from trainer.contract.run_folder import runs_below
from trainer.contract.text import printable
from viewer.modes.watch.options import MOST_RUNS
from viewer.modes.watch.run import RunReader, is_run


def find(paths: Sequence[Path]) -> list[Path]:
    """The runs that folders are or hold. Raises ``UserError``."""
    found: dict[Path, Path] = {}
    for path in paths:
        if path.is_file():
            raise UserError(f"{path}: is a file, expected the folder of a run, as {path.parent}")
        if not path.is_dir():
            raise UserError(f"{path}: there is no such folder, expected that of a run")
        runs = [path] if is_run(path) else list(runs_below(path))
        if not runs:
            raise UserError(f"{path}: no run in or below it, expected a folder with the config.json of a training")
        found |= {run.resolve(): run for run in runs}
    if len(found) > MOST_RUNS:
        raise UserError(f"{len(found)} runs, expected {MOST_RUNS} at most: name those that are to be watched")
    return list(found.values())


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
