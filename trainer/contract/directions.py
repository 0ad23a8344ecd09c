"""Named directions of a latent space: a small JSON file beside the model, read by the viewer and by the export.

    {"schema": "1.0", "size": 20, "directions": {"fur": {"direction": [0.1, ...], "how": "LDA of 12 and 15 images"}}}

A direction is a step of 1 on its slider: one std long. Readers refuse a newer major schema; of keys that they do not
know they keep what is there.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trainer.contract.errors import UserError
from trainer.contract.files import reading, replace_bytes
from trainer.contract.text import printable

SCHEMA: Final = "1.0"
MOST: Final = 256  # directions of a file
LONGEST_NAME: Final = 64  # characters
ORIGIN: Final = ("run", "step")  # of a card's ``training``: kept with a direction as what it was found in
_MOST_BYTES: Final = 1 << 26
_FORMAT: Final = re.compile(r"(\d{1,6})\.\d{1,6}")
_LIST: Final = re.compile(r"\[\n([-+.,\deE\s]+)\]")  # numbers, one a line
_ENDING: Final = ".directions.json"

Vector = tuple[float, ...]


def beside(model: Path) -> Path:
    """Where the named directions of a model file lie, unless they are elsewhere."""
    return model.with_name(f"{model.stem}{_ENDING}")


def name_error(name: str) -> str:
    """What is wrong with a name, in words; empty: nothing."""
    if not 1 <= len(name) <= LONGEST_NAME or name != name.strip():
        return f"expected 1..{LONGEST_NAME} characters, none of them a space at its ends"
    return "" if name.isprintable() else "expected characters that can be printed"


def check_directions(value: Any, size: int) -> dict[str, Vector]:
    """Vectors of ``size`` numbers by name, from what JSON made of a file. Raises ``ValueError`` with one line."""
    if not isinstance(value, Mapping) or len(value) > MOST:
        found = f"{len(value)} of them" if isinstance(value, Mapping) else type(value).__name__
        raise ValueError(f"directions are {found}, expected an object of {MOST} names at most")
    return {name: _check(name, vector, size) for name, vector in value.items()}


def _check(name: str, vector: Any, size: int) -> Vector:
    if error := name_error(name):
        raise ValueError(f"a direction's name is {name[: LONGEST_NAME + 1]!r}, {error}")
    if not isinstance(vector, Sequence) or isinstance(vector, str) or len(vector) != size:
        found = f"{len(vector)} numbers" if isinstance(vector, list | tuple) else type(vector).__name__
        raise ValueError(f"direction {name!r} is {found}, expected a list of {size}, the numbers of a latent")
    for number in vector:
        if isinstance(number, bool) or not isinstance(number, int | float) or not _finite(number):
            raise ValueError(f"direction {name!r} holds {str(number)[:40]!r}, expected finite numbers")
    if not 1e-6 < math.hypot(*vector) < 1e6:
        raise ValueError(f"direction {name!r} is {math.hypot(*vector):.3g} long, expected 1e-6..1e6")
    return tuple(map(float, vector))


def _finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number beyond all floats
        return False


@dataclass(frozen=True)
class Named:
    """The directions of a file."""

    vectors: Mapping[str, Vector]
    models: Mapping[str, Mapping[str, Any]]  # what is known of the models that they were found in

    def strangers(self, model: Mapping[str, Any]) -> list[str]:
        """Names of those that were found in another model: in another run than ``model`` says, or at another step."""
        return [
            name
            for name, other in self.models.items()
            if any(key in other and key in model and other[key] != model[key] for key in ORIGIN)
        ]


def read_directions(path: Path, size: int) -> Named:
    """The named directions of a file, for latents of ``size`` numbers. Raises ``UserError``."""
    content = _read(path)
    vectors = _vectors(path, content, size)
    models = {name: entry.get("model") for name, entry in content["directions"].items()}
    return Named(vectors, {name: model for name, model in models.items() if isinstance(model, Mapping)})


def add_direction(path: Path, name: str, entry: Mapping[str, Any], replace: bool = False) -> None:
    """Add a direction to a file, which is made if it is not there yet; all that is in it stays.

    ``entry``: ``direction``, a list of numbers, and what else is known of it. ``replace``: that of this name, if there
    is one. Raises ``UserError``; the file is as it was then.
    """
    vector, content = entry["direction"], _read(path) if path.exists() else {}
    size = len(vector)
    known = _vectors(path, content, size) if content else {}
    if name in known and not replace:
        raise UserError(f"{path}: {name!r} is there already, expected another name")
    entries = {**content.get("directions", {}), name: dict(entry)}
    try:
        check_directions({key: value["direction"] for key, value in entries.items()}, size)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    whole = {"schema": SCHEMA, "size": size, **content, "directions": entries}
    text = json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False)
    text = _LIST.sub(lambda found: f"[{' '.join(found[1].split())}]", text)  # strings have no line breaks of their own
    try:
        replace_bytes(path, f"{text}\n".encode())
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None


def _read(path: Path) -> dict[str, Any]:
    """What a file holds, not yet looked at but for its schema. Raises ``UserError``."""
    with reading(path), path.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    try:
        if len(data) > _MOST_BYTES:
            raise ValueError
        content = json.loads(data)
    except (ValueError, RecursionError):
        content = None
    schema = content.get("schema") if isinstance(content, dict) else None
    version = _FORMAT.fullmatch(schema) if isinstance(schema, str) else None
    if not isinstance(content, dict) or version is None:
        raise _error(path, "is no file of named directions, as key d of the viewer's latent mode writes it")
    if int(version[1]) > int(SCHEMA.split(".")[0]):
        raise _error(path, f"has schema {schema}, expected {SCHEMA} at most: please update utsuroi")
    return content


def _vectors(path: Path, content: Mapping[str, Any], size: int) -> dict[str, Vector]:
    entries = content.get("directions")
    try:
        if not isinstance(entries, Mapping) or not all(isinstance(entry, Mapping) for entry in entries.values()):
            raise ValueError("directions are no object of objects, expected one a name")
        return check_directions({name: entry.get("direction") for name, entry in entries.items()}, size)
    except ValueError as error:
        raise _error(path, str(error)) from None


def _error(path: Path, text: str) -> UserError:
    return UserError(f"{path}: {printable(text, 300)}; move it away, or name another file: --directions FILE")
