"""A family's data, opened as its ``reading`` says."""

from trainer.config import RunConfig
from trainer.data.sources import Pictures, open_pictures
from trainer.family import Reading


def open_data(config: RunConfig, reading: Reading, *, progress: bool = True) -> Pictures:
    """The pictures of ``--data`` and of the options beside it. Raises ``UserError`` in one line."""
    return open_pictures(
        config.data, image_size=config.image_size, bgr=config.bgr, memory=config.memory, progress=progress
    )
