"""Decode image files of any origin, and bring them to a size.

OpenCV alone is not enough: it drops alpha silently and crashes on some file names, and what else it does not see is in
``headers``. So the bytes are read by Python and their headers checked first."""

import contextlib
import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np

from trainer.contract import levels
from trainer.contract.headers import Header, Unreadable, essential, read_header

MOST_BYTES = 1 << 29
LARGE_PIXELS = 16_000_000

Fit: TypeAlias = Callable[[np.ndarray, int, int], np.ndarray]
"""Brings an image u8 [h, w, c], of whatever order, to a height and width in pixels. May raise ``Unreadable``."""


def read_bytes(path: Path) -> bytes:
    """The bytes of a regular file. Raises ``Unreadable`` for anything else, without opening it: a FIFO would block."""
    try:
        status = os.stat(path)  # noqa: PTH116
        if stat.S_ISDIR(status.st_mode):
            raise Unreadable("a folder")
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("not a regular file")
        if status.st_size > MOST_BYTES:
            raise Unreadable(f"{status.st_size} bytes, at most {MOST_BYTES}")
        data = path.read_bytes()
    except OSError as error:
        raise Unreadable((error.strerror or str(error)).lower()) from None
    if not data:
        raise Unreadable("an empty file")
    return data


def decode(data: bytes, header: Header, target: int = 0) -> np.ndarray:
    """The image u8 [h, w, 3], BGR, upright; alpha is laid on white, 16 bits become 8. Raises ``Unreadable``.

    target: side in pixels that the image will be reduced to; 0: decode at full size. Otherwise a JPEG is decoded at a
    half, a quarter or an eighth where width and height stay at least 1.5 times the target and divide evenly: that takes
    half the time. On photographs it moves the averaged result by 0.2 to 1.3 of 255 in the mean, as averaging twice
    does; with a remainder they would be stretched, for up to 4."""
    image = _pixels(data, header, target)
    if header.ids and (ids := levels.grey_of(image)) is not None:
        image = levels.coloured(ids)
    elif image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    elif image.shape[2] == 4:
        image = on_white(image)
    return _upright(image, header.orientation)


def found_levels(files: Iterable[bytes], alone: bool = False, brightest: int = 0) -> levels.Levels:
    """What the values of some encoded images mean; those that cannot be read say nothing. See ``levels.found_in``."""

    def stored() -> Iterator[tuple[np.ndarray, Header]]:
        for data in files:
            with contextlib.suppress(Unreadable, cv2.error, MemoryError):
                header = read_header(data)
                told = header.deep or levels.may_be_mask(header)
                yield _stored(data, header) if told else _NOTHING, header

    return levels.found_in(stored(), alone, brightest)


def brightest_of(data: bytes, header: Header) -> int:
    """The highest value of a 16-bit image as it is stored; 0 where it cannot be read."""
    with contextlib.suppress(Unreadable, cv2.error, MemoryError):
        return int(_stored(data, header).max())
    return 0


@dataclass(frozen=True)
class Layers:
    """An image, upright, and what is left out where it is laid on white."""

    image: np.ndarray  # u8 [h, w, 3] BGR
    alpha: np.ndarray | None  # u8 [h, w]; None: opaque
    grey: bool  # it came without colours


def decode_layers(data: bytes, header: Header) -> Layers:
    """The image with its alpha beside it; what is wholly clear has the colours of what is seen nearest to it, since
    what a file hides there, often anything, would bleed into its borders. Raises ``Unreadable``."""
    image = _upright(_pixels(data, header), header.orientation)
    if header.ids and (ids := levels.grey_of(image)) is not None:
        return Layers(levels.coloured(ids), None, grey=False)
    if image.ndim == 2:
        return Layers(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), None, grey=True)
    alpha = np.ascontiguousarray(image[..., 3]) if image.shape[2] == 4 and image[..., 3].min() < 255 else None
    colours = np.ascontiguousarray(image[..., :3])
    return Layers(colours if alpha is None else _bled(colours, alpha), alpha, header.grey_alpha)


def _bled(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """An image u8 [h, w, 3] whose clear pixels have the colour of the nearest other one; white where there is none."""
    clear = alpha == 0
    if not clear.any():
        return image
    if clear.all():
        return np.full_like(image, 255)
    # labels are of connected parts, or with PIXEL of each pixel by itself: those seen are numbered row by row
    _, nearest = cv2.distanceTransformWithLabels(
        clear.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    return np.where(clear[..., None], image[~clear][nearest - 1], image)


def _pixels(data: bytes, header: Header, target: int = 0) -> np.ndarray:
    """What is stored as 8 bits, u8 [h, w], [h, w, 3] BGR or [h, w, 4] BGRA; see ``decode``. Raises ``Unreadable``."""
    image = _stored(data, header, target)
    return levels.eight_bits(image, header.bits) if image.dtype == np.uint16 else image


def _stored(data: bytes, header: Header, target: int = 0) -> np.ndarray:
    """What is stored, u8 or u16, otherwise as ``_pixels``."""
    if header.by_pillow:
        return _pixels_by_pillow(data, header)
    flags = cv2.IMREAD_UNCHANGED
    if header.format == "JPEG" and target:
        for factor, reduced in ((2, cv2.IMREAD_REDUCED_COLOR_2), (4, cv2.IMREAD_REDUCED_COLOR_4),
                                (8, cv2.IMREAD_REDUCED_COLOR_8)):  # fmt: skip
            if all(side >= 1.5 * target * factor and side % factor == 0 for side in header.shape):
                flags = reduced
    if header.format == "PNG":
        data = essential(data)
    try:
        # The orientation is applied here for all formats; OpenCV ignores it with IMREAD_UNCHANGED.
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        image = None
    if image is None:
        raise Unreadable(f"a {header.format} that cannot be decoded")
    if image.dtype not in (np.uint8, np.uint16):
        raise Unreadable(f"{image.dtype} values, expected 8 or 16 bits")
    return image[..., 0] if image.shape[2:] == (1,) else image


def _pixels_by_pillow(data: bytes, header: Header) -> np.ndarray:
    from PIL import Image

    try:
        opened = Image.open(BytesIO(data), formats=(header.format,))
        clear = opened.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in opened.info
        pixels = np.asarray(opened.convert("RGBA" if clear else "L" if opened.mode in ("1", "L") else "RGB"))
    except MemoryError:
        raise
    except Exception:  # Pillow raises a dozen kinds for damaged files
        raise Unreadable(f"a {header.format} that cannot be decoded") from None
    return pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., [2, 1, 0, 3][: pixels.shape[2]]])


def on_white(image: np.ndarray) -> np.ndarray:
    """An image u8 [h, w, 4] on white paper, u8 [h, w, 3]."""
    result = np.empty((*image.shape[:2], 3), np.uint8)
    rows = max(1, (1 << 20) // image.shape[1])  # numbers with fractions take four times the memory
    for top in range(0, len(image), rows):
        part = image[top : top + rows]
        alpha = part[..., 3:].astype(np.float32) / 255
        result[top : top + rows] = np.rint(part[..., :3] * alpha + 255 * (1 - alpha))
    return result


def _upright(image: np.ndarray, orientation: int) -> np.ndarray:
    if orientation in (2, 5, 7, 4):
        image = cv2.flip(image, 0 if orientation == 4 else 1)
    turn = {3: cv2.ROTATE_180, 6: cv2.ROTATE_90_CLOCKWISE, 7: cv2.ROTATE_90_CLOCKWISE,
            8: cv2.ROTATE_90_COUNTERCLOCKWISE, 5: cv2.ROTATE_90_COUNTERCLOCKWISE}.get(orientation)  # fmt: skip
    return image if turn is None else cv2.rotate(image, turn)


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize to exactly this size: area average where a side shrinks, cubic where it grows."""
    for shrink, method in ((True, cv2.INTER_AREA), (False, cv2.INTER_CUBIC)):
        old_height, old_width = image.shape[:2]
        new_height = height if (height < old_height) == shrink else old_height
        new_width = width if (width < old_width) == shrink else old_width
        if (new_height, new_width) != (old_height, old_width):
            image = cv2.resize(image, (new_width, new_height), interpolation=method)
    return image


def pad(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bring an image to exactly this size in its own proportions, with its edges repeated outwards."""
    scale = min(height / image.shape[0], width / image.shape[1])
    inner = [max(1, round(side * scale)) for side in image.shape[:2]]
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    bottom, right = height - inner[0] - top, width - inner[1] - left
    return cv2.copyMakeBorder(resize(image, *inner), top, bottom, left, right, cv2.BORDER_REPLICATE)


def centre(image: np.ndarray, height: int, width: int, scale_to: Fit = resize) -> np.ndarray:
    """Bring an image to exactly this size by cutting off what is too much, evenly at both ends."""
    scale = min(image.shape[0] / height, image.shape[1] / width)
    inner = [
        min(side, max(1, round(wanted * scale))) for side, wanted in zip(image.shape, (height, width), strict=False)
    ]
    top, left = (image.shape[0] - inner[0]) // 2, (image.shape[1] - inner[1]) // 2
    return scale_to(image[top : top + inner[0], left : left + inner[1]], height, width)


def crop(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """``centre``; what has the proportions already is resized, to the same bits as by ``resize``."""
    return centre(image, height, width)


FITS: Mapping[str, Fit] = {"auto": crop, "crop": crop, "pad": pad, "stretch": resize}
"""How images are brought to a size of other proportions, by what options call it."""


FITTED: Mapping[Fit, str] = {crop: "cropped", centre: "cropped", pad: "padded", resize: "stretched"}
"""What they make of an image, as a word."""


def fit_note(sizes: Mapping[tuple[int, int], int], fit: Fit) -> str:
    """What ``fit`` does to so many images of each size (h, w), 0 where that is not known, where all become squares, as
    words; none where they are squares already, and where it is none of ``FITS``."""
    others = {size: count for size, count in sizes.items() if size[0] != size[1]}
    if not others or fit not in FITTED:
        return ""
    done = FITTED[fit]
    cut = max(1 - min(size) / max(size) for size in others)
    percent = f"up to {max(1, round(100 * cut))} %"
    how = {
        "cropped": f"{percent} of an image cut off",
        "padded": f"{percent} of an image are its edges repeated",
        "stretched": f"up to {1 / (1 - cut):.2f} times",
    }[done]
    count, total = sum(others.values()), sum(sizes.values())
    which = f"{count:,} of {total:,} images" if total else "images of other shapes"
    return f"{which} {done} to a square: {how}"


def load_bytes(
    data: bytes, height: int, width: int, fit: Fit = crop, exact: bool = False, header: Header | None = None
) -> np.ndarray:
    """The bytes of an image file as u8 [height, width, 3] RGB, as ``fit`` brings it to the size. exact: decode at full
    size; otherwise see ``decode``. header: where it is known already. Raises ``Unreadable``."""
    header = header or read_header(data)
    try:
        large = header.width * header.height > LARGE_PIXELS  # hundreds of megabytes: one is in memory at a time
        with _large if large else contextlib.nullcontext():
            if header.ids and (ids := levels.grey_of(_upright(_pixels(data, header), header.orientation))) is not None:
                return np.asarray(levels.palette()[_most_of(ids, height, width, fit)], np.uint8)
            image = decode(data, header, 0 if exact else max(height, width))
            reduced = image.shape[0] * image.shape[1] < header.height * header.width
            image = (_FAST.get(fit, fit) if reduced else fit)(image, height, width)
    except (cv2.error, MemoryError):
        raise Unreadable("too large to decode here") from None
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _most_of(ids: np.ndarray, height: int, width: int, fit: Fit) -> np.ndarray:
    """A mask u8 [h, w] at another size: each pixel is of the class that has most of its area. Averaged colours would be
    those of no class, or of another one."""
    if ids.shape == (height, width):
        return ids
    values = np.flatnonzero(np.bincount(ids.reshape(-1), minlength=256))
    most, result = None, np.full((height, width), values[0], np.uint8)
    for value in values.tolist():
        share = fit(np.asarray(ids == value, np.uint8) * 255, height, width).reshape(height, width)
        if most is None:
            most = share
            continue
        result[share > most] = value
        most = np.maximum(most, share)
    return result


def _shrink(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """``resize`` in half its time, of an image some 1.5 to 3 times as large: its averages of parts of pixels are slow.

    To twice the size first, between neighbours, then averages of 2x2: within 0.4 of 255 of ``resize`` in the mean."""
    if not all(1.5 * side <= have <= 3 * side for side, have in zip((height, width), image.shape, strict=False)):
        return resize(image, height, width)
    return resize(cv2.resize(image, (2 * width, 2 * height)), height, width)


_FAST: Mapping[Fit, Fit] = {resize: _shrink, crop: partial(centre, scale_to=_shrink)}

_large = threading.Lock()
_NOTHING = np.empty(0, np.uint8)  # in place of an image that need not be decoded

# Folders and files that systems put beside images: thumbnails, recycled files, notes on what they showed.
JUNK = frozenset((
    "@eadir", "#recycle", "#snapshot", "$recycle.bin", "__macosx", "__pycache__", "system volume information",
    "lost+found", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r",
))  # fmt: skip


def is_junk(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or a system's own and no image of anybody's."""
    return name.startswith(".") or name.lower() in JUNK


def files_in(folder: Path, junk: list[Path] | None = None) -> Iterator[Path]:
    """All files below a folder, sorted, without hidden ones and those of the system (``JUNK``), which
    ``junk`` takes. Links to folders are followed, but those to a folder that is found without them, that comes for the
    second time, or that holds the first one, as links in a circle do."""
    root = Path(os.path.realpath(folder))
    seen = {root}

    def is_new(path: Path) -> bool:
        place = Path(os.path.realpath(path))
        inside = root in place.parents
        hidden = inside and any(map(is_junk, place.relative_to(root).parts))
        if path.is_symlink() and (place in root.parents or (inside and not hidden)):
            return False
        was_new = place not in seen
        seen.add(place)
        return was_new

    for parent, folders, names in os.walk(folder, followlinks=True):
        if junk is not None:
            junk += [Path(parent, name) for name in (*folders, *names) if name.lower() in JUNK]
        folders[:] = [name for name in sorted(folders) if not is_junk(name) and is_new(Path(parent, name))]
        for name in sorted(names):
            if not is_junk(name):
                yield Path(parent, name)
