"""The command line: flags, a preset and a file of options → a config. Groups the flags for --help."""

import argparse
import ast
import dataclasses
import inspect
import sys
import textwrap
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin, get_type_hints

from trainer.config import RunConfig
from trainer.contract.errors import UserError
from trainer.contract.text import printable
from trainer.options_file import fitted, read_options
from trainer.presets import described, find, preset_file, read_presets

Record = TypeVar("Record")

METAVARS: Final = {"preset": "NAME", "config": "FILE"}

# Of --help: what one needs first, then groups. Other options of a family are its "model options", others of every run
# its "run options".
FIRST: Final = (
    "data", "out", "preset", "config", "image_size", "batch_size", "steps", "minutes", "precision", "seed",
)  # fmt: skip
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "model": (),
    "image": ("fit", "flip", "rotate", "crop", "hold_out", "bgr", "rgb_only"),
    "learning": ("learning_rate", "beta1", "beta2", "schedule", "warmup", "accumulate", "clip_norm", "ema"),
    "run": (),
    "machine": ("device", "processes", "threads", "compile", "workers", "memory"),
}


def parse(
    config_class: type[Record], arguments: list[str] | None, description: str, program: str | None = None
) -> Record:
    """Flags → config. An unknown or malformed flag ends the program with code 2, ``--help`` and ``--preset help`` with
    0. Raises ``UserError``."""
    import tyro  # only the command line needs it

    words = sys.argv[1:] if arguments is None else arguments
    options: dict[str, Any] = {"prog": program, "args": words, "description": description}
    if not issubclass(config_class, RunConfig):
        return tyro.cli(config_class, **options, config=(tyro.conf.OmitArgPrefixes,))
    named = preset_and_file(words, program)
    if named.preset == "help":
        for line in described(read_presets(preset_file(config_class))):
            print(printable(line))
        sys.exit(0)
    begin, of_file = beginning(config_class, named.preset, named.config)
    parsed = tyro.cli(grouped(config_class, begin), **options)
    values = {name: value for name, value in vars(parsed).items() if name not in GROUPS}
    for group in GROUPS.keys() & vars(parsed).keys():
        values |= vars(getattr(parsed, group))
    try:
        return config_class(**values)
    except UserError as error:  # "--batch-size is 0, expected …"
        name = str(error).partition(" is ")[0].removeprefix("--").replace("-", "_")
        if name in of_file and of_file[name] == values[name]:
            raise UserError(f"--config {named.config}: {error}") from None
        raise


def preset_and_file(words: list[str], program: str | None) -> argparse.Namespace:
    """The two flags that decide about the defaults of all others."""
    parser = argparse.ArgumentParser(prog=program, add_help=False, allow_abbrev=False)
    parser.add_argument("--preset", nargs="?", default="", const="help")
    parser.add_argument("--config", nargs="?", type=Path)
    return parser.parse_known_args(words)[0]


def beginning(config_class: type[RunConfig], preset: str, file: Path | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """All options before those of the flags, and those of them that are from the file. Raises ``UserError``."""
    begin = {item.name: item.default for item in dataclasses.fields(config_class)}
    types = get_type_hints(config_class)
    of_file, whole = read_options(file, config_class.__module__, types) if file is not None else ({}, False)
    of_preset: dict[str, Any] = {}
    if preset or (of_file.get("preset") and not whole):
        path = preset_file(config_class)
        options = find(read_presets(path), preset or of_file["preset"]).options
        of_preset = {name: fitted(path, name, value, types) for name, value in options.items()}
    if preset and of_preset and of_preset.keys() <= of_file.keys():
        raise UserError(
            f"--preset {preset} would change nothing: {file} sets all of its options; leave out one of both"
        )
    return begin | of_preset | of_file, of_file


def grouped(config_class: type[RunConfig], begin: Mapping[str, Any]) -> type[Any]:
    """The options as tyro shows them: a dataclass of those that one needs first, and of one dataclass a group."""
    import tyro

    types, helps = get_type_hints(config_class), documented(config_class)
    helps["preset"] += f" There are: {', '.join(read_presets(preset_file(config_class))) or 'none'}."
    groups: dict[str, list[tuple[str, Any, Any]]] = {name: [] for name in ("", *GROUPS)}
    depths = {name: depth for depth, base in enumerate(config_class.__mro__) for name in inspect.get_annotations(base)}
    for name in sorted(begin, key=lambda name: (place(name), depths[name])):  # those of the family before its bases'
        kind, default = types[name], begin[name]
        optional = get_args(kind)[0] if get_origin(kind) is UnionType else None
        argument = tyro.conf.arg(
            help=helps.get(name),
            prefix_name=False,
            metavar=METAVARS.get(name) or (optional.__name__.upper() if optional else None),
            help_behavior_hint="" if default in ("", None) else None,
        )
        shown = (name, Annotated[kind, argument], dataclasses.field(default=default))
        groups[group_of(name)].append(shown)
    for name in GROUPS:
        if groups[name]:
            part = dataclasses.make_dataclass(name, groups[name], frozen=True, kw_only=True)
            groups[""].append((name, part, dataclasses.field(default_factory=part)))
    return dataclasses.make_dataclass(config_class.__name__, groups[""], frozen=True, kw_only=True)


def group_of(name: str) -> str:
    """The group of an option; an empty text for those that one needs first."""
    if name in FIRST:
        return ""
    for group, names in GROUPS.items():
        if name in names:
            return group
    return "run" if name in {item.name for item in dataclasses.fields(RunConfig)} else "model"


def place(name: str) -> int:
    """Place of an option within its group."""
    names = FIRST if name in FIRST else GROUPS[group_of(name)]
    return names.index(name) if name in names else len(names)


def documented(config_class: type[RunConfig]) -> dict[str, str]:
    """The text under each field; a class that gives a field another default leaves its text."""
    found = {}
    for kind in reversed(config_class.__mro__[:-1]):
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
        assert isinstance(tree, ast.ClassDef)
        for field, after in pairwise(tree.body):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                found[field.target.id] = " ".join(str(after.value.value).split())
    return found
