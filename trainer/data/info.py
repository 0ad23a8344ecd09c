"""Say what a set or a folder of pictures holds, and whether it is sound.

python -m trainer.data info cats.npy
python -m trainer.data info mnist/
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from trainer.config import UserError
from trainer.data.formats import open_packed
from trainer.data.npy import printable, read_header, read_labels
from trainer.data.packed import Packed
from trainer.data.pictures import Header, Unreadable, files_in, read_bytes
from trainer.data.pictures import read_header as read_picture_header

SHOWN = 8  # lines a list


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("path", type=Path, metavar="FILE", help="a .npy, idx, parquet or CIFAR-10 file, or a folder")


def run(arguments: argparse.Namespace) -> int:
    """Print the facts; returns the exit code."""
    path: Path = arguments.path
    packed = open_packed(str(path))
    if packed is not None:
        lines = describe_packed(packed)
    else:
        lines = describe_folder(path) if path.is_dir() else describe_npy(path)
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print(f"{name:<{width}}  {value}")
    return 0


def describe_npy(path: Path) -> list[tuple[str, str]]:
    """Facts of a set. Raises ``UserError`` where it is not sound."""
    shape, start = read_header(path)
    count, height, width, channels = (*shape, 1)[:4]
    images = np.memmap(path, np.uint8, "r", start, (count, height, width, channels))
    step = max(1, count // 2000)
    sample = [images[k].reshape(-1, channels) for k in range(0, count, step)]
    means = np.mean([image.mean(0) for image in sample], 0)
    low, high = min(int(image.min()) for image in sample), max(int(image.max()) for image in sample)
    shown = f" (of {len(sample)} pictures)" if step > 1 else ""
    lines = [
        ("file", f"{printable(path)}, {size_text(path.stat().st_size)}, sound"),
        ("pictures", f"{count}, u8 {list(shape)}: {width}x{height} px, {channels} channel{'s' * (channels > 1)}"),
        ("values", f"{low}..{high}{shown}"),
        ("means", ", ".join(f"{mean:.1f}" for mean in means) + f"{shown}"),
    ]
    if channels == 3:
        lines.append(("order", "taken as red, green, blue; if colours look wrong, the file is BGR: train with --bgr"))
    labels = read_labels(path, count)
    if labels:
        numbers = np.bincount(labels[0], minlength=len(labels[1]))
        lines += _counted("class", dict(zip(labels[1], numbers.tolist(), strict=True)))
    return lines


def describe_packed(packed: Packed) -> list[tuple[str, str]]:
    """Facts of a packed set, from reading all of it. Raises ``UserError`` where it is not sound."""
    _, height, width, channels = packed.shape
    count, low, high = 0, 255, 0
    sums, numbers = np.zeros(channels), np.zeros(len(packed.classes), np.int64)
    for images, labels in packed.pieces():
        count += len(images)
        low, high = min(low, int(images.min())), max(high, int(images.max()))
        sums += images.sum((0, 1, 2), dtype=np.float64)
        if labels is not None:
            numbers += np.bincount(labels, minlength=len(numbers))
    means = sums / max(1, count * height * width)
    lines = [
        ("set", f"{printable(packed.name)}, sound"),
        ("pictures", f"{count}, {width}x{height} px, {channels} channel{'s' * (channels > 1)}"),
        ("values", f"{low}..{high}"),
        ("means", ", ".join(f"{mean:.1f}" for mean in means)),
    ]
    return lines + _counted("class", dict(zip(packed.classes, numbers.tolist(), strict=True)))


def describe_folder(folder: Path) -> list[tuple[str, str]]:
    """Facts of a folder, from headers alone. Raises ``UserError`` where nothing is readable."""
    headers: list[tuple[Path, Header]] = []
    skipped: list[tuple[Path, str]] = []
    total = 0
    for path in files_in(folder):
        try:
            data = read_bytes(path)
            headers.append((path, read_picture_header(data)))
            total += len(data)
        except Unreadable as error:
            skipped.append((path, str(error)))
    if not headers:
        raise UserError(f"{printable(folder)} holds no readable picture ({len(skipped)} other files)")
    lines = [
        ("folder", f"{printable(folder)}, {len(headers)} pictures, {size_text(total)}, {len(skipped)} other files")
    ]
    lines += _counted("format", Counter(header.format for _, header in headers))
    lines += _counted("size", Counter("{1}x{0} px".format(*header.shape) for _, header in headers))
    parents = Counter(path.relative_to(folder).parts[0] for path, _ in headers if path.parent != folder)
    if len(parents) > 1 and sum(parents.values()) == len(headers):
        lines += _counted("class", parents)
    lines += [("skipped", f"{printable(path)}: {reason}") for path, reason in skipped[:SHOWN]]
    if len(skipped) > SHOWN:
        lines.append(("skipped", f"... and {len(skipped) - SHOWN} more"))
    return lines


def _counted(name: str, counts: dict[str, int]) -> list[tuple[str, str]]:
    """Lines of the most frequent values."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    lines = [(name, f"{printable(value)}: {count}") for value, count in ranked[:SHOWN]]
    if len(ranked) > SHOWN:
        lines.append((name, f"... and {len(ranked) - SHOWN} more"))
    return lines


def size_text(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count} bytes"
