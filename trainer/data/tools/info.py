"""Say what a set or a folder of images holds, and whether it is sound.

Of a .npy file: its values, its names and labels, how it was made and of what. Of a folder: formats, sizes, and what of
it is no image.

    python -m trainer.data info cats.npy
    python -m trainer.data info mnist/
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.headers import Header, Unreadable
from trainer.contract.headers import read_header as read_image_header
from trainer.contract.images import crop, read_bytes
from trainer.contract.levels import NEARLY_BLACK
from trainer.contract.options import argument
from trainer.contract.text import natural, printable
from trainer.data.sources import find_source
from trainer.data.sources._beside import TABLES, labels_beside
from trainer.data.sources._labels import class_folders
from trainer.data.sources._layout import training_files
from trainer.data.sources._sidecar import beside
from trainer.data.sources.base import ImageSource, OpenOptions, Piece
from trainer.data.sources.folder import FolderImages
from trainer.data.sources.npy_set import ImageSet
from trainer.data.tools import ToolOptions

SHOWN = 8  # lines a list


@dataclass(frozen=True, kw_only=True)
class Options(ToolOptions):
    """What to look at."""

    path: Path = argument("a set as training takes it: a file, a folder, or 'x-{000..127}.tar'", metavar="FILE")


def run(options: Options) -> None:
    """Print what is found."""
    path = options.path
    found = find_source(str(path))
    if found is None or found.kind == "npy_set":
        lines = describe_npy(path)
    elif found.kind == "folder":
        lines = describe_folder(path)
    else:
        lines = describe_source(found.open(OpenOptions(any_size=True)))
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print(f"{name:<{width}}  {printable(value)}")


def describe_npy(path: Path) -> list[tuple[str, str]]:
    """Describe a set. Raises ``UserError`` where it is not sound."""
    stored = ImageSet(path)
    count, height, width, channels = stored.shape
    sidecar = stored.sidecar
    looked_at = range(0, count, max(1, count // 2000))
    _, _, levels = measure(((stored.read(index)[None], None) for index in looked_at), stored.source())
    shown = f" (of {len(looked_at)} images)" if len(looked_at) < count else ""
    shape = list(stored.shape[: 4 if channels == 3 else 3])
    lines = [
        ("file", f"{path}, {size_text(path.stat().st_size)}, sound"),
        ("images", f"{count}, u8 {shape}: {width}x{height} px, {channels} channel{'s' * (channels > 1)}"),
        *((name, value + shown) for name, value in levels),
    ]
    if sidecar.order:
        lines.append(("order", f"{sidecar.order}, says {beside(path)}"))
    elif channels == 3:
        lines.append(("order", "taken as red, green, blue; if colours look wrong, the file is BGR: train with --bgr"))
    if sidecar.made:
        lines.append(("made", made_text(sidecar.made)))
    if sidecar.sizes is not None:
        lines.append(("before", sizes_text(sidecar.sizes)))
    if sidecar.names:
        few = ", ".join(printable(name)[:40] for name in sidecar.names[:3])
        lines.append(("names", few + (", ..." if count > 3 else "")))
    if sidecar.labels is not None:
        lines += _counted("class", dict(zip(sidecar.classes, sidecar.counts().tolist(), strict=True)))
    return lines


def measure(pieces: Iterable[Piece], source: ImageSource) -> tuple[Counter[str], np.ndarray, list[tuple[str, str]]]:
    """Of some of the images of a set how many have each size and each class, and lines on their values."""
    sizes: Counter[str] = Counter()
    counts = np.zeros(len(source.classes), np.int64)
    low, high, pixels, sums = 255, 0, 0, np.zeros(source.shape[3])
    for images, labels in pieces:
        sizes[f"{images.shape[2]}x{images.shape[1]} px"] += len(images)
        counts += 0 if labels is None else np.bincount(labels, minlength=len(counts))
        low, high = min(low, int(images.min())), max(high, int(images.max()))
        pixels += images[..., 0].size
        sums += images.reshape(-1, len(sums)).sum(0, dtype=np.float64)
    means = ", ".join(f"{mean:.1f}" for mean in sums / max(1, pixels))
    dark = ", dark as black" if high < NEARLY_BLACK else ""
    return sizes, counts, [("values", f"{low}..{high}{dark}"), ("means", means)]


def made_text(made: Mapping[str, Any]) -> str:
    """By which tool, and how, in a line."""
    options, sources = made.get("options"), made.get("of", [])
    named = [str(source) for source in (sources if isinstance(sources, list) else [sources])]
    words = [str(made.get("tool", "?")), *named[:SHOWN], *(["..."] if len(named) > SHOWN else [])]
    for name, value in options.items() if isinstance(options, dict) else ():
        words.append(f"--{name.replace('_', '-')}{'' if value is True else f' {value}'}")
    return printable(" ".join(words))[:200]


def sizes_text(sizes: np.ndarray) -> str:
    """Of which sizes i64 [n, 2] images came."""
    if (sizes == sizes[0]).all():
        return f"{sizes[0, 0]}x{sizes[0, 1]} px"
    small, large = (sizes[place] for place in (np.prod(sizes, 1).argmin(), np.prod(sizes, 1).argmax()))
    return f"{small[0]}x{small[1]} to {large[0]}x{large[1]} px"


def describe_source(source: ImageSource) -> list[tuple[str, str]]:
    """Describe a set, from reading all of it. Raises ``UserError`` where it is not sound."""
    sizes, counts, levels = measure(source.pieces(), source)
    count, channels = sizes.total(), f"{source.shape[3]} channel{'s' * (source.shape[3] > 1)}"
    lines = [
        ("set", f"{source.name}, sound"),
        ("images", f"{count}, {next(iter(sizes))}, {channels}" if len(sizes) == 1 else f"{count} of several sizes"),
        *levels,
        *source.description(),
    ]
    lines += _counted("size", sizes) if len(sizes) > 1 else []
    return lines + _counted("class", dict(zip(source.classes, counts.tolist(), strict=True)))


def describe_folder(folder: Path) -> list[tuple[str, str]]:
    """Describe a folder as training reads it, from headers alone. Raises ``UserError`` where nothing is readable."""
    headers: list[tuple[Path, Header]] = []
    skipped: list[tuple[Path, str]] = []
    junk: list[Path] = []
    root, files = training_files(folder, junk)
    total = 0
    for path in (file for file in files if file.name not in TABLES):
        try:
            data = read_bytes(path)
            headers.append((path, read_image_header(data)))
            total += len(data)
        except Unreadable as error:
            skipped.append((path, str(error)))
    if not headers:
        raise UserError(f"{folder} holds no readable image ({len(skipped)} other files)")
    system = f", {len(junk)} of the system" if junk else ""
    shown = f"{root}, {len(headers)} images, {size_text(total)}, {len(skipped)} other files{system}"
    lines = [("folder", shown)]
    lines += _counted("format", Counter(header.format for _, header in headers))
    lines += _counted("size", Counter("{1}x{0} px".format(*header.shape) for _, header in headers))
    paths = [path for path, _ in headers]
    known = labels_beside(root, [path.relative_to(root).as_posix() for path in paths])
    labels, classes = (known[1], known[2]) if known is not None else class_folders(root, paths)
    numbers = [] if labels is None else np.asarray(labels).tolist()
    lines += _counted("class", Counter(classes[label] for label in numbers if label >= 0))
    images = FolderImages(paths, (0, 0), crop)
    images.look("auto", str(root), quiet=True)
    lines += [("values", images.levels.note)] if images.levels.note else []
    return lines + _few("skipped", [f"{path}: {reason}" for path, reason in skipped])


def _counted(name: str, counts: dict[str, int]) -> list[tuple[str, str]]:
    """Lines of the most frequent values."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], natural(item[0])))
    return _few(name, [f"{value}: {count}" for value, count in ranked])


def _few(name: str, values: Sequence[str]) -> list[tuple[str, str]]:
    """A line for each of the first values, and how many more there are."""
    more = [f"... and {len(values) - SHOWN} more"] if len(values) > SHOWN else []
    return [(name, value) for value in (*values[:SHOWN], *more)]


def size_text(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count} bytes"
