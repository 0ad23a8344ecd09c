"""What a source of images is: a module of this package that opens what ``--data`` may name. No torch."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.headers import Header, Unreadable, read_header
from trainer.contract.images import Fit, crop, fit_note, load_bytes
from trainer.contract.levels import STORED, Levels, chosen
from trainer.data.sources._look import Look, may_mean_more
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources._threads import Item, in_threads, say, usable

MOST_BYTES = 1 << 20  # of images that are changed at once
SAMPLED = 4  # images that tell whether values could mean something else
WINDOW = 2048  # images that are shuffled with each other, where a set is read by blocks
Piece = tuple[np.ndarray, np.ndarray | None]
"""Some images, u8 [k, h, w, c] RGB or grey, and their labels, i64 [k]."""


class Images(Protocol):
    """Images u8 [n, h, w, c] RGB or grey, all in memory (an ndarray) or read when asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Images [k, h, w, c] by their indices i64 [k]."""


class ReadImages(ABC):
    """Images u8 [n, h, w, c] RGB or grey that are read when asked for, in the order in which they are stored."""

    shape: tuple[int, int, int, int]

    @abstractmethod
    def read(self, index: int) -> np.ndarray:
        """One image u8 [h, w, c]."""

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Images [k, h, w, c] by their indices i64 [k]. Raises ``UserError`` for one that has become unreadable."""
        images = np.empty((len(indices), *self.shape[1:]), np.uint8)
        for row in np.argsort(indices, kind="stable").tolist():
            images[row] = self.read(int(indices[row]))
        return images


@dataclass(frozen=True, kw_only=True)
class OpenOptions:
    """How a set is opened."""

    image_size: int = 0  # side in pixels of the square that images are brought to; 0 keeps their size
    fit: Fit = crop  # how an image is brought to that square: one of ``FITS``, or another
    fit_flags: str = ""  # the options that choose another one, for messages
    any_size: bool = False  # images of several sizes are taken as they are; else an error where ``image_size`` is 0
    bgr: bool = False  # the colours of a .npy file are in blue-green-red order
    values: str = "auto"  # what the numbers of pixels mean: one of ``trainer.contract.levels.CHOICES``
    rgb_only: bool = False  # files of a folder that are not stored in three colours are left out
    workers: int = 0  # threads that decode and resize; 0: one a core
    progress: bool = False  # show a progress bar where opening takes long


@dataclass(frozen=True, kw_only=True)
class ImageSource:
    """An opened set. It is read piece by piece, so that none of its sizes has to be believed."""

    name: str
    shape: tuple[int, int, int, int]
    """n, h, w, c. There may turn out to be fewer than n readable images; h and w are 0 where sizes differ."""
    pieces: Callable[[], Iterator[Piece]]  # reads all images in order; raises ``UserError`` where the set is not sound
    images: Images | None = None  # the same images, where any of them can be read without those before it
    fetch: Callable[[int], np.ndarray] | None = None
    """Reads one image u8 [h, w, c], at its own size. Raises ``Unreadable`` or ``UserError``."""
    blocks: np.ndarray | None = None  # i64 [m], with ``images``: the first image of each block best read as a whole
    files: Sequence[Path] = ()  # [n], where each image is a file of its own
    path: Path | None = None  # the file that holds all images, where there is one
    sidecar: Sidecar = field(default_factory=Sidecar)  # what else is known of the images, as their names
    levels: Levels = STORED  # what the values of ``files`` mean
    description: Callable[[], list[tuple[str, str]]] = list  # further lines for people, as (name, value)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names by label."""
        return self.sidecar.classes

    @property
    def labels(self) -> np.ndarray | None:
        """i64 [n], where they are known before the images are read; otherwise they come with the pieces."""
        return self.sidecar.labels


class Source(Protocol):
    """A module of ``trainer.data.sources``; those without a function ``claims`` are no sources."""

    HELP: str  # what it opens, as a few words of the help of ``--data`` and of its refusal
    ORDER: int  # sources are asked in ascending order: those that look closest come first

    def claims(self, data: str) -> bool:
        """Whether ``data`` names a set of this kind: found out by looking at the file, or by a prefix as ``hub:``.
        Raises ``UserError`` where it can mean nothing else and is wrong, and ``OSError``."""

    def open(self, data: str, options: OpenOptions) -> ImageSource:
        """The set, at its own size or that of ``options``. Raises ``UserError`` for one that is not sound."""

    def identity(self, data: str, without: str) -> Iterator[bytes]:
        """What tells whether it is the same set when a run is resumed; cheap, without reading it all. Files below the
        folder ``without``, a real path, are no part of it. A source without it is known by its files."""


@dataclass(frozen=True)
class FoundSource:
    """What ``--data`` names, and the source that opens it."""

    data: str
    source: Source
    kind: str  # name of the source's module

    def open(self, options: OpenOptions | None = None) -> ImageSource:
        """The set, its images at the size asked for. Raises ``UserError``."""
        options = options or OpenOptions()
        if options.bgr and not getattr(self.source, "TAKES_BGR", False):
            raise UserError(f"--bgr: {self.data} says its order itself, expected a .npy file")
        opened = self.source.open(self.data, options)
        if chosen(options.values) not in (None, STORED) and opened.levels == STORED:
            raise UserError(
                f"--values {options.values}: {self.data} holds levels from 0 to 255, expected files of images, as PNG"
            )
        return resized(opened, options)


def resized(source: ImageSource, options: OpenOptions) -> ImageSource:
    """The set with its images at the size of ``options``; the same one where they have it already.
    What comes in one piece may leave in several, so that memory stays bounded however much larger the images become."""
    size = options.image_size
    count, height, width, channels = source.shape
    if size in (0, height) and size in (0, width):
        return source
    say_fit({(height, width): count}, source.name, options)
    step = max(1, MOST_BYTES // (size * size * channels))

    def parts() -> Iterator[Piece]:
        for images, labels in source.pieces():
            for first in range(0, len(images), step):
                rows = slice(first, first + step)
                yield images[rows], None if labels is None else labels[rows]

    def change(piece: Piece) -> np.ndarray:
        return np.stack([options.fit(image, size, size).reshape(size, size, channels) for image in piece[0]])

    def pieces() -> Iterator[Piece]:
        for (_, labels), images in in_threads(parts(), change, options.workers):
            yield images, labels

    return replace(source, shape=(count, size, size, channels), pieces=pieces, images=None, blocks=None)


def pieces_of(
    items: Iterable[Item],
    read: Callable[[Item], np.ndarray],
    labels: np.ndarray | None,
    workers: int = 0,
    name: Callable[[int, Item], object] | None = None,
) -> Iterator[Piece]:
    """The image that ``read`` makes of each item, and its label of i64 [n], if there are any, in order; those for which
    it raises ``Unreadable`` are left out, and reported as by ``usable``."""
    for row, _, image in usable(items, read, name=name, workers=workers, progress=False):
        yield image[None], None if labels is None else labels[row : row + 1]


class EncodedImages(ReadImages):
    """Images u8 [n, h, w, c] RGB, decoded and brought to a size when asked for; h and w are 0: each keeps its own."""

    fit: Fit
    exact = False  # see ``trainer.contract.images.load_bytes``
    levels = STORED  # what the values of images mean

    @abstractmethod
    def encoded(self, index: int) -> bytes:
        """An image as it is stored. Raises ``Unreadable``."""

    @abstractmethod
    def where(self, index: int) -> str:
        """Where an image is, for people."""

    def decoded(self, index: int, resize: bool = True) -> np.ndarray:
        """One image u8 [h, w, c], or at its own size. Raises ``Unreadable``, which says where it is."""
        _, height, width, channels = self.shape
        try:
            data, size = self.encoded(index), (height, width) if resize else (0, 0)
            return decoded(data, size, self.fit, self.exact, self.levels)[..., :channels]
        except Unreadable as error:
            raise Unreadable(f"{self.where(index)}: {error}") from None

    def read(self, index: int) -> np.ndarray:
        try:
            return self.decoded(index)
        except Unreadable as error:
            raise UserError(f"{error}; it was readable before") from None

    def look(self, values: str, what: str, quiet: bool = False, most: int | None = None) -> None:
        """Find out what the values of the images mean where ``values`` leaves that open, and say it: ``what`` they are
        called. Most sets are told by a few headers. ``most``: only so many of the first are looked at."""
        known = chosen(values)
        if known is None:
            count = len(self) if most is None else min(most, len(self))
            few = range(0, count, max(1, count // SAMPLED))[: SAMPLED + 1]
            if not any(may_mean_more(header) for _, header in map(self._found, few)):
                return
            look = Look(count)
            # first those that are spread over the set; of 16-bit files further ones, as many as there is time for
            spread = ((shift, index) for shift in range(look.step) for index in range(shift, count, look.step))
            for visited, (shift, index) in enumerate(spread):
                if shift and not (look.deep and look.wants_more):
                    look.unseen = count - visited
                    break
                data, header = self._found(index)
                if header is not None:
                    look.add(index, data, header)
            known, note = look.found()
            if note and not quiet:
                say(f"note: {what}: {note}{f' (by its first {count:,} images)' if count < len(self) else ''}")
        self.levels = known

    def _found(self, index: int) -> tuple[bytes, Header | None]:
        """An image as it is stored, and its header, if it has a sound one."""
        with contextlib.suppress(Unreadable):
            data = self.encoded(index)
            return data, read_header(data)
        return b"", None

    def source(self, options: OpenOptions, sidecar: Sidecar, name: str, look: bool = True, **known: Any) -> ImageSource:
        """The images as an opened set, of which this is ``known`` as well. ``look``: at some, for what they mean."""
        if look:
            self.look(options.values, name)
        sized = all(self.shape[1:3])
        workers = options.workers if sized else 1  # or too many of any size would be in memory at a time
        return ImageSource(
            name=name,
            shape=self.shape,
            levels=self.levels,
            pieces=lambda: pieces_of(range(len(self)), self.decoded, sidecar.labels, workers),
            images=self if sized else None,
            fetch=partial(self.decoded, resize=False),
            sidecar=sidecar,
            **known,
        )


def decoded(
    data: bytes, size: tuple[int, int] = (0, 0), fit: Fit = crop, exact: bool = False, levels: Levels = STORED
) -> np.ndarray:
    """An encoded image as u8 [h, w, 3] RGB of a height and width; 0: its own. Raises ``Unreadable``."""
    header = levels.on(read_header(data))
    if all(size):
        return load_bytes(data, *size, fit, exact, header)
    return load_bytes(data, *header.shape, fit, exact=True, header=header)


def say_fit(sizes: Mapping[tuple[int, int], int], what: str, options: OpenOptions) -> None:
    """Say what becomes of images of sizes (h, w) that are no squares, of how many (0: unknown)."""
    note = fit_note(sizes, options.fit)
    if note:
        flags = f" ({options.fit_flags})" if options.fit_flags and options.fit is crop else ""
        say(f"note: {what}: {note}{flags}")


def one_size(sizes: Mapping[tuple[int, int], int], what: str, options: OpenOptions, count: str = "") -> tuple[int, int]:
    """Height and width that images of ``sizes`` (h, w), so many of each (0: unknown), get; 0, 0: each keeps its own.
    Raises ``UserError`` where they differ and no size was asked for; ``count``: how many sizes there are, in words."""
    if options.image_size:
        say_fit(sizes, what, options)
        return options.image_size, options.image_size
    if len(sizes) == 1:
        return next(iter(sizes))
    if options.any_size:
        return 0, 0
    few = ", ".join(f"{width}x{height}" for height, width in sorted(sizes)[:3])
    raise UserError(f"{what} holds images of {count or len(sizes)} sizes ({few} ...): give --image-size, or --size")
