"""The command line: flags, a preset and a file of options → a config. Groups the flags for --help."""

import argparse
import dataclasses
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from trainer.config import Record, RunConfig
from trainer.contract.errors import UserError
from trainer.contract.text import printable
from trainer.options_file import fitted, read_options
from trainer.presets import described, find, preset_file, presets_of

# Of --help: what one needs first, then groups. Other options of a family are its "model options", others of every run
# its "run options".
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "": (
        "data", "out", "preset", "config", "image_size", "batch_size", "steps", "minutes", "precision", "seed",
    ),
    "model": (),
    "image": ("fit", "values", "flip", "rotate", "crop", "hold_out", "bgr", "rgb_only"),
    "learning": (
        "learning_rate", "beta1", "beta2", "schedule", "decay_from", "decay_to", "warmup", "accumulate",
        "clip_norm", "ema",
    ),
    "run": (),
    "machine": ("device", "processes", "threads", "compile", "workers", "memory"),
}  # fmt: skip


def parse(
    config_class: type[Record], arguments: list[str] | None, description: str, program: str | None = None
) -> Record:
    """Flags → config. An unknown or malformed flag ends the program with code 2, ``--help`` and ``--preset help`` with
    0. Raises ``UserError``."""
    import tyro  # only the command line needs it

    words = sys.argv[1:] if arguments is None else arguments
    options: dict[str, Any] = {"prog": program, "args": words, "description": description}
    options["config"] = (tyro.conf.OmitArgPrefixes,)
    if not issubclass(config_class, RunConfig):
        return tyro.cli(config_class, **options)
    parser = argparse.ArgumentParser(prog=program, add_help=False, allow_abbrev=False)
    parser.add_argument("--preset", nargs="?", default="", const="help")
    parser.add_argument("--config", nargs="?", type=Path)
    named = parser.parse_known_args(words)[0]  # these decide about the defaults of all others
    if named.preset == "help":
        for line in described(presets_of(config_class)):
            print(printable(line))
        sys.exit(0)
    begin, of_file = beginning(config_class, named.preset, named.config)
    values: dict[str, Any] = {}
    for name, value in vars(tyro.cli(grouped(config_class, begin), **options)).items():
        values |= vars(value) if name in GROUPS else {name: value}
    try:
        return config_class(**values)
    except UserError as error:  # "--batch-size is 0, expected …"
        name = str(error).partition(" is ")[0].removeprefix("--").replace("-", "_")
        if name in of_file and of_file[name] == values[name]:
            raise UserError(f"--config {named.config}: {error}") from None
        raise


def beginning(config_class: type[RunConfig], preset: str, file: Path | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """All options before those of the flags, and those of them that are from the file. Raises ``UserError``."""
    begin = {item.name: item.default for item in dataclasses.fields(config_class)}
    types = get_type_hints(config_class)
    of_file, whole = read_options(file, config_class) if file is not None else ({}, False)
    of_preset: dict[str, Any] = {}
    if preset or (of_file.get("preset") and not whole):
        options = find(presets_of(config_class), preset or of_file["preset"]).options
        of_preset = {name: fitted(preset_file(config_class), name, value, types) for name, value in options.items()}
    if preset and of_preset and of_preset.keys() <= of_file.keys():
        raise UserError(
            f"--preset {preset} would change nothing: {file} sets all of its options; leave out one of both"
        )
    return begin | of_preset | of_file, of_file


def grouped(config_class: type[RunConfig], begin: Mapping[str, Any]) -> type[Any]:
    """The options as tyro shows them: a dataclass of those that one needs first, and of one dataclass a group."""
    import tyro

    types, helps = get_type_hints(config_class), documented(config_class)
    helps["preset"] += f" There are: {', '.join(presets_of(config_class)) or 'none'}."
    groups: dict[str, list[tuple[str, Any, Any]]] = {name: [] for name in GROUPS}
    depths = {name: depth for depth, base in enumerate(config_class.__mro__) for name in inspect.get_annotations(base)}
    for name in sorted(begin, key=lambda name: (place(name), depths[name])):  # those of the family before its bases'
        kind, default = types[name], begin[name]
        optional = get_args(kind)[0].__name__.upper() if get_origin(kind) is UnionType else None
        argument = tyro.conf.arg(
            help=helps.get(name),
            metavar={"preset": "NAME", "config": "FILE"}.get(name, optional),
            help_behavior_hint="" if default in ("", None) else None,
        )
        groups[group_of(name)].append((name, Annotated[kind, argument], dataclasses.field(default=default)))
    first = groups.pop("")
    for name, options in groups.items():
        if options:
            part = dataclasses.make_dataclass(name, options, frozen=True, kw_only=True)
            first.append((name, part, dataclasses.field(default_factory=part)))
    return dataclasses.make_dataclass(config_class.__name__, first, frozen=True, kw_only=True)


def group_of(name: str) -> str:
    """The group of an option; an empty text for those that one needs first."""
    others = "run" if name in RunConfig.__dataclass_fields__ else "model"
    return next((group for group, names in GROUPS.items() if name in names), others)


def place(name: str) -> int:
    """Place of an option within its group."""
    return [*GROUPS[group_of(name)], name].index(name)


def documented(config_class: type[RunConfig]) -> dict[str, str]:
    """The text under each field; a class that gives a field another default leaves its text."""
    from docstring_parser import parse_from_object  # which tyro has, too

    bases = reversed(config_class.__mro__[:-1])
    fields = [field for base in bases for field in parse_from_object(base).params]
    return {field.arg_name: " ".join(str(field.description).split()) for field in fields}
