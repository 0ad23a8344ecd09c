"""Logs of a run: log.jsonl, sample sheets, and both in TensorBoard where it is installed."""

import contextlib
import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from trainer.contract.files import replace_bytes
from trainer.contract.sheet import MARGIN, SheetLayout
from trainer.progress import Progress


def ignore_writer(others: Callable[[threading.ExceptHookArgs], Any], failed: threading.ExceptHookArgs) -> None:
    """A ``threading.excepthook`` without the traceback of TensorBoard's thread: ``Log.to_board`` says what failed."""
    if not (isinstance(failed.exc_value, OSError) and type(failed.thread).__module__.startswith("tensorboard.")):
        others(failed)


class Log:
    """Log of a run; the main rank opens it, and those of the others write nothing."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.file: io.FileIO | None = None
        self.board: Any = None

    def open(self, run: Path, step: int) -> None:
        """Go on after a step: the rows after it are about to be repeated. Raises ``OSError``."""
        path = run / "log.jsonl"
        found = path.read_bytes() if path.exists() else b""
        kept = b"".join(line for line in found.splitlines(keepends=True) if is_row(line, step))
        if kept != found:
            replace_bytes(path, kept)
        self.file = io.FileIO(path, "a")
        self.samples = run / "samples"
        with contextlib.suppress(ImportError), self.tolerating("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            threading.excepthook = partial(ignore_writer, threading.excepthook)
            self.board = SummaryWriter(run / "tensorboard")

    def row(self, kind: str, step: int, images_seen: int, values: Mapping[str, float]) -> None:
        """Add a row: ``kind`` is train or held_out."""
        if self.file is None:
            return
        row = {"kind": kind, "step": step, "images_seen": images_seen, **values}
        with self.tolerating("log.jsonl"):
            append(self.file, json.dumps(row).encode() + b"\n")
        for name, value in values.items():
            self.to_board("add_scalar", f"{kind}/{name}", value, images_seen)

    def to_board(self, what: str, *values: Any, **more: Any) -> None:
        """Call a method of TensorBoard's writer, where there is one."""
        try:
            if self.board is not None:
                getattr(self.board, what)(*values, **more)
        except OSError as error:
            self.board = None  # its writer has ended, and would say so at every call
            self.progress.say(f"warning: tensorboard is written no more ({error.strerror or error}); training goes on")

    def grid(self, step: int, images_seen: int, images: Tensor, columns: int) -> Path | None:
        """Write a sheet of images [n, c, h, w] in 0..1. Returns its path, or ``None`` where it could not be written."""
        path = self.samples / f"step_{step:08d}.png"
        sheet = contact_sheet(images, columns=columns)
        self.to_board("add_image", "samples", sheet, images_seen, dataformats="HWC")
        with self.tolerating(path.name):
            path.parent.mkdir(exist_ok=True)
            write_image(path, sheet)
            return path
        return None

    @contextlib.contextmanager
    def tolerating(self, name: str) -> Iterator[None]:
        """Turn ``OSError`` into a warning: a full disk costs a row or an image, not the run."""
        try:
            yield
        except OSError as error:
            self.progress.say(f"warning: {name} was not written ({error.strerror or error}); training goes on")

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
        if self.board is not None:
            with contextlib.suppress(OSError):  # what is missing was warned of
                self.board.close()


class ErrorIgnoringStream:
    """Text stream that ignores ``OSError``: a closed terminal or a full disk does not end a run."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def is_row(line: bytes, last_step: int) -> bool:
    """Whether a line is complete, and of a step up to ``last_step``."""
    try:
        return line.endswith(b"\n") and json.loads(line)["step"] <= last_step
    except (ValueError, KeyError, TypeError):
        return False  # cut off by a kill


def append(file: io.FileIO, line: bytes) -> None:
    """Append a whole line, or nothing. Raises ``OSError``."""
    start = file.seek(0, io.SEEK_END)
    written = 0
    try:
        while written < len(line):
            written += file.write(line[written:])
    except OSError:
        with contextlib.suppress(OSError):
            file.truncate(start)
        raise


def contact_sheet(images: Tensor, columns: int = 0) -> np.ndarray:
    """[n, c, h, w] in 0..1 → one u8 RGB image [h', w', 3]; columns 0: about as many as rows."""
    levels = (images.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    count, height, width, _ = levels.shape
    columns = columns or int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    layout = SheetLayout(rows, columns, width, height, MARGIN, MARGIN)
    sheet = np.full((rows * (height + MARGIN) + MARGIN, columns * (width + MARGIN) + MARGIN, 3), 255, np.uint8)
    for index, level in enumerate(levels):
        sheet[layout.part(index)] = level  # one channel becomes three
    return sheet


def write_image(path: Path, image: np.ndarray) -> None:
    """Write u8 RGB [h, w, 3] as PNG, whole or not at all. Raises ``OSError``."""
    replace_bytes(path, cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))[1].tobytes())
