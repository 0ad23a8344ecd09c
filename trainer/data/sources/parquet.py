"""Parquet files: tables with a column of encoded images, and labels beside it (package ``datasets``). No torch."""

from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any

from trainer.contract.errors import UserError
from trainer.contract.files import any_case
from trainer.contract.packages import how_to_install
from trainer.data.sources._tables import MOST_GROUP_BYTES, explained, open_groups, pack
from trainer.data.sources._threads import say
from trainer.data.sources.base import ImageSource, OpenOptions

HELP = "parquet files"
ORDER = 60
ROWS = 16  # read at once


def claims(data: str) -> bool:
    """By the first bytes of a file, or the files of a folder."""
    path = Path(data)
    if path.is_dir():
        return bool(find_parquet(path))
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def open(data: str, options: OpenOptions) -> ImageSource:
    """The images of a file, or of the files of a folder. Raises ``UserError`` where they are not sound."""
    path = Path(data)
    paths = find_parquet(path) if path.is_dir() else [path]
    others = sorted({*parquet_files(path)} - {*paths}) if path.is_dir() else []
    if others:
        say(f"note: {path}: {len(paths)} parquet files are read, not those of other parts ({others[0].name} ...)")
    what = str(paths[0]) + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
    try:
        import datasets  # noqa: F401  (early, since the message is of it)
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise UserError(f"{paths[0]}: parquet files need more packages: {how_to_install('data')}") from None
    groups, values, classes = open_groups([str(path) for path in paths], FileIO, what)

    def stored() -> Iterator[Any]:
        for path in paths:
            with explained(path), ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=ROWS, columns=[groups.column], use_threads=False):
                    yield from batch.column(groups.column).to_pylist()

    return pack(
        options,
        what=what,
        name=paths[0].stem if len(paths) == 1 else paths[0].parent.resolve().name,
        values=values,
        classes=classes,
        fetch=groups,
        at_random=groups.largest <= MOST_GROUP_BYTES,
        stored=stored,
        firsts=groups.firsts,
    )


def find_parquet(folder: Path) -> list[Path]:
    """The parquet files in a folder, or in ``data`` below it; those of the training part where there are parts."""
    found = parquet_files(folder)
    return [path for path in found if path.name.startswith("train")] or found


def parquet_files(folder: Path) -> list[Path]:
    """All of them, of every part."""
    for place in (folder, folder / "data"):
        found = sorted(path for path in place.glob(any_case("*.parquet")) if path.is_file())
        if found:
            return found
    return []
