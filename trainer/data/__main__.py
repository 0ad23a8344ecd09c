"""The data tools: ``python -m trainer.data TOOL``, or ``utsuroi-data TOOL``; see ``trainer.data.tools``."""

import argparse
import os
import signal
import sys
from types import FrameType

from trainer.contract.errors import UserError, fail
from trainer.contract.options import Parser, add_options, called_as
from trainer.contract.packages import needing
from trainer.contract.text import printable
from trainer.data.tools import description, load_tool, tool_names


def _stop(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)  # unwinds, so that temporary files are removed


def main(arguments: list[str] | None = None, program: str = "") -> None:
    """Run one tool. Exit code 2 and one line for a user's mistake. ``program``: what it is called as."""
    words = sys.argv[1:] if arguments is None else arguments
    program = program or called_as("trainer.data")
    parser = Parser(prog=program, description="Prepare and inspect image sets.")
    tools = parser.add_subparsers(metavar="TOOL", required=True)
    names = tool_names()
    for name in [words[0]] if words and words[0] in names else names:
        summary, rest = description(name)
        raw = argparse.RawDescriptionHelpFormatter
        child = tools.add_parser(name, help=summary, description=summary, epilog=rest, formatter_class=raw)
        if name in words[:1]:
            with needing("", program):
                tool = load_tool(name)
            add_options(child, tool.Options)
    options = vars(parser.parse_args(words))
    signal.signal(signal.SIGTERM, _stop)
    try:
        with needing("", program):
            tool.run(tool.Options(**options))
        sys.stdout.flush()
        sys.exit(0)
    except UserError as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted; no file is left half written", 130)
    except MemoryError:
        fail("there is not enough memory for this")
    except BrokenPipeError:  # whoever read our lines has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:  # of a disk that fails, of a folder that may not be listed
        fail(f"{printable(str(error.filename or 'a file'))}: {error.strerror or error}")


if __name__ == "__main__":
    main()
