"""What the numbers of pixels mean where a file does not say it: 16-bit files that hold 10 or 12 bits, and masks whose
grey values are numbers of classes.

Neither can be told from one file for certain, so some files of a set are looked at, and what was found is said."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import cv2
import numpy as np

from trainer.contract.headers import Header

CHOICES: Final = ("auto", "stored", "ids", "10", "12")
"""What an option may say instead of a look: as they are stored, numbers of classes, or bits of 16-bit files."""
BITS: Final = (10, 12)  # that 16-bit files are known to hold
NEARLY_BLACK: Final = 40  # of 255: what a set's brightest pixel reaches at least, if it is not too dark to be seen
_MOST_IDS: Final = 64  # classes; an image whose values are all below is as good as black
_MOST_IN_ONE: Final = 24  # classes of one mask
_LEAST_FLAT: Final = 0.85  # fraction of neighbours that are of one class; noise and gradients have fewer
_OTHERWISE: Final = "--values stored, in training and create: as they are"
_NO_CLASS: Final = 255  # in masks: borders, and what nobody labelled


@dataclass(frozen=True)
class Levels:
    """How stored values become 8 bits."""

    bits: int = 16  # that 16-bit files hold
    ids: bool = False  # grey values are numbers of classes, and shown in the colours of ``palette``

    def on(self, header: Header) -> Header:
        """A header that says so."""
        return replace(header, bits=self.bits, ids=self.ids) if self != STORED else header

    @property
    def note(self) -> str:
        """In words, with what says otherwise; nothing where values are as they are stored."""
        if self.ids:
            return f"grey values are taken as numbers of classes, a colour each ({_OTHERWISE})"
        if self.bits < 16:
            return f"16-bit files hold {self.bits} bits, stretched to full brightness ({_OTHERWISE})"
        return ""


STORED: Final = Levels()


def chosen(choice: str) -> Levels | None:
    """What an option of ``CHOICES`` says; None: it leaves that to a look."""
    named: Mapping[str, Levels] = {"stored": STORED, "ids": Levels(ids=True)}
    return None if choice == "auto" else named[choice] if choice in named else Levels(bits=int(choice))


def found_in(images: Iterable[tuple[np.ndarray, Header]], alone: bool = False, brightest: int = 0) -> Levels:
    """What the values of a set mean, by some of its images as they are stored, u8 or u16 [h, w(, c)]. ``alone``: there
    is but one, of which less has to do. ``brightest``: value of further 16-bit images; 0: there are none."""
    masks, mixed, others = 0, 0, brightest > 0
    for image, header in images:
        if image.dtype == np.uint16:
            brightest, others = max(brightest, int(image.max())), True
            continue
        grey = grey_of(image) if may_be_mask(header) else None
        verdict = None if grey is None else _classes_in(grey)
        if verdict is None:
            others = True
            continue
        masks += 1
        mixed += verdict
    if masks and not others and (mixed or (alone and grey is not None and 0 < grey.max() < _MOST_IDS)):
        return Levels(ids=True)
    return Levels(bits=next((bits for bits in BITS if 1 << bits - 1 <= brightest < 1 << bits), _nearly(brightest)))


def _nearly(brightest: int) -> int:
    """The bits of files whose brightest value is low even for 10: 12 where it is no less than 16 of 4095."""
    return 12 if 16 <= brightest < 1 << 12 else 16


def may_be_mask(header: Header) -> bool:
    """Whether a file can hold numbers of classes at all: exact values, and no colours."""
    return header.format in ("PNG", "TIFF") and not header.rgb and not header.deep and not header.grey_alpha


def grey_of(image: np.ndarray) -> np.ndarray | None:
    """An image u8 [h, w] of equal channels; None where it has colours or alpha."""
    if image.ndim == 2:
        return image
    same = image.shape[2] == 3 and (image[..., 0] == image[..., 1]).all() and (image[..., 0] == image[..., 2]).all()
    return np.ascontiguousarray(image[..., 0]) if same else None


def _classes_in(grey: np.ndarray) -> bool | None:
    """Whether values are those of several classes; False: of one, which could be anything; None: they are none."""
    values = np.flatnonzero(np.bincount(grey.reshape(-1), minlength=256))
    classes = values[values != _NO_CLASS]
    if not len(classes) or classes[-1] >= _MOST_IDS or len(classes) > _MOST_IN_ONE:
        return None
    if len(values) == 1:
        return False
    if not classes[-1]:  # black and white
        return None
    white = np.count_nonzero(grey == _NO_CLASS)
    if white and (len(classes) == 1 or 2 * white > grey.size):  # dark ink on white paper looks the same
        return False
    same = [(grey[1:] == grey[:-1]), (grey[:, 1:] == grey[:, :-1])]
    flat = sum(int(one.sum()) for one in same) / max(1, sum(one.size for one in same))
    return True if flat >= _LEAST_FLAT else None


@cache
def palette() -> np.ndarray:
    """A colour for each number of a class, u8 [256, 3] RGB; 0 is black. Those that Pascal VOC's masks have: bits of the
    number are spread over the three channels, highest first (Everingham et al. 2010)."""
    number = np.arange(256)[:, None] >> np.arange(0, 24, 3)  # [256, 8]: what is left of it after each three bits
    weights = 1 << np.arange(7, -1, -1)
    return np.stack([((number >> channel & 1) * weights).sum(1) for channel in range(3)], 1).astype(np.uint8)


def coloured(ids: np.ndarray) -> np.ndarray:
    """A mask u8 [h, w] in colours, u8 [h, w, 3] BGR."""
    return np.ascontiguousarray(palette()[:, ::-1][ids])


def eight_bits(image: np.ndarray, bits: int) -> np.ndarray:
    """16-bit values as u8; where some exceed ``bits``, the image holds more, and is not to be burnt out."""
    full = (1 << bits) - 1
    most = full if bits == 16 or int(image.max()) <= full else 65535
    return np.asarray(cv2.convertScaleAbs(image, alpha=255 / most), np.uint8)


def too_dark(brightest: int, what: str) -> str:
    """A warning that all of some images are as dark as black, or nothing."""
    if brightest >= NEARLY_BLACK:
        return ""
    return (
        f"{what}: dark as black: the brightest value is {brightest} of 255; masks that hold numbers of classes get "
        "a colour for each by --values ids, as PNG files"
    )
