"""Options from a file: the config.json of a run, or a few lines of TOML (``--config``)."""

import contextlib
import difflib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from trainer.config import RunConfig
from trainer.contract.errors import UserError

MOST_BYTES = 10 << 20
# What another run does not pass on: where it is, what it came from, and what belongs to the machine.
NOT_TAKEN: Final = frozenset(("out", "config", "force", "device", "processes", "threads", "workers", "memory"))
WORDS: Final[Mapping[Any, str]] = {
    bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes", Path: "a path in quotes",
}  # fmt: skip


def read_options(path: Path, config_class: type[RunConfig]) -> tuple[dict[str, Any], bool]:
    """Options in a file, or in the config.json of a run's folder; and whether they are those of a run, all of them,
    preset included. Raises ``UserError``.

    ``config_class``: the options of the family that a run must be of.
    """
    path = path / "config.json" if path.is_dir() else path
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UserError(f"--config {path}: {error.strerror or error}") from None
    if len(content) > MOST_BYTES:
        raise UserError(f"--config {path}: over {MOST_BYTES >> 20} MB, expected a run's config.json or lines of TOML")
    if content.lstrip().startswith(b"{"):
        options = of_run(path, content, config_class)
        values, whole = {name: value for name, value in options.items() if name not in NOT_TAKEN}, True
    else:
        try:
            options = tomllib.loads(content.decode())
        except ValueError as error:
            raise UserError(f"--config {path}: neither TOML nor a run's config.json: {error}") from None
        values, whole = {name.replace("-", "_"): value for name, value in options.items()}, False
    types = get_type_hints(config_class)
    return {name: fitted(path, name, value, types) for name, value in values.items()}, whole


def of_run(path: Path, content: bytes, config_class: type[RunConfig]) -> dict[str, Any]:
    """All options in the config.json of a run. Raises ``UserError``."""
    try:
        run = json.loads(content)
        found, options = str(run["family"]).partition(":")[0], dict(run["config"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UserError(f"--config {path}: not the config.json of a run, expected its family and config") from None
    if found != config_class.__module__:
        model, expected = found.rpartition(".")[2], config_class.__module__.rpartition(".")[2]
        raise UserError(f"--config {path}: of a run of {model}, expected one of {expected}")
    return {**config_class.BEFORE, **options}


def fitted(path: Path, name: str, value: Any, types: Mapping[str, Any]) -> Any:
    """A value as its option has it. Raises ``UserError`` for an unknown option, or a value of another type."""
    if name not in types or name == "config":
        near = difflib.get_close_matches(name, types, n=1)
        hint = f"did you mean {near[0]}?" if near else "--help lists those that there are"
        raise UserError(f"--config {path}: {name} is no option of this model; {hint}")
    try:
        return converted(types[name], value)
    except TypeError as expected:
        raise UserError(f"--config {path}: {name} is {json.dumps(value, default=str)}, expected {expected}") from None


def converted(kind: Any, value: Any) -> Any:
    """A value of JSON or TOML as a type of Python. Raises ``TypeError``, which says what is expected, for another."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return None if value is None and type(None) in parts else converted(parts[0], value)
    if origin is tuple:
        with contextlib.suppress(TypeError):
            if isinstance(value, list):
                return tuple(converted(parts[0], item) for item in value)
        raise TypeError(f"a list, each {WORDS[parts[0]]}")
    if origin is Literal and value not in parts:
        raise TypeError(" or ".join(f'"{part}"' for part in parts))
    if kind is Path and isinstance(value, str):
        return Path(value)
    if origin is not Literal and type(value) is not kind and not (kind is float and type(value) is int):
        raise TypeError(WORDS[kind])
    return value
