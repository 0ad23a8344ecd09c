"""A family's data, opened as its ``reading`` says."""

from trainer.config import RunConfig
from trainer.data.batches.crops import open_crops
from trainer.data.batches.dataset import ImageDataset, open_dataset
from trainer.data.batches.pairs import open_pairs
from trainer.family import Crops, Pairs, Reading


def open_data(config: RunConfig, reading: Reading, *, progress: bool = True) -> ImageDataset:
    """The images of ``--data`` and of the options beside it. Raises ``UserError`` in one line."""
    if isinstance(reading, Crops):
        return open_crops(config, reading, progress=progress)
    if isinstance(reading, Pairs):
        return open_pairs(config, reading, progress)
    return open_dataset(
        config.data,
        image_size=config.image_size,
        bgr=config.bgr,
        memory=config.memory,
        rgb_only=reading.rgb_only,
        progress=progress,
    )
