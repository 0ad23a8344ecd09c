"""pix2pix: image-to-image translation (Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial
Networks") by a U-Net and a discriminator of 70x70 patches.

``--condition`` is the input: edges, drawn on the fly; a folder of masks or sketches of the same names; or the other
half of each image.

**Differs from the paper.** The learning rate falls linearly from the first step; that of the paper's program is held
for half of the run (``--decay-from 0.5``). Exported networks use no dropout. ``--norm``, ``--mode-seeking`` and
``--objective`` other than vanilla are not in the paper.

    accelerate launch trainer/train_pix2pix.py --data animals --out runs/animals
    accelerate launch trainer/train_pix2pix.py --data newts/images --condition newts/masks --out runs/newts
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from trainer.blocks import Call, Norm, halvings, small_normal
from trainer.config import BELOW_ONE, POSITIVE, Check, least, within
from trainer.contract.errors import require
from trainer.family import Batch, CardFields, DataSpec, Exportable, Family, Inputs, Nets, Pairs, Reading, Turn
from trainer.parts.adam import AdamConfig
from trainer.parts.gan_losses import Objective, discriminator_loss, generator_loss, gradient_penalty
from trainer.parts.pix2pix_unet import NORMS, UNet, flat_keys, normalisation_of
from trainer.schedule import Schedule

OBJECTIVES: Mapping[str, Objective] = {"vanilla": "bce", "lsgan": "lsgan", "wgan": "wgan", "wgan_gp": "wgan"}
MOST_LEVELS = 9
LEAST_LEVELS = 4
LEAST_PX = 32  # smaller images leave the discriminator no patch
PALETTE = 12  # most colours of masks
PALETTE_LEAST = 0.01  # least fraction of pixels of a palette colour: resizing mixes colours at borders
PALETTE_FRACTION = 0.9  # least fraction of pixels that have one of these colours
CHANNELS = Check(lambda number: number in (0, 1, 3), "0, 1 or 3")


@dataclass(frozen=True, kw_only=True)
class Pix2PixConfig(AdamConfig):
    """Options of pix2pix."""

    image_size: int = 256
    """Side in pixels of the square that images are resized to; the U-Net halves it down to one. 0 keeps the size of the
    data, without random crops."""
    batch_size: int = 1
    """Images per step and process. With 1, batch normalisation is that of each image."""
    schedule: Schedule = "linear"
    condition: str = "edges"
    """Input of the translator: a folder of images of the same names (masks, sketches), 'given' (images/ and masks/ lie
    side by side in --data), a .npy file, 'halves' of each image (left → right), or 'edges', drawn on the fly."""
    direction: Literal["a2b", "b2a"] = "a2b"
    """From the condition to the image, or from the image to the condition."""
    channels: Annotated[int, CHANNELS] = 0
    """Channels of the output: 1 (grey) or 3; 0: as the data."""
    condition_channels: Annotated[int, CHANNELS] = 0
    """Channels of the input: 1 (grey) or 3; 0: as the data."""
    enlarge: Annotated[float, within(1, 2)] = 286 / 256
    """Random jitter: images are resized to this many times --image-size and cropped at random; 1: no jitter."""
    sigma: Annotated[float, within(0, 1)] = 0.33
    """Distance of the thresholds of edges from the median brightness, relative to it."""
    width: Annotated[int, least(1)] = 64
    """Channels at half the image size; each further halving doubles them, up to 8 times."""
    norm: Literal["batch", "instance"] = "batch"
    """Batch normalisation, with learnt scale and offset, or instance normalisation, without."""
    dropout: Annotated[float, BELOW_ONE] = 0.5
    """Dropout probability in the three innermost layers of the U-Net's decoder, in training."""
    objective: Literal["vanilla", "lsgan", "wgan", "wgan_gp"] = "vanilla"
    """Adversarial loss: cross-entropy, least squares, or a Wasserstein critic with clipping or a gradient penalty."""
    critic_steps: Annotated[int, least(1)] = 1
    """Turns of the discriminator per turn of the generator."""
    l1: Annotated[float, least(0)] = 100.0
    """Weight of the mean absolute error."""
    clip: Annotated[float, POSITIVE] = 0.01
    """The critic's weights are clipped to plus and minus this (wgan)."""
    penalty: Annotated[float, least(0)] = 10.0
    """Weight of the gradient penalty (wgan_gp)."""
    mode_seeking: Annotated[float, least(0)] = 0.0
    """Weight of the mode-seeking loss, which drives outputs of different latents apart; 0: no latent."""
    latent_size: Annotated[int, least(1)] = 8
    """Dimensions of the latent, with --mode-seeking."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.condition != "", "condition", "empty", "a folder, a .npy file, 'given', 'halves' or 'edges'")


class PatchDiscriminator(nn.Sequential):
    """Pairs joined, [n, c + c', h, w] → logits of patches of 70x70 px, [n, 1, h / 8 - 2, w / 8 - 2]."""

    def __init__(self, inputs: int, width: int, norm: Norm, bias: bool) -> None:
        layers: list[nn.Module] = [nn.Conv2d(inputs, width, 4, 2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        for level, stride in enumerate((2, 2, 1)):
            convolution = nn.Conv2d(width << level, width << level + 1, 4, stride, padding=1, bias=bias)
            layers += [convolution, norm(width << level + 1), nn.LeakyReLU(0.2, inplace=True)]
        super().__init__(*layers, nn.Conv2d(width << 3, 1, 4, 1, padding=1))


class Pix2Pix(Family):
    """pix2pix: image-to-image translation by a U-Net and a discriminator of patches."""

    Config = Pix2PixConfig
    generates = False
    sheet_side = 4
    view = "translate {file} --draw"
    score_batch = 8

    def __init__(self, config: Pix2PixConfig) -> None:
        super().__init__(config)
        # In fp32 the inner layers, of many channels and few pixels, are a quarter slower in it, the others no faster.
        self.channels_last = config.precision != "fp32"
        self.shardable = config.objective != "wgan_gp"
        self.colours: list[list[int]] | None = None  # palette of the conditions, once measured

    def reading(self) -> Reading:
        same = ("condition", "enlarge", "channels", "condition_channels", "sigma")
        options = {name: getattr(self.config, name) for name in same}
        return Pairs(swapped=self.config.direction == "b2a", **options)

    @property
    def normalisation(self) -> str:
        """Key of ``NORMS``."""
        return "image" if self.config.norm == "batch" and self.config.batch_size == 1 else self.config.norm

    def build(self, spec: DataSpec) -> Nets:
        config = self.config
        latent = config.latent_size if config.mode_seeking else 0
        # a gradient penalty is on each image by itself: no batch normalisation
        norm = "instance" if config.objective == "wgan_gp" else self.normalisation
        generator = UNet(
            spec.condition_channels + latent, spec.channels, config.width, levels_of(spec.image_size),
            NORMS[self.normalisation], config.dropout, bias=self.normalisation == "instance",
        )  # fmt: skip
        discriminator = PatchDiscriminator(
            spec.condition_channels + spec.channels, config.width, NORMS[norm], bias=norm == "instance"
        )
        return Nets(generator=generator.apply(small_normal), discriminator=discriminator.apply(small_normal))

    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        config, objective = self.config, OBJECTIVES[self.config.objective]
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        half = 1.0 if objective == "wgan" else 0.5  # section 3.3: halved to slow the discriminator down
        for _ in range(config.critic_steps):
            batch = next(batches)
            # cloned: an image of one channel has both layouts at once, and later layers would take the wrong one
            condition, image = (side.clone(memory_format=layout) for side in (batch.input, batch.image))
            latent = self.noise(len(image), image.device)
            fake = nets.generator(condition, *latent)  # for both turns
            real_pair, fake_pair = torch.cat([condition, image], 1), torch.cat([condition, fake.detach()], 1)
            with turn("discriminator") as loss:
                loss["real"] = half * discriminator_loss(objective, nets.discriminator(real_pair), True)
                loss["fake"] = half * discriminator_loss(objective, nets.discriminator(fake_pair), False)
                if config.objective == "wgan_gp":
                    loss["penalty"] = config.penalty * gradient_penalty(
                        lambda pair: nets.discriminator(pair).mean((1, 2, 3)), real_pair, fake_pair
                    )
            if config.objective == "wgan":
                with torch.no_grad():
                    for weight in nets.discriminator.parameters():
                        weight.clamp_(-config.clip, config.clip)
        with turn("generator") as loss:
            loss["adversarial"] = generator_loss(objective, nets.discriminator(torch.cat([condition, fake], 1)))
            loss["l1"] = config.l1 * (fake - image).abs().mean()
            if config.mode_seeking:
                other_latent = self.noise(len(image), image.device)
                other = nets.generator(condition, *other_latent)
                loss["mode_seeking"] = config.mode_seeking * mode_seeking(fake, other, *latent, *other_latent)

    def noise(
        self, count: int, device: torch.device | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, ...]:
        """Latents f32 [count, d] with --mode-seeking, else nothing."""
        return (self.latent.draw(count, device, generator),) if self.config.mode_seeking else ()

    def sample_inputs(self, count: int, spec: DataSpec, generator: torch.Generator, batches: Iterator[Batch]) -> Inputs:
        conditions = (row for batch in batches for row in batch.input.cpu())
        chosen = list(islice(cycle(islice(conditions, count)), count))
        return torch.stack(chosen), *self.noise(count, generator=generator)

    def sample(self, nets: Nets, description: Mapping[str, Any], *inputs: Tensor) -> Tensor:
        parts = zip(*(value.split(self.score_batch) for value in inputs), strict=True)
        return torch.cat([nets.generator(*part) for part in parts]) * 0.5 + 0.5

    def sheet(self, samples: Tensor, *inputs: Tensor) -> Tensor:
        """Each sample beside its condition."""
        pair = (inputs[0] * 0.5 + 0.5, samples)
        return torch.stack([side.expand(-1, 3, -1, -1) for side in pair], 1).flatten(0, 1)

    def score(self, nets: Nets, batch: Batch) -> dict[str, Tensor]:
        """Mean absolute error of images in 0..1."""
        latent = self.noise(len(batch.image), generator=torch.Generator().manual_seed(0))
        fake = nets.generator(batch.input, *(value.to(batch.image.device) for value in latent))
        l1 = (fake - batch.image).abs().flatten(1).mean(1) / 2  # from -1..1 to 0..1
        return {"score": l1, "l1": l1}

    def describe(self, nets: Nets, batches: Iterator[Batch]) -> dict[str, Any]:
        config = self.config
        if config.condition == "edges" and config.direction == "a2b":
            return {"condition": {"kind": "edges", "sigma": config.sigma, "blur": 3}}
        if self.colours is None:  # of masks of ids, too: they have a colour each by now
            self.colours = palette(batch.input * 0.5 + 0.5 for batch in batches)
        return {"condition": {"kind": "given", **({"palette": self.colours} if self.colours else {})}}

    def exports(self, nets: Nets, description: Mapping[str, Any]) -> list[Exportable]:
        unet = nets.generator
        latent = self.noise(2, generator=torch.Generator().manual_seed(0))
        first, last = unet.down[0][0].weight, unet.up[0][1].weight
        multiple = 2 ** len(unet.down)
        channels = first.shape[1] - (self.config.latent_size if latent else 0)
        side = max(multiple, LEAST_PX)
        image = torch.rand(2, channels, side, side, generator=torch.Generator().manual_seed(0))
        card = CardFields(
            any_size=True,
            multiple=multiple,
            channels=last.shape[1],
            input_channels=channels,
            condition=description.get("condition", {}),
            latent=self.latent if latent else None,
            training={"normalisation": normalisation_of(unet), "dropout": "none in use"},
        )
        inputs = {"image": image.to(first.device), **({"latent": latent[0].to(first.device)} if latent else {})}
        return [Exportable(kind="translator", module=Call(unet, "translate"), inputs=inputs, card=card)]

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Tensor], name: str) -> tuple["Pix2Pix", DataSpec, Nets]:
        """Import a generator of nested blocks, as the reference code saves its U-Nets.

        That code trains and tests with batches of one image, so that its batch normalisation is that of each image.
        Raises ``ValueError`` or ``RuntimeError`` for other keys or sizes.
        """
        own, levels = flat_keys(state, name)
        first, last = own["down.0.0.weight"], own["up.0.1.weight"]
        affine, biased = "down.1.2.weight" in own, "down.1.1.bias" in own
        norm = NORMS["image"] if affine else NORMS["instance"] if biased else nn.Identity
        for what, channels in (("takes", first.shape[1]), ("gives", last.shape[1])):
            if channels not in (1, 3):
                raise ValueError(f"{name}: the U-Net {what} images of {channels} channels, expected 1 or 3")
        side = 2**levels
        spec = DataSpec(image_size=(side, side), channels=last.shape[1], condition_channels=first.shape[1])
        family = cls(Pix2PixConfig(width=len(first), norm="batch" if affine else "instance", image_size=side))
        unet = UNet(spec.condition_channels, spec.channels, len(first), levels, norm, bias=biased)
        unet.load_state_dict(own)
        return family, spec, Nets(generator=unet.eval())


def levels_of(image_size: tuple[int, int]) -> int:
    """Number of levels of a U-Net for images of (height, width): down to one pixel where possible. Raises
    ``ValueError``."""
    height, width = image_size
    levels = min(len(halvings(image_size, 1, even=True)) - 1, MOST_LEVELS) if min(height, width) >= LEAST_PX else 0
    if levels < LEAST_LEVELS:
        raise ValueError(
            f"images are {width}x{height} px, expected at least {LEAST_PX} px and multiples of {2**LEAST_LEVELS}: "
            "--image-size 64, 128, 256 or 512"
        )
    return levels


def mode_seeking(one: Tensor, other: Tensor, latent: Tensor, other_latent: Tensor) -> Tensor:
    """Mode-seeking loss: distance of latents over distance of images of the same condition, a scalar
    (Mao et al. 2019, "Mode Seeking Generative Adversarial Networks for Diverse Image Synthesis", equation 4)."""
    apart = (one - other).float().abs().mean() / (latent - other_latent).abs().mean()
    return 1 / (apart + 1e-5)


def palette(batches: Iterable[Tensor]) -> list[list[int]]:
    """Colours [r, g, b] 0..255 of masks f32 [n, c, h, w] in 0..1, most frequent first; empty where they have too many
    other colours. Not every mask needs every colour."""
    most: dict[int, float] = {}  # largest fraction of a batch for each colour
    for image in batches:
        levels = (image.clamp(0, 1) * 255).round().int().expand(-1, 3, -1, -1)
        colours, counts = (levels[:, 0] << 16 | levels[:, 1] << 8 | levels[:, 2]).unique(return_counts=True)
        fractions, order = (counts / counts.sum()).sort(descending=True)
        kept = int((fractions[:PALETTE] > PALETTE_LEAST).sum())
        if float(fractions[:kept].sum()) <= PALETTE_FRACTION:
            return []
        for colour, fraction in zip(colours[order[:kept]].tolist(), fractions.tolist(), strict=False):
            most[colour] = max(fraction, most.get(colour, 0.0))
    ordered = sorted(most, key=lambda colour: -most[colour])
    return [[colour >> 16, colour >> 8 & 255, colour & 255] for colour in ordered] if len(ordered) <= PALETTE else []
