"""The command that measures a run: reconstruction, distance of its samples from real images, their classes, copies.

Writes ``evaluation/metrics.json`` and sheets into the run; an export of the same weights puts the metrics into the
card.

    accelerate launch trainer/evaluate.py runs/cats --data held_out/
    accelerate launch trainer/evaluate.py runs/digits-gan --features runs/classifier --classifier runs/classifier
"""

import sys
from typing import NoReturn

from trainer.contract.packages import explain

if __name__ == "__main__":
    explain("train", sys.argv[0])  # what is imported below needs packages

import trainer.families  # noqa: F401  before torch, which reads once how its threads wait
from trainer.command_line import parse
from trainer.config import RunConfig
from trainer.contract.errors import UserError
from trainer.contract.text import printable
from trainer.distributed import World, leave
from trainer.evaluation.evaluation import FOLDER, EvaluateConfig, Evaluation
from trainer.log import ErrorIgnoringStream
from trainer.progress import Progress


def main(arguments: list[str] | None = None, program: str | None = None) -> NoReturn:
    """Flags → metrics → exit code."""
    world, code = None, 0
    sys.stdout = ErrorIgnoringStream(sys.stdout)
    try:
        config = parse(EvaluateConfig, arguments, "Measure a run; its figures go into the card at export.", program)
        world = World(RunConfig(device=config.device, threads=config.threads, processes=config.processes))
        result = Evaluation(config, world, Progress(speaks=world.is_main, file=sys.stderr)).go()
        if world.is_main:
            for name, value in result["metrics"].items():
                print(f"{printable(name):<22} {value:.6g}")
            print(f"written to {printable(config.run / FOLDER)}", flush=True)
    except UserError as error:
        if world is None or world.is_main:
            print(f"error: {error}", file=sys.stderr)
        code = 2
    except SystemExit as ended:  # by the command line: --help, or an unknown flag
        code = ended.code if isinstance(ended.code, int) else 2
    except KeyboardInterrupt:
        code = 130
    leave(world, code)


if __name__ == "__main__":
    main()
