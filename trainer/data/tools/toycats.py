"""Draw toy cats into a .npy file: cartoon faces from a seed, with their labels and factors beside it.

They are a data set that needs no download: the default of the trainer, of the demo and of the tests. Cat ``k`` of a
seed is the same image whatever the count, and the same cat at every size.

    python -m trainer.data toycats -o cats.npy --count 2000 --size 128 --seed 0
"""

from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainer.contract.options import flag
from trainer.contract.text import printable
from trainer.data.drawing.toycats import CLASSES, choose, paint
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources._threads import counted, in_threads
from trainer.data.sources.npy_set import check_set, writing
from trainer.data.tools import ForceOption


@dataclass(frozen=True, kw_only=True)
class Options(ForceOption):
    """What to draw."""

    output: Path = flag("the .npy file to write", "-o", "--output", default=MISSING)
    count: int = flag("cats to draw (2000)", default=2000, within=(1, 10_000_000))
    size: int = flag("side in pixels (128)", default=128, within=(8, 2048))
    seed: int = flag("another seed, other cats (0)", default=0, within=(0, 2**63))


def run(options: Options) -> None:
    """Draw cats into a .npy file, with their labels and factors beside it in ``<stem>.json``."""
    path, count, size, seed = options.output, options.count, options.size, options.seed
    check_set(path, options.force)
    factors: dict[str, list[Any]] = {}
    with writing(path, (size, size, 3), options.force) as writer:
        chosen = (choose(seed, k) for k in range(count))
        drawn = in_threads(chosen, lambda factors: paint(factors, size))
        for factor, image in counted(drawn, count, lambda _: 1, "drawing toy cats"):
            writer.append(image)
            for name, value in factor.items():
                factors.setdefault(name, []).append(value)
        made = {"tool": "toycats", "options": {"count": count, "size": size, "seed": seed}}
        labels = np.array([CLASSES.index(pattern) for pattern in factors["pattern"]], np.int64)
        writer.sidecar = Sidecar(labels=labels, classes=CLASSES, factors=factors, made=made)
    print(f"{printable(path)}: {count} cats of {size}x{size} px, seed {seed}")
