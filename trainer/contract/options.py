"""Options of a command as a frozen dataclass, and the argparse flags that are made of it. Standard library only.

For example::

    @dataclass(frozen=True, kw_only=True)
    class Options:
        input: Path = argument("a .npy file", metavar="IN")
        output: Path = flag("the .npy file to write", "-o", "--output", default=MISSING)
        size: int | None = flag("side in pixels (that of the set)", within=(8, 4096))

    add_options(parser, Options)
    options = Options(**vars(parser.parse_args()))
"""

import argparse
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import MISSING, Field, field, fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NoReturn, Union, get_args, get_origin


class Parser(argparse.ArgumentParser):
    """Says which word it knows that is near one that it does not know, and which there are where one is missing."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2, after the usage and the message."""
        unknown = re.search(r"(?:unrecognized arguments: |invalid choice: ')([^\s'=]+)", message)
        if unknown:
            import difflib  # for mistakes alone

            choices = (str(choice) for action in self._actions for choice in action.choices or ())
            known = {word.lower(): word for word in (*self._option_string_actions, *choices)}
            near = difflib.get_close_matches(unknown[1].lower(), known, n=1)
            message += f"; did you mean {known[near[0]]}?" if near else ""
        missing = message.partition("arguments are required: ")[2]
        for action in self._actions:
            if missing and action.metavar == missing and action.choices:
                message += f", one of {', '.join(action.choices)}"
        super().error(message)


def flag(sentence: str, *names: str, default: Any = None, **words: Any) -> Any:
    """A field that is a flag; ``MISSING`` for the default requires it.

    ``sentence``: help text. ``names``: flags, where it is not the field's name. ``within``: the least and the greatest
    value, as ``out_of_range`` looks for them. ``group``: a heading of --help. Other ``words`` go to ``add_argument``.
    """
    return field(default=default, metadata={"names": names, "help": sentence, **words})


def argument(sentence: str, *, default: Any = MISSING, **words: Any) -> Any:
    """A field that is a positional argument; ``words`` as in ``flag``."""
    return field(default=default, metadata={"help": sentence, **words})


def called_as(module: str) -> str:
    """How a command was called, for its help: the name of an installed script, or ``python -m`` and its module."""
    name = Path(sys.argv[0]).stem
    return name if name.startswith("utsuroi") else f"python -m {module}"


def add_options(parser: argparse.ArgumentParser, options: type) -> None:
    """Add each field as an argument: positional ones, required flags, other flags of the class, those of its bases."""
    groups: dict[str, argparse._ArgumentGroup] = {}
    for item in _in_order(options):
        words = {name: value for name, value in item.metadata.items() if name not in ("names", "group", "within")}
        if not {"type", "action"} & words.keys():
            words = {**_reading(item.type), **words}
        if item.default is not MISSING:
            words["default"] = item.default
        group = item.metadata.get("group", "")
        if group and group not in groups:
            groups[group] = parser.add_argument_group(group)
        target = groups[group] if group else parser
        if "names" in item.metadata:
            names = item.metadata["names"] or (f"--{item.name.replace('_', '-')}",)
            target.add_argument(*names, dest=item.name, required=item.default is MISSING, **words)
        else:
            target.add_argument(item.name, **words)


def out_of_range(options: Any) -> Iterator[tuple[str, Any, str]]:
    """The fields whose values are not within their bounds: name, value, and what is expected; None is never checked."""
    for item in fields(options):
        low, high = item.metadata.get("within", (None, None))
        found = getattr(options, item.name)
        for value in found if isinstance(found, list | tuple) else (found,):
            if low is not None and value is not None and not low <= value <= high:
                yield item.name, value, f"{low} to {high}"


def _in_order(options: type) -> list[Field[Any]]:
    bases = reversed([*enumerate(options.__mro__)])
    depths = {name: depth for depth, base in bases for name in inspect.get_annotations(base)}

    def place(item: Field[Any]) -> int:
        return (-1 if item.default is MISSING else depths[item.name]) if "names" in item.metadata else -2

    return sorted(fields(options), key=place)


def _reading(annotation: Any) -> dict[str, Any]:
    """How argparse reads a type: bool is a switch, ``T | None`` is read as T, a sequence as one value or more."""
    kind, parts = get_origin(annotation), get_args(annotation)
    if annotation is bool:
        return {"action": "store_true"}
    if kind in (Union, UnionType):
        return _reading(parts[0])
    if kind is Literal:
        return {"choices": parts}
    if kind is not None:
        return {"nargs": "+", **_reading(parts[0])}
    return {} if annotation is str else {"type": annotation}
