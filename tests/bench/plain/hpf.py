"""Fine detail for an autoencoder's images. No paper has ours; what one would use is pix2pix (Isola et al. 2017), from
the autoencoder's images to photographs."""

from dataclasses import replace

from torch import Tensor

from plain.pix2pix import Pix2Pix
from trainer.family import DataSpec


class Sharpened(Pix2Pix):
    """pix2pix with the image before sharpening as condition. ``published`` and ``narrow``: as of pix2pix."""

    def __init__(self, spec: DataSpec, width: int, batch_size: int) -> None:
        super().__init__(replace(spec, condition_channels=spec.channels), width, batch_size)

    def translate(self, condition: Tensor) -> Tensor:
        return super().translate(condition).clamp(0, 1)
