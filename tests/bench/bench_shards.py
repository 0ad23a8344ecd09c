"""Batches from shards beside batches from memory: images a second, in turn, medians.

    python tests/bench/bench_shards.py --count 2000 --size 64 --rounds 5

Draws toy cats, writes them as shards (JPEG and PNG) into a temporary folder, and takes whole batches as training does.
"Cold" has the system forget the files before each round (Linux).
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import torch

from trainer.data.__main__ import main as data_tool
from trainer.data.batches.augment import Augment
from trainer.data.batches.dataset import ImageDataset, open_dataset
from trainer.data.batches.stream import Stream


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        cats = Path(folder) / "cats.npy"
        run("toycats", "-o", cats, "--count", arguments.count, "--size", arguments.size)
        sets: dict[str, tuple[ImageDataset, int, list[Path]]] = {"memory": (open_dataset(str(cats)), 0, [])}
        for kind in ("jpg", "png"):
            shards = Path(folder) / kind
            run("shards", cats, "-o", shards, "--format", kind, "--pictures-per-shard", max(1, arguments.count // 8))
            files = sorted(shards.glob("*.tar"))
            images = open_dataset(str(shards), memory=0)
            sets[kind] = images, 0, []
            sets[f"{kind}, cold"] = images, 0, files
            sets[f"{kind}, {arguments.workers} worker(s)"] = images, arguments.workers, []
        speeds: dict[str, list[float]] = {name: [] for name in sets}
        for _ in range(arguments.rounds):
            for name, (images, workers, files) in sets.items():
                forget(files)
                speeds[name].append(speed(images, workers, arguments.batch_size))
    memory = statistics.median(speeds["memory"])
    for name, found in speeds.items():
        median, spread = statistics.median(found), f"{min(found):.0f} to {max(found):.0f}"
        print(f"{name:18} {median:9.0f} images/s ({spread}), {median / memory:.2f} of memory")


def run(*words: object) -> None:
    try:
        data_tool([str(word) for word in words])
    except SystemExit as ended:
        if ended.code:
            raise


def forget(files: list[Path]) -> None:
    """Have the next read come from the disk."""
    for path in files:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def speed(images: ImageDataset, workers: int, batch_size: int) -> float:
    """Images a second over one epoch, without the first batch, in which loaders start."""
    indices, _ = images.split(0)
    stream = Stream(
        images, indices, batch_size=batch_size, rank=0, world_size=1, seed=0, device=torch.device("cpu"),
        image_range=(-1.0, 1.0), augment=Augment(flip=True), workers=workers,
        memory_gib=4.0,
    )  # fmt: skip
    next(stream)
    batches = len(indices) // batch_size
    started = time.perf_counter()
    for _ in range(batches):
        next(stream)
    seconds = time.perf_counter() - started
    stream.close()
    return batches * batch_size / seconds


if __name__ == "__main__":
    main()
