"""Flags → metrics → exit code."""

import sys
from typing import NoReturn

from trainer.command_line import parse
from trainer.config import RunConfig
from trainer.contract.errors import UserError
from trainer.contract.text import printable
from trainer.distributed import World, leave
from trainer.evaluation.evaluation import FOLDER, Evaluation
from trainer.evaluation.options import DESCRIPTION, EvaluateConfig
from trainer.log import ErrorIgnoringStream
from trainer.progress import Progress


def main(arguments: list[str], program: str | None, progress: Progress) -> NoReturn:
    """Measure a run by a command line, then exit."""
    world, code = None, 0
    sys.stdout = ErrorIgnoringStream(sys.stdout)
    try:
        config = parse(EvaluateConfig, arguments, DESCRIPTION, program)
        with progress.doing("starting"):
            world = World(RunConfig(device=config.device, threads=config.threads, processes=config.processes))
        result = Evaluation(config, world, progress).go()
        progress.close()
        if world.is_main:
            for name, value in result["metrics"].items():
                print(f"{printable(name):<22} {value:.6g}")
            print(f"written to {printable(config.run / FOLDER)}", flush=True)
    except UserError as error:
        progress.close()
        if world is None or world.is_main:
            print(f"error: {error}", file=sys.stderr)
        code = 2
    except SystemExit as ended:  # by the command line: --help, or an unknown flag
        code = ended.code if isinstance(ended.code, int) else 2
    except KeyboardInterrupt:
        code = 130
    leave(world, code)
