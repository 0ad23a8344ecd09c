"""The command line for ONNX files of other programs, which are to become one file with a card."""

from argparse import SUPPRESS
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from export.kinds import KINDS
from trainer.contract.options import Parser, add_options, flag
from viewer.further_options import NoiseOptions
from viewer.options import ReadingOptions

_MINUS_FIRST: Final = ("--input-range", "--output-range")  # whose values may begin as an option does
_GROUP: Final = next(item.metadata["group"] for item in fields(ReadingOptions) if item.name == "layout")
_HEADING: Final = "what is found out, unless it is said"


@dataclass(frozen=True, kw_only=True)
class Options(ReadingOptions, NoiseOptions):
    """The viewer's options of reading such a file, and its kind."""

    kind: str = flag("what it is", default="", choices=tuple(KINDS), group=_GROUP)


def parse(words: Sequence[str], program: str) -> tuple[dict[str, Any], Options]:
    """What to write and where, by names of options; and how the file is read. Exits as argparse does."""
    words = list(words)
    for name in _MINUS_FIRST:
        if name in words[:-1]:
            place = words.index(name)
            words[place : place + 2] = [f"{name}={words[place + 1]}"]
    options = vars(parser(program).parse_args(words))
    return options, Options(**{item.name: options.pop(item.name) for item in fields(Options)})


def parser(program: str) -> Parser:
    """Of the command line."""
    made = Parser(
        prog=program,
        usage=f"{program} FILE.onnx -o OUT.onnx [options]",
        description="Write an ONNX file of another program as one file with a card, so that nothing is guessed again.",
        epilog=f"A page for the browser, of a file with a card: {program} FILE.onnx --html OUT.html",
    )
    made.add_argument("source", type=Path, metavar="FILE.onnx", help="with its weights in it, or in files beside it")
    made.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.onnx", help="file to write")
    made.add_argument("--name", default="", help="what the card calls the model (the file's name)")
    made.add_argument("--licence", default="", help="terms under which the file may be used, kept in the card")
    made.add_argument(
        "--directions", type=Path, metavar="FILE", help="of a generator with a card: named directions to put into it"
    )
    made.add_argument("--force", action="store_true", help="replace a file that exists")
    add_options(made, Options)
    for group in made._action_groups:
        if group.title == _GROUP:  # which says where the viewer keeps them
            group.title = _HEADING
    for action in made._actions:
        if action.dest == "external_data":  # they are read anyway: to be written into the one file
            action.help = SUPPRESS
    return made
