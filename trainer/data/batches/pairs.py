"""Pairs of an image and the condition that it is generated from.

Two folders with files of the same names; images whose two halves are the pair; two .npy files; or any images, with
their edges drawn on the fly. Images and conditions are brought to one size, as squares."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from trainer.config import RunConfig
from trainer.contract.edges import edge_map
from trainer.contract.errors import UserError
from trainer.contract.files import real
from trainer.contract.headers import Unreadable, read_header
from trainer.contract.images import FITS, Fit, files_in, read_bytes
from trainer.data.batches.dataset import FIT_FLAGS, GIB, ImageDataset, Pair, decode_all, open_dataset
from trainer.data.sources._layout import IMAGE_FOLDERS, MASK_FOLDERS, masks_beside, training_part
from trainer.data.sources._threads import counted, in_threads, say, usable
from trainer.data.sources.base import Images, OpenOptions, ReadImages, one_size
from trainer.data.sources.folder import FolderImages
from trainer.family import Pairs

Item = TypeVar("Item")
GIVEN = "given"  # the folder of masks that lies beside that of the images
LISTED = 12  # names of files without a partner
Size = tuple[int, int]  # height and width in pixels
Change = Callable[[np.ndarray], np.ndarray]  # u8 [h, w, c] → u8 [h, w, c']


class Derived(ReadImages):
    """Images made of others when asked for."""

    def __init__(self, images: Images, change: Change, channels: int) -> None:
        self.images, self.change = images, change
        self.shape = (*images.shape[:3], channels)  # type: ignore[assignment]

    def read(self, index: int) -> np.ndarray:
        return self.change(self.images[np.array([index])][0])


def open_pairs(config: RunConfig, reading: Pairs, progress: bool = True) -> ImageDataset:
    """The pairs that ``--data`` and ``--condition`` say. Raises ``UserError`` in one line."""
    side = round(config.image_size * reading.enlarge)
    fit = FITS[config.fit]
    opened = partial(
        open_dataset, image_size=side, bgr=config.bgr, memory=config.memory, fit=fit, values=config.values,
        progress=progress,
    )  # fmt: skip
    if reading.condition == "edges" or Path(reading.condition).suffix.lower() == ".npy":
        dataset = opened(config.data)
        images, name, groups = dataset.images, dataset.name, dataset.groups
        if reading.condition == "edges":
            change = partial(edges_of, sigma=reading.sigma)
            conditions = derive(images, change, 1, config.memory, progress, "drawing edges")
        else:
            conditions = opened(reading.condition).images
            if conditions.shape[:3] != images.shape[:3]:
                found = f"{reading.condition} holds {size_of(conditions)}"
                raise UserError(f"{reading.flag} {found}, expected the {size_of(images)} of --data")
    else:
        folder = Path(config.data)
        if not folder.is_dir():
            hint = "; 'edges' goes with any data" if reading.flag == "--condition" else ""
            raise UserError(
                f"--data is {config.data}, expected a folder of images with {reading.flag} {reading.condition}{hint}"
            )
        halves = reading.condition == "halves"
        where = Path(reading.condition)
        if reading.condition == GIVEN:
            folder, where = given_in(folder, reading.flag)
        if halves:
            files = find_halves(folder)
            fits: Pair[Fit] = (partial(half, fit=fit, right=True), partial(half, fit=fit))
        else:
            files = match(folder, where, reading.flag)
            fits = fit, fit
        options = OpenOptions(image_size=side, fit=fit, fit_flags=FIT_FLAGS, values=config.values)
        images, conditions = open_files(files, fits, halves, options, config.memory, progress)
        name, groups = folder.resolve().name, None
    if reading.swapped:
        images, conditions = conditions, images
    images = with_channels(images, reading.channels, config.memory)
    conditions = with_channels(conditions, reading.condition_channels, config.memory)
    return ImageDataset(
        images=images,
        conditions=conditions,
        groups=groups,
        name=name,
        window=(config.image_size, config.image_size) if side != config.image_size else None,
    )


def size_of(images: Images) -> str:
    return f"{len(images)} images of {images.shape[2]}x{images.shape[1]} px"


def match(folder: Path, conditions: Path, flag: str = "--condition") -> dict[Pair[Path], Size]:
    """Pairs of files (image, condition) of the same name in two folders, whatever their endings, and the size (h, w)
    of the image. Names without a partner are listed and counted. Raises ``UserError`` where no pair is left."""
    if not conditions.is_dir():
        kinds = ", a .npy file, 'given', 'halves' or 'edges'" if flag == "--condition" else ", or a .npy file"
        raise UserError(f"{flag} is {conditions}, expected a folder of images{kinds}; there is no such folder")
    if real(folder) == real(conditions):
        raise UserError(f"{flag} is {conditions}, the folder of --data itself, expected another")
    ours, theirs = by_name(folder, conditions), by_name(conditions, folder)
    note_unmatched(folder, "no condition", [ours[name] for name in ours.keys() - theirs.keys()])
    note_unmatched(conditions, "no image", [theirs[name] for name in theirs.keys() - ours.keys()])
    names = sorted(ours.keys() & theirs.keys())
    if not names:
        raise UserError(f"no file in {conditions} has the name of one in {folder}, expected a/b.png for a/b.jpg, say")

    def check(name: str) -> Size:
        shape, condition_shape = shape_of(ours[name]), shape_of(theirs[name])
        (height, width), (other_height, other_width) = sorted((shape, condition_shape))
        wide, high = other_width * height / other_height, other_height * width / other_width
        if abs(wide - width) > 1 and abs(high - height) > 1:  # more than what the smaller one was rounded by
            sizes = (f"{width}x{height} px" for height, width in (shape, condition_shape))
            raise Unreadable(f"{ours[name]}: {next(sizes)}, its condition {next(sizes)}")
        return shape

    return {(ours[name], theirs[name]): shape for name, shape in checked(names, check, folder)}


def given_in(folder: Path, flag: str) -> tuple[Path, Path]:
    """The folders of images and of their masks within ``folder``, or in its training part. Raises ``UserError``."""
    place = training_part(folder)
    found = masks_beside(folder) or (masks_beside(place.parent) if place != folder else None)
    if found is None:
        names = f"{', '.join(IMAGE_FOLDERS[:3])} ... and {', '.join(MASK_FOLDERS[:5])} ..."
        raise UserError(
            f"{flag} is {GIVEN}, expected two folders in {folder} with files of the same names: {names}; or name the "
            "folder of masks itself"
        )
    say(f"note: {folder}: conditions are in {found[1].relative_to(folder)}, images in {found[0].relative_to(folder)}")
    return found


def by_name(folder: Path, other: Path) -> dict[str, Path]:
    """Files by their path in the folder, without endings; not those of the other folder, should it lie within."""
    found: dict[str, Path] = {}
    inside = real(other) if real(folder) in real(other).parents else None
    for path in files_in(folder):
        if inside is not None and inside in real(path).parents:
            continue
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            say(f"skipped {path}: {found[name]} has the same name")
        else:
            found[name] = path
    return found


def note_unmatched(folder: Path, lack: str, paths: Sequence[Path]) -> None:
    if paths:
        names = [str(path.relative_to(folder)) for path in sorted(paths)]
        few = ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
        say(f"{folder}: left out {len(names)} with {lack} of the same name: {few}")


def shape_of(path: Path) -> Size:
    """Height and width of an image file. Raises ``Unreadable`` with its name."""
    try:
        return read_header(read_bytes(path)).shape
    except Unreadable as error:
        raise Unreadable(f"{path}: {error}") from None


def find_halves(folder: Path) -> dict[Pair[Path], Size]:
    """Images of two halves: each file twice, and the size (h, w) of a half."""

    def check(path: Path) -> Size:
        height, width = shape_of(path)
        if width % 2:
            raise Unreadable(f"{path}: {width} px wide, which has no two halves")
        return height, width // 2

    return {(path, path): shape for path, shape in checked(list(files_in(folder)), check, folder)}


def checked(items: Sequence[Item], check: Callable[[Item], Size], folder: Path) -> list[tuple[Item, Size]]:
    """Those for which ``check`` raises no ``Unreadable``, each with its size. Raises ``UserError`` where none is."""
    found = [(item, shape) for _, item, shape in usable(items, check, len(items), progress=False)]
    if not found:
        raise UserError(f"{folder}: none of {len(items)} pairs can be used")
    return found


def half(image: np.ndarray, height: int, width: int, fit: Fit, right: bool = False) -> np.ndarray:
    """What ``fit`` makes of the left or right half of an image."""
    middle = image.shape[1] // 2
    return fit(image[:, middle:] if right else image[:, :middle], height, width)


def open_files(
    found: Mapping[Pair[Path], Size], fits: Pair[Fit], exact: bool, options: OpenOptions, memory: float, progress: bool
) -> Pair[Images]:
    """Images and conditions of files, in memory where they fit. Raises ``UserError``."""
    size = one_size(Counter(found.values()), "--data", options)
    parts = [FolderImages(files, size, fit, exact) for files, fit in zip(zip(*found, strict=True), fits, strict=True)]
    for part, what in zip(parts, ("--data", "the conditions"), strict=True):
        if not exact:  # halves of one file, of which only one can be a mask
            part.look(options.values if what != "--data" or options.values != "ids" else "auto", what)
    if 2 * len(found) * size[0] * size[1] * 3 > memory * GIB:
        return tuple(parts)
    arrays = np.empty((2, len(found), *size, 3), np.uint8)
    count = 0
    decoded = usable(range(len(found)), partial(decode_all, parts), what="decoding", progress=progress)
    for _, _, images in decoded:
        arrays[:, count] = images
        count += 1
    if not count:
        raise UserError(f"none of {len(found)} pairs can be used")
    return arrays[0, :count], arrays[1, :count]


def derive(images: Images, change: Change, channels: int, memory: float, progress: bool, what: str) -> Images:
    """Images made of others: in memory where those are, and both fit."""
    derived = Derived(images, change, channels)
    count, height, width, _ = derived.shape
    if not isinstance(images, np.ndarray) or images.nbytes + count * height * width * channels > memory * GIB:
        return derived
    array = np.empty(derived.shape, np.uint8)
    made = in_threads(range(count), lambda index: change(images[index]))
    for index, image in counted(made, count, lambda _: 1, what, progress):
        array[index] = image
    return array


def edges_of(image: np.ndarray, sigma: float) -> np.ndarray:
    return edge_map(image, sigma)[..., None]


def with_channels(images: Images, channels: int, memory: float) -> Images:
    """Grey or RGB, as asked for; 0: as they are."""
    if channels in (0, images.shape[3]):
        return images
    change = to_grey if channels == 1 else partial(np.repeat, repeats=3, axis=2)
    return derive(images, change, channels, memory, False, "")


def to_grey(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
