"""How published sets lie in folders: training and test parts, images beside masks, CycleGAN's two sets. No torch."""

import contextlib
from pathlib import Path

import numpy as np

from trainer.contract.headers import SUFFIXES, Unreadable, read_header
from trainer.contract.images import files_in, is_junk, load_bytes, read_bytes
from trainer.data.sources._threads import say

# What the parts of a published set are called; a folder of such folders is no folder of classes.
PARTS = frozenset(("train", "training", "test", "testing", "val", "valid", "validation"))
# What folders of images with a mask each are called, in lower case, and those of their masks.
IMAGE_FOLDERS = ("images", "image", "imgs", "img", "jpegimages", "photos", "leftimg8bit")
MASK_FOLDERS = (
    "masks", "mask", "segmentationclass", "segmentation", "labels", "label", "annotations", "gt", "gtfine", "targets",
    "segmentationobject",
)  # fmt: skip
# of what may be masks: files that are looked at, levels between neighbours that are alike, the fraction of such ones.
# Of masks it is 0.95, saved as JPEG 0.76 and more; of photographs mostly 0.3 to 0.6, of 1 in 40 above 0.8
_LOOKED_AT, _ALIKE, _LEAST_FLAT = 8, 4, 0.75
UNPAIRED = frozenset(f"{part}{side}" for part in ("train", "test", "val") for side in "AB")


def training_part(folder: Path) -> Path:
    """Where the images to train on are in a folder: in its training part, if it holds those of a published set; in the
    folder of images, if one of masks lies beside it; else all over it."""
    below = {path.name: path for path in folder.iterdir() if path.is_dir() and not is_junk(path.name)}
    training = [name for name in ("train", "training") if name in below]
    if training and len(below) > 1 and below.keys() <= PARTS:
        return training_part(below[training[0]])
    beside = masks_beside(folder)
    return beside[0] if beside else folder


def masks_beside(folder: Path) -> tuple[Path, Path] | None:
    """The folders of images and of their masks in a folder, by their names, if files of the same names are in both."""
    below = {path.name.lower(): path for path in folder.iterdir() if path.is_dir() and not is_junk(path.name)}
    images, masks = ([below[name] for name in names if name in below] for names in (IMAGE_FOLDERS, MASK_FOLDERS))
    if len(images) != 1 or not masks:
        return None
    own = stems_in(images[0])
    shared = {mask: len(own & stems_in(mask)) for mask in masks}
    mask = max(shared, key=lambda one: shared[one])
    return (images[0], mask) if shared[mask] else None


def hold_labels(masks: Path, images: Path) -> bool:
    """Whether files look like masks: large areas of one colour each. Of those that have the name of an image, some are
    looked at; where none can be read, the names of the folders are believed."""
    own = stems_in(images)
    paths = [path for path in files_in(masks) if path.relative_to(masks).with_suffix("") in own]
    seen = []
    for path in paths[:: max(1, len(paths) // _LOOKED_AT)][:_LOOKED_AT]:
        with contextlib.suppress(Unreadable):
            data = read_bytes(path)
            header = read_header(data)
            seen.append(_is_of_labels(load_bytes(data, *header.shape, header=header)))
    return 2 * sum(seen) >= len(seen)


def _is_of_labels(image: np.ndarray) -> bool:
    """Whether an image u8 [h, w, 3] is of large areas of one colour each, as JPEG may have left them."""
    rough = image.astype(np.int16)
    steps = [np.abs(np.diff(rough, axis=axis)).max(axis=2) for axis in (0, 1)]
    return sum(int((step <= _ALIKE).sum()) for step in steps) >= _LEAST_FLAT * sum(step.size for step in steps)


def stems_in(folder: Path) -> set[Path]:
    """Paths below a folder of the files named as images are, without their endings."""
    return {file.relative_to(folder).with_suffix("") for file in files_in(folder) if file.suffix.lower() in SUFFIXES}


def training_files(folder: Path, junk: list[Path] | None = None) -> tuple[Path, list[Path]]:
    """The files to train on in a folder, and the folder whose own folders may be classes; what is left aside is said.
    ``junk`` takes the system's own files that are there."""
    root = training_part(folder)
    found = masks_beside(root.parent) if root != folder else None
    if found and found[0] == root and not hold_labels(found[1], root):
        names = " and ".join(path.name for path in found)
        say(
            f"note: {root.parent}: {names} have files of the same names, and {found[1].name} holds no masks: all "
            "folders are read, as classes; as pairs they are read by pix2pix's --condition given"
        )
        root = root.parent
    files = list(files_in(root, junk))
    if root != folder:
        others = sorted(path.name for path in folder.iterdir() if path.is_dir() and not is_junk(path.name))
        masks = masks_beside(root.parent)
        way = "; its masks are conditions of pix2pix: --condition given" if masks and masks[0] == root else ""
        say(f"note: {folder}: only {root.relative_to(folder)} is read, of {', '.join(others)}{way}")
    parts = {file.relative_to(root).parts[0] for file in files if file.parent != root}
    if {"trainA", "trainB"} <= parts <= UNPAIRED:  # as CycleGAN has two sets that are no pairs
        files = [file for file in files if file.relative_to(root).parts[0] in ("trainA", "trainB")]
        rest = ", ".join(sorted(parts - {"trainA", "trainB"}))
        say(f"note: {folder}: the classes are trainA and trainB{rest and ', not read are '}{rest}")
    return root, files
