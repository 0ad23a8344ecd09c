"""Sheets of samples as they are shown: read from a run's folder, cut to some of their images, and brought to a size."""

import contextlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from trainer.contract import images
from trainer.contract.errors import ImageError
from trainer.contract.headers import read_header
from trainer.contract.run_folder import sheet_path
from trainer.contract.sheet import SheetLayout, find_layout
from viewer.files.png import naming
from viewer.files.resizing import resize, resize_nearest
from viewer.render import Image
from viewer.worker import Worker

_WELL_FILLED: Final = 0.8  # of the room along a side, from which on a sheet need not fill more of it
_LOOK_SECONDS: Final = 0.01  # between looks at what the second thread has read
MOST_BYTES: Final = 24_000_000  # of sheets that are kept, unless those on the screen and the next ones take more


@dataclass(frozen=True)
class SheetKey:
    """A sheet as it is shown."""

    run: int
    step: int
    width: int  # of the room for it
    height: int
    part: int  # one n-th of its images along each side

    @property
    def most_bytes(self) -> int:
        """That it can take."""
        return self.width * self.height * 3


@dataclass(frozen=True, eq=False)
class Shown:
    """A sheet that was read, or was to be."""

    image: Image | None  # None: it cannot be read
    stamp: int  # of the file, which changes as it is written
    note: str = ""


class SheetReader:
    """Reads sheets. Layouts of sheets are found once for each size."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self._second: Worker[tuple[SheetKey, ...], tuple[SheetKey, Shown]] = Worker(self._read_some)
        self._layouts: dict[tuple[int, tuple[int, ...]], SheetLayout | None] = {}

    def stamp(self, key: SheetKey) -> int:
        """Of the file as it is now; 0 where there is none."""
        with contextlib.suppress(OSError):
            found = sheet_path(self._paths[key.run], key.step).stat()
            return hash((found.st_mtime_ns, found.st_size, found.st_ino)) or 1
        return 0

    def read_all(self, keys: Sequence[SheetKey]) -> Iterator[tuple[SheetKey, Shown]]:
        """Sheets at their sizes, in any order, with a second thread: most of the time goes into unpacking them."""
        if len(keys) > 1 or self._second.busy:  # with what nobody waits for any more
            self._second.ask(tuple(keys[1::2]))
        for key in keys[::2]:
            yield key, self.read(key)
            yield from self._of_the_second()
        while self._second.busy:
            self._second.wait(_LOOK_SECONDS)
            yield from self._of_the_second()

    def _read_some(self, keys: tuple[SheetKey, ...]) -> Iterator[tuple[SheetKey, Shown]]:
        return ((key, self.read(key)) for key in keys)

    def _of_the_second(self) -> Iterator[tuple[SheetKey, Shown]]:
        return (answer.get() for answer in self._second.take())

    def close(self) -> None:
        """End the second thread."""
        self._second.close()

    def read(self, key: SheetKey) -> Shown:
        """A sheet at its size; a note where it cannot be read now."""
        stamp = self.stamp(key)
        try:
            image = read_whole(sheet_path(self._paths[key.run], key.step))
            part = self._part(key, image) if key.part > 1 else image
            factor = min(key.width / part.shape[1], key.height / part.shape[0])
            if int(factor) > _WELL_FILLED * factor:
                factor = int(factor)  # pixels of small sheets stay squares
            size = max(round(part.shape[0] * factor), 1), max(round(part.shape[1] * factor), 1)
            whole = factor == int(factor)
            shown = resize_nearest(part, *size) if whole else resize(np.ascontiguousarray(part), *size)
        except (ImageError, MemoryError):
            return Shown(None, stamp, "(cannot be read now)")
        return Shown(shown, stamp)

    def _part(self, key: SheetKey, image: Image) -> Image:
        """The first images of a sheet, one n-th along each side."""
        known = (key.run, image.shape)
        if known not in self._layouts:
            found = None
            with contextlib.suppress(ImageError):
                found = find_layout(self._paths[key.run], image, {})
            self._layouts[known] = found
        layout = self._layouts[known]
        if layout is None:
            return image[: -(-image.shape[0] // key.part), : -(-image.shape[1] // key.part)]
        rows, columns = (-(-count // key.part) for count in (layout.rows, layout.columns))
        left, top = layout.corner((rows - 1) * layout.columns + columns - 1)
        return image[: top + layout.height + layout.border, : left + layout.width + layout.border]


def read_whole(path: Path) -> Image:
    """A sheet as it is, BGR. Raises ``ImageError``."""
    with naming(path):
        data = images.read_bytes(path)
        return np.asarray(images.decode(data, read_header(data)), np.uint8)


class Kept:
    """The sheets that were shown last, as many as there is memory for."""

    def __init__(self) -> None:
        self._sheets: OrderedDict[SheetKey, Shown] = OrderedDict()
        self._bytes = 0

    def __contains__(self, key: SheetKey) -> bool:
        return key in self._sheets

    def get(self, key: SheetKey) -> Shown | None:
        """A sheet that was read; it is kept on."""
        found = self._sheets.get(key)
        if found is not None:
            self._sheets.move_to_end(key)
        return found

    def put(self, key: SheetKey, shown: Shown, least: int = 1) -> None:
        """Keep a sheet. One that can no longer be read stays as it was. ``least``: sheets that are kept in any case,
        the last ones."""
        old = self._sheets.pop(key, None)
        if shown.image is None and old is not None and old.image is not None:
            shown = Shown(old.image, shown.stamp, shown.note)
        self._sheets[key] = shown
        self._bytes += _size(shown) - (0 if old is None else _size(old))
        while self._bytes > MOST_BYTES and len(self._sheets) > least:
            self._bytes -= _size(self._sheets.popitem(last=False)[1])


def _size(shown: Shown) -> int:
    return 0 if shown.image is None else shown.image.nbytes
