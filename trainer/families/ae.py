"""Autoencoder of fully connected layers (Hinton & Salakhutdinov 2006, "Reducing the Dimensionality of Data with Neural
Networks").

**Differs from the paper.** All layers are trained together by Adam on the mean squared error; the paper pretrains four
pairs of layers as restricted Boltzmann machines, and fine-tunes them on the cross-entropy by conjugate gradients. One
linear layer in encoder and decoder by default, two with ``--hidden-size``. Exported latents are whitened principal
components of the code.

    accelerate launch trainer/train_ae.py --data cats.npy --out runs/cats --image-size 64
"""

import math
from dataclasses import dataclass
from typing import Annotated

from torch import nn

from trainer.blocks import FlattenImage, UnflattenImage
from trainer.config import least
from trainer.family import DataSpec, Nets
from trainer.parts.autoencoder import Autoencoder, AutoencoderConfig, AutoencoderFamily


@dataclass(frozen=True, kw_only=True)
class AEConfig(AutoencoderConfig):
    """Options of the autoencoder."""

    hidden_size: Annotated[int, least(0)] = 0
    """Width of a hidden layer in the encoder and one in the decoder; 0: none."""


class AE(AutoencoderFamily):
    """Autoencoder of fully connected layers."""

    Config = AEConfig

    def build(self, spec: DataSpec) -> Nets:
        latent, hidden = self.config.latent_size, self.config.hidden_size
        pixels = math.prod(spec.shape)
        down = [nn.Linear(pixels, hidden), nn.ReLU()] if hidden else []
        up = [nn.Linear(latent, hidden), nn.ReLU()] if hidden else []
        encoder = nn.Sequential(FlattenImage(), *down, nn.Linear(hidden or pixels, latent))
        # the code is taken before its activation: values of either sign are nearer to normal, and can be sampled
        image = UnflattenImage(spec.image_size, spec.channels)
        decoder = nn.Sequential(nn.LeakyReLU(0.2), *up, nn.Linear(hidden or latent, pixels), image)
        return Nets(autoencoder=Autoencoder(encoder, decoder, (latent,), latent))
