"""Read log.jsonl while a training writes it: columns of numbers, read on from where the last reading ended.

The file may end in half a row, hold rows that a kill has cut off, be replaced by another or a shorter one (a run that
resumes drops the rows that it is about to repeat), or vanish for a while. Nothing of that is an error.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

PIECE: Final = 1 << 19  # bytes that are read and parsed at once
_PLACES: Final = 128  # of a file, that a glance looks at,
_GLANCE: Final = 1 << 12  # bytes at each
TAIL: Final = 1 << 16  # bytes at the end that hold the last row
_KNOWN: Final = 64  # bytes before the place where reading goes on: where they differ, it is another file
_MOST_NAMES: Final = 128  # of columns in one log
MOST_IMAGES: Final = 1e15  # whole numbers up to there are exact as f64
_NO_VALUE: Final = ("kind", "step", "images_seen")


class Table:
    """Rows of one kind in columns, by images seen, which only grow. Arrays that it gave out stay as they are."""

    def __init__(self) -> None:
        self.count = 0
        self._columns: dict[str, NDArray[Any]] = {"images_seen": np.empty(0), "step": np.empty(0)}

    @property
    def names(self) -> tuple[str, ...]:
        """Of the values, in the order of their first appearance."""
        return tuple(name for name in self._columns if name not in _NO_VALUE)

    @property
    def images(self) -> Values:
        """Images seen, of every row, f64 [n]."""
        return self._columns["images_seen"][: self.count]

    @property
    def steps(self) -> Values:
        """Of every row, f64 [n]."""
        return self._columns["step"][: self.count]

    def column(self, name: str) -> NDArray[Any]:
        """The values of a name, f32 [n] (``seconds``: f64); NaN where a row has none."""
        return self._columns[name][: self.count]

    def snapshot(self) -> "Table":
        """The table as it is now; costs no copy of its columns."""
        table = Table()
        table.count, table._columns = self.count, dict(self._columns)
        return table

    def cut(self, images: float) -> None:
        """Drop the rows from so many images on."""
        count = int(np.searchsorted(self.images, images))
        if count < self.count:  # what is written later must not show in arrays that were given out
            self._columns = {name: values[:count].copy() for name, values in self._columns.items()}
            self.count = count

    def extend(self, rows: Mapping[str, Values]) -> None:
        """Add rows, by column; all of one length."""
        added = len(rows["images_seen"])
        total = self.count + added
        for name in [*self._columns, *(name for name in rows if name not in self._columns)]:
            known = self._columns.get(name)
            kind = np.float64 if name in ("images_seen", "step", "seconds") else np.float32
            if known is None or len(known) < total:
                larger = np.full(max(total, 2 * self.count), np.nan, kind)
                larger[: self.count] = np.nan if known is None else known[: self.count]
                self._columns[name] = larger
            with np.errstate(over="ignore"):  # of f32: infinite, and shown as that
                self._columns[name][self.count : total] = rows.get(name, np.nan)
        self.count = total


class RunLog:
    """The log of one run. ``read`` goes on for a piece; the tables hold all that was read so far."""

    @classmethod
    def glance(cls, path: Path) -> "RunLog":
        """A log with some rows of all parts of the file, within moments however long it is; not to be read on."""
        log = cls(path)
        try:
            with path.open("rb") as file:
                log.size = os.fstat(file.fileno()).st_size
                few = log.size <= _PLACES * _GLANCE
                places = [0] if few else np.linspace(0, log.size - _GLANCE, _PLACES, dtype=np.int64).tolist()
                for place in places:
                    file.seek(place)
                    piece = file.read(log.size if few else _GLANCE)
                    begin = piece.find(b"\n") + 1 if place else 0
                    log._parse(piece[begin : piece.rfind(b"\n") + 1])
        except OSError:
            pass
        return log

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0  # bytes of the file, when it was last looked at
        self.there = False  # whether there was a file then
        self._begin()

    def _begin(self) -> None:
        self.tables: dict[str, Table] = {"train": Table(), "held_out": Table()}
        self.offset = 0  # bytes that were read
        self.unreadable = 0  # lines that hold no row
        self._known = b""  # the last of those bytes
        self._skips = False  # in the middle of a line that is too long for a row

    @property
    def rows(self) -> int:
        """Rows of all kinds."""
        return sum(table.count for table in self.tables.values())

    def read(self) -> bool:
        """Read on for a piece. Returns whether anything has come, so that there may be more."""
        try:
            with self.path.open("rb") as file:
                self.there = True
                self.size = os.fstat(file.fileno()).st_size
                if self.offset:
                    file.seek(self.offset - len(self._known))
                    if self.size < self.offset or file.read(len(self._known)) != self._known:
                        self._begin()
                        file.seek(0)
                piece = file.read(PIECE)
        except OSError:  # it may come back; what was read is kept
            self.there = False
            return False
        end = piece.rfind(b"\n") + 1
        if not end:
            if len(piece) < PIECE:
                return False  # half a row
            self.unreadable += not self._skips
            self._skips, end = True, len(piece)
        elif self._skips:
            self._skips = False
            self._parse(piece[piece.index(b"\n") + 1 : end])
        else:
            self._parse(piece[:end])
        self.offset += end
        self._known = (self._known + piece[:end])[-_KNOWN:]
        return True

    def _parse(self, piece: bytes) -> None:
        """Take in whole lines."""
        text = piece.decode("utf-8", "replace").strip()
        if not text:
            return
        try:
            found = json.loads(f"[{text.replace(chr(10), ',')}]")  # one call for all of them: three times as fast
        except (ValueError, RecursionError):
            found = [_row_of(line) for line in text.splitlines() if line.strip()]
        rows = [row for row in found if isinstance(row, dict) and _is_row(row)]
        self.unreadable += len(found) - len(rows)
        self._take(rows)

    def _take(self, rows: list[dict[str, Any]]) -> None:
        """Add rows to their tables. Where the images seen of a training go back, a run has begun again from there, and
        the rows after it are void."""
        images = np.array([row["images_seen"] for row in rows], np.float64)
        kinds = np.array([row["kind"] == "train" for row in rows], np.bool_)
        restarts = np.where(kinds, images, np.inf)
        if restarts.size and restarts.min() < np.inf:
            for table in self.tables.values():
                table.cut(float(restarts.min()))
        for kind in self.tables:
            own = np.flatnonzero(kinds == (kind == "train"))
            if not own.size:
                continue
            valid = _before_the_least(images, restarts, own, own if kind != "train" else own[:0])
            chosen = [rows[number] for number in own[valid].tolist()]
            if not chosen:
                continue
            table = self.tables[kind]
            table.cut(chosen[0]["images_seen"])
            table.extend(self._columns_of(chosen))

    def _columns_of(self, rows: list[dict[str, Any]]) -> dict[str, Values]:
        names = dict.fromkeys(name for keys in {tuple(row) for row in rows} for name in keys if name != "kind")
        room = _MOST_NAMES - len({name for table in self.tables.values() for name in table.names})
        known = {name for table in self.tables.values() for name in table.names} | set(_NO_VALUE)
        new = [name for name in names if name not in known]
        names = {name: None for name in names if name in known or name in new[: max(room, 0)]}
        return {name: _numbers([row.get(name, math.nan) for row in rows]) for name in names}


def _before_the_least(images: Values, restarts: Values, own: NDArray[np.intp], same: NDArray[np.intp]) -> Any:
    """Which rows no later row of a training goes back before, nor a later one of the ``same`` kind."""
    later = np.append(np.minimum.accumulate(restarts[::-1])[::-1][1:], np.inf)
    bound = later[own]
    if same.size:
        among = np.append(np.minimum.accumulate(images[same][::-1])[::-1][1:], np.inf)
        bound = np.minimum(bound, among)
    return images[own] < bound


def _row_of(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_row(row: dict[str, Any]) -> bool:
    images, step = row.get("images_seen"), row.get("step")
    return (
        row.get("kind") in ("train", "held_out")
        and type(images) in (int, float)
        and type(step) in (int, float)
        and 0 <= images < MOST_IMAGES  # type: ignore[operator]  # a number, as was asked above
        and 0 <= step < MOST_IMAGES  # type: ignore[operator]
    )


def _numbers(values: list[Any]) -> Values:
    """Values as they can be drawn."""
    try:
        found = np.array(values, np.float64)
        if found.ndim == 1:
            return found
    except (TypeError, ValueError, OverflowError):
        pass
    return np.array([_number(value) for value in values], np.float64)


def _number(value: Any) -> float:
    """A value as it can be drawn: NaN for what is no number."""
    if type(value) not in (int, float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def last_row(path: Path) -> dict[str, Any]:
    """The last whole row of a training's progress in a log, from its end alone; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            lines = file.read().splitlines()
    except OSError:
        return {}
    for line in reversed(lines):
        row = _row_of(line.decode("utf-8", "replace"))
        if isinstance(row, dict) and _is_row(row) and _number(row.get("seconds")) >= 0:
            return row
    return {}
