"""Set up a run: its family, data set and networks, checked against each other."""

from typing import Any

import numpy as np

from trainer.config import RunConfig
from trainer.contract.errors import UserError
from trainer.data.batches import open_data
from trainer.data.batches.dataset import ImageDataset
from trainer.distributed import seed_step
from trainer.family import Family, Nets
from trainer.progress import Progress
from trainer.runs.store import load_base

LEAST_IMAGES = 4  # to train on: fewer are a mistake in --data, not a set


def set_up(
    family_class: type[Family], config: Any, sharded: bool, progress: Progress
) -> tuple[Family, ImageDataset, Nets]:
    """Make a family, open its data and build its networks, the same on every rank. Raises ``UserError``."""
    family = family_class(config)
    if sharded and not family.shardable:
        raise UserError(f"{family_class.__name__} with these options cannot train with FSDP; use DDP (many_gpus.yaml)")
    with progress.doing(f"opening {config.data}", at_once=True):
        images = open_data(config, family.reading())
    check_data(family_class, images, config)
    with progress.doing("building the networks"):
        load_base(family, config.out)
        seed_step(config.seed, -1, 0)  # the same weights on every rank
        try:
            nets = family.build(images.spec)
        except ValueError as error:
            raise UserError(f"{config.data}: {error}") from None
        family.begin(nets)
    return family, images, nets


def check_data(family_class: type[Family], images: ImageDataset, config: RunConfig) -> None:
    """Raise ``UserError`` for a data set that the family or the options cannot use."""
    if family_class.needs_labels and not images.classes:
        raise UserError(
            f"{config.data}: holds no labels, {family_class.__name__} needs them (two class folders or more, say)"
        )
    training = images.split(config.hold_out)[0]
    if len(training) < LEAST_IMAGES:
        raise UserError(
            f"{config.data}: {len(images)} image(s), {len(training)} of them to train on, "
            f"expected {LEAST_IMAGES} or more"
        )
    if family_class.needs_labels and images.labels is not None and len(np.unique(images.labels[training])) < 2:
        raise UserError(f"{config.data}: all images to train on are of one class, expected two or more")
