"""How a model file without a card is to be read, where its user knows: what flags say instead of a guess, and what the
sidecar, ``<file>.onnx.json`` beside the file, keeps of them for the next time.

A sidecar is a JSON object: ``{"utsuroi": "reading", "input_range": "0..1", ...}``, each value as its flag takes it.
"""

import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trainer.contract.errors import UserError
from trainer.contract.text import printable

if TYPE_CHECKING:  # that and its readers are imported where something is said
    from viewer.graph.said import ScheduleSaid, Settings

Range = tuple[float, float]  # what black and white are

_SUFFIX: Final = ".json"
_KEY, _OURS = "utsuroi", "reading"  # what a sidecar is known by
_LARGEST_SIDECAR: Final = 1 << 16  # bytes; ours have some hundred
_LONGEST_NAME: Final = 1000
_NUMBER: Final = r"[+-]?\d{1,6}(?:\.\d{0,6})?"
_WAY_OUT: Final = "move it away, or mend it, and give the flags again"


def read_range(text: str) -> Range:
    """Read LOW..HIGH, such as -1..1. Raises ``ValueError``, which says what is expected."""
    found = re.fullmatch(rf"({_NUMBER})\.\.({_NUMBER})", text.strip())
    low, high = (float(number) for number in found.groups()) if found else (0.0, 0.0)
    if not low < high:
        raise ValueError("LOW..HIGH, such as 0..1, -1..1 or 0..255")
    return low, high


def range_words(values: Range) -> str:
    """A range as its flag takes it."""
    return "{:g}..{:g}".format(*values)


def one_of(*words: str) -> Callable[[str], str]:
    """Reads one of a few words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(" or ".join(words))
        return text

    return read


def _read_name(text: str) -> str:
    if not text or len(text) > _LONGEST_NAME:
        raise ValueError("a name")
    return text


def _by(name: str) -> Callable[[Any], Any]:
    """A function of ``viewer.graph.said``, which is imported where it is needed."""

    def call(value: Any) -> Any:
        from viewer.graph import said

        return getattr(said, name)(value)

    return call


def _said(read: Callable[[str], Any], write: Callable[[Any], str] = str) -> Any:
    """A field that the sidecar keeps. ``read``: of its text, raising ``ValueError`` with what is expected; ``write``:
    the text of a value."""
    return field(default=None, metadata={"read": read, "write": write})


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the user says of a file without a card; what is not said is found out. A field is a flag of the same name
    (``viewer.options.ReadingOptions``), and a key of the sidecar unless it is not to be kept."""

    input_range: Range | None = _said(read_range, range_words)  # of float images that go in
    output_range: Range | None = _said(read_range, range_words)  # of float images that come out
    layout: str | None = _said(one_of("chw", "hwc"))  # axes of images, going in and coming out
    channels: str | None = _said(one_of("rgb", "bgr"))  # their order, going in and coming out
    output_name: str | None = _said(_read_name)  # of the output that holds the images
    classes: tuple[str, ...] | None = _said(_by("read_classes"), _by("write_classes"))  # names by label
    set: "Settings | None" = _said(_by("read_settings"), _by("write_settings"))  # what inputs are given
    image_size: tuple[int, int] | None = _said(_by("read_size"), _by("write_size"))  # height, width of a denoiser's
    schedule: "ScheduleSaid | None" = _said(_by("read_schedule"), _by("write_schedule"))  # of a denoiser's noise
    prediction: str | None = _said(_by("read_prediction"))  # of a denoiser
    passing: bool = False  # of an image to begin from: nothing of it is kept for the next time
    external_data: bool = False  # weights beside the file may be read; a consent, which nobody else can give

    @property
    def kept(self) -> dict[str, str]:
        """What is said and can be kept: texts by names of fields."""
        return {
            item.name: item.metadata["write"](getattr(self, item.name))
            for item in fields(self)
            if item.metadata and getattr(self, item.name) != item.default
        }

    def over(self, other: "Reading") -> "Reading":
        """This one, and what ``other`` says where this one says nothing."""
        more = {
            item.name: getattr(other, item.name) for item in fields(self) if getattr(self, item.name) == item.default
        }
        return replace(self, **more)


def parse(name: str, text: str) -> Any:
    """The value of a field of ``Reading`` from its text. Raises ``ValueError`` with what is expected."""
    return next(item for item in fields(Reading) if item.name == name).metadata["read"](text)


def of_recipe(path: Path, recipe: Mapping[str, Any]) -> Reading:
    """How the models were read that an image was made by. ``path``: of the image. Raises ``UserError``."""
    models = recipe.get("models")
    said: dict[str, str] = {}
    for one in (*(models if isinstance(models, list) else ()), recipe):
        found = one.get("reading") if isinstance(one, Mapping) else None
        said |= found if isinstance(found, dict) else {}
    known = {item.name for item in fields(Reading) if item.metadata}
    values = {}
    for name, text in said.items():
        try:
            if name not in known or not isinstance(text, str):
                raise ValueError("what this version knows")
            values[name] = parse(name, text)
        except ValueError as problem:
            shown = printable(repr(text), 60)
            raise UserError(f"{printable(path)}: {printable(str(name), 40)} is {shown}, expected {problem}") from None
    return Reading(**values, passing=True)


def flag_of(name: str) -> str:
    """The flag that says a field of ``Reading``."""
    return f"--{name.replace('_', '-')}"


def sidecar_of(path: Path) -> Path:
    """Where the reading of a model file is kept."""
    return path.with_name(path.name + _SUFFIX)


def remembered(path: Path) -> Reading:
    """What is kept of a model file; nothing where there is no sidecar. Raises ``UserError`` where there is a file of
    that name that is none, or a damaged one."""
    import json  # for files without a card alone

    sidecar = sidecar_of(path)

    def error(found: str) -> UserError:
        expected = f'what the viewer keeps of {printable(path.name, 80)}: a JSON object with "{_KEY}": "{_OURS}"'
        return UserError(f"{printable(sidecar)}: found {found}, expected {expected}; {_WAY_OUT}")

    try:
        status = sidecar.stat()
        if not stat.S_ISREG(status.st_mode):
            raise error("no plain file")
        if status.st_size > _LARGEST_SIDECAR:
            raise error(f"{status.st_size} bytes, of which {_LARGEST_SIDECAR} are read at most")
        with sidecar.open("rb") as file:
            data = file.read(_LARGEST_SIDECAR)
    except (FileNotFoundError, NotADirectoryError):
        return Reading()
    except OSError as problem:  # ours or not: nobody can tell
        raise error(f"what cannot be read ({problem.strerror})") from None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise error("what is no JSON, or not all of it") from None
    if not isinstance(found, dict) or found.pop(_KEY, None) != _OURS:
        raise error("something else")
    known, values = {item.name for item in fields(Reading) if item.metadata}, {}
    for key, text in found.items():
        if key not in known:
            raise error(f"{printable(repr(key), 60)}, a key that this version does not know")
        try:
            if not isinstance(text, str):
                raise ValueError("text")
            values[key] = parse(key, text)
        except ValueError as problem:
            found_text = printable(repr(text), 60)
            raise UserError(f"{printable(sidecar)}: {key} is {found_text}, expected {problem}; {_WAY_OUT}") from None
    return Reading(**values)


def recalled(path: Path, kept: Reading, said: Reading) -> str:
    """A sentence on what is kept of a model file and not said otherwise now; none where that is nothing."""
    words = ", ".join(f"{flag_of(name)} {text}" for name, text in kept.kept.items() if name not in said.kept)
    return f"read as {sidecar_of(path).name} says: {words}" if words else ""


def remember(path: Path, said: Reading) -> str:
    """Keep what is said of a model file, beside what is kept of it already. Returns a sentence on what was done, or why
    it could not be; nothing where nothing is new. Raises ``UserError`` as ``remembered`` does."""
    if not said.kept:
        return ""
    if said.passing:
        return ""
    import json

    from trainer.contract.files import replace_bytes
    from trainer.contract.hub.names import origin_of

    if origin_of(path) is not None:
        return "nothing is kept of it beside a file of the hub's cache: to be given again the next time"
    before = remembered(path).kept
    after = before | said.kept
    if after == before:
        return ""
    words = ", ".join(f"{flag_of(name)} {text}" for name, text in said.kept.items())
    sidecar = sidecar_of(path)
    try:
        replace_bytes(sidecar, (json.dumps({_KEY: _OURS} | after, indent=1) + "\n").encode())
    except OSError as problem:
        return f"not kept in {sidecar.name} ({problem.strerror}), to be given again the next time: {words}"
    return f"kept in {sidecar.name} for the next time: {words}"
