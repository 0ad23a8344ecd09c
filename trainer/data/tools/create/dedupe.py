"""Images that have come before: the same one at another size, recompressed, lighter, or a frame later. No torch.

A hash of 64 bits, the signs of the lowest frequencies of a cosine transform (Zauner 2010, "Implementation and
Benchmarking of Perceptual Image Hash Functions"), finds the candidates; whether they are the same is then seen on their
colours at 16x16 px. Hashes alone take distinct faces of one set for the same, since these have their low frequencies in
common."""

from typing import TypeAlias

import cv2
import numpy as np

LIKENESS = 0.97
MOST_BITS = 10  # of 64 in which the hashes of one image differ at most
SIDE = 16
_ONES = np.array([number.bit_count() for number in range(1 << 16)], np.uint8)  # numpy counts bits only from 2.0 on

Look: TypeAlias = tuple[np.ndarray, np.ndarray]
"""What of an image is compared: a hash u16 [4], and colours u8 [16 * 16 * 3]."""


def look(image: np.ndarray) -> Look:
    """Of an image u8 [h, w, 1 or 3] RGB or BGR."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else image[..., 0]
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small.astype(np.float32))[:8, :8].reshape(-1)
    low[0] = np.median(low[1:])  # the mean says nothing of what is seen
    colours = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).reshape(SIDE, SIDE, -1)
    return np.packbits(low > low[0]).view(np.uint16), np.broadcast_to(colours, (SIDE, SIDE, 3)).reshape(-1)


class Seen:
    """The images that have come so far; a thousand bytes each."""

    def __init__(self, likeness: float = LIKENESS) -> None:
        self.likeness = likeness
        self.count = 0
        self.bits = np.empty((4, 1024), np.uint16)
        self.colours = np.empty((1024, SIDE * SIDE * 3), np.uint8)
        self.norms = np.empty(1024, np.float32)  # of the colours less their mean

    def find(self, look: Look) -> int | None:
        """The number of the image that this one repeats, or None; it then counts as seen itself."""
        bits, colours = look
        own = colours.astype(np.float32)
        own -= own.mean()
        norm = float(np.linalg.norm(own)) if np.ptp(colours) else 0.0
        if self.count:
            apart = sum(_ONES[mine[: self.count] ^ its] for mine, its in zip(self.bits, bits, strict=True))
            near = np.flatnonzero(apart <= MOST_BITS)
            if len(near):
                likeness = self._correlation(near, own, norm, colours[0])
                if likeness.max() >= self.likeness:
                    return int(near[likeness.argmax()])
        if self.count == len(self.colours):
            self.bits = np.concatenate([self.bits, self.bits], 1)
            self.colours = np.concatenate([self.colours, self.colours])
            self.norms = np.concatenate([self.norms, self.norms])
        self.bits[:, self.count], self.colours[self.count] = bits, colours
        self.norms[self.count] = norm
        self.count += 1
        return None

    def _correlation(self, near: np.ndarray, own: np.ndarray, norm: float, level: int) -> np.ndarray:
        """Of some that have come with an image's colours less their mean, f32 [d], in -1..1; images of one value
        correlate with those of the same one alone. ``level``: the image's first value."""
        rows, norms = self.colours[near], self.norms[near]
        if not norm:
            return np.where((norms == 0) & (np.abs(rows[:, 0].astype(int) - int(level)) < 4), 1.0, 0.0)
        return np.where(norms == 0, 0.0, rows.astype(np.float32) @ own / np.maximum(norms * norm, 1e-6))
