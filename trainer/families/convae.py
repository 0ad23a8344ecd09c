"""The convolutional autoencoder (after Masci et al. 2011, "Stacked Convolutional Auto-Encoders for Hierarchical Feature
Extraction", trained at once).

Its code is a small image of 16 channels; ``--latent-size`` principal components of it are what the viewer draws, so
the exported pair of files gives smoother images than the network does.

    accelerate launch trainer/train_convae.py --data cats.npy --out runs/cats --image-size 64
"""

from dataclasses import dataclass

from torch import nn

from trainer.family import DataSpec, Nets
from trainer.parts.autoencoder import Autoencoder, AutoencoderConfig, AutoencoderFamily


@dataclass(frozen=True, kw_only=True)
class ConvAEConfig(AutoencoderConfig):
    """Options of the convolutional autoencoder."""


class ConvAE(AutoencoderFamily):
    """Images → 16 channels at a quarter of the size → images."""

    Config = ConvAEConfig

    def build(self, spec: DataSpec) -> Nets:
        height, width = spec.image_size
        if height % 4 or width % 4:
            raise ValueError(f"images are {width}x{height} px, expected sides that are multiples of 4")
        encoder = nn.Sequential(
            nn.Conv2d(spec.channels, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        decoder = nn.Sequential(
            nn.ConvTranspose2d(16, 32, 2, 2),
            nn.ReLU(),
            nn.ConvTranspose2d(32, spec.channels, 2, 2),
        )
        return Nets(autoencoder=Autoencoder(encoder, decoder, (16, height // 4, width // 4), self.config.latent_size))
