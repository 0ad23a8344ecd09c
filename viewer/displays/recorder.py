"""Record what is shown to a file: .png (the last frame), .gif, .webp or .mp4.

Frames are encoded as they come, so that a long recording takes disk and not memory: OpenCV and Pillow encode single
images, and the animated containers are put together here. GIF: https://www.w3.org/Graphics/GIF/spec-gif89a.txt
WebP: https://developers.google.com/speed/webp/docs/riff_container
"""

import contextlib
import os
import struct
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.contract.text import printable
from viewer.displays.display import Display, DisplayError
from viewer.keys import Event
from viewer.labels import painted
from viewer.text import Text

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

_WEBP_QUALITY: Final = 90
_TRANSPARENT: Final = 255  # number of the colour of a GIF that lets through what was there
_GIF_TOLERANCE: Final = 5  # levels by which a pixel of a GIF must come nearer for it to be drawn anew
_PALETTE_SLACK: Final = 1.1  # times the error that a palette may have before there is another one
_LARGE_GIF: Final = 4.0  # MB, from which on another format is worth a word


class _Encoder(ABC):
    """Turns frames, BGR [h, w, 3] of one size, into a file. Its methods raise ``OSError``."""

    def __init__(self, path: Path, delay_ms: int) -> None:
        self._path = path
        self._delay_ms = delay_ms
        self._last: NDArray[np.uint8] | None = None

    @abstractmethod
    def add(self, frame: NDArray[np.uint8]) -> None:
        """Append a frame."""

    @abstractmethod
    def finish(self) -> None:
        """Complete the file and close it."""


class _Png(_Encoder):
    """The last frame."""

    def add(self, frame: NDArray[np.uint8]) -> None:
        self._last = frame.copy()

    def finish(self) -> None:
        if self._last is not None:
            self._path.write_bytes(cv2.imencode(".png", self._last)[1].tobytes())


class _Animation(_Encoder):
    """What GIF and WebP have in common: only the changed rectangle is encoded, and a repeated frame lasts longer."""

    def __init__(self, path: Path, delay_ms: int) -> None:
        super().__init__(path, delay_ms)
        self._file: BinaryIO = path.open("wb")
        self._pending: tuple[int, int, NDArray[np.uint8]] | None = None  # left, top, pixels: not yet written
        self._pending_ms = 0
        self._end_ms = 0

    def add(self, frame: NDArray[np.uint8]) -> None:
        left, top, bottom, right = 0, 0, *frame.shape[:2]
        if self._last is None:
            self._begin(right, bottom)
        else:
            changed = (frame != self._last).any(axis=2)
            columns, rows = np.flatnonzero(changed.any(axis=0)), np.flatnonzero(changed.any(axis=1))
            if not rows.size:
                self._pending_ms += self._delay_ms
                return
            left, top = int(columns[0]) & ~1, int(rows[0]) & ~1  # WebP has even offsets only
            right, bottom = int(columns[-1]) + 1, int(rows[-1]) + 1
        self._flush()
        self._last = frame.copy()
        self._pending = left, top, self._last[top:bottom, left:right]
        self._pending_ms = self._delay_ms

    def _flush(self) -> None:
        if self._pending is not None:
            start_ms, self._end_ms = self._end_ms, self._end_ms + self._pending_ms
            self._write(*self._pending, start_ms, self._end_ms)

    def finish(self) -> None:
        self._flush()
        if self._last is not None:
            self._complete()
        self._file.close()

    @abstractmethod
    def _begin(self, width: int, height: int) -> None: ...

    @abstractmethod
    def _write(self, left: int, top: int, pixels: NDArray[np.uint8], start_ms: int, end_ms: int) -> None: ...

    @abstractmethod
    def _complete(self) -> None: ...


class _Gif(_Animation):
    """An endless GIF, not dithered: noise that is another one in each frame takes most of a file. Pixels that hardly
    change stay transparent, and a palette is kept for as long as it serves."""

    def __init__(self, path: Path, delay_ms: int) -> None:
        super().__init__(path, delay_ms)
        self._shown = np.zeros((0, 0, 3), np.int16)  # [h, w, 3] RGB, what a player shows
        self._palette: PillowImage | None = None
        self._palette_error = 0.0  # mean one, in levels, of the image that it was made for

    def _begin(self, width: int, height: int) -> None:
        self._shown = np.full((height, width, 3), -1024, np.int16)  # unlike any colour
        self._file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0))
        self._file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")

    def _write(self, left: int, top: int, pixels: NDArray[np.uint8], start_ms: int, end_ms: int) -> None:
        from PIL import GifImagePlugin, Image  # a tenth of the start of a viewer that records no GIF

        hundredths = min(max(round(end_ms / 10) - round(start_ms / 10), 2), 0xFFFF)  # players take 0 and 1 for 10
        wanted = np.ascontiguousarray(pixels[..., ::-1])
        numbers, colours = self._quantised(Image.fromarray(wanted))
        new = colours[numbers]
        shown = self._shown[top : top + len(pixels), left : left + pixels.shape[1]]
        stays = _distance(shown, wanted) <= _distance(new, wanted) + _GIF_TOLERANCE
        numbers[stays] = _TRANSPARENT
        shown[~stays] = new[~stays]
        frame = Image.fromarray(numbers)
        frame.putpalette(colours.astype(np.uint8).tobytes())
        words = {"duration": 10 * hundredths, "disposal": 1, "transparency": _TRANSPARENT, "include_color_table": True}
        self._file.writelines(GifImagePlugin.getdata(frame, (left, top), **words))

    def _quantised(self, image: "PillowImage") -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
        """The palette's number of each pixel [h, w], none of them _TRANSPARENT, and its colours [256, 3]."""
        from PIL import Image

        if self._palette is not None:
            numbers, colours, error = _nearest(image, self._palette)
            if error <= _PALETTE_SLACK * self._palette_error:
                return numbers, colours
        few = image.resize((max(image.width // 2, 1), max(image.height // 2, 1)), Image.Resampling.NEAREST)
        self._palette = few.quantize(_TRANSPARENT, method=Image.Quantize.FASTOCTREE)
        numbers, colours, self._palette_error = _nearest(image, self._palette)
        return numbers, colours

    def _complete(self) -> None:
        self._file.write(b"\x3b")


def _nearest(image: "PillowImage", palette: "PillowImage") -> tuple[NDArray[np.uint8], NDArray[np.int16], float]:
    """The number of each pixel's nearest colour [h, w], the colours [256, 3], and the mean error in levels."""
    from PIL import Image

    numbers = np.array(image.quantize(palette=palette, dither=Image.Dither.NONE), np.uint8)
    found = np.array(palette.getpalette(), np.int16).reshape(-1, 3)[:_TRANSPARENT]
    colours = np.zeros((256, 3), np.int16)
    colours[: len(found)] = found
    return numbers, colours, float(np.abs(colours[numbers] - np.asarray(image, np.int16)).mean())


def _distance(one: NDArray[np.int16], other: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Between colours [h, w, 3]: the largest difference of a channel, [h, w]."""
    return np.asarray(np.abs(one - other).max(axis=2), np.int16)


class _Webp(_Animation):
    """An endless WebP animation."""

    def _begin(self, width: int, height: int) -> None:
        canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
        self._file.write(b"RIFF\x00\x00\x00\x00WEBP")
        self._file.write(_chunk(b"VP8X", b"\x02\x00\x00\x00" + canvas))
        self._file.write(_chunk(b"ANIM", b"\x00" * 6))

    def _write(self, left: int, top: int, pixels: NDArray[np.uint8], start_ms: int, end_ms: int) -> None:
        single = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, _WEBP_QUALITY])[1].tobytes()
        height, width = pixels.shape[:2]
        fields = (left // 2, top // 2, width - 1, height - 1, min(end_ms - start_ms, 0xFFFFFF))
        header = b"".join(struct.pack("<I", value)[:3] for value in fields) + b"\x02"  # in place of, not blended
        self._file.write(_chunk(b"ANMF", header + single[12:]))

    def _complete(self) -> None:
        size = self._file.tell()
        self._file.seek(4)
        self._file.write(struct.pack("<I", size - 8))


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\x00" * (len(data) & 1)


class Video(_Encoder):
    """An MPEG-4 film; odd widths and heights grow by a pixel, as the codec has even ones only."""

    def __init__(self, path: Path, delay_ms: float) -> None:
        super().__init__(path, round(delay_ms))
        self._rate = 1000 / delay_ms
        self._writer: cv2.VideoWriter | None = None
        self._count = 0

    def add(self, frame: NDArray[np.uint8]) -> None:
        height, width = frame.shape[:2]
        even = cv2.copyMakeBorder(frame, 0, height & 1, 0, width & 1, cv2.BORDER_REPLICATE)
        if self._writer is None:
            size = (even.shape[1], even.shape[0])
            self._writer = cv2.VideoWriter(str(self._path), cv2.VideoWriter.fourcc(*"mp4v"), self._rate, size)
            if not self._writer.isOpened():
                raise OSError("this OpenCV has no MPEG-4 encoder; .webp needs none")
        self._writer.write(even)
        self._count += 1

    def release(self) -> None:
        """Close the file as it is."""
        if self._writer is not None:
            self._writer.release()

    def finish(self) -> None:
        if self._writer is None:
            return
        self.release()
        film = cv2.VideoCapture(str(self._path))
        written = int(film.get(cv2.CAP_PROP_FRAME_COUNT)) if film.isOpened() else 0
        film.release()
        if written != self._count:  # VideoWriter does not tell of a full disk
            raise OSError(f"{written} of {self._count} frames were written")


_ENCODERS: Final[dict[str, type[_Encoder]]] = {".png": _Png, ".gif": _Gif, ".webp": _Webp, ".mp4": Video}


class Recorder(Display):
    """A display whose frames are recorded. An older file of that name is replaced when the new one is complete.

    It has no ``room`` to be filled: a recording is as large wherever it is made, and the display within enlarges it.

    ``open_within``: opens the display within. Raises ``DisplayError`` for an unknown kind of file and for a folder that
    cannot be written to, before that, and from every method where the disk fails.
    """

    def __init__(self, path: Path, delay_ms: int, open_within: Callable[[], Display] = Display) -> None:
        encoder = _ENCODERS.get(path.suffix.lower())
        if encoder is None:
            raise DisplayError(f"--record is {path}, expected a file that ends in {', '.join(_ENCODERS)}")
        self._path = path
        self._partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix.lower()}")
        self._size: tuple[int, int] | None = None  # width, height of the first frame
        self._encoder: _Encoder | None = None
        with self._writing():
            if path.is_dir():
                raise IsADirectoryError(0, "it is a folder, expected a file")
            self._partial.touch()
            self._encoder = encoder(self._partial, max(1, delay_ms))
        try:
            self._display = open_within()
        except BaseException:
            self._discard()
            raise
        self.interactive, self.coarse = self._display.interactive, self._display.coarse

    def show(self, frame: NDArray[np.uint8], title: str, text: Text | None = None) -> None:
        """Record a frame, BGR [h, w, 3], and show it. In an animation all take the size of the first."""
        if self._encoder is not None:
            size, image = (frame.shape[1], frame.shape[0]), painted(frame)
            if self._size is None or isinstance(self._encoder, _Png):
                self._size = size
            with self._writing():
                self._encoder.add(image if size == self._size else _fit(image, *self._size))
        self._display.show(frame, title, text)

    def poll(self, seconds: float) -> Event | None:
        """The next event of the display."""
        return self._display.poll(seconds)

    def close(self) -> None:
        """Close the display, then complete the file and give it its name; without a frame there is no file."""
        try:
            self._display.close()
        finally:
            if self._encoder is not None:
                with self._writing():
                    self._encoder.finish()
                    if self._size is not None:
                        self._partial.replace(self._path)
                        self._say_size(self._encoder)
                self._discard()

    def _say_size(self, encoder: _Encoder) -> None:
        """Name a smaller format where a GIF became large."""
        size = self._path.stat().st_size / 1e6  # MB
        if isinstance(encoder, _Gif) and size > _LARGE_GIF:
            name = printable(str(self._path))
            smaller = "recorded as .webp or .mp4 it takes a small part of that"
            with contextlib.suppress(OSError):  # nobody may be listening
                print(f"{name}: {size:.1f} MB; {smaller}", file=sys.stderr, flush=True)

    def _discard(self) -> None:
        """Forget it all; an older file stays as it was."""
        self._encoder = None
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """The recording is lost with an error. Raises ``DisplayError``."""
        try:
            yield
        except (OSError, cv2.error) as error:
            self._discard()
            why = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise DisplayError(f"cannot record to {self._path}: {why}") from None


def _fit(frame: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The frame as large as it goes in the middle of a black one."""
    scale = min(width / frame.shape[1], height / frame.shape[0])
    inner = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
    canvas = np.zeros((height, width, 3), np.uint8)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(frame, inner, interpolation=cv2.INTER_AREA)
    return canvas
