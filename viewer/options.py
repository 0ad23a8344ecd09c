"""Options of the viewer's modes, and how they become flags of the command line.

The options of a mode are a frozen dataclass, each field made by ``flag`` or ``argument`` of
``trainer.contract.options`` with its sentence of ``--help``. Nothing heavy is imported here, neither NumPy nor OpenCV.
"""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from trainer.contract.errors import UserError
from trainer.contract.options import argument, flag
from viewer.graph import reading
from viewer.keys import Event, parse_keys
from viewer.state import LAST_SEED

BUILT_IN: Final = Path(__file__).parent / "models" / "toycats.onnx"
BUILT_IN_NAMES: Final = ("builtin", "toycats")
_FITS: Final = "as fits the screen"
_WITHOUT_A_CARD: Final = "model files without a card; what is said of them is kept beside the file, in FILE.json"
_OUTPUT_NAME: Final = "name of the output that holds the images (found out)"

Chosen = TypeVar("Chosen", bound="SessionOptions")


def model_threads(wanted: int, *, all_cores: bool = False) -> int:
    """Threads for a model: as many as are wanted; 0: half of the cores, 4 at most, or all of them, 8 at most."""
    if wanted:
        return wanted
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, 8) if all_cores else min(max(cores // 2, 1), 4)


def model_file(name: str) -> Path:
    """The file of a model; ``builtin`` and ``toycats`` are the built-in one, unless there is a file of that name."""
    return BUILT_IN if name in BUILT_IN_NAMES and not Path(name).exists() else Path(name)


def whole(low: int, high: int) -> Callable[[str], int]:
    """Reads a whole number within bounds."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"{text!r}, expected a whole number {low}..{high}")
        return int(text)

    return read


def number(low: float, high: float) -> Callable[[str], float]:
    """Reads a number within bounds."""

    def read(text: str) -> float:
        try:
            found = float(text)
        except ValueError:
            found = low - 1
        if not low <= found <= high:
            raise argparse.ArgumentTypeError(f"{text!r}, expected a number {low:g}..{high:g}")
        return found

    return read


def _said(name: str) -> Callable[[str], Any]:
    """Reads what the user says of a model file, by the name of a field of ``Reading``."""

    def read(text: str) -> Any:
        try:
            return reading.parse(name, text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r}, expected {error}") from None

    return read


class _Joined(argparse.Action):
    """A flag whose values are joined where it is given several times."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        setattr(namespace, self.dest, (getattr(namespace, self.dest) or ()) + values)


def reading_flag(sentence: str, name: str, *names: str, **words: Any) -> Any:
    """A flag for a field of ``Reading``, by its name."""
    return flag(sentence, *names, type=_said(name), group=_WITHOUT_A_CARD, **words)


def output_flag() -> Any:
    """``--output-name``, where --output is not the file to write: it means the same."""
    return reading_flag(_OUTPUT_NAME, "output_name", "--output-name", "--output", metavar="NAME")


def _script(text: str) -> list[Event]:
    try:
        return parse_keys(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def count_flag(what: str, usual: int | None = None) -> Any:
    """``--rows`` or ``--cols``. ``usual``: how many there are without; fewer where they could not be told apart."""
    number = _FITS if usual is None else f"{usual}, fewer in a small terminal" if usual > 1 else f"{usual}"
    return flag(f"{what} of images ({number})", type=whole(1, 64), metavar="N")


def scale_flag(default: str = _FITS, pixel: str = "an image's pixel") -> Any:
    """``--scale``. ``default``: in words."""
    return flag(f"screen pixels {pixel} ({default})", type=number(0.05, 64), metavar="X")


@dataclass(frozen=True, kw_only=True)
class SessionOptions:
    """Options of every mode with a screen."""

    display: Literal["auto", "window", "terminal", "none"] = flag("where to show (auto)", default="auto")
    seed: int = flag("first page of random numbers (0)", default=0, type=whole(0, LAST_SEED), metavar="N")
    out: Path = flag("where saved images go (the current folder)", default=Path(), metavar="DIR")
    keys: Sequence[Event] = flag(
        "scripted keys, such as 'right,s,i,+,click:40:60,esc'", default=(), type=_script, metavar="KEYS"
    )
    record: Path | None = flag("record to a .png (the last frame), .gif, .webp or .mp4 file", metavar="FILE")
    force: bool = flag("with --record: replace an older file", default=False)

    @property
    def without_screen(self) -> bool:
        """Whether results are written, and nothing is shown."""
        return False


@dataclass(frozen=True, kw_only=True)
class LimitOptions:
    """What a model may take, since files come from anywhere; 0: as is usual."""

    max_memory: float = flag(
        "memory that the model may take (half of the machine's, 8 at most)",
        default=0.0, type=number(0.05, 2**20), metavar="GIB", group="limits",
    )  # fmt: skip
    max_seconds: float = flag(
        "time to open the model (3, large graphs up to 30), or for one run (4, or 60 where images go in), at most",
        default=0.0, type=number(0.1, 10**6), metavar="S", group="limits",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ReadingOptions(LimitOptions):
    """How a model without a card is to be read, where that is not to be guessed: the fields of ``Reading``."""

    input_range: reading.Range | None = reading_flag(
        "what black and white are in float images that go in, such as 0..1, -1..1, 0..255 (found out)",
        "input_range", metavar="LOW..HIGH",
    )  # fmt: skip
    output_range: reading.Range | None = reading_flag(
        "the same of those that come out (found out)", "output_range", metavar="LOW..HIGH"
    )
    layout: str | None = reading_flag(
        "axes of images: chw, channels first, or hwc (found out)", "layout", metavar="chw|hwc"
    )
    channels: str | None = reading_flag("order of colours: rgb, or OpenCV's bgr (rgb)", "channels", metavar="rgb|bgr")
    output_name: str | None = reading_flag(_OUTPUT_NAME, "output_name", metavar="NAME")
    classes: tuple[str, ...] | None = reading_flag(
        "names of its classes, a line each or JSON; or how many there are (found out)", "classes", metavar="FILE|N"
    )
    set: tuple[tuple[str, float | str], ...] | None = reading_flag(
        "what other inputs are given, such as psi=0.7, several joined by commas (what their names and shapes suggest)",
        "set", metavar="NAME=VALUE", action=_Joined,
    )  # fmt: skip
    external_data: bool = flag(
        "read weights that the model keeps in other files of its folder, too", default=False, group=_WITHOUT_A_CARD
    )

    @property
    def reading(self) -> reading.Reading:
        """What the flags say, and where they say nothing the image of ``--from``. Raises ``UserError``."""
        own = {item.name for item in fields(self)}
        names = {item.name for item in fields(reading.Reading)} & own
        said = reading.Reading(**{name: getattr(self, name) for name in names})
        saved: Path | None = getattr(self, "saved", None)
        if saved is None:
            return said
        from viewer.files.png import read_recipe

        return said.over(reading.of_recipe(saved, read_recipe(saved)))


@dataclass(frozen=True, kw_only=True)
class SheetOptions(ReadingOptions, SessionOptions):
    """Options of modes that show a generator's images."""

    model: Path = argument(
        "ONNX file; without: the built-in toy cats", default=BUILT_IN, nargs="?", type=model_file, metavar="FILE"
    )
    threads: int = flag(
        "cores for the model; 0: half of them, 4 at most (0)", default=0, type=whole(0, 256), metavar="N"
    )
    rows: int | None = count_flag("rows")
    cols: int | None = count_flag("columns")
    scale: float | None = scale_flag()
    label: str | None = flag("the class to draw, for models with classes (0)", metavar="NAME|NUMBER")
    saved: Path | None = flag("begin where this image was saved: its page and mode", "--from", metavar="PNG")
    output_name: str | None = output_flag()


def with_saved(options: Chosen, saved: Mapping[str, Any]) -> Chosen:
    """Options with what the image of ``--from`` says, by names of fields. Raises ``UserError`` where flags
    beside it say something else."""
    defaults = {item.name: item.default for item in fields(options)}
    for name, value in saved.items():
        found = getattr(options, name)
        if found not in (defaults[name], value):
            word = name.replace("_", "-")
            raise UserError(f"--{word} is {found}, and the image of --from says {value}: expected one of them")
    return replace(options, **saved)
