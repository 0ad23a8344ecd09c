"""The command ``utsuroi``: train, export, play."""

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, get_args, get_origin, get_type_hints

if __name__ == "__main__" and not sys.flags.safe_path and Path(sys.path[0]) != Path(__file__).resolve().parents[1]:
    del sys.path[0]  # the current folder: a trainer.py, viewer.py or export.py there would hide ours

from utsuroi import __version__
from utsuroi.siblings import hidden, sharing


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code; a user's mistake is one line and code 2."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if hider := hidden():
        print(f"error: {hider}", file=sys.stderr)
        return 2
    if sharer := sharing():
        print(f"warning: {sharer}", file=sys.stderr)
    from trainer.contract.options import called_as

    try:
        code = run(words, called_as("utsuroi"))
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our lines has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code


def run(words: list[str], program: str) -> int:
    """One command from its words."""
    from trainer.contract.packages import needing

    parser = make_parser(program)
    if not words or words[0] not in COMMANDS:
        options = parser.parse_args(words or ["--help"])
        if options.completion:
            with needing("", program):
                print(completion(program, options.completion))
            return 0
        parser.error("expected a command")
    command, _ = COMMANDS[words[0]]
    return command(words[1:], f"{program} {words[0]}")


def make_parser(program: str) -> argparse.ArgumentParser:
    """The command line before a command is known."""
    from trainer.contract.options import Parser

    parser = Parser(
        prog=program,
        description="Train small image generators, export each to one file, and play with it live.",
        epilog=f"{program} COMMAND --help says more.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"utsuroi {__version__}")
    parser.add_argument("--completion", choices=("bash", "zsh", "tcsh"), help="print a shell's completion script")
    commands = parser.add_subparsers(metavar="COMMAND")
    for name, (_, summary) in COMMANDS.items():
        commands.add_parser(name, help=summary, add_help=False)
    return parser


def completion(program: str, shell: str) -> str:
    """The completion script of a shell. Raises ``ImportError`` where shtab is missing."""
    import shtab

    from viewer.options import model_file

    parser = complete_parser(program)
    for action in _leaves(parser):
        if action.type in (Path, model_file) or action.metavar in ("FILE", "IMAGE"):
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    script = shtab.complete(parser, shell=shell)
    # Where a mode is expected there may be a file: shtab knows no place for both.
    if shell == "zsh":
        return re.sub(r"^( *_describe '[^']* view commands' _commands)$", r"\1\n  _files", script, flags=re.MULTILINE)
    return re.sub(r"^complete (?=.*-F )", "complete -o default ", script, flags=re.MULTILINE)


def _leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments of a parser and of all below it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from _leaves(child)
        else:
            yield action


def complete_parser(program: str) -> argparse.ArgumentParser:
    """The whole command line, for completion: commands, modes, tools, models and their flags."""
    from trainer.contract.options import add_options
    from trainer.data.tools import description, load_tool, tool_names
    from trainer.families import family_names
    from viewer.mode import Mode, mode_names
    from viewer.options import SessionOptions

    parser = argparse.ArgumentParser(prog=program, allow_abbrev=False)
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers()
    for name, (_, summary) in COMMANDS.items():
        child = commands.add_parser(name, help=summary)
        if name == "view":
            modes = child.add_subparsers()
            add_options(child, SessionOptions)  # after a file in place of a mode
            for mode in mode_names():
                add_options(modes.add_parser(mode, help=Mode(mode).summary), Mode(mode).Options)
        elif name == "data":
            tools = child.add_subparsers()
            for tool in tool_names():
                add_options(tools.add_parser(tool, help=description(tool)[0]), load_tool(tool).Options)
        elif name == "train":
            models = child.add_subparsers()
            for family in family_names():
                add_training_options(models.add_parser(family, help=f"options of {family}"), family)
    return parser


def add_training_options(parser: argparse.ArgumentParser, family: str) -> None:
    """Add the flags of a model as far as completion needs them; none where PyTorch is not installed."""
    if find_spec("torch") is None:
        return
    from trainer.command_line import documented
    from trainer.families import load_family

    config = load_family(family).Config
    types, helps = get_type_hints(config), documented(config)
    for name in types:
        choices = get_args(types[name]) if get_origin(types[name]) is Literal else None
        text = helps.get(name, "").partition(". ")[0].replace("%", "%%")
        flag = f"--{name.replace('_', '-')}"
        if types[name] is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, help=text)
        else:
            parser.add_argument(flag, choices=choices, help=text)


def view(words: list[str], program: str) -> int:
    """``utsuroi view MODE``."""
    from viewer.__main__ import main as view_main

    return view_main(words, program)


def info(words: list[str], program: str) -> int:
    """``utsuroi info FILE``: the viewer's mode info."""
    from viewer.__main__ import main as view_main

    return view_main(["info", *words], program.removesuffix(" info"))


def watch(words: list[str], program: str) -> int:
    """``utsuroi watch RUN...``: the viewer's mode watch."""
    from viewer.__main__ import main as view_main

    return view_main(["watch", *words], program.removesuffix(" watch"))


def train(words: list[str], program: str) -> int:
    """``utsuroi train MODEL``: in this process, without accelerate's launcher."""
    from trainer.contract.options import Parser
    from trainer.families import family_names

    names = family_names()
    parser = Parser(
        prog=program,
        description="Train a model in one process, on the GPU if there is one.",
        epilog=f"{program} MODEL --help lists the options of a model. Several processes: accelerate launch "
        "trainer/train_MODEL.py; see docs/clusters.md.",
        allow_abbrev=False,
    )
    parser.add_argument("model", choices=names, metavar="MODEL", help=", ".join(names))
    options = parser.parse_args(words[:1] or ["--help"])

    from trainer.entry import main as train_main

    train_main(options.model, words[1:], f"{program} {options.model}")


def export(words: list[str], program: str) -> int:
    """``utsuroi export RUN -o OUT.onnx``."""
    from export.__main__ import main as export_main

    return export_main(words, program)


def push(words: list[str], program: str) -> int:
    """``utsuroi push FILE.onnx OWNER/NAME``."""
    from utsuroi.push.command import main as push_main

    return push_main(words, program)


def data(words: list[str], program: str) -> int:
    """``utsuroi data TOOL``."""
    from trainer.data.__main__ import main as data_main

    data_main(words, program)
    return 0


def evaluate(words: list[str], program: str) -> int:
    """``utsuroi evaluate RUN``."""
    from trainer.contract.packages import needing

    with needing("train", program):
        from trainer.evaluate import main as evaluate_main

        evaluate_main(words, program)


def runs(words: list[str], program: str) -> int:
    """``utsuroi runs FOLDER...``."""
    from trainer.contract.errors import UserError, fail
    from trainer.contract.options import Parser
    from utsuroi.runs import COMPARE, SORTS, as_json, as_table, compares, find_runs, sort_runs

    parser = Parser(prog=program, description="List the trainings in and below folders.")
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("runs")], metavar="FOLDER", help="(runs)")
    parser.add_argument(
        "--sort", choices=SORTS, default="name", help="order of the rows (name); scores: model by model"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON array instead of a table")
    options = parser.parse_args(words)
    try:
        rows = sort_runs(find_runs(options.folders), options.sort)
    except UserError as error:
        fail(str(error))
    print(as_json(rows) if options.json else as_table(rows))
    if not options.json and not compares(rows):
        print(COMPARE, file=sys.stderr)
    return 0


COMMANDS: Final[dict[str, tuple[Callable[[list[str], str], int], str]]] = {
    "view": (view, "play with an exported model: view FILE, or view MODE [FILE]"),
    "train": (train, "train a model: train MODEL --data IMAGES --out RUN"),
    "export": (export, "write a run as ONNX files: export RUN -o FILE.onnx"),
    "push": (push, "put a model on the Hugging Face hub: push FILE.onnx OWNER/NAME"),
    "data": (data, "prepare and inspect image sets: data TOOL"),
    "evaluate": (evaluate, "measure a run on held-out images: evaluate RUN"),
    "runs": (runs, "list trainings: runs [FOLDER]"),
    "watch": (watch, "look at trainings while they go on: watch RUN [RUN ...]"),
    "info": (info, "say what a model, a saved image or a set holds: info FILE"),
}


if __name__ == "__main__":
    sys.exit(main())
