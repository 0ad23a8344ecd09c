"""The named directions of a model: those of its card, and those of the file beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.contract.directions import ORIGIN, beside, read_directions
from trainer.contract.hub.names import origin_of as origin_of_file
from viewer.model import Model
from viewer.options import BUILT_IN


def file_of(model: Model, given: Path | None, folder: Path) -> Path:
    """Where a model's named directions are read and written: a file that is given, or the one beside the model.

    That of the built-in model, and of one in the hub's cache, lies in ``folder``: nobody writes into a program's own
    files.
    """
    foreign = model.path == BUILT_IN or origin_of_file(model.path) is not None
    return given or (folder / beside(model.path).name if foreign else beside(model.path))


@dataclass(frozen=True)
class Known:
    """The named directions of a model, those of its card first; of two with one name, that of the file."""

    vectors: Mapping[str, NDArray[np.float64]]  # [size] each
    strangers: Sequence[str]  # names of those that were found in another model


def known_directions(model: Model, file: Path) -> Known:
    """What the card and a file hold, if it is there. Raises ``UserError``."""
    found, strangers = {} if model.card is None else dict(model.card.named_directions), []
    if file.exists():
        read = read_directions(file, model.latent.size)
        found |= read.vectors
        strangers = read.strangers(origin_of(model))
    return Known({name: np.array(vector, np.float64) for name, vector in found.items()}, strangers)


def origin_of(model: Model) -> Mapping[str, Any]:
    """What a direction says of the model that it was found in."""
    training = {} if model.card is None else model.card.training
    return {key: training[key] for key in ORIGIN if key in training}
