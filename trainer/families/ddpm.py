"""Denoising diffusion model (Ho et al. 2020, "Denoising Diffusion Probabilistic Models").

With classes it is conditional, with label dropout for guidance (Ho & Salimans 2021, "Classifier-Free Diffusion
Guidance").

**Differs from the paper.** Predicts v (Salimans & Ho 2022) on a cosine schedule with Min-SNR weights, at another
learning rate; a smaller U-Net with weight standardisation and linear attention, without dropout (``--dropout 0.1``);
gradients are clipped, as in the paper's code; sheets are sampled by DDIM. The paper's loss: ``--prediction epsilon
--noise-schedule linear --min-snr 0 --learning-rate 2e-4 --batch-size 128``; its sampler is the viewer's with η = 1 and
all steps.

    accelerate launch trainer/train_ddpm.py --data cats.npy --out runs/cats --image-size 64 --precision bf16
"""

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.blocks import require_multiple
from trainer.config import BELOW_ONE, Check, least, multiple_of, within
from trainer.contract.samplers import Predict, ddim, even_times
from trainer.family import Batch, CardFields, DataSpec, Exportable, Family, Inputs, Nets, Turn
from trainer.parts.adam import AdamConfig
from trainer.parts.denoiser_unet import Denoiser, folded
from trainer.parts.in_colour import InColour
from trainer.parts.noise_schedule import Diffusion, ScheduleName

KEPT = 16  # training images stored with the weights, to calibrate quantised exports
SHOWN_AT = 4  # steps t of each of them in the calibration set
DRAFT_STEPS = 4  # of the sampler, for a sheet of an untrained network
GOLDEN = (5**0.5 - 1) / 2  # multiples modulo 1 are a low-discrepancy sequence
MULTIPLIERS = Check(lambda numbers: min(numbers, default=0) >= 1, "whole numbers of at least 1")
LOSSES = {"l1": F.l1_loss, "l2": F.mse_loss, "huber": F.smooth_l1_loss}


@dataclass(frozen=True, kw_only=True)
class DDPMConfig(AdamConfig):
    """Options of the diffusion model."""

    width: Annotated[int, multiple_of(8)] = 32
    """Channels at full resolution, a multiple of 8."""
    multipliers: Annotated[tuple[int, ...], MULTIPLIERS] = (1, 2, 4)
    """Channel multipliers of the levels; each level is half the size of the one before."""
    dropout: Annotated[float, BELOW_ONE] = 0.0
    """Dropout probability in the residual blocks; the paper has 0.1 on CIFAR-10."""
    noise_schedule: ScheduleName = "cosine"
    """Noise schedule."""
    noise_steps: Annotated[int, least(2)] = 1000
    """Diffusion steps T."""
    prediction: Literal["epsilon", "x0", "v"] = "v"
    """What the network predicts: the noise, the image, or of both v = √ᾱ ε - √(1-ᾱ) x₀."""
    loss: Literal["l1", "l2", "huber"] = "l2"
    """Loss between prediction and target."""
    min_snr: Annotated[float, least(0)] = 5.0
    """Largest signal-to-noise ratio that weights a step, Min-SNR's γ; 0 weights all steps alike."""
    classes: bool = True
    """Condition on the class, where the data have labels."""
    drop_label: Annotated[float, within(0, 1)] = 0.1
    """Label-dropout probability, for classifier-free guidance."""
    sample_steps: Annotated[int, least(1)] = 25
    """DDIM steps of sample sheets and evaluations."""
    guidance: float = 0.0
    """Classifier-free guidance weight of these samples; other than 0, sampling takes twice the time."""
    batch_size: int = 32
    learning_rate: float = 1e-3
    beta1: float = 0.9
    clip_norm: float = 1.0

    @property
    def diffusion(self) -> Diffusion:
        return Diffusion(kind=self.noise_schedule, prediction=self.prediction, steps=self.noise_steps)


class DDPM(Family):
    """Denoising diffusion model."""

    Config = DDPMConfig
    shardable = True
    channels_last = False
    sheet_side = 4  # each sample costs --sample-steps forward passes
    view = "diffuse {file}"

    def draft(self) -> "DDPM":
        return DDPM(replace(self.config, sample_steps=min(self.config.sample_steps, DRAFT_STEPS)))

    def build(self, spec: DataSpec) -> Nets:
        config = self.config
        require_multiple(spec.image_size, 2 ** (len(config.multipliers) - 1))
        classes = len(spec.classes) if config.classes else 0
        denoiser = Denoiser(spec.channels, config.width, config.multipliers, classes, config.dropout)
        denoiser.register_buffer("kept", torch.zeros(KEPT, spec.channels, *spec.image_size, dtype=torch.uint8))
        return Nets(denoiser=denoiser)

    def step(self, nets: Nets, batches: Iterator[Batch], turn: Turn) -> None:
        """Algorithm 1."""
        batch, diffusion = next(batches), self.config.diffusion
        image, label = batch.image, self.drop_labels(batch.label)
        t = torch.randint(diffusion.steps, (len(image),), device=image.device)
        noise = torch.randn_like(image)
        with turn("denoiser") as loss:
            prediction = nets.denoiser(diffusion.add_noise(image, t, noise), t, label)
            loss[self.config.loss] = self.error(prediction, image, t, noise).mean()

    def drop_labels(self, label: Tensor | None) -> Tensor | None:
        """Label dropout: labels i64 [n], each -1 (any class) with probability ``drop_label``."""
        if label is None or not self.config.classes:
            return None
        return label.masked_fill(torch.rand(len(label), device=label.device) < self.config.drop_label, -1)

    def error(self, prediction: Tensor, image: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Weighted losses [n]."""
        diffusion = self.config.diffusion
        distance = LOSSES[self.config.loss](prediction, diffusion.target(image, t, noise), reduction="none")
        return diffusion.weight(t, self.config.min_snr) * distance.flatten(1).mean(1)

    def score(self, nets: Nets, batch: Batch) -> dict[str, Tensor]:
        """The training loss, each image at its own step and with its own noise, always the same ones."""
        image, config = batch.image, self.config
        spread = torch.arange(1, len(image) + 1, device=image.device) * GOLDEN % 1
        t = (spread * config.noise_steps).long()
        noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0)).to(image.device)
        label = batch.label if config.classes else None
        prediction = nets.denoiser(config.diffusion.add_noise(image, t, noise), t, label)
        return {"score": self.error(prediction, image, t, noise)}

    def sample_inputs(self, count: int, spec: DataSpec, generator: torch.Generator, batches: Iterator[Batch]) -> Inputs:
        """Noise, and labels: one class per row of a square sheet with enough rows, else all classes in turn."""
        noise = torch.randn(count, spec.channels, *spec.image_size, generator=generator)
        if not (self.config.classes and spec.classes):
            return (noise,)
        side = math.isqrt(count)
        rows = side * side == count and side >= len(spec.classes)
        return noise, (torch.arange(count) // side if rows else torch.arange(count)) % len(spec.classes)

    def sample(self, nets: Nets, description: Mapping[str, Any], *inputs: Tensor) -> Tensor:
        noise, *labels = inputs
        config, predict = self.config, self.predictor(nets.denoiser, *labels)
        steps = ddim(predict, config.diffusion.schedule(), noise, config.noise_steps, config.sample_steps)
        _, images = deque(steps, maxlen=1).pop()  # and nothing of the steps before is kept
        return (images.clamp(-1, 1) + 1) / 2

    def predictor(self, net: nn.Module, label: Tensor | None = None) -> Predict:
        """Prediction function for samplers, with guidance."""
        weight = 0.0 if label is None else self.config.guidance

        def predict(x: Tensor, t: int) -> Tensor:
            steps = torch.full((len(x),), t, device=x.device)
            prediction = net(x, steps, label)
            return (1 + weight) * prediction - weight * net(x, steps) if weight else prediction

        return predict

    def describe(self, nets: Nets, batches: Iterator[Batch]) -> dict[str, Any]:
        """Store a few training images with the averaged weights."""
        few = torch.cat([batch.image[:: max(1, len(batch.image) // 8)] for batch in batches])
        chosen = few[torch.linspace(0, len(few) - 1, KEPT).round().long()]
        nets.denoiser.kept.copy_(((chosen + 1) * 127.5).round())
        return {}

    def exports(self, nets: Nets, description: Mapping[str, Any]) -> list[Exportable]:
        net, diffusion = nets.denoiser, self.config.diffusion
        image = (net.kept.float() / 127.5 - 1).repeat(SHOWN_AT, 1, 1, 1).expand(-1, 3, -1, -1)
        times = even_times(diffusion.schedule(), diffusion.steps, min(len(image), diffusion.steps))
        t = torch.tensor(times, device=image.device).repeat(len(image))[: len(image)]
        noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0)).to(image.device)
        inputs = {"noisy": diffusion.add_noise(image, t, noise), "t": t}
        if net.classes:
            inputs["label"] = torch.arange(len(t), device=t.device) % (net.classes + 1)
        module = InColour(folded(net), net.first.in_channels, diffusion.prediction, diffusion.alpha_bar)
        card = CardFields(schedule=diffusion.schedule())
        return [Exportable(kind="denoiser", module=module.to(image.device), inputs=inputs, card=card)]
