"""Image files and sets as tools write them."""

import re
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.text import printable
from trainer.data.sources.npy import output
from trainer.data.sources.npy_set import check_set


def check_set_or_folder(path: Path, force: bool, inputs: Iterable[Path] = ()) -> None:
    """Raise ``UserError`` early where ``path`` can be neither a .npy file to write nor a folder to write to."""
    if path.suffix == ".npy":
        check_set(path, force, inputs)
    elif path.exists() and not path.is_dir():
        raise UserError(f"the output is {printable(path)}, a file, expected a name that ends in .npy, or a folder")


def write_png(path: Path, image: np.ndarray, force: bool) -> None:
    """Write an image u8 [h, w, 3] RGB or [h, w, 1]. Raises ``UserError``."""
    with output(path, force) as file:
        file.write(encode_png(cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.shape[2] == 3 else image))


def encode_png(image: np.ndarray) -> bytes:
    """A PNG of an image u8 [h, w, 3] BGR or [h, w, 1], as OpenCV has them."""
    return cv2.imencode(".png", image)[1].tobytes()


def file_stem(name: str) -> str:
    """The name of an image without its folder and ending, fit for the name of a file."""
    return re.sub(r"[^\w.-]+", "_", Path(name).stem)[:80].lstrip(".")
