"""The whole trajectory of images out of the noise, kept: as a strip to look at (PNG), or as an animation (GIF)."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

import numpy as np

from viewer import render
from viewer.displays.recorder import Recorder
from viewer.files.png import encode_png
from viewer.sessions.sampling import Run
from viewer.sessions.session import check_saved_size
from viewer.sheet import Sheet

TrajectoryKind = Literal["png", "gif"]
_STOPS: Final = {"png": 12, "gif": 60}  # that are kept of a trajectory, at most
_DELAY_MS: Final = 60
_LAST_MS: Final = 2000  # that the last frame stays
_GAP: Final = 2  # pixels


class Trajectory:
    """What is kept of a run: the noisy images at its start, at its end, and at places evenly between them."""

    def __init__(self, run: Run, kind: TrajectoryKind | None) -> None:
        """``run``: that has not begun. ``kind``: of the file; ``None``: nothing is kept."""
        self._run = run
        self._kind = kind
        count = 0 if kind is None else min(_STOPS[kind], run.steps + 1)
        self._stops = {round(stop) for stop in np.linspace(0, run.steps, count)}
        self._frames = [run.noisy()]

    def advance(self) -> bool:
        """Run the network once, and keep the images if this is a place for it; False: all have arrived."""
        if not self._run.advance():
            return False
        if self._run.together and self._run.step in self._stops:
            self._frames.append(self._run.noisy())
        return True

    def files(self, recipe: Mapping[str, Any], columns: int, which: slice = slice(None)) -> dict[str, bytes]:
        """The bytes of a file by the end of its name, if one is wanted. ``recipe``: for a PNG to carry. ``columns``: of
        an animated sheet. ``which``: images. Raises ``ImageError`` where it is too large."""
        if self._kind is None:
            return {}
        frames = [images[which] for images in self._frames]
        count, height, width = frames[0].shape[:3]
        if self._kind == "png":  # a row an image, from left to right as time went
            sheet = Sheet(count, len(frames), width, height, _GAP)
            check_saved_size(sheet.width, sheet.height)
            images = np.stack(frames, axis=1).reshape(-1, height, width, 3)
            return {"steps.png": encode_png(render.place(render.blank(sheet), sheet, 0, images), recipe)}
        columns = min(columns, count)
        sheet = Sheet(-(-count // columns), columns, width, height, _GAP if count > 1 else 0)
        with TemporaryDirectory(prefix="utsuroi-") as folder:
            path = Path(folder) / "trajectory.gif"
            recorder = Recorder(path, _DELAY_MS)
            for images in [*frames, *[frames[-1]] * (_LAST_MS // _DELAY_MS)]:
                recorder.show(render.place(render.blank(sheet), sheet, 0, images), "")
            recorder.close()
            return {"steps.gif": path.read_bytes()}
