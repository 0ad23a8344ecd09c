"""Images of many sizes for super-resolution: training takes windows of them, beside the same windows of their small
versions; validation takes them whole.

The small versions are made as they are needed, bicubic with antialiasing, of the window and what lies around it: the
result is that of the whole image reduced. Or they lie in a folder of their own.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from tqdm import tqdm

from trainer.config import RunConfig
from trainer.contract.errors import UserError
from trainer.contract.headers import Unreadable, read_header
from trainer.contract.images import decode, files_in, read_bytes
from trainer.contract.resample import shrink
from trainer.contract.text import printable
from trainer.data.batches.dataset import GIB, ImageDataset, Ragged, Sides, open_dataset
from trainer.data.sources import need_source
from trainer.data.sources.base import Images, training_part
from trainer.data.sources.threads import in_threads
from trainer.family import Crops

LEAST_PX = 8  # of validation images when they are small: what a figure can be computed of

Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True)
class Sized:
    """An image file whose header is sound."""

    path: Path
    height: int
    width: int

    def read(self) -> np.ndarray:
        """u8 [h, w, 3] RGB. Raises ``Unreadable``, with the file's name."""
        try:
            data = read_bytes(self.path)
            return cv2.cvtColor(decode(data, read_header(data)), cv2.COLOR_BGR2RGB)
        except Unreadable as error:
            raise Unreadable(f"{printable(self.path)}: {error}") from None


class Files(Sequence[Sides[np.ndarray]]):
    """Images, and their small versions where they have any, decoded when asked for."""

    def __init__(self, files: Sequence[Sides[Sized]]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: Any) -> Any:
        large, small = self.files[index]
        try:
            return large.read(), None if small is None else small.read()
        except Unreadable as error:
            raise UserError(f"{error}; it was readable before") from None


class Rows(Sequence[Sides[np.ndarray]]):
    """The images of a set in which all are of one size."""

    def __init__(self, images: Images) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Any) -> Any:
        return self.images[np.array([index])][0], None


class Windows(Ragged):
    """Images to train on, then those for validation, each large and small."""

    def __init__(self, parts: Sequence[Sequence[Sides[np.ndarray]]], reading: Crops, channels: int) -> None:
        self.parts = parts
        self.size_px, self.scale = reading.size_px, reading.scale
        self.shape = (sum(map(len, parts)), reading.size_px, reading.size_px, channels)

    def cut(self, indices: np.ndarray, random: np.random.Generator) -> Sides[np.ndarray]:
        size, scale = self.size_px, self.scale
        side = size // scale
        image = np.empty((len(indices), *self.shape[1:]), np.uint8)
        condition = np.empty((len(indices), side, side, self.shape[3]), np.uint8)
        for row, (index, place) in enumerate(zip(indices, random.random((len(indices), 2)), strict=True)):
            large, small = self.image(int(index))
            places = (np.array(large.shape[:2]) - size) // scale + 1
            top, left = (place * places).astype(int).tolist()
            image[row] = large[top * scale :, left * scale :][:size, :size]
            condition[row] = (
                shrunk_window(large, top, left, side, scale) if small is None else small[top:, left:][:side, :side]
            )
        return image, condition

    def whole(self, index: int) -> Sides[np.ndarray]:
        large, small = self.image(index)
        height, width = (side // self.scale * self.scale for side in large.shape[:2])
        return large[None, :height, :width], (shrink(large, self.scale) if small is None else small)[None]

    def image(self, index: int) -> Sides[np.ndarray]:
        """One image u8 [h, w, c], and its small version where that was given."""
        for part in self.parts:
            if index < len(part):
                return part[index]
            index -= len(part)
        raise IndexError(index)


def shrunk_window(large: np.ndarray, top: int, left: int, side: int, scale: int) -> np.ndarray:
    """A window of an image's small version: what ``shrink`` makes of the whole, from (top, left), in its pixels."""
    first = [max(0, corner - 2) for corner in (top, left)]  # the kernel reaches two small pixels further
    part = large[first[0] * scale : (top + side + 2) * scale, first[1] * scale : (left + side + 2) * scale]
    return shrink(part, scale)[top - first[0] :, left - first[1] :][:side, :side]


def open_crops(config: RunConfig, reading: Crops, *, progress: bool = True) -> ImageDataset:
    """The images of ``--data``, and of the folders that ``reading`` names. Raises ``UserError`` in one line."""
    least = reading.least_px or reading.size_px
    found = need_source(config.data)
    if found.kind == "folder" and not config.image_size:
        folder = training_part(Path(config.data))
        files = sized_files(folder, least, progress)
        if not files:
            raise UserError(f"{printable(folder)} holds no readable image of at least {least}x{least} px")
        pairs = (
            small_versions(folder, files, reading, progress) if reading.condition else [(item, None) for item in files]
        )
        training, name, channels, groups = held(pairs, config.memory, progress), folder.resolve().name, 3, None
        if not len(training):
            raise UserError(f"{printable(folder)} holds no readable image of at least {least}x{least} px")
    else:
        if reading.condition:
            raise UserError(f"--low is {printable(reading.condition)}, expected a folder in --data beside it")
        images = open_dataset(
            found, image_size=config.image_size, bgr=config.bgr, memory=config.memory, progress=progress
        )
        height, width, channels = images.images.shape[1:]
        if min(height, width) < least:
            raise UserError(
                f"{printable(config.data)} holds images of {width}x{height} px, expected at least {least}x{least}"
            )
        training, name, groups = Rows(images.images), images.name, images.groups
    parts = [training]
    if reading.validation:
        parts.append(open_validation(Path(reading.validation), reading.scale, channels, config.memory, progress))
    return ImageDataset(
        images=Windows(parts, reading, channels),
        groups=groups,
        name=name,
        sources=(found,),
        condition_channels=channels,
        validation=sum(map(len, parts[1:])),
    )


def open_validation(
    folder: Path, scale: int, channels: int, memory: float, progress: bool
) -> Sequence[Sides[np.ndarray]]:
    """Images to be taken whole. Raises ``UserError``."""
    if channels != 3:
        raise UserError(f"--validation is {printable(folder)}, expected none: the images of --data are grey")
    if not folder.is_dir():
        raise UserError(f"--validation is {printable(folder)}, expected a folder of images")
    found = held([(item, None) for item in sized_files(folder, LEAST_PX * scale, progress)], memory, progress)
    if not len(found):
        raise UserError(f"{printable(folder)} holds no readable image of at least {LEAST_PX * scale} px")
    return found


def sized_files(folder: Path, least: int, progress: bool) -> list[Sized]:
    """The images below a folder whose sides are at least ``least``; the others are named."""

    def look(path: Path) -> Sized | str:
        try:
            height, width = read_header(read_bytes(path)).shape
        except Unreadable as error:
            return f"{printable(path)}: {error}"
        if min(height, width) < least:
            return f"{printable(path)}: {width}x{height} px, expected at least {least}x{least}"
        return Sized(path=path, height=height, width=width)

    return done(look, list(files_in(folder)), "checking", progress)


def small_versions(folder: Path, files: Sequence[Sized], reading: Crops, progress: bool) -> list[Sides[Sized]]:
    """Images with their small versions, which have the same path below their own folder but for the ending. Those
    without are named. Raises ``UserError`` where that is all."""
    low = Path(reading.condition)
    if not low.is_dir():
        raise UserError(f"--low is {printable(low)}, expected a folder of images")
    low = training_part(low)
    known = {item.path.relative_to(low).with_suffix(""): item for item in sized_files(low, 1, progress)}
    pairs: list[Sides[Sized]] = []
    for item in files:
        small = known.get(item.path.relative_to(folder).with_suffix(""))
        expected = item.width // reading.scale, item.height // reading.scale
        if small is None:
            say_skipped(f"{printable(item.path)}: nothing of its name in {printable(low)}")
        elif (small.width, small.height) != expected:
            size = f"{small.width}x{small.height} px, expected {expected[0]}x{expected[1]}"
            say_skipped(f"{printable(item.path)}: {printable(small.path)} is {size}")
        else:
            pairs.append((item, small))
    if not pairs:
        raise UserError(f"--low is {printable(low)}: none of its images fits one of {printable(folder)}")
    return pairs


def held(files: Sequence[Sides[Sized]], memory: float, progress: bool) -> Sequence[Sides[np.ndarray]]:
    """The images where they fit into ``memory`` GiB, without those that cannot be decoded, which are named; or what
    decodes them when asked for."""
    if sum(item.height * item.width * 3 for pair in files for item in pair if item is not None) > memory * GIB:
        return Files(files)

    def read(pair: Sides[Sized]) -> Sides[np.ndarray] | str:
        try:
            return pair[0].read(), None if pair[1] is None else pair[1].read()
        except Unreadable as error:
            return str(error)

    return done(read, files, "decoding", progress)


def done(one: Callable[[Any], Made | str], files: Sequence[Any], what: str, progress: bool) -> list[Made]:
    """What ``one`` makes of each file, in order. Where that is a text, it says what is wrong with that file."""
    found: list[Made] = []
    bar = tqdm(in_threads(files, one), what, len(files), unit="file", leave=False, disable=None if progress else True)
    for _, result in bar:
        if isinstance(result, str):
            say_skipped(result)
        else:
            found.append(result)
    return found


def say_skipped(what: str) -> None:
    print(f"skipped {printable(what)}", file=sys.stderr)
