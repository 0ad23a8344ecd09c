"""Sets of images as .npy files, u8 [n, h, w, c], with what is known of them beside it: the source, and how tools write
them, both files or none. No torch."""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.text import printable
from trainer.data.sources import sidecar as known
from trainer.data.sources.base import ImageSource, OpenOptions, Piece
from trainer.data.sources.identity import of_path
from trainer.data.sources.npy import Stored, Writer, check_free, output
from trainer.data.sources.sidecar import Sidecar

HELP = "a .npy file"
ORDER = 90
TAKES_BGR = True
MAGIC = b"\x93NUMPY"
MOST_OLD_FACTS = 1 << 30  # bytes

identity = of_path


def claims(data: str) -> bool:
    """By its first bytes, or as a file of that ending that is damaged."""
    path = Path(data)
    if path.suffix == ".npy" and os.path.lexists(data) and not path.is_dir():
        return True  # a pipe or a broken link, too: opening it says what is wrong with it
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def open(data: str, options: OpenOptions) -> ImageSource:
    """The images of a .npy file. Raises ``UserError``."""
    return ImageSet(Path(data), options.bgr).source()


class ImageSet(Stored):
    """A .npy file of images, RGB or grey whatever its order on disk, with what is known of them."""

    def __init__(self, path: Path, bgr: bool = False) -> None:
        super().__init__(path, bgr)
        self.sidecar = known.read_sidecar(path, len(self))
        order, channels = self.sidecar.order, self.shape[3]
        if order and (order == "grey") != (channels == 1):
            name = printable(known.beside(path))
            raise UserError(
                f"{name} says that the order is {order}, but {printable(path.name)} has {channels} channel(s)"
            )
        self.bgr = bgr or order == "BGR"

    def source(self) -> ImageSource:
        """The set as an opened source."""
        labels = self.sidecar.labels

        def pieces() -> Iterator[Piece]:
            first = 0
            for images in self.pieces():
                yield images, None if labels is None else labels[first : first + len(images)]
                first += len(images)

        return ImageSource(
            name=self.path.stem,
            shape=self.shape,
            pieces=pieces,
            classes=self.sidecar.classes,
            labels=labels,
            images=self,
            fetch=lambda index: self[np.array([index])][0],
            path=self.path,
            sidecar=self.sidecar,
        )


class SetWriter(Writer):
    """Takes the images one by one, and ``facts`` of them all before it is closed."""

    sidecar = Sidecar()


def check_set(path: Path, force: bool, inputs: Iterable[Path] = ()) -> None:
    """Raise ``UserError`` early, before hours of work, where a set could not be written in the end, would take the
    place of one that it is made of, or of anything without ``force``."""
    if path.suffix != ".npy":
        raise UserError(f"the output is {printable(path)}, expected a name that ends in .npy")
    check_free(path, force)
    sources = list(inputs)
    check_not_input(path, sources)
    check_not_input(known.beside(path), sources)
    check_free(known.beside(path), force or _is_abandoned(path))


def check_not_input(path: Path, inputs: Iterable[Path]) -> None:
    """Raise ``UserError`` where an output is one of the inputs."""
    for source in inputs:
        if path.exists() and source.exists() and path.samefile(source):
            raise UserError(f"{printable(path)} is an input as well, which is never changed: expected another output")


@contextlib.contextmanager
def writing(path: Path, shape: tuple[int, int, int], force: bool) -> Iterator[SetWriter]:
    """Write images u8 [h, w, c] = ``shape`` to ``path``, and their facts beside it.

    However it ends, by an error or a kill at any moment, there is the old set or the whole new one: the facts are put
    in place first, and wait for their images (see ``trainer.data.sources.sidecar``). Raises ``UserError``.
    """
    side = known.beside(path)
    announced: dict[str, Any] = {}
    old: bytes | None = None
    try:
        with output(path, force) as file:
            with SetWriter(file, shape) as writer:
                yield writer
            file.flush()
            order = "grey" if shape[2] == 1 else "RGB"
            earlier = _earlier(path) if force else {}
            old = side.read_bytes() if earlier else None
            announced = {**writer.sidecar.to_json(), "order": order, "fingerprint": known.fingerprint(Path(file.name))}
            _write_json(side, {**earlier, "pending": announced}, force or _is_abandoned(path))
        _write_json(side, announced, force=True)
    except BaseException:
        if announced:
            _settle(path, announced, old)
        raise


def _settle(path: Path, announced: Mapping[str, Any], old: bytes | None) -> None:
    """Have the facts beside ``path`` be those of the images that are there after all."""
    side = known.beside(path)
    with contextlib.suppress(OSError, UserError):
        if path.exists() and known.fingerprint(path) == announced["fingerprint"]:
            _write_json(side, announced, force=True)
        elif old is None and _is_abandoned(path):
            side.unlink()
        elif old is not None:
            with output(side, force=True) as file:
                file.write(old)


def _write_json(path: Path, facts: Mapping[str, Any], force: bool) -> None:
    text = json.dumps(facts, ensure_ascii=False, allow_nan=False) + "\n"
    with output(path, force) as file:
        file.write(text.encode("utf-8", "backslashreplace"))  # which JSON reads back, file names of bytes too


def _earlier(path: Path) -> dict[str, Any]:
    """The facts of the set that is about to be replaced, as far as they can be read."""
    with contextlib.suppress(UserError):
        if path.exists():
            return dict(known.current(path, known.read_json(known.beside(path), MOST_OLD_FACTS)))
    return {}


def _is_abandoned(path: Path) -> bool:
    """Whether the facts beside ``path`` wait for images that a kill has kept from coming."""
    side = known.beside(path)
    if os.path.lexists(path) or not side.is_file():
        return False
    with contextlib.suppress(UserError):
        return list(known.read_json(side, MOST_OLD_FACTS)) == ["pending"]
    return False
