"""Play with an exported model: ``python -m viewer grid cats.onnx``."""

import contextlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

if __name__ == "__main__" and not sys.flags.safe_path and Path(sys.path[0]) != Path(__file__).resolve().parents[1]:
    del sys.path[0]  # the current folder: a trainer.py or an export.py there would hide ours

from trainer.contract.errors import UserError
from trainer.contract.options import Parser, called_as
from trainer.contract.packages import needing
from trainer.contract.text import printable
from viewer.modes import Mode, mode_names
from viewer.options import LimitOptions
from viewer.worker import leave


def main(arguments: list[str] | None = None, program: str = "") -> int:
    """Run the command line and return the exit code. A user's mistake is one line on stderr and code 2."""
    program = program or called_as("viewer")
    with needing("", program):
        mode, options = _parse(sys.argv[1:] if arguments is None else arguments, program)
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
                session = mode.open(options)
                from viewer.app import show

                show(session, options.display, options.record, options.keys)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141
    except (UserError, MemoryError) as error:
        message = str(error) if isinstance(error, UserError) else f"not enough memory: {error}".removesuffix(": ")
        with contextlib.suppress(OSError):  # nobody may be listening
            print(f"error: {printable(message, 1000)}", file=sys.stderr, flush=True)
        return 2
    return 0


def _stop(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _parse(arguments: Sequence[str], program: str) -> tuple[Mode, Any]:
    """The mode and its options; exits as argparse does. No other mode is imported, unless all are to be listed."""
    words = list(arguments)
    names = mode_names()
    if not words or words[0] not in names:
        _list_modes(names, words, program)
    mode = Mode(words[0])
    if "--keys" in words[:-1]:  # a script may begin with the minus key, which argparse takes for an option
        place = words.index("--keys")
        words[place : place + 2] = [f"--keys={words[place + 1]}"]
    return mode, mode.parse(words[1:], program)


def _list_modes(names: Sequence[str], words: Sequence[str], program: str) -> NoReturn:
    parser = Parser(prog=program, description="Play with an exported model.", allow_abbrev=False)
    modes = parser.add_subparsers(dest="mode", required=True, metavar="MODE")
    for name in names:
        summary = Mode(name).summary
        modes.add_parser(name, help=f"{summary[0].lower()}{summary[1:]}")
    if words and words[0].lower().endswith(".onnx"):
        parser.error(f"expected the mode first; did you mean: {program} grid {printable(' '.join(words), 200)}")
    parser.parse_args(words)
    parser.error("expected the mode first")


if __name__ == "__main__":
    sys.exit(main())
