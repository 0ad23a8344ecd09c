"""Adversarial losses, gradient penalties and DiffAugment, as pure functions.

Scores are logits f32 [n], one per image; images are [n, c, h, w] in -1..1.
"""

import contextlib
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from trainer.config import Check

Objective = Literal["bce", "lsgan", "hinge", "nonsaturating", "wgan"]
AUGMENTATIONS = ("colour", "translation", "cutout")
AUGMENTS = Check(  # of an option: names separated by commas
    lambda names: not names or {*names.split(",")} <= {*AUGMENTATIONS}, f"some of {','.join(AUGMENTATIONS)}"
)


def discriminator_loss(objective: Objective, score: Tensor, real: bool, smoothing: float = 0.0) -> Tensor:
    """Loss of a discriminator on real or on generated images, a scalar.

    ``smoothing``: one-sided label smoothing, real images have the label ``1 - smoothing`` (Salimans et al. 2016,
    section 3.4); for ``bce`` and ``lsgan`` only.

    - ``bce``: cross-entropy (Goodfellow et al. 2014, equation 1); ``nonsaturating`` is the same without smoothing.
    - ``lsgan``: squared distance to labels 1 and 0 (Mao et al. 2017, equation 9).
    - ``hinge``: margins at ±1 (Lim & Ye 2017; Miyato et al. 2018, equation 16).
    - ``wgan``: the score itself (Arjovsky et al. 2017, equation 2).
    """
    score = score.float()
    label = 1.0 - smoothing if real else 0.0
    match objective:
        case "bce" | "nonsaturating":
            return F.binary_cross_entropy_with_logits(score, torch.full_like(score, label))
        case "lsgan":
            return (score - label).square().mean()
        case "hinge":
            return F.relu(1 - score if real else 1 + score).mean()
        case "wgan":
            return -score.mean() if real else score.mean()


def generator_loss(objective: Objective, score: Tensor) -> Tensor:
    """Loss of a generator from the scores of its images, a scalar.

    ``bce`` and ``nonsaturating``: -log D(G(z)), the loss that the paper trains with (Goodfellow et al. 2014, section
    3), since log(1 - D(G(z))) saturates where the discriminator is confident.
    """
    score = score.float()
    match objective:
        case "bce" | "nonsaturating":
            return F.softplus(-score).mean()
        case "lsgan":
            return (score - 1).square().mean()
        case "hinge" | "wgan":
            return -score.mean()


def relativistic_loss(score: Tensor, other: Tensor) -> Tensor:
    """Relativistic pairing loss -log σ(score - other) over pairs of scores [n] of one network, a scalar: small where
    each score is above that of its partner (Jolicoeur-Martineau 2019, "The relativistic discriminator").
    A discriminator minimises it for real images over generated ones, a generator for its own over real ones."""
    return F.softplus(other.float() - score.float()).mean()


def uncompiled(needed: bool = True) -> AbstractContextManager[Any]:
    """Context for calls of a network that double backward passes through: compiled graphs do not support it."""
    if not needed or "torch._dynamo" not in sys.modules:  # nothing is compiled, and the import takes seconds
        return contextlib.nullcontext()
    return torch.compiler.set_stance("force_eager")


def input_gradient(score: Tensor, image: Tensor) -> Tensor:
    """Gradient of each score by its image, f32 [n, c·h·w], with a graph for double backward."""
    (gradient,) = torch.autograd.grad(score.sum(), image, create_graph=True)
    return gradient.float().flatten(1)


def r1_penalty(score: Tensor, image: Tensor) -> Tensor:
    """R1 penalty ½ |∇D(x)|² on real images (Mescheder et al. 2018, equation 9), a scalar. ``score``: of ``image``,
    which requires gradients, computed under ``uncompiled()``."""
    return 0.5 * input_gradient(score, image).square().sum(1).mean()


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """Gradient penalty (|∇D(x̂)| - 1)² at random points x̂ between real and generated images (Gulrajani et al. 2017,
    equation 3)."""
    epsilon = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = torch.lerp(real.detach(), fake.detach().to(real.dtype), epsilon).requires_grad_(True)
    with uncompiled():
        gradient = input_gradient(critic(between), between)
    return (gradient.norm(dim=1) - 1).square().mean()


def diff_augment(image: Tensor, augmentations: Sequence[str]) -> Tensor:
    """Differentiable augmentation of everything a discriminator sees, real or generated, for small data sets: the
    discriminator cannot memorise the training set, and the generator does not learn the augmentation.

    Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training". ``augmentations``: some of
    ``AUGMENTATIONS``, in this order.
    """
    for name in augmentations:
        image = {"colour": change_colour, "translation": translate, "cutout": cut_out}[name](image)
    return image


def augmented(image: Tensor, names: str) -> Tensor:
    """``diff_augment`` by an option that ``AUGMENTS`` checks."""
    return diff_augment(image, names.split(",")) if names else image


def change_colour(image: Tensor) -> Tensor:
    """Random brightness (±0.5), saturation (0..2 times) and contrast (0.5..1.5 times) of each image."""
    brightness, saturation, contrast = torch.rand(3, len(image), 1, 1, 1, device=image.device)
    image = image + (brightness - 0.5)
    grey = image.mean(1, keepdim=True)
    image = torch.lerp(grey, image, 2 * saturation)
    level = image.mean((1, 2, 3), keepdim=True)
    return torch.lerp(level, image, 0.5 + contrast)


def translate(image: Tensor, fraction: float = 1 / 8) -> Tensor:
    """Shift each image by up to ``fraction`` of its height and width, padding with zeros."""
    device, most = image.device, [round(fraction * side) for side in image.shape[2:]]  # pixels down and right
    rows, columns = (
        torch.randint(2 * limit + 1, (len(image), 1), device=device) + torch.arange(side, device=device)
        for limit, side in zip(most, image.shape[2:], strict=True)
    )
    padded = F.pad(image, (most[1], most[1], most[0], most[0])).permute(0, 2, 3, 1)
    images = torch.arange(len(image), device=device)[:, None, None]
    return padded[images, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)


def cut_out(image: Tensor, fraction: float = 0.5) -> Tensor:
    """Set a random rectangle of ``fraction`` of height and width to zero in each image; it may lie partly outside."""
    covered = []  # of rows, and of columns: bool [n, side]
    for side in image.shape[2:]:
        length = round(fraction * side)
        start = torch.randint(0, side + 1, (len(image), 1), device=image.device) - length // 2
        place = torch.arange(side, device=image.device)
        covered.append((place >= start) & (place < start + length))
    return image.masked_fill((covered[0][:, :, None] & covered[1][:, None])[:, None], 0.0)
