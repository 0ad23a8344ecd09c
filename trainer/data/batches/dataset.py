"""Training sets: what a source of ``trainer.data.sources`` opens, in memory or read while training."""

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor

from trainer.contract.errors import UserError
from trainer.contract.images import Fit, crop
from trainer.contract.levels import too_dark
from trainer.contract.resample import shrink
from trainer.data.sources import need_source
from trainer.data.sources._sidecar import MADE, originals
from trainer.data.sources._threads import counted, say, say_counts
from trainer.data.sources.base import EncodedImages, FoundSource, Images, ImageSource, OpenOptions
from trainer.data.sources.npy_set import ImageSet, Writer
from trainer.family import Crops, DataSpec

GIB = 1 << 30
DARK = 256  # images that are asked whether all are dark
FIT_FLAGS = "--fit pad or --fit stretch for another way"

Kind = TypeVar("Kind")
Pair: TypeAlias = tuple[Kind, ...]
"""An image and, where there is one, its condition; or several and theirs."""


Part: TypeAlias = tuple[int, Callable[[int], Pair[np.ndarray]]]
"""How many images there are, and what reads one of them u8 [h, w, c] with its small version, if it has one."""


def decode_all(parts: Sequence[EncodedImages], index: int) -> Pair[np.ndarray]:
    """An image of each. Raises ``Unreadable``."""
    return tuple(part.decoded(index) for part in parts)


class Windows:
    """Images of many sizes, each large and small, of which training takes windows; last come those for validation."""

    def __init__(self, parts: Sequence[Part], reading: Crops, channels: int) -> None:
        self.parts = parts
        self.size_px, self.scale = reading.size_px, reading.scale
        self.shape = (sum(count for count, _ in parts), reading.size_px, reading.size_px, channels)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Some window of each, always the same."""
        return self.cut(indices, np.random.default_rng(0))[0]

    def cut(self, indices: np.ndarray, random: np.random.Generator) -> Pair[np.ndarray]:
        """A window of each, anywhere, u8 [k, h, w, c], and of its condition."""
        size, scale = self.size_px, self.scale
        side = size // scale
        image = np.empty((len(indices), *self.shape[1:]), np.uint8)
        condition = np.empty((len(indices), side, side, self.shape[3]), np.uint8)
        for row, (index, place) in enumerate(zip(indices, random.random((len(indices), 2)), strict=True)):
            large, *small = self.image(int(index))
            places = (np.array(large.shape[:2]) - size) // scale + 1
            top, left = (place * places).astype(int).tolist()
            image[row] = large[top * scale :, left * scale :][:size, :size]
            window = small[0][top:, left:] if small else shrunk_window(large, top, left, side, scale)
            condition[row] = window[:side, :side]
        return image, condition

    def whole(self, index: int) -> Pair[np.ndarray]:
        """One whole image, u8 [1, h, w, c], and its condition."""
        large, *small = self.image(index)
        height, width = (side // self.scale * self.scale for side in large.shape[:2])
        return large[None, :height, :width], (small[0] if small else shrink(large, self.scale))[None]

    def image(self, index: int) -> Pair[np.ndarray]:
        """One image u8 [h, w, c], and its small version where it has one of its own."""
        for count, read in self.parts:
            if index < count:
                return read(index)
            index -= count
        raise IndexError(index)


def shrunk_window(large: np.ndarray, top: int, left: int, side: int, scale: int) -> np.ndarray:
    """A window of an image's small version: what ``shrink`` makes of the whole, from (top, left), in its pixels."""
    first = [max(0, corner - 2) for corner in (top, left)]  # the kernel reaches two small pixels further
    part = large[first[0] * scale : (top + side + 2) * scale, first[1] * scale : (left + side + 2) * scale]
    return shrink(part, scale)[top - first[0] :, left - first[1] :][:side, :side]


@dataclass(frozen=True, kw_only=True)
class ImageDataset:
    """A training set."""

    images: Images
    labels: np.ndarray | None = None  # i64 [n], into classes
    classes: tuple[str, ...] = ()
    groups: np.ndarray | None = None  # i64 [n]: see ``trainer.data.sources._sidecar``
    name: str
    conditions: Images | None = None  # of pairs, of the same size; those of Windows are its own
    window: tuple[int, int] | None = None  # height and width of what training sees of each, at random; None: all
    blocks: np.ndarray | None = None  # i64 [m]: the first image of each block that is best read as a whole
    validation: int = 0  # the last so many images are for validation alone
    sources: tuple[FoundSource, ...] = ()  # what it was opened from, by which a resumed run knows it
    _on_device: dict[torch.device, Pair[Tensor]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def spec(self) -> DataSpec:
        """What a family may know of the set."""
        _, height, width, channels = self.images.shape
        conditions = self.images if isinstance(self.images, Windows) else self.conditions
        return DataSpec(
            image_size=self.window or (height, width),
            channels=channels,
            classes=self.classes,
            condition_channels=0 if conditions is None else conditions.shape[3],
        )

    def split(self, hold_out: int) -> tuple[np.ndarray, np.ndarray]:
        """Indices to train on and indices held out, i64: every ``hold_out``-th image is held out, 0 for none;
        where images are of groups, every ``hold_out``-th group is, and nothing that is made of others. Where the set
        has images for validation, these are, and no others."""
        indices = np.arange(len(self))
        if self.validation:
            return indices[: -self.validation], indices[-self.validation :]
        units = indices if self.groups is None else originals(self.groups)[0]
        chosen = (units != MADE) & (units % hold_out == hold_out - 1) if hold_out else np.zeros(len(self), bool)
        return indices[~chosen], indices[chosen]

    @property
    def _parts(self) -> Pair[Images]:
        return (self.images,) if self.conditions is None else (self.images, self.conditions)

    def read(self, indices: np.ndarray, seed: int | None = None) -> Pair[Tensor]:
        """Images u8 [k, h, w, c] by their indices i64 [k], and their conditions. Of images of many sizes, windows drawn
        by ``seed``, or without it one whole image. Raises ``UserError`` for what has become unreadable."""
        if not isinstance(self.images, Windows):
            arrays = tuple(part[indices] for part in self._parts)
        elif seed is None:
            arrays = self.images.whole(int(indices[0]))
        else:
            arrays = self.images.cut(indices, np.random.default_rng(seed))
        return tuple(map(torch.from_numpy, arrays))

    def on_device(self, device: torch.device, memory_gib: float) -> Pair[Tensor] | None:
        """All images as u8 tensors on a device, made once; None where they are too large for that."""
        arrays = [part for part in self._parts if isinstance(part, np.ndarray)]
        if len(arrays) < len(self._parts) or sum(array.nbytes for array in arrays) > memory_gib * GIB:
            return None
        if device not in self._on_device:
            self._on_device[device] = tuple(torch.from_numpy(array).to(device) for array in arrays)
        return self._on_device[device]


def open_dataset(
    data: str | FoundSource,
    *,
    image_size: int = 0,
    bgr: bool = False,
    fit: Fit = crop,
    values: str = "auto",
    memory: float = 4.0,
    rgb_only: bool = False,
    progress: bool = True,
) -> ImageDataset:
    """Open a training set by what ``--data`` says: see ``trainer.data.sources``.
    memory: GiB that may be taken; what else there is: see ``OpenOptions``. Raises ``UserError`` in one line for
    whatever cannot be opened."""
    found = need_source(data) if isinstance(data, str) else data
    options = OpenOptions(
        image_size=image_size,
        fit=fit,
        fit_flags=FIT_FLAGS,
        bgr=bgr,
        values=values,
        rgb_only=rgb_only,
        progress=progress,
    )
    source = found.open(options)
    images, labels = load_images(source, memory, progress)
    groups = source.sidecar.groups
    if groups is not None and (groups == MADE).all():
        say(f"note: all of {found.data} is made of other images: none of it is held out")
    return ImageDataset(
        images=images,
        labels=labels,
        classes=source.classes,
        groups=groups,
        name=source.name,
        blocks=source.blocks if images is source.images else None,
        sources=(found,),
    )


def load_images(source: ImageSource, memory: float, progress: bool) -> tuple[Images, np.ndarray | None]:
    """The images and labels of a set: in memory where they fit into ``memory`` GiB, read when asked for where the
    source can do that, else in a temporary .npy file that lives as long as the object does."""
    count, height, width, channels = source.shape
    labels: list[np.ndarray] = []

    def pieces() -> Iterator[np.ndarray]:
        what = f"reading {source.name}"
        for images, numbers in counted(source.pieces(), count, lambda piece: len(piece[0]), what, progress):
            if numbers is not None:
                labels.append(numbers)
            yield images

    fits = count * height * width * channels <= memory * GIB
    if source.images is not None and not fits:
        return source.images, source.labels
    if fits:
        array = np.empty(source.shape, np.uint8)
        filled = 0
        for images in pieces():
            array[filled : filled + len(images)] = images
            filled += len(images)
        found: Images = array[:filled]
    else:
        found = _spill(pieces(), (height, width, channels))
    if not len(found):
        raise UserError(f"{source.name} holds no readable image")
    if len(found) < count:
        say_counts(source.name, len(found), count, {"unreadable": []}, "images")
    if isinstance(found, np.ndarray) and (
        warning := too_dark(int(found[:: -(-len(found) // DARK)].max()), source.name)
    ):
        say(f"note: {warning}")
    return found, np.concatenate(labels) if labels else None


def _spill(pieces: Iterator[np.ndarray], shape: tuple[int, int, int]) -> ImageSet:
    folder = Path(tempfile.mkdtemp(prefix="utsuroi-"))
    try:
        with (folder / "images.npy").open("wb") as file:
            writer = Writer(file, shape)
            for images in pieces:
                writer.append(images)
            writer.finish()
        spilt = ImageSet(folder / "images.npy")
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise UserError(f"cannot write the images to {folder}: {error.strerror}") from None
        raise
    weakref.finalize(spilt, shutil.rmtree, folder, ignore_errors=True)
    return spilt
