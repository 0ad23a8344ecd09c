"""The image tools: ``python -m trainer.data TOOL``, or ``utsuroi-data TOOL``.

A tool is a module of this package with a docstring, ``add_arguments(parser)`` and ``run(arguments) -> exit code``.
"""

import argparse
import os
import signal
import sys
from types import FrameType, ModuleType

from trainer.contract.errors import UserError, fail
from trainer.contract.text import printable
from trainer.data.drawing import toycats
from trainer.data.tools import align, create, downscale, edges, filter, info, merge, morph, select, shards, split, stats

TOOLS: tuple[ModuleType, ...] = (
    create, align, morph, merge, split, select, stats, filter, info, edges, downscale, shards, toycats,
)  # fmt: skip


def _stop(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)  # unwinds, so that temporary files are removed


def main(arguments: list[str] | None = None) -> None:
    """Run one tool. Exit code 2 and one line for a person's mistake."""
    parser = argparse.ArgumentParser(prog="python -m trainer.data", description="Prepare and inspect image sets.")
    tools = parser.add_subparsers(metavar="TOOL", required=True)
    for tool in TOOLS:
        summary, _, rest = (tool.__doc__ or "").strip().partition("\n")
        name = tool.__name__.rpartition(".")[2]
        child = tools.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=rest.strip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        tool.add_arguments(child)
        child.set_defaults(run=tool.run)
    parsed = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _stop)
    try:
        code = parsed.run(parsed)
        sys.stdout.flush()
        sys.exit(code)
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
