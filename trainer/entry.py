"""Entry of all trainings: says at once that it begins, then imports what it needs. No torch until then."""

import os
import sys
from importlib.util import find_spec
from typing import NoReturn

from trainer.contract.packages import needing
from trainer.families import load_family


def main(model: str, arguments: list[str] | None = None, program: str | None = None) -> NoReturn:
    """Body of every ``trainer/train_<model>.py``: train the family of this name by a command line, then exit."""
    words = sys.argv[1:] if arguments is None else arguments
    speaks = os.environ.get("RANK", "0") == "0" and not {"-h", "--help", "help", "--preset=help"} & {*words}
    with needing("train", program or sys.argv[0]):
        from trainer.progress import Progress

        progress = Progress(speaks=speaks and find_spec("torch") is not None)
        try:
            with progress.doing("loading PyTorch", at_once=True):
                family_class = load_family(model)
                from trainer.loop import main as train
        except BaseException:
            progress.close()
            raise
    train(family_class, arguments, program, progress)
