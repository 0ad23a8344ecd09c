"""Autoencoder of fully connected layers (Hinton & Salakhutdinov 2006, "Reducing the Dimensionality of Data with Neural
Networks").

**Differs from the paper.** All layers are trained together by Adam on the mean squared error; the paper pretrains four
pairs of layers as restricted Boltzmann machines, and fine-tunes them on the cross-entropy by conjugate gradients. One
linear layer in encoder and decoder by default, two with ``--hidden-size``. Exported latents are whitened principal
components of the code.

    accelerate launch trainer/train_ae.py --data cats.npy --out runs/cats --image-size 64
"""

from dataclasses import dataclass

from torch import nn

from trainer.blocks import FlattenImage, UnflattenImage
from trainer.config import at_least
from trainer.family import DataSpec, Nets
from trainer.parts.autoencoder import Autoencoder, AutoencoderConfig, AutoencoderFamily
from trainer.presets import DIGITS, PLAIN, Preset

PRESETS = {
    "paper": Preset(
        about="Digits: a code of 30 numbers, larger batches of fine-tuning. Of the layers of 1000, 500 and 250 units "
        "only the first can be set; there is no pretraining, and Adam at this project's rate takes the place of "
        "conjugate gradients, so that the number of steps has no counterpart.",
        options={**PLAIN, "image_size": 28, "latent_size": 30, "hidden_size": 1000, "batch_size": 1000},
        source="Hinton & Salakhutdinov 2006, the autoencoder of digits, and its supporting online material",
    ),
    "small-photos": Preset(
        about="Some hundred to a thousand photographs of one kind: four minutes of one core.",
        options={"image_size": 64, "hold_out": 10, "steps": 4000, "precision": "bf16"},
        source="this project, the sheet of cats in docs/models/ae.md",
    ),
    "digits": Preset(
        about="MNIST: 64 numbers for each digit.",
        options={**DIGITS, "latent_size": 64, "steps": 6000},
    ),
}


@dataclass(frozen=True, kw_only=True)
class AEConfig(AutoencoderConfig):
    """Options of the autoencoder."""

    presets = PRESETS

    hidden_size: int = 0
    """Width of a hidden layer in the encoder and one in the decoder; 0: none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, hidden_size=0)


class AE(AutoencoderFamily):
    """Autoencoder of fully connected layers."""

    Config = AEConfig

    def build(self, spec: DataSpec) -> Nets:
        latent, hidden = self.config.latent_size, self.config.hidden_size
        pixels = spec.image_size[0] * spec.image_size[1] * spec.channels
        down = [nn.Linear(pixels, hidden), nn.ReLU()] if hidden else []
        up = [nn.Linear(latent, hidden), nn.ReLU()] if hidden else []
        encoder = nn.Sequential(FlattenImage(), *down, nn.Linear(hidden or pixels, latent))
        # the code is taken before its activation: values of either sign are nearer to normal, and can be sampled
        image = UnflattenImage(spec.image_size, spec.channels)
        decoder = nn.Sequential(nn.LeakyReLU(0.2), *up, nn.Linear(hidden or latent, pixels), image)
        return Nets(autoencoder=Autoencoder(encoder, decoder, (latent,), latent))
