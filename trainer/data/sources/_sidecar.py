"""What is known of the images of a .npy file, in the JSON beside it: names, labels, sizes, order, how it was made.

    {"classes": ["cat", "dog"], "labels": [0, 0, 1], "names": ["a.jpg", "b.jpg", "c.png"], "sizes": [[640, 480], ...],
     "groups": [0, 0, 1], "order": "RGB", "made": {"tool": "create", "options": {...}}, "versions": {...},
     "fingerprint": "..."}

Images of the same original, as a face and its mirrored copy, have the same number under "groups"; those made of several
others, as morphs, have -1 there. A group is never split between training and held-out images; images with -1 are only
trained on. All of it may be missing, and such a file may be written by hand. The fingerprint tells whether it belongs
to these images. While a set is replaced by a newer one, the newer sidecar waits under "pending": it takes effect once
its images are in place, so that a kill leaves the old set or the new one, and never labels of one for the other."""

import contextlib
import importlib.metadata
import json
import os
import platform
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.files import output, reading
from trainer.contract.text import printable

MADE = -1  # the group of what is made of several images
ORDERS = ("RGB", "BGR", "grey")
SELECTION_OF = re.compile(r"# marked in .* (\d+-[0-9a-f]{8})")  # first line of a list of images: their fingerprint
BLOCK, BLOCKS = 4096, 64  # bytes, and how many of them a fingerprint looks at


@dataclass(frozen=True, kw_only=True, eq=False)
class Sidecar:
    """What is known of n images."""

    names: tuple[str, ...] = ()  # [n], or unknown
    labels: np.ndarray | None = None  # i64 [n], into classes
    classes: tuple[str, ...] = ()
    sizes: np.ndarray | None = None  # i64 [n, 2]: width and height in pixels that they had before
    order: str = ""  # in which the file holds colours; unknown: RGB
    groups: np.ndarray | None = None  # i64 [n]: number of its original; MADE: of several; None: each its own
    factors: Mapping[str, list[Any]] = field(default_factory=dict)  # what drawn images were drawn with, [n] each
    made: Mapping[str, Any] = field(default_factory=dict)  # by which tool, with which options

    def take(self, indices: np.ndarray) -> "Sidecar":
        """The sidecar of some of the images, by their indices i64 [k]."""
        chosen = indices.tolist()
        return replace(
            self,
            names=tuple(self.names[k] for k in chosen) if self.names else (),
            labels=None if self.labels is None else self.labels[indices],
            sizes=None if self.sizes is None else self.sizes[indices],
            groups=None if self.groups is None else self.groups[indices],
            factors={name: [values[k] for k in chosen] for name, values in self.factors.items()},
        )

    def counts(self) -> np.ndarray:
        """How many of the images are of each class, i64 [classes]; with labels only."""
        return np.bincount(np.asarray(self.labels), minlength=len(self.classes))

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        lists = {"classes": self.classes, "names": self.names, "factors": self.factors}
        arrays = {"labels": self.labels, "sizes": self.sizes, "groups": self.groups}
        return {
            **{name: value for name, value in lists.items() if value},
            **{name: value.tolist() for name, value in arrays.items() if value is not None},
            "order": self.order,
            "made": self.made,
            "versions": versions(),
        }


def originals(groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number groups i64 [n] as 0, 1, ... by their first appearance, leaving MADE. Returns them, i64 [n], and the first
    image of each, i64 [k]."""
    members = np.flatnonzero(groups != MADE)
    _, first, group = np.unique(groups[members], return_index=True, return_inverse=True)
    numbers = np.full(len(groups), MADE)
    numbers[members] = np.argsort(np.argsort(first))[group]
    return numbers, members[np.sort(first)]


def versions() -> dict[str, str]:
    """Versions of the software that the values of images depend on."""
    found = {"python": platform.python_version(), "numpy": np.__version__, "opencv": cv2.__version__}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        found["utsuroi"] = importlib.metadata.version("utsuroi")
    return found


def beside(path: Path) -> Path:
    """Where the sidecar of a .npy file is."""
    capitals = path.with_suffix(".JSON")
    return capitals if path.suffix.isupper() and capitals.exists() else path.with_suffix(".json")


def fingerprint(path: Path) -> str:
    """A file's size and a checksum of blocks all over it: enough to tell sets apart, at once. Raises ``OSError``."""
    size, checksum = path.stat().st_size, 0
    with path.open("rb") as file:
        for block in sampled(file, size, BLOCKS):
            checksum = zlib.crc32(block, checksum)
    return f"{size}-{checksum:08x}"


def sampled(file: BinaryIO, size: int, count: int) -> Iterator[bytes]:
    """So many blocks of a file, evenly from its beginning to its end. Raises ``OSError``."""
    for number in range(count):
        file.seek(max(0, size - BLOCK) * number // (count - 1))
        yield file.read(BLOCK)


def read_sidecar(path: Path, count: int) -> Sidecar:
    """The sidecar of the ``count`` images of a .npy file. Raises ``UserError`` where it does not fit them."""
    side = beside(path)
    if not os.path.lexists(side):
        return Sidecar()
    return _checked(side, current(path, read_json(side, (1 << 20) + (count << 12))), count)


def current(path: Path, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The current or the pending sidecar, whichever matches the images on the disk. Raises ``UserError``."""
    pending = values.get("pending")
    expected = values.get("fingerprint")
    if not isinstance(pending, dict) and expected is None:
        return values
    with reading(path):
        found = fingerprint(path)
    if isinstance(pending, dict) and pending.get("fingerprint") == found:
        return pending
    if expected not in (None, found):
        raise UserError(
            f"{beside(path)} is of other images than {path.name} holds now: remove it, or its "
            "'fingerprint' where it is right all the same"
        )
    return {name: value for name, value in values.items() if name != "pending"}


def read_small(path: Path, most: int) -> bytes:
    """The bytes of a regular file. Raises ``UserError`` where it is missing, or larger than ``most`` bytes."""
    with reading(path):
        size = path.stat().st_size
        if not path.is_file():
            raise UserError(f"{path} is not a regular file")
        if size > most:
            raise UserError(f"{path} holds {size} bytes, expected at most {most}")
        return path.read_bytes()


def read_json(path: Path, most: int) -> dict[str, Any]:
    """A JSON object of at most ``most`` bytes. Raises ``UserError``."""
    try:
        values = json.loads(read_small(path, most).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        reason = printable(str(error)).replace("\n", " ")[:120]
        raise UserError(f"cannot read {path}: no JSON: {reason}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path} holds a {type(values).__name__}, expected a JSON object")
    return values


def write_json(path: Path, values: Mapping[str, Any], force: bool) -> None:
    """Raises ``UserError``, also where there is a file and no ``force``."""
    text = json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n"
    with output(path, force) as file:
        file.write(text.encode("utf-8", "backslashreplace"))  # which JSON reads back, file names of bytes too


def _checked(side: Path, values: Mapping[str, Any], count: int) -> Sidecar:
    def a_list(key: str) -> list[Any] | None:
        value = values.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) != count:
            found = len(value) if isinstance(value, list) else type(value).__name__
            raise UserError(f"{side} has {found} {key}, expected {count}, one an image")
        return value

    order, classes, made = values.get("order", ""), values.get("classes"), values.get("made")
    if order not in ("", *ORDERS):
        raise UserError(f"{side} has order {printable(str(order))[:40]!r}, expected one of {', '.join(ORDERS)}")
    labels, names, sizes, groups = (a_list(key) for key in ("labels", "names", "sizes", "groups"))
    if names is not None and not all(isinstance(item, str) for item in names):
        raise UserError(f"{side} has names that are no strings")
    if labels is not None:
        if not isinstance(classes, list) or not all(isinstance(item, str) for item in classes) or not classes:
            raise UserError(f"{side} has labels, expected a list of names under 'classes' as well")
        if not all(type(label) is int and 0 <= label < len(classes) for label in labels):
            raise UserError(f"{side} has labels outside of 0..{len(classes) - 1}")
    if sizes is not None and not all(_is_size(size) for size in sizes):
        raise UserError(f"{side} has sizes that are no pairs of a width and a height")
    if groups is not None and not all(type(group) is int and MADE <= group < 1 << 63 for group in groups):
        raise UserError(f"{side} has groups that are no numbers from 0 on, or {MADE}")
    factors = values.get("factors", {})
    if not isinstance(factors, dict) or not all(isinstance(v, list) and len(v) == count for v in factors.values()):
        raise UserError(f"{side} has factors that are not one an image")
    return Sidecar(
        names=tuple(names or ()),
        labels=None if labels is None else np.array(labels, np.int64),
        classes=() if labels is None else tuple(classes),  # type: ignore[arg-type]
        sizes=None if sizes is None else np.array(sizes, np.int64).reshape(-1, 2),
        groups=None if groups is None else np.array(groups, np.int64),
        order=order,
        factors=factors,
        made=made if isinstance(made, dict) else {},
    )


def _is_size(size: Any) -> bool:
    whole = isinstance(size, list) and len(size) == 2
    return whole and all(type(length) is int and 0 < length < 1 << 31 for length in size)
