"""Small sets of images, and the data tools run on them in this process."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer.data.__main__ import main
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources.npy_set import writing

DIGITS = np.random.default_rng(0).integers(0, 256, (23, 7, 5), np.uint8)
NUMBERS = (np.arange(23) % 9).astype(np.uint8)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in arguments])
    return int(ended.value.code or 0)


def write_set(path: Path, images: np.ndarray, **sidecar: Any) -> Path:
    with writing(path, images.shape[1:], force=False) as writer:
        writer.append(images)
        writer.sidecar = Sidecar(**sidecar)
    return path


def flat(*levels: int, side: int = 4) -> np.ndarray:
    """Images of one level each."""
    return np.broadcast_to(np.array(levels, np.uint8)[:, None, None, None], (len(levels), side, side, 3)).copy()


def levels(path: Path) -> list[int]:
    return [int(value) for value in np.load(path)[:, 0, 0, 0]]


def idx_bytes(array: np.ndarray, kind: int = 8, sizes: tuple[int, ...] | None = None) -> bytes:
    sizes = array.shape if sizes is None else sizes
    return struct.pack(f">HBB{len(sizes)}I", 0, kind, len(sizes), *sizes) + array.tobytes()


def write_idx(folder: Path, pack: Callable[[bytes], bytes], part: str = "train", separator: str = "-") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    suffix = ".gz" if pack is gzip.compress else ""
    images = folder / f"{part}-images{separator}idx3-ubyte{suffix}"
    images.write_bytes(pack(idx_bytes(DIGITS)))
    (folder / f"{part}-labels{separator}idx1-ubyte{suffix}").write_bytes(pack(idx_bytes(NUMBERS)))
    return images
