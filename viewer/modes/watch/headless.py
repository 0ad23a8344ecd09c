"""Print the state of runs, for ``--display none`` without a recording."""

from trainer.contract.text import printable
from viewer.modes.watch.facts import facts, warnings
from viewer.modes.watch.opening import open_readers
from viewer.modes.watch.options import Options


def write(options: Options) -> None:
    """A line a run, and a line for each thing that may be wrong with it. Raises ``UserError``."""
    for reader in open_readers(options.runs):
        while reader.behind:
            reader.read(1.0)
        print(printable(", ".join(facts(reader.view))))
        for warning in warnings(reader.view):
            print(printable(f"  {warning}"))
