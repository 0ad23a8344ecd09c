"""Adversarial losses by their equations."""

import math
from itertools import combinations
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainer.parts.gan_losses import (
    AUGMENTATIONS,
    change_colour,
    cut_out,
    diff_augment,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    r1_penalty,
    translate,
    uncompiled,
)

SCORE = torch.tensor([-1.5, 0.5, 4.0])
OBJECTIVES: tuple[Any, ...] = ("bce", "lsgan", "hinge", "nonsaturating", "wgan")


@pytest.mark.parametrize(
    ("objective", "real", "fake", "generator"),
    [
        ("bce", lambda s: -math.log(p(s)), lambda s: -math.log(1 - p(s)), lambda s: -math.log(p(s))),
        ("nonsaturating", lambda s: -math.log(p(s)), lambda s: -math.log(1 - p(s)), lambda s: -math.log(p(s))),
        ("lsgan", lambda s: (s - 1) ** 2, lambda s: s**2, lambda s: (s - 1) ** 2),
        ("hinge", lambda s: max(0, 1 - s), lambda s: max(0, 1 + s), lambda s: -s),
        ("wgan", lambda s: -s, lambda s: s, lambda s: -s),
    ],
)
def test_losses_are_those_of_the_papers(objective: Any, real: Any, fake: Any, generator: Any) -> None:
    def mean(function: Any) -> float:
        return sum(function(value) for value in SCORE.tolist()) / len(SCORE)

    assert discriminator_loss(objective, SCORE, True).item() == pytest.approx(mean(real), rel=1e-5)
    assert discriminator_loss(objective, SCORE, False).item() == pytest.approx(mean(fake), rel=1e-5)
    assert generator_loss(objective, SCORE).item() == pytest.approx(mean(generator), rel=1e-5)


def p(score: float) -> float:
    return 1 / (1 + math.exp(-score))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_two_sides_pull_in_opposite_directions_however_sure_the_scores(objective: Any) -> None:
    for value in (-0.9, 0.0, 0.9, 30.0) if objective != "hinge" else (-0.9, 0.0, 0.9):
        slopes = []
        for loss in (lambda s: discriminator_loss(objective, s, False), lambda s: generator_loss(objective, s)):
            score = torch.tensor([value], requires_grad=True)
            loss(score).backward()
            assert score.grad is not None
            slopes.append(score.grad.item())
        if objective == "lsgan" and not 0 < value < 1:
            continue  # labels are points: beyond both of them, both pull back
        assert slopes[0] >= 0 >= slopes[1], value


@pytest.mark.parametrize(("objective", "best"), [("bce", math.log(9)), ("lsgan", 0.9)])
def test_smoothing_moves_the_best_score_of_real_images(objective: Any, best: float) -> None:
    scores = torch.linspace(-5, 5, 2001)
    losses = torch.stack([discriminator_loss(objective, score[None], True, 0.1) for score in scores])
    assert scores[losses.argmin()].item() == pytest.approx(best, abs=0.01)


def test_losses_of_low_precision_are_computed_in_full() -> None:
    scores = torch.full((3000,), 1.01, dtype=torch.bfloat16)
    assert all(generator_loss(objective, scores).dtype == torch.float32 for objective in OBJECTIVES)
    assert discriminator_loss("wgan", scores, False).item() == pytest.approx(float(scores[0]), rel=1e-6)


def test_penalties_on_a_critic_whose_gradient_is_known() -> None:
    slope = torch.randn(2 * 4 * 4)

    def linear(image: Tensor) -> Tensor:
        return image.flatten(1) @ slope

    image, other = torch.randn(5, 2, 4, 4, requires_grad=True), torch.randn(5, 2, 4, 4)
    length = slope.norm().item()
    assert r1_penalty(linear(image), image).item() == pytest.approx(length**2 / 2, rel=1e-5)
    assert gradient_penalty(linear, image, other).item() == pytest.approx((length - 1) ** 2, rel=1e-5)


def test_the_gradient_penalty_looks_between_real_and_generated_images_only() -> None:
    seen = []

    def critic(image: Tensor) -> Tensor:
        seen.append(image.detach())
        return image.sum((1, 2, 3))

    gradient_penalty(critic, torch.zeros(64, 1, 2, 2), torch.ones(64, 1, 2, 2))
    (between,) = seen
    assert between.min() >= 0
    assert between.max() <= 1
    assert torch.equal(between.amin((1, 2, 3)), between.amax((1, 2, 3)))  # one share an image
    assert between[:, 0, 0, 0].unique().numel() > 32


def test_penalties_teach_the_network() -> None:
    critic = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1), nn.Flatten(0))
    image = torch.randn(4, 1, 4, 4).requires_grad_(True)
    with uncompiled():
        score = critic(image)
    (r1_penalty(score, image) + gradient_penalty(critic, image, torch.randn(4, 1, 4, 4))).backward()
    assert critic[1].weight.grad is not None
    assert critic[1].weight.grad.abs().sum() > 0


@pytest.mark.slow
def test_a_compiled_critic_is_penalised_all_the_same() -> None:
    critic = nn.Sequential(nn.Conv2d(1, 4, 3), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(16, 1), nn.Flatten(0))
    image, other = torch.randn(2, 3, 1, 4, 4)
    torch.manual_seed(1)
    expected = gradient_penalty(critic, image, other)
    critic.compile()
    critic(image).sum().backward()
    torch.manual_seed(1)
    found = gradient_penalty(critic, image, other)
    found.backward()
    assert torch.equal(found, expected)


@pytest.mark.parametrize("names", [names for k in range(4) for names in combinations(AUGMENTATIONS, k)])
@pytest.mark.parametrize("channels", [1, 3])
def test_augmented_images_pass_gradients(names: tuple[str, ...], channels: int) -> None:
    torch.manual_seed(0)
    image = torch.randn(6, channels, 12, 20).contiguous(memory_format=torch.channels_last).requires_grad_(True)
    result = diff_augment(image, names)
    assert result.shape == image.shape
    result.square().sum().backward()
    assert image.grad is not None
    assert bool(image.grad.isfinite().all())
    assert (image.grad.abs().sum((1, 2, 3)) > 0).all()
    if not names:
        assert result is image


def test_translation_moves_whole_images_and_lets_zeros_in() -> None:
    torch.manual_seed(0)
    image = torch.rand(40, 2, 16, 24) + 1
    shifts = set()
    for before, after in zip(image, translate(image), strict=True):
        down, right = ((after[0] == 0).all(dim).sum().item() for dim in (1, 0))
        candidates = [
            (y, x)
            for y in (-down, down)
            for x in (-right, right)
            if torch.equal(after, torch.nn.functional.pad(before, (x, -x, y, -y)))
        ]
        assert candidates
        shifts.add(candidates[0])
    assert len(shifts) > 10
    assert max(abs(y) for y, _ in shifts) == 2
    assert max(abs(x) for _, x in shifts) == 3


def test_cutout_blanks_one_rectangle_of_half_the_sides() -> None:
    torch.manual_seed(0)
    blank = cut_out(torch.ones(200, 1, 16, 24))[:, 0] == 0
    heights, widths = blank.any(2).sum(1), blank.any(1).sum(1)
    assert torch.equal(blank.sum((1, 2)), heights * widths)  # rectangles, without holes
    assert (heights.max().item(), widths.max().item()) == (8, 12)
    assert heights.min() < 8  # some lie partly outside
    assert blank.any(0).all()  # anywhere


def test_colour_changes_keep_where_things_are() -> None:
    torch.manual_seed(0)
    grey = torch.rand(8, 1, 6, 6)
    changed = change_colour(grey)
    stretched = (changed - changed.mean((2, 3), keepdim=True)) / (grey - grey.mean((2, 3), keepdim=True))
    assert torch.allclose(stretched, stretched[:, :, :1, :1].expand_as(stretched), atol=1e-3)
    assert stretched.min() >= 0.49
    assert stretched.max() <= 1.51
