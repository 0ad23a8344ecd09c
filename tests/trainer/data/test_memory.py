"""Sets larger than memory: what the tools and the training's sampling hold does not grow with the set."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from bad_images import photo
from commands import environment, run_tools

from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources.base import MOST_BYTES, ImageSource, OpenOptions, resized
from trainer.data.sources.npy_set import writing

FEW, MANY, SIDE = 500, 6000, 128  # 25 and 295 MB
GROWTH, MOST = 40, 400  # megabytes

SAMPLE = """
import sys, numpy, torch
from pathlib import Path
from trainer.data.batches.augment import Augment
from trainer.data.batches.dataset import open_dataset
from trainer.data.batches.stream import Stream
images = open_dataset(sys.argv[1], memory=0.01, progress=False)
stream = Stream(images, numpy.arange(len(images)), batch_size=50, rank=0, world_size=1, seed=0,
                device=torch.device("cpu"), image_range=(0, 1), augment=Augment(flip=True), memory_gib=0.01)
for _ in range(len(images) // 50):
    next(stream)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) / 1024)  # getrusage counts what the parent had when it forked
"""


def write_noisy_set(path: Path, count: int) -> None:
    """Images that all differ, with labels and names."""
    random = np.random.default_rng(count)
    with writing(path, (SIDE, SIDE, 3), force=False) as writer:
        for _ in range(count):
            coarse = random.integers(0, 256, (9, 9, 3), np.uint8)
            writer.append(cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR))
        names = tuple(f"{k}.png" for k in range(count))
        writer.sidecar = Sidecar(labels=np.arange(count) % 7, classes=tuple("abcdefg"), names=names)


def megabytes(count: int, folder: Path) -> dict[str, float]:
    """The most memory of each tool on a set of ``count`` images."""
    folder.mkdir()
    write_noisy_set(folder / "a.npy", count)
    (folder / "files").mkdir()
    cv2.imwrite(str(folder / "files" / "0.png"), photo(SIDE, SIDE))
    for k in range(1, count):
        os.link(folder / "files" / "0.png", folder / "files" / f"{k}.png")
    commands = {
        "toycats": f"toycats -o drawn.npy --count {count // 4} --size {SIDE}",
        "create": f"create files -o of-files.npy --size {SIDE}",
        "create-of-set": "create a.npy -o deduped.npy --size 140 --dedupe",
        "filter": "filter a.npy -o filtered.npy --kind highpass",
        "merge": "merge a.npy filtered.npy -o merged.npy",
        "split": "split a.npy -o training.npy --held-out held-out.npy",
        "select": "select a.npy --drop 3,7 -o selected.npy",
        "stats": "stats a.npy -o page.png",
    }
    ends = run_tools([{"arguments": line.split(), "seconds": 300} for line in commands.values()], folder)
    for line, end in zip(commands.values(), ends, strict=True):
        assert end["code"] == 0, f"{line}: {end}"
    found = {name: end["megabytes"] for name, end in zip(commands, ends, strict=True)}
    sampled = subprocess.run(
        [sys.executable, "-c", SAMPLE, "a.npy"], capture_output=True, check=True, cwd=folder, env=environment()
    )
    return {**found, "sampling": float(sampled.stdout)}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is asked of Linux's /proc")
def test_memory_does_not_grow_with_the_set(tmp_path: Path) -> None:
    few, many = megabytes(FEW, tmp_path / "few"), megabytes(MANY, tmp_path / "many")
    for name, most in many.items():
        assert most - few[name] < GROWTH, f"{name}: {few[name]:.0f} MB for {FEW}, {most:.0f} MB for {MANY} images"
        assert most < MOST + 300 * (name == "sampling"), f"{name}: {most:.0f} MB"  # torch alone takes 300


def test_small_images_made_large_come_a_few_at_a_time() -> None:
    """A piece of an idx file holds thousands of digits; enlarged together they would take gigabytes."""
    digits = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 1), np.uint8)
    digit_set = ImageSource(name="digits", shape=digits.shape, pieces=lambda: iter([(digits, np.arange(300))]))
    pieces = list(resized(digit_set, OpenOptions(image_size=256)).pieces())
    assert max(images.nbytes for images, _ in pieces) <= MOST_BYTES
    assert np.concatenate([labels for _, labels in pieces if labels is not None]).tolist() == list(range(300))
    images = np.concatenate([images for images, _ in pieces])
    assert images.shape == (300, 256, 256, 1)
    assert np.abs(images[:, 128::256, 128::256].astype(int) - digits[:, 4:5, 4:5]).mean() < 60
