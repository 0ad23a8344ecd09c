"""A family's data, opened as its ``reading`` says."""

from dataclasses import replace

from trainer.config import RunConfig
from trainer.contract.images import FITS
from trainer.data.batches.crops import open_crops
from trainer.data.batches.dataset import ImageDataset, open_dataset
from trainer.data.batches.pairs import open_pairs
from trainer.data.sources import find_source
from trainer.family import Crops, Pairs, Reading


def open_data(config: RunConfig, reading: Reading, *, progress: bool = True) -> ImageDataset:
    """The images of ``--data`` and of the options beside it. Raises ``UserError`` in one line."""
    if isinstance(reading, Crops):
        dataset = open_crops(config, reading, progress=progress)
    elif isinstance(reading, Pairs):
        dataset = open_pairs(config, reading, progress)
    else:
        return open_dataset(
            config.data,
            image_size=config.image_size,
            bgr=config.bgr,
            fit=FITS[config.fit],
            values=config.values,
            memory=config.memory,
            rgb_only=reading.rgb_only,
            progress=progress,
        )
    names = ["" if dataset.sources else config.data, reading.condition, getattr(reading, "validation", "")]
    others = [found for found in map(find_source, names) if found is not None]
    return replace(dataset, sources=(*dataset.sources, *others))
