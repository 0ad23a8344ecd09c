"""Play with an exported model: ``python -m viewer cats.onnx``."""

import os
import re
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

if __name__ == "__main__" and not sys.flags.safe_path and Path(sys.path[0]) != Path(__file__).resolve().parents[1]:
    del sys.path[0]  # the current folder: a trainer.py or an export.py there would hide ours

from trainer.contract.errors import UserError
from trainer.contract.files import check_free
from trainer.contract.options import Parser, add_options, called_as
from trainer.contract.packages import needing
from trainer.contract.text import printable, say
from viewer.modes import Mode, mode_names
from viewer.options import BUILT_IN_NAMES, LimitOptions, ReadingOptions
from viewer.worker import leave

_FILES: Final = "A file in place of a mode is opened by the mode that fits: a model, images, a saved image."
_MINUS_FIRST: Final = ("--keys", "--input-range", "--output-range")  # their values may begin as an option does


def main(arguments: list[str] | None = None, program: str = "") -> int:
    """Run the command line and return the exit code. A user's mistake is one line on stderr and code 2."""
    program = program or called_as("viewer")
    try:
        with needing("", program):
            mode, options = _parse(sys.argv[1:] if arguments is None else arguments, program)
    except UserError as error:
        return _failed(error)
    for name in ("SIGTERM", "SIGHUP"):  # the display restores the terminal as it closes
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)
    try:
        with needing("", program):
            code = _run(mode, options)
    except SystemExit as ending:  # by a signal
        code = int(ending.code or 0)
    leave(code)
    return code


def _run(mode: Mode, options: Any) -> int:
    from viewer.graph.limits import GIB, limits

    has_limits = isinstance(options, LimitOptions)
    memory, seconds = (round(options.max_memory * GIB), options.max_seconds) if has_limits else (0, 0.0)
    try:
        with limits(memory, seconds):
            if options.without_screen:
                mode.write(options)
            else:
                if options.record is not None and os.path.isfile(options.record):  # noqa: PTH113  no for a long name
                    check_free(options.record, options.force)
                session = mode.open(options)
                from viewer.app import show

                show(session, options.display, options.record, options.keys)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141
    except (UserError, MemoryError) as error:
        return _failed(error)
    return 0


def _failed(error: UserError | MemoryError) -> int:
    message = str(error) if isinstance(error, UserError) else f"not enough memory: {error}".removesuffix(": ")
    say(f"error: {message}")
    return 2


def _stop(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _parse(arguments: Sequence[str], program: str) -> tuple[Mode, Any]:
    """The mode and its options; exits as argparse does. No other mode is imported, unless all are to be listed, or the
    one that opens a file is to be found. Raises ``UserError``."""
    words = list(arguments)
    for flag in _MINUS_FIRST:
        if flag in words[:-1]:
            place = words.index(flag)
            words[place : place + 2] = [f"{flag}={words[place + 1]}"]
    names = mode_names()
    if not words or words[0] not in names:
        if not words or not _is_file(words[0]):
            _list_modes(names, words, program)
        words = _chosen(words, program)
    mode = Mode(words[0])
    return mode, mode.parse(words[1:], program)


def _list_modes(names: Sequence[str], words: Sequence[str], program: str) -> NoReturn:
    parser = Parser(prog=program, description="Play with an exported model.", epilog=_FILES, allow_abbrev=False)
    modes = parser.add_subparsers(dest="mode", required=True, metavar="MODE|FILE")
    for name in names:
        summary = Mode(name).summary
        modes.add_parser(name, help=f"{summary[0].lower()}{summary[1:]}")
    if not words or not words[0].startswith("-") or words[0] in ("-h", "--help"):
        parser.parse_args(words)
    parser.error("expected a mode or a file first")


def _is_file(word: str) -> bool:
    """Whether a word that is no mode is meant for a file, and not for a mode."""
    if word.startswith("-"):
        return word == "-"
    return word in BUILT_IN_NAMES or os.path.lexists(word) or re.search(r"[./\\:*]", word) is not None


def _chosen(words: Sequence[str], program: str) -> list[str]:
    """The mode that opens the files, and its words; says which it is. Raises ``UserError``."""
    from viewer.opening import choose

    parser = Parser(prog=program, usage=f"{program} FILE ...", add_help=False, allow_abbrev=False)
    add_options(parser, ReadingOptions)
    known = ReadingOptions(**vars(parser.parse_known_args(words)[0]))
    opening = choose(words, program, max_memory=known.max_memory, max_seconds=known.max_seconds, reading=known.reading)
    _check_flags(opening.mode, [*opening.words], opening.what, program)
    say(f"{opening.what}; opening {opening.mode} ({opening.command(program)})")
    return [opening.mode, *opening.words]


def _check_flags(mode: str, words: Sequence[str], what: str, program: str) -> None:
    """Raise ``UserError`` where the mode that fits a file lacks a flag of other modes: its usage would not say why."""
    for word in words[1:]:
        flag = word.partition("=")[0]
        if flag.startswith("--") and not Mode(mode).has(flag) and any(Mode(name).has(flag) for name in mode_names()):
            command = f"{program} {mode} {printable(shlex.quote(words[0]))}"
            raise UserError(f"{what}, which mode {mode} opens, and that has no {flag}: {command}")


if __name__ == "__main__":
    sys.exit(main())
