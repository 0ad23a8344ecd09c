"""The batches that are drawn from a training set.

Their stream is a pure function of (seed, position): whoever resumes at a position gets the same images in the same
order, from memory or from loader processes, and on another number of ranks the remaining ones, each once an epoch.
Where a set is read by blocks, each rank its own, that holds for the same number of ranks."""

import signal
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from trainer.contract.errors import UserError
from trainer.data.batches.augment import Augment, cut, mirror, quarter_turns, warp
from trainer.data.batches.dataset import ImageDataset, Pair, Windows
from trainer.data.batches.order import Order, mixed
from trainer.family import Batch


def to_batch(
    pair: Pair[Tensor],
    labels: Tensor | None,
    device: torch.device,
    image_range: tuple[float, float],
    window: tuple[int, int] | None = None,
    augment: Augment | None = None,
    generator: torch.Generator | None = None,
) -> Batch:
    """u8 [n, h, w, c], owned by the caller's batch, → augmented f32 [n, c, h, w], channels-last, in ``image_range``;
    conditions change as images do. ``window``: height and width to cut out, in the middle without a generator."""
    changed = []
    start = None if generator is None else generator.get_state()
    low, high = image_range
    for part in pair:
        if generator is not None and start is not None:
            generator.set_state(start)
        images = part.to(device, non_blocking=True)
        if window is not None:
            images = cut(images, window, generator)
        if augment and generator and augment.flip:
            images = mirror(images, generator)
        if augment and generator and augment.turn:
            images = quarter_turns(images, generator)
        floats = images.float()
        # One pass over the batch where mul_ and add_ make two; writing floats first is faster than mixing types.
        torch.add(torch.tensor(low, device=device), floats, alpha=(high - low) / 255, out=floats)
        image = floats.permute(0, 3, 1, 2)
        if augment and generator and (augment.rotate > 0 or augment.crop > 0):
            image = warp(image, augment, generator)
        changed.append(image)
    return Batch(
        image=changed[0],
        label=None if labels is None else labels.to(device, non_blocking=True),
        condition=changed[1] if len(changed) > 1 else None,
    )


class _Rows(Dataset[Pair[Tensor] | str]):
    """Hands whole batches of u8 images to a DataLoader, to which each is a single item."""

    def __init__(self, images: ImageDataset) -> None:
        self.images = replace(images, labels=None, sources=(), _on_device={})  # what loader processes need

    def __getitem__(self, asked: tuple[np.ndarray, int]) -> Pair[Tensor] | str:
        try:
            return self.images.read(*asked)
        except UserError as error:  # as a value: raised, it would arrive with a traceback that keeps the loader alive
            return str(error)


def _endless(
    indices: np.ndarray, order: Order, position: int, rank: int, world_size: int, count: int, seed: int
) -> Iterator[tuple[np.ndarray, int]]:
    """Indices of batches, and a seed for each. Knows no stream: as part of a reference cycle, each loader process would
    take five seconds to end."""
    while True:
        yield indices[order.take(position + rank * count, count)], mixed(seed, position, rank, 1)
        position += count * world_size


def _start_worker(_: int) -> None:
    cv2.setNumThreads(0)
    # Requests to stop reach all processes of a terminal or a job; the one that trains decides when its loaders end.
    signal.set_wakeup_fd(-1)
    for name in ("SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


class Stream(Iterator[Batch]):
    """Endless training batches of one rank.

    ``position`` is the number of images drawn so far over all ranks; constructing with it, or setting it, resumes
    exactly. A batch at position p holds samples p + rank * batch_size onwards of the endless order."""

    def __init__(
        self,
        images: ImageDataset,
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
    ) -> None:
        if not len(indices):
            raise UserError(f"{images.name} has no images to train on")
        self.images, self.indices = images, np.asarray(indices, np.int64)
        self.batch_size, self.rank, self.world_size = batch_size, rank, world_size
        self.seed, self.device, self.image_range, self.augment = seed, torch.device(device), image_range, augment
        self.workers = workers
        self.labels = None if images.labels is None else torch.from_numpy(images.labels)
        self.on_device = images.on_device(self.device, memory_gib)
        blocks = images.blocks
        if blocks is not None:  # the first of the training images of each block
            blocks = np.flatnonzero(np.diff(np.searchsorted(blocks, self.indices, "right"), prepend=-1))
        self.order = Order(len(self.indices), seed, blocks, batch_size, world_size)
        self.position = position
        self._loader: Iterator[Pair[Tensor] | str] | None = None
        self._loads = position  # where the loader is

    def _load(self) -> Pair[Tensor]:
        if self._loader is None or self._loads != self.position:
            self.close()
            order = replace(self.order)  # its own: it runs ahead
            loader: DataLoader[Pair[Tensor] | str] = DataLoader(
                _Rows(self.images),
                batch_size=None,
                sampler=_endless(
                    self.indices, order, self.position, self.rank, self.world_size, self.batch_size, self.seed
                ),
                num_workers=self.workers,
                pin_memory=self.device.type == "cuda",
                worker_init_fn=_start_worker,
                generator=torch.Generator(),  # or it would draw from the one that a step's noise comes from
            )
            self._loader = iter(loader)
        pair = next(self._loader)
        if isinstance(pair, str):
            self.close()
            raise UserError(pair)
        self._loads = self.position + self.batch_size * self.world_size
        return pair

    def __next__(self) -> Batch:
        start = self.position + self.rank * self.batch_size
        indices = torch.from_numpy(self.indices[self.order.take(start, self.batch_size)])
        pair = self._load() if self.on_device is None else _rows_of(self.on_device, indices.to(self.device))
        labels = None if self.labels is None else self.labels.index_select(0, indices)
        generator = torch.Generator().manual_seed(mixed(self.seed, self.position, self.rank))
        batch = to_batch(pair, labels, self.device, self.image_range, self.images.window, self.augment, generator)
        self.position += self.batch_size * self.world_size
        return batch

    def close(self) -> None:
        """End the loader processes."""
        self._loader = None


def _rows_of(parts: Pair[Tensor], rows: Tensor) -> Pair[Tensor]:
    """Some images of a set. ``index_select`` gathers fifteen times faster than ``part[rows]``."""
    return tuple(part.index_select(0, rows) for part in parts)


def ordered(
    images: ImageDataset,
    indices: np.ndarray,
    *,
    batch_size: int,
    device: torch.device,
    image_range: tuple[float, float],
    rank: int = 0,
    world_size: int = 1,
    memory_gib: float = 4.0,
) -> Iterator[Batch]:
    """One rank's part of these images, each once, in order and unchanged; the last batch may be smaller.
    Images of many sizes come whole, one a batch."""
    device = torch.device(device)
    on_device = images.on_device(device, memory_gib)
    own = np.asarray(indices, np.int64)[rank::world_size]
    if isinstance(images.images, Windows):
        batch_size = 1
    for start in range(0, len(own), batch_size):
        chosen = own[start : start + batch_size]
        rows = torch.from_numpy(chosen)
        pair = images.read(chosen) if on_device is None else _rows_of(on_device, rows.to(device))
        labels = None if images.labels is None else torch.from_numpy(images.labels).index_select(0, rows)
        yield to_batch(pair, labels, device, image_range, images.window)
