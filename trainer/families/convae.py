"""Convolutional autoencoder (after Masci et al. 2011, "Stacked Convolutional Auto-Encoders for Hierarchical Feature
Extraction").

The code is a feature map of 16 channels. Exported latents are its ``--latent-size`` strongest principal components, so
that the exported files reconstruct more smoothly than the network.

**Differs from the paper.** Both layers are trained together by Adam, not greedily; ReLU instead of tanh; the decoder
has weights of its own (transposed 2x2 convolutions) instead of the encoder's, flipped; the input has no noise added.

    accelerate launch trainer/train_convae.py --data cats.npy --out runs/cats --image-size 64
"""

from dataclasses import dataclass

from torch import nn

from trainer.blocks import require_multiple
from trainer.family import DataSpec, Nets
from trainer.parts.autoencoder import Autoencoder, AutoencoderConfig, AutoencoderFamily


@dataclass(frozen=True, kw_only=True)
class ConvAEConfig(AutoencoderConfig):
    """Options of the convolutional autoencoder."""


class ConvAE(AutoencoderFamily):
    """Convolutional autoencoder with a code of 16 channels at a quarter of the size."""

    Config = ConvAEConfig

    def build(self, spec: DataSpec) -> Nets:
        require_multiple(spec.image_size, 4)
        encoder = nn.Sequential()
        for inputs, outputs in ((spec.channels, 32), (32, 16)):
            encoder.extend([nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)])
        decoder = nn.Sequential(
            nn.ConvTranspose2d(16, 32, 2, 2), nn.ReLU(), nn.ConvTranspose2d(32, spec.channels, 2, 2)
        )
        code_shape = (16, *(side // 4 for side in spec.image_size))
        return Nets(autoencoder=Autoencoder(encoder, decoder, code_shape, self.config.latent_size))
