"""VAE-GAN: a VAE with an adversarial loss (after Larsen et al. 2016, "Autoencoding beyond pixels using a learned
similarity metric").

``resnet``: the encoder halves an image five times; the discriminator is a ResNet (He et al. 2016) with one logit per
patch, 3x3 of them in 96 px. On a CPU, ``--discriminator resnet18`` or ``resnet10`` takes a fraction of the time.
``paper``: the networks of table 1, of 5x5 convolutions.

**Differs from the paper.** By default, the reconstruction error is measured on pixels, absolute and cross-entropy
(``--reconstruction features``: in features of the discriminator); the discriminator sees reconstructions only
(``--judged both``: samples of the prior as well); the adversarial loss trains the encoder too (``--adversarial-into
decoder``); the KL divergence is a mean over dimensions beside weighted means over pixels (the paper's sum is
``--divergence`` of as many as there are latents); Adam instead of RMSProp (``--rule rmsprop``). ``--preset paper`` has
all of them. Images end in a sigmoid instead of tanh, and the decoder minimises -log D instead of log(1 - D).

    accelerate launch trainer/train_vaegan.py --data faces.npy --out runs/faces
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.blocks import Call, require_multiple
from trainer.config import POSITIVE, Check, least
from trainer.failures import reading_weights
from trainer.family import Batch, DataSpec, Exportable, Family, Nets, Reading, Turn
from trainer.parts.adam import AdamConfig
from trainer.parts.gan_losses import discriminator_loss, generator_loss
from trainer.parts.gaussian import clamp_log_variance, kl_to_standard_normal, sample_gaussian
from trainer.parts.latent_whitening import KEPT_TO_MIX, posterior_statistics, whitened_files
from trainer.parts.perceptual import ImageNetInput

WIDTHS = (32, 64, 128, 256, 512)  # channels, one halving each
PLACES_PX = 2 ** len(WIDTHS)  # pixels a side that become one place of the coarsest layer, and one patch
TABLE_PX = 8  # the same of the paper's networks


@dataclass(frozen=True, kw_only=True)
class VAEGANConfig(AdamConfig):
    """Options of the VAE-GAN."""

    image_size: int = 96
    """Side in pixels of the square that images are resized to, a multiple of 32; 0 keeps the size of the data."""
    rgb_only: bool = True
    """Leave out image files of a folder that are grey, CMYK, of a palette or with alpha."""
    rotate: float = 10.0
    batch_size: Annotated[int, Check(lambda size: size >= 2, "at least 2: batches are normalised")] = 64
    arch: Literal["resnet", "paper"] = "resnet"
    """Five halvings and a ResNet that judges patches, or the paper's networks, of three halvings."""
    latent_size: Annotated[int, least(1)] = 256
    """Dimensions of the latent."""
    discriminator: Literal["resnet50", "resnet18", "resnet10"] = "resnet50"
    """Body of the discriminator; resnet10 has one block per stage (resnet)."""
    discriminator_weights: Path | None = None
    """State_dict of torchvision's network of that name to start from; unset: random weights (resnet)."""
    reconstruction: Literal["pixels", "features"] = "pixels"
    """Reconstruction error: of pixels (--absolute, --cross-entropy), or of features of the discriminator."""
    judged: Literal["reconstructions", "both"] = "reconstructions"
    """What the discriminator tells from images: reconstructions, or these and samples of the prior."""
    adversarial_into: Literal["encoder", "decoder"] = "encoder"
    """What the adversarial loss trains: encoder and decoder, or the decoder alone."""
    gamma: Annotated[float, POSITIVE] = 1e-6
    """Weight γ of the error of features in the decoder, beside the adversarial loss; the encoder has all of it
    (features)."""
    rule: Literal["adam", "rmsprop"] = "adam"
    """Optimiser: Adam, or RMSProp, without momentum."""
    adversarial: Annotated[float, least(0)] = 1.0
    """Weight of the adversarial loss."""
    absolute: Annotated[float, least(0)] = 100.0
    """Weight of the mean absolute error."""
    cross_entropy: Annotated[float, least(0)] = 1.0
    """Weight of the mean binary cross-entropy of pixels."""
    divergence: Annotated[float, least(0)] = 1.0
    """Weight of the KL divergence from the prior in nats, a mean over latent dimensions."""


class Forward(NamedTuple):
    """What the VAE makes of a batch."""

    logits: Tensor  # [n, c, h, w] of the reconstructions
    mean: Tensor  # [n, d] of the latent
    log_variance: Tensor  # [n, d]
    judged: list[Tensor]  # logits of what the discriminator sees instead of, or besides the reconstructions


class VAE(nn.Module):
    """Images [n, c, h, w] in 0..1 → a Gaussian latent → images. ``encoder``: images → [n, 2 d], ``decoder``: [n, d] →
    logits."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def gaussian(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and log variance of the latent, f32 [n, d] each."""
        mean, log_variance = self.encoder(image).float().chunk(2, dim=1)
        return mean, clamp_log_variance(log_variance)

    def encode(self, image: Tensor) -> Tensor:
        """The mean of the latent, f32 [n, d]."""
        return self.gaussian(image)[0]

    def decode(self, latent: Tensor) -> Tensor:
        """[n, d] → [n, c, h, w] in 0..1."""
        return self.decoder(latent).sigmoid()

    def forward(
        self, image: Tensor, drawn: Tensor | None = None, again: str = "", into_encoder: float = 1.0
    ) -> Forward:
        """``drawn``: latents to decode as well. ``again``: decode those of images once more, with gradients of what is
        made of them into the "encoder" or the "decoder" alone; empty: not. ``into_encoder``: factor on the gradients of
        the reconstructions that reach the encoder."""
        mean, log_variance = self.gaussian(image)
        latent = sample_gaussian(mean, log_variance)
        scaled = latent if into_encoder == 1 else latent.detach() + into_encoder * (latent - latent.detach())
        others = [latent if again == "encoder" else latent.detach()] if again else []
        others += [] if drawn is None else [drawn]
        return Forward(self.decoder(scaled), mean, log_variance, [self.decoder(other) for other in others])


def strided(spec: DataSpec, latent: int) -> VAE:
    """Five strided convolutions in encoder and decoder."""
    places = (WIDTHS[-1], *(side // PLACES_PX for side in spec.image_size))
    flat = math.prod(places)
    down: list[nn.Module] = []
    for inputs, outputs in pairwise((spec.channels, *WIDTHS)):
        convolution = nn.Conv2d(inputs, outputs, 4, 2, padding=1)
        down += [convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2, inplace=True)]
    up: list[nn.Module] = []
    for inputs, outputs in pairwise((*reversed(WIDTHS), spec.channels)):
        transposed = nn.ConvTranspose2d(inputs, outputs, 4, 2, padding=1)
        up += [nn.BatchNorm2d(inputs), nn.LeakyReLU(0.2, inplace=True), transposed]
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(flat, 2 * latent))
    return VAE(encoder, nn.Sequential(nn.Linear(latent, flat), nn.Unflatten(1, places), *up))


def table_1(spec: DataSpec, latent: int) -> VAE:
    """The paper's encoder and decoder."""
    places = (256, *(side // TABLE_PX for side in spec.image_size))
    flat = math.prod(places)
    down: list[nn.Module] = []
    for inputs, outputs in pairwise((spec.channels, 64, 128, 256)):
        down += [nn.Conv2d(inputs, outputs, 5, 2, padding=2), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    hidden = [nn.Linear(flat, 2048), nn.BatchNorm1d(2048), nn.ReLU(inplace=True)]
    up: list[nn.Module] = [nn.BatchNorm2d(256), nn.ReLU(inplace=True)]
    for inputs, outputs in pairwise((256, 256, 128, 32)):
        transposed = nn.ConvTranspose2d(inputs, outputs, 5, 2, padding=2, output_padding=1)
        up += [transposed, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    encoder = nn.Sequential(*down, nn.Flatten(), *hidden, nn.Linear(2048, 2 * latent))
    start = [nn.Linear(latent, flat), nn.Unflatten(1, places)]
    return VAE(encoder, nn.Sequential(*start, *up, nn.Conv2d(32, spec.channels, 5, padding=2)))


class TableDiscriminator(nn.Module):
    """The paper's discriminator: images [n, c, h, w] in 0..1 → logits [n], and the features of its last convolution."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(spec.channels, 32, 5, padding=2), nn.ReLU(inplace=True)]
        for inputs, outputs in ((32, 128), (128, 256)):
            layers += [nn.Conv2d(inputs, outputs, 5, 2, padding=2), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        self.features = nn.Sequential(*layers, nn.Conv2d(256, 256, 5, 2, padding=2))
        flat = 256 * math.prod(side // TABLE_PX for side in spec.image_size)
        self.judge = nn.Sequential(
            nn.BatchNorm2d(256), nn.ReLU(), nn.Flatten(),
            nn.Linear(flat, 512), nn.BatchNorm1d(512), nn.ReLU(inplace=True), nn.Linear(512, 1), nn.Flatten(0),
        )  # fmt: skip

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(2 * image - 1)
        return self.judge(features), features


class PatchResNet(ImageNetInput):
    """Images [n, c, h, w] in 0..1 → logits [n, 1, h/32, w/32], and features at a sixteenth of the size, by the body of
    torchvision's network ``name``."""

    def __init__(self, name: str) -> None:
        super().__init__()
        from torchvision.models import resnet  # slow to import

        small = name == "resnet10"
        network = resnet.ResNet(resnet.BasicBlock, [1] * 4) if small else getattr(resnet, name)(weights=None)
        *body, _, classify = network.named_children()  # without global pooling
        for part, layer in body:
            self.add_module(part, layer)
        self.body = [part for part, _ in body]
        self.patch = nn.Conv2d(classify[1].in_features, 1, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        features = value = self.normalised(image)
        for part in self.body:
            features, value = value, self.get_submodule(part)(value)
        return self.patch(value), features


class VAEGAN(Family):
    """VAE-GAN: a VAE with an adversarial loss."""

    Config = VAEGANConfig
    image_range = (0.0, 1.0)

    def reading(self) -> Reading:
        return Reading(rgb_only=self.config.rgb_only)

    def build(self, spec: DataSpec) -> Nets:
        if self.config.arch == "paper":
            require_multiple(spec.image_size, TABLE_PX)
            return Nets(vae=table_1(spec, self.config.latent_size), discriminator=TableDiscriminator(spec))
        require_multiple(spec.image_size, PLACES_PX)
        return Nets(vae=strided(spec, self.config.latent_size), discriminator=PatchResNet(self.config.discriminator))

    def optimizer(self, name: str, parameters: list[nn.Parameter], fused: bool) -> torch.optim.Optimizer:
        if self.config.rule == "rmsprop":
            return torch.optim.RMSprop(parameters, lr=self.config.learning_rate, foreach=True)
        return super().optimizer(name, parameters, fused)

    def begin(self, nets: Nets) -> None:
        path, name = self.config.discriminator_weights, self.config.discriminator
        if path is None or self.config.arch != "resnet":
            return
        own = {key for key in nets.discriminator.state_dict() if not key.startswith("patch.")}
        with reading_weights(f"--discriminator-weights {path}", f"a state_dict of torchvision's {name}"):
            state = torch.load(path, map_location="cpu", weights_only=True)
            nets.discriminator.load_state_dict({key: state[key] for key in own}, strict=False)

    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        """Algorithm 1; by default with another reconstruction error."""
        config, image = self.config, next(batches).image
        deep = config.reconstruction == "features"
        again = config.adversarial_into if deep or config.adversarial_into == "decoder" else ""
        drawn = self.latent.draw(len(image), image.device) if config.judged == "both" else None
        logits, mean, log_variance, others = nets.vae(image, drawn, again, 1 / config.gamma if deep else 1.0)
        logits = logits.float()
        decoded = logits.sigmoid()  # for both turns
        shown = ([] if again else [decoded]) + [other.float().sigmoid() for other in others]
        fakes = dict(zip(("fake", "drawn"), shown, strict=False))
        with turn("discriminator") as loss:
            loss["real"] = discriminator_loss("bce", nets.discriminator(image)[0], True)
            for name, fake in fakes.items():
                loss[name] = discriminator_loss("bce", nets.discriminator(fake.detach())[0], False)
        with turn("vae") as loss:
            scores = [generator_loss("bce", nets.discriminator(fake)[0]) for fake in fakes.values()]
            loss["adversarial"] = config.adversarial * torch.stack(scores).sum()
            if deep:
                with torch.no_grad():
                    wanted = nets.discriminator(image)[1]
                error = (nets.discriminator(decoded)[1] - wanted).float().square().flatten(1)
                loss["features"] = config.gamma * 0.5 * error.sum(1).mean()
            else:
                loss["absolute"] = config.absolute * (decoded - image).abs().mean()
                loss["cross_entropy"] = config.cross_entropy * F.binary_cross_entropy_with_logits(logits, image)
            loss["divergence"] = config.divergence * kl_to_standard_normal(mean, log_variance).mean()

    def score(self, nets: Nets, batch: Batch) -> dict[str, Tensor]:
        """Mean absolute and squared errors of images decoded from posterior means."""
        error = (nets.vae.decode(nets.vae.encode(batch.image)) - batch.image).flatten(1)
        absolute = error.abs().mean(1)
        return {"score": absolute, "mae": absolute, "mse": error.square().mean(1)}

    def describe(self, nets: Nets, batches: Iterator[Batch]) -> dict[str, Any]:
        return posterior_statistics((nets.vae.gaussian(batch.image) for batch in batches), KEPT_TO_MIX)

    def exports(self, nets: Nets, description: Mapping[str, Any]) -> list[Exportable]:
        return whitened_files(self.latent, description, Call(nets.vae, "decode"), Call(nets.vae, "encode"))
