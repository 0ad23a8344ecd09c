"""Split a set in two, one to train on and one to be held out: at random by seed, with each class in its proportion.

Both keep the order of the images. The same seed gives the same two sets. Copies of a face that the tool align makes
stay together, and what the tool morph made is never held out: the fraction is that of the others. Images that come
twice otherwise may end up in both: see 'create --dedupe'.

    python -m trainer.data split cats.npy -o train.npy --held-out held-out.npy --share 0.1 --seed 0
"""

from dataclasses import MISSING, dataclass, replace
from pathlib import Path

import numpy as np

from trainer.contract.errors import UserError, require
from trainer.contract.files import real, sync
from trainer.contract.options import argument, flag
from trainer.contract.text import printable
from trainer.data.sources._sidecar import MADE, originals
from trainer.data.sources._threads import counted
from trainer.data.sources.npy_set import ImageSet, check_set, writing
from trainer.data.tools import ForceOption


@dataclass(frozen=True, kw_only=True)
class Options(ForceOption):
    """What to split, and how."""

    input: Path = argument("a .npy file", metavar="SET")
    output: Path = flag("the .npy file to train on", "-o", "--output", default=MISSING)
    held_out: Path = flag("the .npy file of the others", default=MISSING, metavar="OUTPUT")
    share: float = flag("how much is held out, 0 to 1 (0.1)", default=0.1)
    seed: int = flag("another seed, another choice (0)", default=0, within=(0, 2**63 - 1))

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.share < 1, "share", self.share, "more than 0 and less than 1")


def run(options: Options) -> None:
    """Write both."""
    fraction, paths, force = options.share, (options.output, options.held_out), options.force
    for path in paths:
        check_set(path, force, [options.input])
    if real(paths[0]) == real(paths[1]):
        raise UserError(f"--output and --held-out are both {paths[0]}, expected two files")
    source = ImageSet(options.input)
    held_out = choose_groups(source, fraction, options.seed)
    if not 0 < held_out.sum() < len(source):
        raise UserError(f"--share is {fraction}, which leaves one part of {len(source)} images empty")
    made = {"tool": "split", "of": source.path.name, "options": {"share": fraction, "seed": options.seed}}
    shape, first = source.shape[1:], 0
    with writing(paths[0], shape, force) as training, writing(paths[1], shape, force) as others:
        for images in counted(source.pieces(), len(source)):
            chosen = held_out[first : first + len(images)]
            training.append(images[~chosen])
            others.append(images[chosen])
            first += len(images)
        for writer, rows in ((training, ~held_out), (others, held_out)):
            part = "held out" if writer is others else "training"
            writer.sidecar = replace(source.sidecar.take(np.flatnonzero(rows)), made={**made, "part": part})
            sync(writer.file)  # so that hardly any time lies between the one set and the other being in place
    note = ", of each class the same fraction" if source.sidecar.labels is not None else ""
    print(
        f"{printable(paths[0])}: {training.count} images; {printable(paths[1])}: {others.count} held out, "
        f"seed {options.seed}{note}"
    )


def choose_groups(source: ImageSet, fraction: float, seed: int) -> np.ndarray:
    """As ``choose``, but of whole groups, whose first image says their class; nothing that is made of others. Without
    groups each image is one."""
    groups, labels = source.sidecar.groups, source.sidecar.labels
    if groups is None:
        return choose(len(source), labels, fraction, seed)
    numbers, firsts = originals(groups)
    chosen = choose(len(firsts), None if labels is None else labels[firsts], fraction, seed)
    return (numbers != MADE) & np.append(chosen, False)[numbers]


def choose(count: int, labels: np.ndarray | None, fraction: float, seed: int) -> np.ndarray:
    """Which of so many images are held out, bool [count]: ``fraction`` of all, and of each class within one image."""
    random = np.random.default_rng(seed)
    order = random.permutation(count)
    if labels is not None:  # class by class: at equal steps along that line each class meets its fraction
        order = order[np.argsort(labels[order], kind="stable")]
    steps = (np.arange(count) + random.uniform()) * fraction
    chosen = np.zeros(count, bool)
    chosen[order] = np.floor(steps + fraction) > np.floor(steps)
    return chosen
