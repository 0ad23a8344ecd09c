"""What is particular to R3GAN: a loss of pairs, penalties, its initialisation and its schedules."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import train
from torch import Tensor, nn
from torch.nn import functional as F

from trainer import checkpoint
from trainer.families.r3gan import GROUP, R3GAN, Halve, R3GANConfig, Residual
from trainer.family import Batch, DataSpec, Nets

SPEC = DataSpec(image_size=(8, 8), channels=1)
CLASSES = DataSpec(image_size=(8, 8), channels=1, classes=("a", "b", "c"))


class Turns:
    """Turns that learn nothing: the losses and the gradients of the last turn of each network."""

    step = 0

    def __init__(self, nets: Nets, progress: float = 0.0) -> None:
        self.nets, self.progress = nets, progress
        self.losses: dict[str, dict[str, float]] = {}
        self.gradients: dict[str, list[Tensor]] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[dict[str, Tensor]]:
        for other, net in self.nets.items():
            net.requires_grad_(other == name)
        loss: dict[str, Tensor] = {}
        yield loss
        gradients = torch.autograd.grad(torch.stack(list(loss.values())).sum(), list(self.nets[name].parameters()))
        self.losses[name] = {term: value.item() for term, value in loss.items()}
        self.gradients[name] = list(gradients)
        for net in self.nets.values():
            net.requires_grad_(True)


class Energy(nn.Module):
    """a Σ x² + b of each image, whose slope is 2 a x."""

    def __init__(self, offset: float = 0.0) -> None:
        super().__init__()
        self.scale, self.offset = nn.Parameter(torch.tensor(0.3)), offset

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        return self.scale * image.square().flatten(1).sum(1) + self.offset


class Bright(nn.Module):
    """Images as bright as the latent's first number, times one that is learnt."""

    def __init__(self) -> None:
        super().__init__()
        self.brightness = nn.Parameter(torch.tensor(0.7))

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        return (self.brightness * latent[:, :1, None, None]).expand(-1, 1, 8, 8)


def played(gamma: float = 1, progress: float = 0, offset: float = 0, **options: Any) -> tuple[Turns, Tensor, Tensor]:
    """One step with networks whose losses can be written down; Σ x² of the real images, and of the generated ones."""
    family = R3GAN(R3GANConfig(gamma=gamma, **options))
    nets = Nets(generator=Bright(), discriminator=Energy(offset))
    turns = Turns(nets, progress)
    image = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    image = image * torch.linspace(0.1, 1, 5).view(-1, 1, 1, 1)
    torch.manual_seed(1)
    family.step(nets, iter([Batch(image=image)]), turns)
    torch.manual_seed(1)
    fake = Bright()(family.noise(5))
    return turns, *(images.detach().square().flatten(1).sum(1) for images in (image, fake))


def test_losses_and_penalties_are_those_of_the_paper() -> None:
    turns, real, fake = played(gamma=0.02)
    scale = 0.3
    difference = scale * (real - fake)
    discriminator, generator = turns.losses["discriminator"], turns.losses["generator"]
    assert discriminator["relativistic"] == pytest.approx(F.softplus(-difference).mean().item(), rel=1e-5)
    assert generator["relativistic"] == pytest.approx(F.softplus(difference).mean().item(), rel=1e-5)
    # |∇D(x)|² = 4 a² Σ x², of real images and of generated ones, times γ/2
    assert discriminator["r1"] == pytest.approx(0.01 * 4 * scale**2 * real.mean().item(), rel=1e-5)
    assert discriminator["r2"] == pytest.approx(0.01 * 4 * scale**2 * fake.mean().item(), rel=1e-5)
    pull = -((-difference).sigmoid() * (real - fake)).mean()
    penalty = 0.01 * 8 * scale * (real.mean() + fake.mean())  # by double backward
    assert turns.gradients["discriminator"][0].item() == pytest.approx((pull + penalty).item(), rel=1e-5)
    push = -(difference.sigmoid() * scale * 2 * fake / 0.7).mean()
    assert turns.gradients["generator"][0].item() == pytest.approx(push.item(), rel=1e-5)


def test_only_differences_of_scores_count() -> None:
    (near, *_), (far, *_) = played(), played(offset=7.0)
    for name in ("discriminator", "generator"):
        assert far.losses[name] == pytest.approx(near.losses[name], rel=1e-4)
        assert torch.allclose(far.gradients[name][0], near.gradients[name][0], rtol=1e-4)


def test_the_penalties_fall_as_the_learning_rate_does() -> None:
    for schedule, factor in (("cosine", 0.55), ("linear", 0.55), ("constant", 1.0)):
        (begun, *_), (half, *_), (done, *_) = (played(progress=at, schedule=schedule) for at in (0.0, 0.5, 1.0))
        first = begun.losses["discriminator"]["r1"]
        assert half.losses["discriminator"]["r1"] == pytest.approx(factor * first, rel=1e-5)
        last = first if schedule == "constant" else 0.1 * first
        assert done.losses["discriminator"]["r1"] == pytest.approx(last, rel=1e-5)
        assert begun.losses["discriminator"]["relativistic"] == done.losses["discriminator"]["relativistic"]
    assert played(gamma=0.0)[0].losses["discriminator"].keys() == {"relativistic"}


def test_the_optimisers_follow(tmp_path: Path) -> None:
    run = tmp_path / "run"
    ended = train(
        "--data", "toycats:24", "--image-size", 8, "--width", 8, "--batch-size", 4, "--steps", 3, "--hold-out", 0,
        "--learning-rate", 0.01, "--out", run, model="r3gan",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    path, _ = checkpoint.newest_intact(run)
    assert path is not None
    states = torch.load(path / checkpoint.OPTIMIZERS, weights_only=True)
    left = 0.5 * (1 + math.cos(math.pi * 2 / 3))  # in the third step of three
    for state in states.values():
        (group,) = state["param_groups"]
        assert group["betas"] == pytest.approx((0.0, 0.99 - 0.09 * left))
        assert group["lr"] == pytest.approx(0.01 * (0.25 + 0.75 * left))


def test_blocks_begin_as_the_identity_and_keep_the_scale_of_images() -> None:
    torch.manual_seed(0)
    block, value = Residual(16, 4), torch.randn(2, 16, 8, 8)
    assert torch.equal(block(value), value)
    assert block.mix.groups == block.mix.in_channels // GROUP == 2
    family = R3GAN(R3GANConfig(blocks=2))
    nets = family.build(DataSpec(image_size=(32, 32), channels=3))
    with torch.no_grad():
        assert 0.2 < nets.generator(family.noise(16)).std() < 2
        smooth = torch.randn(16, 3, 4, 4).repeat_interleave(8, 2).repeat_interleave(8, 3)
        assert 0.2 < nets.discriminator(smooth).std() < 2
        for part in nets.discriminator.modules():  # at any depth, once branches have grown
            if isinstance(part, Residual):
                nn.init.normal_(part.narrow.weight, 0.0, part.narrow.in_channels**-0.5)
        assert 0.2 < nets.discriminator(smooth).std() < 10
    normalised = (nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm, nn.InstanceNorm2d)
    assert not any(isinstance(part, normalised) for net in nets.values() for part in net.modules())


@pytest.mark.parametrize("size", [(8, 8), (9, 14), (7, 6)])
def test_images_are_halved_by_a_binomial_filter(size: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *size)
    row = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    kernel = torch.outer(row, row).expand(3, 1, 4, 4)
    expected = F.conv2d(image, kernel, stride=2, padding=1, groups=3)
    assert torch.allclose(Halve(size)(image), expected, atol=1e-6)


@pytest.mark.parametrize(("classes", "spec"), [(True, CLASSES), (True, SPEC), (False, CLASSES)])
def test_classes_are_used_where_there_are_any_and_they_are_wanted(classes: bool, spec: DataSpec) -> None:
    torch.manual_seed(0)
    family = R3GAN(R3GANConfig(width=8, classes=classes))
    nets = family.build(spec)
    inputs = family.sample_inputs(9, spec, torch.Generator().manual_seed(0), iter(()))
    (file,) = family.exports(nets, {})
    if not (classes and spec.classes):
        assert len(inputs) == 1
        assert file.inputs.keys() == {"latent"}
        return
    latent, label = inputs
    assert label.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert file.inputs.keys() == {"latent", "label"}
    with torch.no_grad():
        image = nets.generator(latent, label)
        assert not torch.allclose(image, nets.generator(latent, 2 - label))
        assert not torch.allclose(nets.discriminator(image, label), nets.discriminator(image, 2 - label))
