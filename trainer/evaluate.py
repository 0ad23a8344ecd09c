"""The command that measures a run: reconstruction, distance of its samples from real images, their classes, copies.

Writes ``evaluation/metrics.json`` and sheets into the run; an export of the same weights puts the metrics into the
card.

    accelerate launch trainer/evaluate.py runs/cats --data held_out/
    accelerate launch trainer/evaluate.py runs/digits-gan --features runs/classifier --classifier runs/classifier
"""

import os
import sys
from importlib.util import find_spec
from typing import NoReturn

from trainer.contract.packages import explain

if __name__ == "__main__":
    explain("train", sys.argv[0])  # what is imported below needs packages

import trainer.families  # noqa: F401  before torch, which reads once how its threads wait
from trainer.command_line import parse
from trainer.contract.errors import UserError, fail
from trainer.progress import Progress
from trainer.runs.record import read_run


def main(arguments: list[str] | None = None, program: str | None = None) -> NoReturn:
    """Check the command line and the run at once, then import what takes seconds, and measure."""
    words = sys.argv[1:] if arguments is None else arguments
    alone = os.environ.get("WORLD_SIZE", "1") == "1"
    if alone and find_spec("torch") is not None:  # of several processes, those that find a mistake wait for the first
        check(words, program)
    progress = Progress(speaks=os.environ.get("RANK", "0") == "0" and find_spec("torch") is not None, file=sys.stderr)
    try:
        with progress.doing("loading PyTorch", at_once="torch" not in sys.modules):
            from trainer.evaluation.command import main as evaluate
    except BaseException:
        progress.close()
        raise
    evaluate(words, program, progress)


def check(words: list[str], program: str | None) -> None:
    """End the program where the command line is wrong, or names no run."""
    from trainer.evaluation.options import DESCRIPTION, EvaluateConfig

    try:
        read_run(parse(EvaluateConfig, words, DESCRIPTION, program).run)
    except UserError as error:
        fail(str(error))


if __name__ == "__main__":
    main()
