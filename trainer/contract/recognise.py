"""What a file or folder is, by its first bytes and not by its name: for messages where something else was expected.

However large a file is, little of it is read. Nothing in it is unpacked or run.
"""

import os
import re
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from trainer.contract.formats import CONVERT, HEAD, TAIL, Found, of_bytes, of_text
from trainer.contract.headers import SUFFIXES, begins_as_image
from trainer.contract.text import printable

_DATA: Final = re.compile(r"\.onnx[._]data$", re.IGNORECASE)  # how exporters name files that a model keeps weights in
_WEIGHTS: Final = {".safetensors", ".pth", ".pt", ".ckpt", ".bin"}
_DIFFUSERS: Final = ("model_index.json", "config.json")  # in folders that diffusers writes
_ONE_NETWORK: Final = "name one network in it: python -m export reads a file of weights, or the folder of a network"
_MOST_ENTRIES: Final = 2000  # of a folder, and below it


def recognise(path: Path) -> Found | None:
    """What is there under a name; ``None`` where its bytes do not tell. Raises ``OSError``."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        return _folder(path)
    if not stat.S_ISREG(mode):  # to open a pipe would wait for someone to write
        return Found("a device or a pipe, not a regular file")
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        head = file.read(HEAD)
        tail = b""
        if head.startswith(b"PK"):
            file.seek(max(size - TAIL, 0))
            tail = file.read(TAIL)
    found = recognise_bytes(head, tail, path.suffix.lower())
    if _DATA.search(path.name) and (found is None or found.kind != "model"):
        return Found("the weights of an ONNX model", way_out="name the .onnx file that it belongs to")
    return found


def recognise_bytes(head: bytes, tail: bytes = b"", suffix: str = "") -> Found | None:
    """What a file is by its first bytes, its last ones and the end of its name; ``None`` where they do not tell."""
    image = Found("an image", "image") if begins_as_image(head) else None
    return of_bytes(head, tail, suffix) or image or of_text(head)


def _folder(path: Path) -> Found:
    from trainer.contract.run_folder import is_run  # of folders alone

    if is_run(path):
        return Found("the folder of a run", "run")
    if (path / "saved_model.pb").is_file():
        return Found("a TensorFlow SavedModel", way_out=CONVERT)
    runs = [one for one in _children(path) if is_run(one)]
    if runs:
        more = f" and {len(runs) - 1} more" if len(runs) > 1 else ""
        return Found(f"a folder of runs ({printable(runs[0].name, 60)}{more})", "runs")
    endings = {one.suffix.lower() for one in _below(path)}
    if ".onnx" in endings:
        return Found("a folder with ONNX models", "models", "name one of them")
    if endings & {*SUFFIXES}:
        return Found("a folder of images", "images")
    if endings & _WEIGHTS and any((path / name).is_file() for name in _DIFFUSERS):
        return Found("a folder of weights", "weights")
    if endings & _WEIGHTS:
        return Found("a folder of weights", "folder", _ONE_NETWORK)
    return Found("a folder without images or models", "folder") if endings else Found("an empty folder")


def runs_in(folder: Path) -> list[Path]:
    """The runs right below a folder, of its first entries, by name. Raises ``OSError``."""
    from trainer.contract.run_folder import is_run

    return sorted(one for one in _children(folder) if is_run(one))


def _children(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return sorted(Path(one.path) for one in islice(entries, _MOST_ENTRIES))


def _below(folder: Path) -> Iterator[Path]:
    """Files below a folder, so many at most."""
    count = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            yield Path(parent, name)
        count += len(names) + len(folders)
        if count > _MOST_ENTRIES:
            return
