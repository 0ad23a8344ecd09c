"""What the image tools hold of a set that is larger than they may hold, and how long they take.

    python tests/bench/bench_memory.py --count 100000 --folder /tmp/large

Draws toy cats of 128 px in two sets, merges them, makes a smaller set of that, filters it, merges the two, looks at
them, and draws an epoch of training batches, each in a process of its own; with ``--files`` it also writes them into
class folders as JPEGs and makes a set of those, without doubles. Says for each the most resident memory, and how much
of it was its own (RssAnon) and how much pages of files (RssFile: libraries; the tools read and write files, and map
none). The kernel's cache of files is part of neither: it is given back to whoever needs it. ``--folder`` needs room for
four times the set, and is removed in the end. Drawn sets of an earlier run may be named instead of drawing them again.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2

from trainer.data.sources.npy_set import ImageSet

SAMPLE = """
import sys, numpy, torch
from trainer.data.batches.augment import Augment
from trainer.data.batches.dataset import open_dataset
from trainer.data.batches.stream import Stream
images = open_dataset(sys.argv[1], memory=0.5)
assert len(images.classes) == 5
stream = Stream(images, numpy.arange(len(images)), batch_size=64, rank=0, world_size=1, seed=0,
                device=torch.device("cpu"), image_range=(0, 1), augment=Augment(flip=True), memory_gib=0.5)
for _ in range(len(images) // 64):
    next(stream)
print(f"{len(images) // 64} batches of 64, one epoch")
"""


def watch(command: list[str], folder: Path) -> tuple[float, dict[str, float], str]:
    """Run it → seconds, the most megabytes of each kind, and its last line."""
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    most = {"RssAnon": 0.0, "RssFile": 0.0}
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        for line in status.read_text().splitlines():
            name, _, value = line.partition(":")
            if name in most:
                most[name] = max(most[name], int(value.split()[0]) / 1024)
            elif name == "VmHWM":  # the kernel's own record, which misses nothing
                most["resident"] = int(value.split()[0]) / 1024
        time.sleep(0.05)
    assert process.stdout is not None
    lines = process.stdout.read().splitlines()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return time.monotonic() - started, most, lines[-1]


def write_files(source: Path, folder: Path) -> None:
    """A JPEG of each image, in a folder of its class."""
    stored = ImageSet(source)
    assert stored.sidecar.labels is not None
    for name in stored.sidecar.classes:
        (folder / name).mkdir(parents=True)
    number = 0
    for images in stored.pieces():
        for image in images:
            kind = stored.sidecar.classes[stored.sidecar.labels[number]]
            cv2.imwrite(str(folder / kind / f"{number}.jpg"), image[..., ::-1])
            number += 1


def remove(folder: Path, names: Sequence[str]) -> None:
    """What no later step needs."""
    for path in (folder / name for name in names):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
            path.with_suffix(".json").unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, required=True, help="a new folder to work in")
    parser.add_argument("--files", action="store_true", help="go through image files too")
    parser.add_argument("--drawn", type=Path, nargs="*", default=[], help="two sets of toy cats that are there already")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True)
    half = arguments.count // 2
    sets = " ".join(str(path.resolve()) for path in arguments.drawn) or "a.npy b.npy"
    drawing: list[tuple[str, tuple[str, ...]]] = [
        (f"toycats -o a.npy --count {half}", ()),
        (f"toycats -o b.npy --count {half} --seed 1", ()),
    ]
    by_files: list[tuple[str, tuple[str, ...]]] = [
        ("write merged.npy", ()),
        ("create files -o unique.npy --size 128 --labels folders --dedupe", ("unique.npy", "files")),
    ]
    steps = [
        *([] if arguments.drawn else drawing),
        (f"merge {sets} -o merged.npy", () if arguments.drawn else ("a.npy", "b.npy")),
        *(by_files if arguments.files else []),
        ("create merged.npy -o smaller.npy --size 96", ("smaller.npy",)),
        ("filter merged.npy -o filtered.npy --kind highpass", ()),
        ("merge merged.npy filtered.npy -o both.npy", ("merged.npy", "filtered.npy")),
        ("stats both.npy -o page.png", ()),
        ("sample both.npy", ()),
    ]
    try:
        for step, leftover in steps:
            tool, *words = step.split()
            if tool == "write":
                write_files(folder / words[0], folder / "files")
                remove(folder, leftover)
                continue
            python = [sys.executable, *(["-c", SAMPLE] if tool == "sample" else ["-m", "trainer.data", tool])]
            seconds, most, said = watch([*python, *words], folder.resolve())
            figures = ", ".join(f"{name} {value:.0f} MB" for name, value in most.items())
            print(f"{step:66} {seconds:6.0f} s   {figures}   {said}", flush=True)
            remove(folder, leftover)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
