"""Images of many sizes for super-resolution: training takes windows of them, beside the same windows of their small
versions; validation takes them whole.

The small versions are made as they are needed, bicubic with antialiasing, of the window and what lies around it: the
result is that of the whole image reduced. Or they lie in a folder of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from trainer.config import RunConfig
from trainer.contract.errors import UserError
from trainer.contract.headers import Unreadable, read_header
from trainer.contract.images import FITS, crop, files_in, read_bytes
from trainer.data.batches.dataset import GIB, ImageDataset, Pair, Part, Windows, decode_all, open_dataset
from trainer.data.sources import need_source
from trainer.data.sources._layout import training_files, training_part
from trainer.data.sources._threads import say, say_counts, summary, usable
from trainer.data.sources.base import Images, ReadImages
from trainer.data.sources.folder import FolderImages, named
from trainer.family import Crops

LEAST_PX = 8  # of validation images when they are small: what a figure can be computed of


@dataclass(frozen=True, kw_only=True)
class Sized:
    """An image file whose header is sound."""

    path: Path
    height: int
    width: int


def open_crops(config: RunConfig, reading: Crops, *, progress: bool = True) -> ImageDataset:
    """The images of ``--data``, and of the folders that ``reading`` names. Raises ``UserError`` in one line."""
    least, values = reading.least_px or reading.size_px, config.values
    found = need_source(config.data)
    if found.kind == "folder" and not config.image_size:
        folder, below = training_files(Path(config.data))
        pairs: list[Pair[Sized]] = [(item,) for item in sized_files(folder, least, progress, below)]
        if pairs and reading.condition:
            pairs = small_versions(folder, [pair[0] for pair in pairs], reading, progress)
        training, name, channels, groups = (
            load_part(pairs, config.memory, progress, values),
            folder.resolve().name,
            3,
            None,
        )
        if not training[0]:
            raise UserError(f"{folder} holds no readable image of at least {least}x{least} px")
    else:
        if reading.condition:
            raise UserError(f"--low is {reading.condition}, expected a folder in --data beside it")
        size, memory = config.image_size, config.memory
        fit = FITS[config.fit]
        images = open_dataset(
            found, image_size=size, bgr=config.bgr, fit=fit, values=values, memory=memory, progress=progress
        )
        height, width, channels = images.images.shape[1:]
        if min(height, width) < least:
            raise UserError(f"{config.data} holds images of {width}x{height} px, expected at least {least}x{least}")
        training, name, groups = (len(images), partial(read_row, images.images)), images.name, images.groups
    parts = [training]
    if reading.validation:
        parts.append(open_validation(Path(reading.validation), reading.scale, channels, config.memory, progress))
    windows, validation = Windows(parts, reading, channels), sum(count for count, _ in parts[1:])
    return ImageDataset(images=windows, groups=groups, name=name, sources=(found,), validation=validation)


def open_validation(folder: Path, scale: int, channels: int, memory: float, progress: bool) -> Part:
    """Images to be taken whole. Raises ``UserError``."""
    if channels != 3:
        raise UserError(f"--validation is {folder}, expected none: the images of --data are grey")
    if not folder.is_dir():
        raise UserError(f"--validation is {folder}, expected a folder of images")
    found = load_part([(item,) for item in sized_files(folder, LEAST_PX * scale, progress)], memory, progress)
    if not found[0]:
        raise UserError(f"{folder} holds no readable image of at least {LEAST_PX * scale} px")
    return found


def sized_files(folder: Path, least: int, progress: bool, files: Sequence[Path] | None = None) -> list[Sized]:
    """The images below a folder whose width and height are at least ``least``; the others are named."""

    def look(path: Path) -> Sized:
        height, width = read_header(read_bytes(path)).shape
        if min(height, width) < least:
            raise Unreadable(f"{width}x{height} px, expected at least {least}x{least}")
        return Sized(path=path, height=height, width=width)

    files = list(files_in(folder)) if files is None else files
    skipped: dict[object, str] = {}
    looked_at = usable(files, look, len(files), what="checking", name=named, skipped=skipped, progress=progress)
    found = [item for _, _, item in looked_at]
    reasons: dict[str, list[str]] = {}
    for path, reason in skipped.items():
        reasons.setdefault(summary(reason), []).append(Path(str(path)).name)
    say_counts(folder, len(found), len(files), reasons)
    return found


def small_versions(folder: Path, files: Sequence[Sized], reading: Crops, progress: bool) -> list[Pair[Sized]]:
    """Images with their small versions, which have the same path below their own folder but for the ending. Those
    without are named. Raises ``UserError`` where that is all."""
    low = Path(reading.condition)
    if not low.is_dir():
        raise UserError(f"--low is {low}, expected a folder of images")
    low = training_part(low)
    known = {item.path.relative_to(low).with_suffix(""): item for item in sized_files(low, 1, progress)}
    pairs: list[Pair[Sized]] = []
    for item in files:
        small = known.get(item.path.relative_to(folder).with_suffix(""))
        expected = item.width // reading.scale, item.height // reading.scale
        if small is None:
            say(f"skipped {item.path}: nothing of its name in {low}")
        elif (small.width, small.height) != expected:
            size = f"{small.width}x{small.height} px, expected {expected[0]}x{expected[1]}"
            say(f"skipped {item.path}: {small.path} is {size}")
        else:
            pairs.append((item, small))
    if not pairs:
        raise UserError(f"--low is {low}: none of its images fits one of {folder}")
    return pairs


def load_part(files: Sequence[Pair[Sized]], memory: float, progress: bool, values: str = "auto") -> Part:
    """The images where they fit into ``memory`` GiB, without those that cannot be decoded, which are named; or what
    decodes them when asked for."""
    parts = [FolderImages([item.path for item in items], (0, 0), crop) for items in zip(*files, strict=True)]
    for part in parts:
        part.look(values, str(Path(part.paths[0]).parent))
    if sum(item.height * item.width * 3 for pair in files for item in pair) > memory * GIB:
        return len(files), partial(read_all, parts)
    made = usable(range(len(files)), partial(decode_all, parts), what="decoding", progress=progress)
    images = [pair for _, _, pair in made]
    return len(images), images.__getitem__


def read_all(parts: Sequence[ReadImages], index: int) -> Pair[np.ndarray]:
    return tuple(part.read(index) for part in parts)


def read_row(images: Images, index: int) -> Pair[np.ndarray]:
    return (images[np.array([index])][0],)
