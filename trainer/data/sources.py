"""Training sets and the batches that are drawn from them: .npy files, folders of pictures, drawn toy cats.

The stream of batches is a pure function of (seed, position): whoever resumes at a position gets the same pictures in
the same order, from memory or from loader processes, and on another number of ranks the remaining ones, each once an
epoch.
"""

import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from trainer.config import UserError
from trainer.data import toycats
from trainer.data.augment import Augment, mirror, warp
from trainer.data.npy import Writer, printable, read_header, read_labels
from trainer.data.pictures import Unreadable, files_in, load, read_bytes, resize
from trainer.data.pictures import read_header as read_picture_header
from trainer.family import Batch, DataSpec

GIB = 1 << 30


class Images(Protocol):
    """Pictures u8 [n, h, w, c] RGB, all in memory (an ndarray) or read when asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Pictures [k, h, w, c] by their indices i64 [k]."""


class MappedImages:
    """A .npy file too large for memory; loader processes open it anew, where pickling a map would copy it whole."""

    def __init__(self, path: Path, bgr: bool = False) -> None:
        self.path, self.bgr = path, bgr
        stored, self.start = read_header(path)
        self.shape = (*stored, 1)[:4]
        self.map: np.memmap | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        if self.map is None:
            self.map = np.memmap(self.path, np.uint8, "r", self.start, self.shape)
        images = self.map[indices]
        return np.ascontiguousarray(images[..., ::-1]) if self.bgr else images

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "map": None}


class FolderImages:
    """Picture files too many for memory, decoded when asked for."""

    def __init__(self, paths: Sequence[Path], height: int, width: int) -> None:
        self.paths = paths
        self.shape = (len(paths), height, width, 3)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        images = np.empty((len(indices), *self.shape[1:]), np.uint8)
        for row, index in enumerate(indices):
            path = self.paths[index]
            try:
                images[row] = load(path, *self.shape[1:3])
            except Unreadable as error:
                raise UserError(f"{printable(path)} has become unreadable: {error}") from None
        return images


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """A training set."""

    images: Images
    labels: np.ndarray | None = None  # i64 [n], into classes
    classes: tuple[str, ...] = ()
    name: str
    _resident: dict[torch.device, Tensor] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def spec(self) -> DataSpec:
        """What a family may know of the set."""
        _, height, width, channels = self.images.shape
        return DataSpec(image_size=(height, width), channels=channels, classes=self.classes)

    def split(self, hold_out: int) -> tuple[np.ndarray, np.ndarray]:
        """Indices to train on and indices held out, i64: every ``hold_out``-th picture is held out, 0 for none."""
        indices = np.arange(len(self))
        chosen = indices % hold_out == hold_out - 1 if hold_out else np.zeros(len(self), bool)
        return indices[~chosen], indices[chosen]

    def resident(self, device: torch.device, memory_gib: float) -> Tensor | None:
        """All pictures as one u8 tensor on a device, made once; None where they are too large for that."""
        if not isinstance(self.images, np.ndarray) or self.images.nbytes > memory_gib * GIB:
            return None
        if device not in self._resident:
            self._resident[device] = torch.from_numpy(self.images).to(device)
        return self._resident[device]


def open_pictures(
    data: str, *, image_size: int = 0, bgr: bool = False, memory: float = 4.0, progress: bool = True
) -> Pictures:
    """Open a training set: a .npy file, a folder (class folders become labels), or ``toycats[:COUNT]``.

    image_size: side in pixels that pictures are brought to, 0 to keep theirs. memory: GiB that may be held. Toy cats
    are always those of seed 0: runs with other seeds stay comparable.
    Raises ``UserError`` in one line for whatever cannot be opened.
    """
    if data == "toycats" or data.startswith("toycats:"):
        return _open_toycats(data, image_size or 128, progress)
    path = Path(data)
    if path.is_dir():
        return _open_folder(path, image_size, memory, progress)
    if not path.exists():
        raise UserError(
            f"--data is {printable(data)}, expected a .npy file, a folder, or 'toycats'; there is no such file"
        )
    return _open_npy(path, image_size, bgr, memory, progress)


def _open_toycats(data: str, size: int, progress: bool) -> Pictures:
    count = data.removeprefix("toycats").removeprefix(":") or "2000"
    if not count.isdecimal() or not 1 <= int(count) <= 1_000_000:
        raise UserError(f"--data is {printable(data)}, expected toycats:COUNT with a count of 1 to 1000000")
    cats = toycats.draw(int(count), size, 0, progress=progress)
    return Pictures(images=cats.images, labels=cats.labels, classes=cats.classes, name=data)


def _open_npy(path: Path, image_size: int, bgr: bool, memory: float, progress: bool) -> Pictures:
    mapped = MappedImages(path, bgr)
    count, height, width, channels = mapped.shape
    if bgr and channels != 3:
        raise UserError(f"--bgr: {printable(path)} has {channels} channel, expected 3")
    labels, classes = read_labels(path, count) or (None, ())
    images: Images = mapped
    if image_size and (height, width) != (image_size, image_size):
        images = _resized(mapped, image_size, memory, progress)
    elif count * height * width * channels <= memory * GIB:
        # Held, not mapped: a file that shrinks under a map kills the process.
        images = mapped[np.arange(count)]
    return Pictures(images=images, labels=labels, classes=classes, name=path.stem)


def _resized(mapped: MappedImages, size: int, memory: float, progress: bool) -> Images:
    """The set at another size, in memory, or in a temporary .npy file that lives as long as the object does."""
    count, _, _, channels = mapped.shape

    def pieces() -> Iterator[np.ndarray]:
        quiet = None if progress else True
        for k in tqdm(range(count), f"resizing to {size} px", unit="picture", leave=False, disable=quiet):
            yield resize(mapped[np.array([k])][0], size, size).reshape(size, size, channels)

    if count * size * size * channels <= memory * GIB:
        images = np.empty((count, size, size, channels), np.uint8)
        for k, image in enumerate(pieces()):
            images[k] = image
        return images
    folder = Path(tempfile.mkdtemp(prefix="utsuroi-"))
    try:
        with (folder / "resized.npy").open("wb") as file, Writer(file, (size, size, channels)) as writer:
            for image in pieces():
                writer.append(image)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise UserError(f"cannot write the resized pictures to {folder}: {error.strerror}") from None
        raise
    resized = MappedImages(folder / "resized.npy")
    weakref.finalize(resized, shutil.rmtree, folder, ignore_errors=True)
    return resized


def _open_folder(folder: Path, image_size: int, memory: float, progress: bool) -> Pictures:
    paths = list(files_in(folder))
    # Class folders only: with pictures beside them, the folders are no classes.
    names = sorted({path.relative_to(folder).parts[0] for path in paths if path.parent != folder})
    classes = tuple(names) if len(names) > 1 and all(path.parent != folder for path in paths) else ()

    def shape_of(path: Path) -> tuple[int, int] | str:
        try:
            return read_picture_header(read_bytes(path)).shape
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
        raise UserError(f"{printable(folder)} holds pictures of {len(sizes)} sizes ({few} ...): give --image-size")
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
                tqdm(
                    pool.map(fill, range(len(kept))), "decoding", len(kept), unit="picture", leave=False, disable=quiet
                )
            )
        readable = np.array([failure is None for failure in failures])
        skipped.update({path: failure for path, failure in zip(kept, failures, strict=True) if failure})
        images = held if readable.all() else held[readable]
        kept = [path for path, ok in zip(kept, readable, strict=True) if ok]
    for path, reason in skipped.items():
        print(f"skipped {printable(path)}: {reason}", file=sys.stderr)
    if not kept:
        raise UserError(f"{printable(folder)} holds no readable picture")
    labels = None
    if classes:
        numbers = {name: number for number, name in enumerate(classes)}
        labels = np.array([numbers[path.relative_to(folder).parts[0]] for path in kept], np.int64)
    return Pictures(
        images=FolderImages(kept, height, width) if images is None else images,
        labels=labels,
        classes=tuple(printable(name) for name in classes),
        name=folder.resolve().name,
    )


def _threads() -> int:
    return max(1, torch.get_num_threads())


def to_batch(
    images: Tensor,
    labels: Tensor | None,
    device: torch.device,
    image_range: tuple[float, float],
    augment: Augment | None = None,
    generator: torch.Generator | None = None,
) -> Batch:
    """u8 [n, h, w, c], owned by the caller's batch, → augmented f32 [n, c, h, w], channels-last, in ``image_range``."""
    images = images.to(device, non_blocking=True)
    if augment and generator and augment.flip:
        images = mirror(images, generator)
    low, high = image_range
    floats = images.float()
    # One pass over the batch where mul_ and add_ make two; writing floats first is faster than mixing types.
    torch.add(torch.tensor(low, device=device), floats, alpha=(high - low) / 255, out=floats)
    image = floats.permute(0, 3, 1, 2)
    if augment and generator and augment.warps:
        image = warp(image, augment, generator)
    return Batch(image=image, label=None if labels is None else labels.to(device, non_blocking=True))


class Order:
    """The endless order of samples: one permutation of ``count`` after the other, each from (seed, epoch)."""

    def __init__(self, count: int, seed: int, shuffle: bool) -> None:
        self.count, self.seed, self.shuffle = count, seed, shuffle
        self.epochs: dict[int, np.ndarray] = {}

    def _epoch(self, epoch: int) -> np.ndarray:
        if epoch not in self.epochs:
            if len(self.epochs) > 1:  # a batch touches two at most, unless it is larger than an epoch
                self.epochs.pop(min(self.epochs))
            order = np.arange(self.count)
            if self.shuffle:
                order = np.random.default_rng((_unsigned(self.seed), epoch)).permutation(order)
            self.epochs[epoch] = order
        return self.epochs[epoch]

    def take(self, start: int, count: int) -> np.ndarray:
        """Samples ``start`` to ``start + count`` of the endless order, i64 [count]."""
        parts = []
        while count:
            epoch, offset = divmod(start, self.count)
            part = self._epoch(epoch)[offset : offset + count]
            parts.append(part)
            start, count = start + len(part), count - len(part)
        return np.concatenate(parts)


class _Rows(Dataset[Tensor | str]):
    """Hands whole batches of u8 pictures to a DataLoader."""

    def __init__(self, images: Images) -> None:
        self.images = images

    def __getitems__(self, indices: list[int]) -> Tensor | str:
        try:
            return torch.from_numpy(self.images[np.array(indices)])
        except UserError as error:  # as a value: raised, it would arrive with a traceback that keeps the loader alive
            return str(error)


def _endless(indices: np.ndarray, order: Order, start: int, count: int, stride: int) -> Iterator[list[int]]:
    """Knows no stream: as part of a reference cycle, each loader process would take five seconds to end."""
    while True:
        yield indices[order.take(start, count)].tolist()
        start += stride


def _same(batch: Any) -> Any:
    return batch


def _start_worker(_: int) -> None:
    cv2.setNumThreads(0)


class Stream(Iterator[Batch]):
    """Endless training batches of one rank.

    ``position`` is the number of pictures drawn so far over all ranks; constructing with it, or setting it, resumes
    exactly. A batch at position p holds samples p + rank * batch_size onwards of the endless order.
    """

    def __init__(
        self,
        pictures: Pictures,
        indices: np.ndarray,
        *,
        batch_size: int,
        rank: int,
        world_size: int,
        seed: int,
        device: torch.device,
        image_range: tuple[float, float],
        augment: Augment,
        position: int = 0,
        memory_gib: float = 4.0,
        workers: int = 0,
        shuffle: bool = True,
    ) -> None:
        if not len(indices):
            raise UserError(f"{pictures.name} has no pictures to train on")
        self.pictures, self.indices = pictures, np.asarray(indices, np.int64)
        self.batch_size, self.rank, self.world_size = batch_size, rank, world_size
        self.seed, self.device, self.image_range, self.augment = seed, torch.device(device), image_range, augment
        self.workers = workers
        self.labels = None if pictures.labels is None else torch.from_numpy(pictures.labels)
        self.resident = pictures.resident(self.device, memory_gib)
        self.order = Order(len(self.indices), seed, shuffle)
        self._loader: Iterator[Tensor | str] | None = None
        self._position = position

    @property
    def position(self) -> int:
        """Pictures drawn over all ranks so far."""
        return self._position

    @position.setter
    def position(self, position: int) -> None:
        self.close()
        self._position = position

    @property
    def epoch(self) -> int:
        """Whole passes over the training pictures so far."""
        return self._position // len(self.indices)

    def _batches_from(self, position: int) -> Iterator[list[int]]:
        """The indices of all batches to come, for the loader, which runs ahead."""
        order = Order(self.order.count, self.order.seed, self.order.shuffle)
        start, stride = position + self.rank * self.batch_size, self.batch_size * self.world_size
        return _endless(self.indices, order, start, self.batch_size, stride)

    def _load(self) -> Tensor:
        if self._loader is None:
            loader: DataLoader[Tensor | str] = DataLoader(
                _Rows(self.pictures.images),
                batch_sampler=self._batches_from(self._position),
                num_workers=self.workers,
                collate_fn=_same,
                pin_memory=self.device.type == "cuda",
                worker_init_fn=_start_worker,
            )
            self._loader = iter(loader)
        images = next(self._loader)
        if isinstance(images, str):
            self.close()
            raise UserError(images)
        return images

    def __next__(self) -> Batch:
        start = self._position + self.rank * self.batch_size
        indices = torch.from_numpy(self.indices[self.order.take(start, self.batch_size)])
        # index_select gathers fifteen times faster than resident[indices]
        held = self.resident
        images = self._load() if held is None else held.index_select(0, indices.to(self.device))
        labels = None if self.labels is None else self.labels.index_select(0, indices)
        generator = torch.Generator().manual_seed(_mixed(self.seed, self._position, self.rank))
        batch = to_batch(images, labels, self.device, self.image_range, self.augment, generator)
        self._position += self.batch_size * self.world_size
        return batch

    def close(self) -> None:
        """End the loader processes."""
        self._loader = None


def _mixed(*numbers: int) -> int:
    """One seed of several numbers."""
    return int(np.random.SeedSequence([_unsigned(number) for number in numbers]).generate_state(1, np.uint64)[0])


def _unsigned(seed: int) -> int:
    """A seed as numpy takes it: a negative one becomes a large one."""
    return seed % (1 << 64)


def ordered(
    pictures: Pictures,
    indices: np.ndarray,
    *,
    batch_size: int,
    device: torch.device,
    image_range: tuple[float, float],
    rank: int = 0,
    world_size: int = 1,
    memory_gib: float = 4.0,
) -> Iterator[Batch]:
    """One rank's share of these pictures, each once, in order and unchanged; the last batch may be smaller."""
    device = torch.device(device)
    resident = pictures.resident(device, memory_gib)
    mine = np.asarray(indices, np.int64)[rank::world_size]
    for start in range(0, len(mine), batch_size):
        chosen = mine[start : start + batch_size]
        rows = torch.from_numpy(chosen)
        if resident is None:
            images = torch.from_numpy(pictures.images[chosen])
        else:
            images = resident.index_select(0, rows.to(device))
        labels = None if pictures.labels is None else torch.from_numpy(pictures.labels).index_select(0, rows)
        yield to_batch(images, labels, device, image_range)
