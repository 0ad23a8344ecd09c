"""Writes what is shown to a .png (the last frame), .gif, .webp or .mp4 file."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from viewer.displays import Display, DisplayError
from viewer.keys import Event

SUFFIXES = (".png", ".gif", ".webp", ".mp4")


class Recorder:
    """Collects frames and writes them when closed. Raises ``DisplayError`` for an unknown kind of file."""

    def __init__(self, path: Path, delay_ms: int) -> None:
        if path.suffix.lower() not in SUFFIXES:
            raise DisplayError(f"--record is {path}, expected a file that ends in {', '.join(SUFFIXES)}")
        self._path = path
        self._delay_ms = delay_ms
        self._frames: list[NDArray[np.uint8]] = []

    def add(self, frame: NDArray[np.uint8]) -> None:
        """Record a frame, BGR [h, w, 3]."""
        self._frames.append(frame.copy())

    def close(self) -> None:
        """Write the file."""
        if self._frames:
            cv2.imwrite(str(self._path), self._frames[-1])
            self._frames = []

    def discard(self) -> None:
        """Forget it all; nothing is written."""
        self._frames = []


class Recorded:
    """A display whose frames are recorded."""

    def __init__(self, display: Display, recorder: Recorder) -> None:
        self._display = display
        self._recorder = recorder

    @property
    def interactive(self) -> bool:
        """That of the display within."""
        return self._display.interactive

    def show(self, frame: NDArray[np.uint8], title: str) -> None:
        """Record the frame and show it."""
        self._recorder.add(frame)
        self._display.show(frame, title)

    def poll(self, seconds: float) -> Event | None:
        """That of the display within."""
        return self._display.poll(seconds)

    def close(self) -> None:
        """Close the display, then finish the recording."""
        try:
            self._display.close()
        finally:
            self._recorder.close()
