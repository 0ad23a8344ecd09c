"""SRGAN: its layers against the ordinary ones, its two stages, its figures."""

import copy
import dataclasses
import functools
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import log_rows, train
from plain_turns import PlainTurns
from torch import nn
from torch.nn import functional as F

from trainer import checkpoint
from trainer.contract.errors import UserError
from trainer.families.srgan import SRGAN, Discriminator, Generator, SRGANConfig
from trainer.family import Batch, DataSpec
from trainer.parts.degrade import enlarge, reduce, whole_levels
from trainer.parts.superresolution import (
    Bicubic,
    SharedPReLU,
    ShuffledConv2d,
    drawn_images,
    merged,
    receptive_radius,
)
from trainer.runs import store as runs

SMALL: dict[str, Any] = {"blocks": 2, "features": 8, "crop_size": 32, "discriminator_width": 4, "batch_size": 4}
ALONE: dict[str, Any] = {**SMALL, "pretrain": 1 << 30}
SPEC = DataSpec(image_size=(32, 32), channels=3, condition_channels=3)


def shaken(network: nn.Module) -> nn.Module:
    """With weights and statistics that no layer has at first."""
    for value in (*network.parameters(), *network.buffers()):
        if value.is_floating_point():
            value.data += 0.1 * torch.rand_like(value)
    return network


@functools.cache
def batch(count: int = 4, side: int = 32) -> Batch:
    image = whole_levels(drawn_images(count, 3, side))
    return Batch(image=image, condition=whole_levels(reduce(image, 2)))


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_convolution_before_the_shuffle_is_one_after_it(outputs: int) -> None:
    torch.manual_seed(0)
    layer = ShuffledConv2d(5, outputs, 9, padding=4).double()
    value = torch.randn(2, 20, 7, 6, dtype=torch.float64)
    expected = F.conv2d(F.pixel_shuffle(value, 2), layer.weight, layer.bias, padding=4)
    assert torch.allclose(layer(value), expected)
    assert torch.allclose(layer.plain()(value), expected)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_the_fast_activation_is_torchs(precision: torch.dtype) -> None:
    torch.manual_seed(0)
    values = torch.randn(2, 4, 5, 6).to(precision).requires_grad_(True), None
    ours, theirs = SharedPReLU(), nn.PReLU()
    value = values[0]
    found = []
    for layer in (ours, theirs):
        layer.weight.grad = value.grad = None
        result = layer.to(precision)(value)
        result.square().sum().backward()
        assert value.grad is not None
        assert layer.weight.grad is not None
        found.append((result.detach(), value.grad.clone(), layer.weight.grad.clone()))
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-5 if precision == torch.float32 else 2e-2)
    assert torch.equal(ours(value.detach()), theirs(value.detach()))


@pytest.mark.parametrize("scale", [2, 4])
def test_the_shortcut_is_bicubic(scale: int) -> None:
    image = torch.rand(2, 3, 9, 12, generator=torch.Generator().manual_seed(0))
    margin = slice(3 * scale, -3 * scale)
    found, expected = Bicubic(3, scale)(image), enlarge(image, scale)
    assert found.shape == expected.shape
    assert torch.allclose(found[:, :, margin, margin], expected[:, :, margin, margin], atol=1e-6)


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("options", [{}, {"norm": "none"}, {"skip": True}])
def test_merged_it_is_the_same(scale: int, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    generator = shaken(Generator(3, SRGANConfig(**ALONE, scale=scale, **options))).eval()
    image = torch.rand(2, 3, 9, 12)
    small = merged(generator)
    assert not any(isinstance(layer, nn.BatchNorm2d | ShuffledConv2d) for layer in small.modules())
    with torch.no_grad():
        assert small(image).shape == (2, 3, 9 * scale, 12 * scale)
        assert torch.allclose(small(image), generator(image), atol=1e-5)


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("blocks", [1, 3])
def test_the_receptive_radius_is_how_far_gradients_reach(scale: int, blocks: int) -> None:
    torch.manual_seed(0)
    config = SRGANConfig(**{**ALONE, "blocks": blocks}, scale=scale, norm="none")
    generator = shaken(Generator(3, config)).double().eval()
    image = torch.rand(1, 3, 1, 61, dtype=torch.float64).expand(1, 3, 61, 61).clone().requires_grad_(True)
    middle = slice(30 * scale, 31 * scale)
    generator(image)[:, :, middle, middle].sum().backward()
    assert image.grad is not None
    rows = image.grad.abs().sum((0, 1, 3)).nonzero().flatten() - 30
    assert max(-int(rows.min()), int(rows.max())) == receptive_radius(generator)


def test_the_paper_s_discriminator() -> None:
    linear = [layer for layer in Discriminator(3, 64, 96) if isinstance(layer, nn.Linear)]
    assert [tuple(layer.weight.shape) for layer in linear] == [(1024, 512 * 6 * 6), (1, 1024)]
    strides = [layer.stride[0] for layer in Discriminator(3, 64, 96) if isinstance(layer, nn.Conv2d)]
    assert strides == [1, 2, 1, 2, 1, 2, 1, 2]
    for crop_size in (16, 40, 256):
        assert Discriminator(1, 4, crop_size)(torch.rand(2, 1, crop_size, crop_size)).shape == (2,)


def test_the_discriminator_joins_after_the_first_stage() -> None:
    torch.manual_seed(0)
    family = SRGAN(SRGANConfig(**SMALL, pretrain=5, steps=9, perceptual=0, pixel=1.0, difference="l1"))
    nets = family.build(SPEC)
    family.begin(nets)
    turns = PlainTurns(family, nets)
    for turns.step in (4, 5):
        family.step(nets, repeat(batch()), turns)
    assert turns.taken == [
        ("generator", {"l1"}),
        ("discriminator", {"real", "fake"}),
        ("generator", {"l1", "adversarial"}),
    ]


def test_without_a_second_stage_there_is_no_discriminator_and_no_vgg() -> None:
    family = SRGAN(SRGANConfig(**SMALL, pretrain=9, steps=9, vgg=Path("nowhere.pth")))
    nets = family.build(SPEC)
    assert set(nets) == {"generator"}
    family.begin(nets)


def test_a_missing_vgg_is_said_before_training() -> None:
    family = SRGAN(SRGANConfig(**SMALL, pretrain=8, steps=9, vgg=Path("nowhere.pth")))
    with pytest.raises(UserError, match=r"nowhere\.pth: No such file"):
        family.begin(family.build(SPEC))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 3}, "--scale is 3, expected 2 or 4"),
        ({"crop_size": 34, "scale": 4}, "--crop-size is 34, expected a multiple of 4"),
        ({"perceptual": 0.0}, "--perceptual is 0, expected more than 0, or --pixel more than 0"),
        ({"rotate": 5.0}, "--rotate is 5.0, expected 0"),
        ({"jpeg": 96}, "--jpeg is 96, expected 0 to 95"),
        ({"low": Path("a"), "noise": 3.0}, "--low is a, expected unset with --blur, --noise or --jpeg"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        SRGANConfig(**options)
    assert message in str(caught.value)


def test_figures_of_bicubic_interpolation_are_those_of_bicubic_interpolation() -> None:
    family = SRGAN(SRGANConfig(**ALONE, skip=True))
    nets = family.build(SPEC)  # at first it adds nothing
    with torch.no_grad():
        figures = family.score(nets, batch())
    assert torch.allclose(figures["psnr_luma"], figures["psnr_luma_bicubic"], atol=0.3)  # their edges differ
    assert torch.equal(figures["score"], -figures["psnr_luma"])
    assert figures["ssim_luma"].shape == (4,)


@pytest.mark.parametrize("options", [{}, {"norm": "none"}, {"blur": 1.0, "noise": 2.0, "jpeg": 80}])
def test_it_learns(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    family = SRGAN(SRGANConfig(**ALONE, learning_rate=3e-3, difference="l1", **options))
    nets = family.build(SPEC)
    turns = PlainTurns(family, nets)
    found = []
    for _ in range(3):
        with torch.no_grad():
            nets.generator.eval()
            found.append(family.score(nets, batch())["psnr_luma"].mean().item())
            nets.generator.train()
        for _ in range(25):
            family.step(nets, repeat(batch()), turns)
    assert found[-1] > found[0] + 3


def test_samples_show_the_middle_of_images_of_any_size() -> None:
    family = SRGAN(SRGANConfig(**ALONE))
    nets = family.build(SPEC)
    sizes = ((40, 60), (32, 32), (24, 70))
    batches = [batch(1, 80) for _ in sizes]
    batches = [
        dataclasses.replace(
            item, image=item.image[..., :height, :width], condition=item.condition[..., : height // 2, : width // 2]
        )
        for item, (height, width) in zip(batches, sizes, strict=True)
        if item.condition is not None
    ]
    small, large = family.sample_inputs(5, SPEC, torch.Generator(), iter(batches))
    assert (small.shape, large.shape) == ((5, 3, 16, 16), (5, 3, 32, 32))
    assert torch.equal(large[0], batches[0].image[0, :, 4:36, 14:46])
    assert torch.equal(large[3], large[0])  # there are no more than three
    with torch.no_grad():
        sheet = family.sheet(family.sample(nets, {}, small, large), small, large)
    assert sheet.shape == (15, 3, 32, 32)
    assert torch.equal(sheet[2], large[0])


def options(run: Path, steps: int, *more: Any) -> tuple[Any, ...]:
    return (
        "--data", "toycats:24", "--image-size", 32, "--crop-size", 24, "--out", run, "--steps", steps,
        "--batch-size", 4, "--blocks", 1, "--features", 8, "--discriminator-width", 4,
        "--save-every", 2, "--log-every", 1,
        "--perceptual", 0, "--pixel", 1, *more,
    )  # fmt: skip


@pytest.mark.slow
def test_stages_may_be_asked_for_one_after_the_other(tmp_path: Path) -> None:
    """A run that only pre-trained goes on with a discriminator, as if both had been asked for at once."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for run, steps in ((whole, 7), (parts, 3), (parts, 5), (parts, 7)):
        result = train(*options(run, steps, "--pretrain", 3), model="srgan")
        assert result.returncode == 0, result.stderr
    losses = [
        [{key: value for key, value in row.items() if "rate" not in key} for row in log_rows(run)]
        for run in (whole, parts)
    ]
    assert losses[0] == losses[1]
    assert log_rows(whole, "held_out")[-1] == log_rows(parts, "held_out")[-1]
    paths = [checkpoint.newest_intact(run)[0] for run in (whole, parts)]
    found = [path for path in paths if path is not None]
    assert len({(path / checkpoint.NETS).read_bytes() for path in found}) == 1
    one, other = (torch.load(path / checkpoint.OPTIMIZERS) for path in found)
    for name in ("generator", "discriminator"):
        torch.testing.assert_close(one[name]["state"], other[name]["state"], rtol=0, atol=0)
    assert "loss/discriminator/real" not in log_rows(whole)[2]
    assert "loss/discriminator/real" in log_rows(whole)[3]
    assert set(runs.restore(parts, "last").nets) == {"generator", "discriminator"}


@pytest.mark.slow
def test_two_ranks_train_both_stages(tmp_path: Path) -> None:
    result = train(*options(tmp_path / "run", 4, "--pretrain", 2), model="srgan", ranks=2)
    assert result.returncode == 0, result.stderr
    assert log_rows(tmp_path / "run")[-1]["images_seen"] == 32


def test_copies_stay_apart() -> None:
    """``merged`` leaves the network that it copies as it was."""
    generator = Generator(3, SRGANConfig(**ALONE)).train()
    before = copy.deepcopy(generator.state_dict())
    merged(generator)
    assert generator.training
    assert all(torch.equal(before[name], value) for name, value in generator.state_dict().items())
