"""Training sets: .npy files, folders of images, packed and downloaded sets, drawn toy cats."""

import shutil
import sys
import tempfile
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from trainer.contract.errors import UserError
from trainer.contract.headers import Unreadable
from trainer.contract.headers import read_header as read_image_header
from trainer.contract.images import files_in, load, read_bytes
from trainer.contract.text import printable
from trainer.data.drawing import toycats
from trainer.data.sources.base import Packed, of_stored, resized
from trainer.data.sources.folder import class_folders, training_part
from trainer.data.sources.formats import open_packed
from trainer.data.sources.npy import Stored, Writer
from trainer.data.sources.npy_set import ImageSet
from trainer.data.sources.sidecar import MADE, originals
from trainer.data.sources.torchvision_sets import open_torchvision
from trainer.family import DataSpec

GIB = 1 << 30


Kind = TypeVar("Kind")
Sides: TypeAlias = tuple[Kind, Kind | None]
"""Images and, where they are pairs, their conditions."""


class Images(Protocol):
    """Images u8 [n, h, w, c] RGB, all in memory (an ndarray) or read when asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Images [k, h, w, c] by their indices i64 [k]."""


class Ragged(ABC):
    """Images of many sizes, of which training takes windows of one size."""

    shape: tuple[int, int, int, int]  # n, and height, width and channels of the windows

    def __len__(self) -> int:
        return self.shape[0]

    @abstractmethod
    def cut(self, indices: np.ndarray, random: np.random.Generator) -> Sides[np.ndarray]:
        """A window of each, anywhere, u8 [k, h, w, c], and of its condition where there is one."""

    @abstractmethod
    def whole(self, index: int) -> Sides[np.ndarray]:
        """One whole image, u8 [1, h, w, c], and its condition where there is one."""

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Some window of each, always the same."""
        return self.cut(indices, np.random.default_rng(0))[0]


class FolderImages:
    """Image files too many for memory, decoded when asked for: ``read(path, height, width)`` gives u8 RGB."""

    def __init__(
        self, paths: Sequence[Path], height: int, width: int, read: Callable[[Path, int, int], np.ndarray] = load
    ) -> None:
        self.paths, self.read = paths, read
        self.shape = (len(paths), height, width, 3)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        images = np.empty((len(indices), *self.shape[1:]), np.uint8)
        for row, index in enumerate(indices):
            path = self.paths[index]
            try:
                images[row] = self.read(path, *self.shape[1:3])
            except Unreadable as error:
                raise UserError(f"{printable(path)} has become unreadable: {error}") from None
        return images


@dataclass(frozen=True, kw_only=True)
class ImageDataset:
    """A training set."""

    images: Images
    labels: np.ndarray | None = None  # i64 [n], into classes
    classes: tuple[str, ...] = ()
    groups: np.ndarray | None = None  # i64 [n]: see ``trainer.data.sources.sidecar``
    name: str
    conditions: Images | None = None  # the other sides of pairs, of the same size; those of Ragged are its own
    condition_channels: int = 0
    window: tuple[int, int] | None = None  # height and width of what training sees of each, at random; None: all
    blocks: np.ndarray | None = None  # i64 [m]: the first image of each block that is best read as a whole
    validation: int = 0  # the last so many images are for validation alone
    _resident: dict[torch.device, Sides[Tensor]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def spec(self) -> DataSpec:
        """What a family may know of the set."""
        _, height, width, channels = self.images.shape
        return DataSpec(
            image_size=self.window or (height, width),
            channels=channels,
            classes=self.classes,
            condition_channels=self.condition_channels,
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

    def resident(self, device: torch.device, memory_gib: float) -> Sides[Tensor] | None:
        """All images as u8 tensors on a device, made once; None where they are too large for that."""
        sides = [side for side in (self.images, self.conditions) if side is not None]
        held = [side for side in sides if isinstance(side, np.ndarray)]
        if len(held) < len(sides) or sum(side.nbytes for side in held) > memory_gib * GIB:
            return None
        if device not in self._resident:
            image, *condition = (torch.from_numpy(side).to(device) for side in held)
            self._resident[device] = image, condition[0] if condition else None
        return self._resident[device]


def open_dataset(
    data: str,
    *,
    image_size: int = 0,
    bgr: bool = False,
    memory: float = 4.0,
    rgb_only: bool = False,
    progress: bool = True,
) -> ImageDataset:
    """Open a training set by what ``--data`` says: a .npy file; a folder of images (class folders become labels);
    an idx file or a folder with one (MNIST and its kin); CIFAR-10's binary folder; parquet; shards, which are tar
    archives; ``hub:OWNER/NAME``; ``torchvision:NAME``; ``toycats[:COUNT]``.

    image_size: side in pixels that images are brought to, 0 to keep theirs. memory: GiB that may be held. rgb_only:
    leave out files of a folder that are not stored in three colours. Toy cats are always those of seed 0: runs with
    other seeds stay comparable.
    Raises ``UserError`` in one line for whatever cannot be opened.
    """
    if data == "toycats" or data.startswith("toycats:"):
        return _open_toycats(data, image_size or 128, progress)
    if data.startswith("torchvision:"):
        packed: Packed | None = open_torchvision(data, image_size)
    else:
        packed = open_packed(data, image_size)
    if packed is not None:
        if bgr:
            raise UserError(f"--bgr: {printable(data)} says its order itself, expected a .npy file")
        images, labels = _hold(packed, memory, progress)
        blocks = packed.blocks if images is packed.images else None
        return ImageDataset(images=images, labels=labels, classes=packed.classes, name=packed.name, blocks=blocks)
    path = Path(data)
    if path.is_dir():
        return _open_folder(training_part(path), image_size, memory, rgb_only, progress)
    if not path.exists():
        raise UserError(
            f"--data is {printable(data)}, expected a .npy, idx, parquet or .tar file, a folder, "
            "hub:OWNER/NAME, torchvision:NAME or toycats; there is no such file"
        )
    return _open_npy(path, image_size, bgr, memory, progress)


def _open_toycats(data: str, size: int, progress: bool) -> ImageDataset:
    count = data.removeprefix("toycats").removeprefix(":") or "2000"
    if not count.isdecimal() or not 1 <= int(count) <= 1_000_000:
        raise UserError(f"--data is {printable(data)}, expected toycats:COUNT with a count of 1 to 1000000")
    cats = toycats.draw(int(count), size, 0, progress=progress)
    return ImageDataset(images=cats.images, labels=cats.labels, classes=cats.classes, name=data)


def _open_npy(path: Path, image_size: int, bgr: bool, memory: float, progress: bool) -> ImageDataset:
    stored = ImageSet(path, bgr)
    count, height, width, channels = stored.shape
    images: Images = stored
    if image_size and (height, width) != (image_size, image_size):
        images, _ = _hold(resized(of_stored(stored), image_size), memory, progress)
    elif count * height * width * channels <= memory * GIB:
        images = stored[np.arange(count)]
    facts = stored.facts
    if facts.groups is not None and (facts.groups == MADE).all():
        print(f"note: all of {printable(path)} is made of other images: none of it is held out", file=sys.stderr)
    return ImageDataset(images=images, labels=facts.labels, classes=facts.classes, groups=facts.groups, name=path.stem)


def _hold(packed: Packed, memory: float, progress: bool) -> tuple[Images, np.ndarray | None]:
    """The images and labels of a set that is read piece by piece: in memory, or in a temporary .npy file that lives
    as long as the object does."""
    count, height, width, channels = packed.shape
    labels: list[np.ndarray] = []

    def pieces() -> Iterator[np.ndarray]:
        bar = tqdm(total=count, desc=f"reading {packed.name}", unit="image", leave=False, disable=not progress or None)
        with bar:
            for images, numbers in packed.pieces():
                if numbers is not None:
                    labels.append(numbers)
                yield images
                bar.update(len(images))

    fits = count * height * width * channels <= memory * GIB
    if packed.images is not None and not fits:
        return packed.images, packed.labels
    if fits:
        held = np.empty(packed.shape, np.uint8)
        filled = 0
        for images in pieces():
            held[filled : filled + len(images)] = images
            filled += len(images)
        found: Images = held[:filled]
    else:
        found = _spill(pieces(), (height, width, channels))
    if not len(found):
        raise UserError(f"{packed.name} holds no readable image")
    return found, np.concatenate(labels) if labels else None


def _spill(pieces: Iterator[np.ndarray], shape: tuple[int, int, int]) -> Stored:
    folder = Path(tempfile.mkdtemp(prefix="utsuroi-"))
    try:
        with (folder / "images.npy").open("wb") as file, Writer(file, shape) as writer:
            for images in pieces:
                writer.append(images)
        spilt = Stored(folder / "images.npy")
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise UserError(f"cannot write the images to {folder}: {error.strerror}") from None
        raise
    weakref.finalize(spilt, shutil.rmtree, folder, ignore_errors=True)
    return spilt


def _open_folder(folder: Path, image_size: int, memory: float, rgb_only: bool, progress: bool) -> ImageDataset:
    paths = list(files_in(folder))

    def shape_of(path: Path) -> tuple[int, int] | str:
        try:
            header = read_image_header(read_bytes(path))
            return "not stored in three colours" if rgb_only and not header.rgb else header.shape
        except Unreadable as error:
            return str(error)

    with ThreadPoolExecutor(_threads()) as pool:
        quiet = None if progress else True
        shapes = list(tqdm(pool.map(shape_of, paths), "checking", len(paths), unit="file", leave=False, disable=quiet))
    good = [(path, shape) for path, shape in zip(paths, shapes, strict=True) if not isinstance(shape, str)]
    skipped = {path: shape for path, shape in zip(paths, shapes, strict=True) if isinstance(shape, str)}
    sizes = {shape for _, shape in good}
    if len(sizes) > 1 and not image_size:
        few = ", ".join(f"{width}x{height}" for height, width in sorted(sizes)[:3])
        raise UserError(f"{printable(folder)} holds images of {len(sizes)} sizes ({few} ...): give --image-size")
    height, width = (image_size, image_size) if image_size else next(iter(sizes), (0, 0))

    kept = [path for path, _ in good]
    images: Images | None = None
    if kept and len(kept) * height * width * 3 <= memory * GIB:
        held = np.empty((len(kept), height, width, 3), np.uint8)

        def fill(row: int) -> str | None:
            try:
                held[row] = load(kept[row], height, width)
            except Unreadable as error:
                return str(error)
            return None

        with ThreadPoolExecutor(_threads()) as pool:
            failures = list(
                tqdm(pool.map(fill, range(len(kept))), "decoding", len(kept), unit="image", leave=False, disable=quiet)
            )
        readable = np.array([failure is None for failure in failures])
        skipped.update({path: failure for path, failure in zip(kept, failures, strict=True) if failure})
        images = held if readable.all() else held[readable]
        kept = [path for path, ok in zip(kept, readable, strict=True) if ok]
    for path, reason in skipped.items():
        print(f"skipped {printable(path)}: {printable(reason)}", file=sys.stderr)
    if not kept:
        raise UserError(f"{printable(folder)} holds no readable image")
    labels, classes = class_folders(folder, kept)
    return ImageDataset(
        images=FolderImages(kept, height, width) if images is None else images,
        labels=np.array(labels, np.int64) if classes else None,
        classes=classes,
        name=folder.resolve().name,
    )


def _threads() -> int:
    return max(1, torch.get_num_threads())
