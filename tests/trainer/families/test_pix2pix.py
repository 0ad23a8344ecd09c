"""pix2pix: its networks by the paper, its losses, what it shows, and that one image says nothing of another."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import log_rows, train
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.contract.errors import UserError
from trainer.families.pix2pix import LEAST_PX, PatchDiscriminator, Pix2Pix, Pix2PixConfig, mode_seeking, palette
from trainer.family import Batch, DataSpec, Nets, Pairs
from trainer.parts.pix2pix_unet import NORMS, ImageNorm


def spec(side: int = 32, channels: int = 3, condition_channels: int = 1) -> DataSpec:
    return DataSpec(image_size=(side, side), channels=channels, condition_channels=condition_channels)


def make(**options: Any) -> tuple[Pix2Pix, Nets]:
    torch.manual_seed(0)
    family = Pix2Pix(Pix2PixConfig(**{"width": 4, **options}))
    return family, family.build(spec())


def batch(count: int = 4) -> Batch:
    generator = torch.Generator().manual_seed(0)
    condition = torch.rand(count, 1, 32, 32, generator=generator) * 2 - 1
    return Batch(image=condition.repeat(1, 3, 1, 1) * 0.5, condition=condition)


class Turns:
    """Turns that only note what was lost."""

    step, progress = 0, 0.0

    def __init__(self, nets: Nets) -> None:
        self.nets = nets
        self.losses: list[tuple[str, dict[str, float]]] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[dict[str, Tensor]]:
        loss: dict[str, Tensor] = {}
        yield loss
        self.losses.append((name, {term: float(value.detach()) for term, value in loss.items()}))


@pytest.mark.parametrize(("side", "levels"), [(64, 6), (128, 7), (256, 8), (512, 9)])
def test_the_default_network_is_the_papers(side: int, levels: int) -> None:
    with torch.device("meta"):
        nets = Pix2Pix(Pix2PixConfig()).build(spec(side, condition_channels=3))
    down = [layer for part in nets.generator.down for layer in part if isinstance(layer, nn.Conv2d)]
    up = [layer for part in nets.generator.up for layer in part if isinstance(layer, nn.ConvTranspose2d)]
    widths = [min(64 * 2**level, 512) for level in range(levels)]
    assert [layer.out_channels for layer in down] == widths
    assert [layer.in_channels for layer in up] == [*(2 * width for width in widths[:-1]), widths[-1]]
    assert [layer.out_channels for layer in up] == [3, *widths[:-1]]
    dropped = [level for level, part in enumerate(nets.generator.up) if any(isinstance(x, nn.Dropout) for x in part)]
    assert dropped == list(range(levels))[-3:]
    if side == 256:
        assert sum(weight.numel() for weight in down[0].parameters()) == 64 * 3 * 16
        assert 54.3e6 < sum(weight.numel() for weight in nets.generator.parameters()) < 54.5e6
        assert 2.7e6 < sum(weight.numel() for weight in nets.discriminator.parameters()) < 2.8e6


def test_a_score_depends_on_a_patch_of_70_px() -> None:
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(4, 4, lambda channels: nn.Identity(), bias=True)
    pair = torch.randn(1, 4, 256, 256, requires_grad=True)
    score = discriminator(pair)
    assert score.shape == (1, 1, 30, 30)
    score[0, 0, 15, 15].backward()
    assert pair.grad is not None
    rows, columns = (pair.grad[0].abs().sum((0, axis)) > 0 for axis in (1, 2))
    assert (int(rows.sum()), int(columns.sum())) == (70, 70)


@pytest.mark.parametrize("norm", ["image", "instance"])
@pytest.mark.parametrize("shape", [(1, 6, 5, 7), (3, 6, 2, 2)])
def test_an_image_is_normalised_by_itself_alone(norm: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer = NORMS[norm](6)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    value, towards = torch.randn(shape, requires_grad=True), torch.randn(shape)
    expected = F.instance_norm(value, weight=layer.weight, bias=layer.bias)
    for training in (True, False):
        found = layer.train(training)(value)
        assert torch.allclose(found, expected, atol=1e-5)
        gradients = (torch.autograd.grad((made * towards).sum(), value)[0] for made in (found, F.instance_norm(
            value, weight=layer.weight, bias=layer.bias)))  # fmt: skip
        assert torch.allclose(*gradients, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"norm": "instance"}, {"batch_size": 4}], ids=["default", "instance", "batch"])
def test_in_use_an_image_says_nothing_of_another(options: dict[str, Any]) -> None:
    _, nets = make(**options)
    generator = nets.generator
    for _ in range(3):
        generator(batch().condition)  # running statistics, where there are any
    generator.eval()
    given = batch().condition
    assert given is not None
    with torch.no_grad():
        together, alone = generator(given), torch.cat([generator(part) for part in given.split(1)])
        assert torch.allclose(together, alone, atol=1e-5)
        assert torch.equal(generator(given), together), "nothing is dropped"


def test_with_one_image_a_batch_use_is_as_in_training() -> None:
    _, nets = make(dropout=0.0)
    condition = batch(1).condition
    with torch.no_grad():
        trained = nets.generator.train()(condition)
        assert torch.allclose(nets.generator.eval()(condition), trained, atol=1e-5)
    _, nets = make(dropout=0.0, batch_size=4)
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in nets.generator.modules())
    assert not any(isinstance(layer, ImageNorm) for layer in nets.generator.modules())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("condition_channels", [1, 3])
@pytest.mark.parametrize("size", [(32, 32), (48, 80), (64, 32)])
def test_any_channels_and_sides(channels: int, condition_channels: int, size: tuple[int, int]) -> None:
    family = Pix2Pix(Pix2PixConfig(width=2))
    nets = family.build(DataSpec(image_size=size, channels=channels, condition_channels=condition_channels))
    condition = torch.zeros(1, condition_channels, *size)
    made = nets.generator(condition)
    assert made.shape == (1, channels, *size)
    assert nets.discriminator(torch.cat([condition, made], 1)).ndim == 4


@pytest.mark.parametrize("size", [(16, 16), (100, 100), (286, 286), (LEAST_PX - 16, 64)])
def test_sides_that_cannot_be_halved_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"images are {size[1]}x{size[0]} px, expected .*multiples of 16"):
        Pix2Pix(Pix2PixConfig(width=2)).build(DataSpec(image_size=size, channels=3, condition_channels=1))


def test_the_image_is_made_once_a_step_and_both_turns_use_it() -> None:
    family, nets = make(objective="lsgan", l1=7.0)
    calls: list[Tensor] = []
    nets.generator.register_forward_hook(lambda module, given, made: calls.append(made.detach()))
    turns = Turns(nets)
    data = batch()
    family.step(nets, repeat(data), turns)
    assert len(calls) == 1
    (_, scored), (_, made) = turns.losses
    assert set(scored) == {"real", "fake"}
    assert made["l1"] == pytest.approx(7 * float((calls[0] - data.image).abs().mean()), rel=1e-4)


@pytest.mark.parametrize(("objective", "terms"), [("vanilla", set()), ("wgan", set()), ("wgan_gp", {"penalty"})])
def test_objectives(objective: str, terms: set[str]) -> None:
    family, nets = make(objective=objective, critic_steps=2)
    turns = Turns(nets)
    family.step(nets, repeat(batch()), turns)
    assert [name for name, _ in turns.losses] == ["discriminator", "discriminator", "generator"]
    assert set(turns.losses[0][1]) == {"real", "fake"} | terms
    largest = max(float(weight.detach().abs().max()) for weight in nets.discriminator.parameters())
    assert (largest <= family.config.clip) == (objective == "wgan")


def test_mode_seeking_wants_images_apart() -> None:
    one, latents = torch.zeros(2, 3, 4, 4), (torch.zeros(2, 8), torch.ones(2, 8))
    near, far = mode_seeking(one, one + 0.1, *latents), mode_seeking(one, one + 0.2, *latents)
    assert float(near) == pytest.approx(10, rel=1e-3)
    assert float(far) == pytest.approx(5, rel=1e-3)
    family, nets = make(mode_seeking=1.0, latent_size=5)
    turns = Turns(nets)
    family.step(nets, repeat(batch()), turns)
    assert "mode_seeking" in turns.losses[-1][1]
    condition = batch().condition
    assert not torch.equal(nets.generator(condition, torch.zeros(4, 5)), nets.generator(condition, torch.ones(4, 5)))


def test_samples_show_what_they_are_made_of() -> None:
    family, nets = make(mode_seeking=1.0)
    family_inputs = family.sample_inputs(6, spec(), torch.Generator().manual_seed(0), iter([batch(4)]))
    condition, latent = family_inputs
    assert torch.equal(condition[4:], condition[:2]), "few images are shown again"
    assert len({tuple(row.tolist()) for row in latent}) == 6
    with torch.no_grad():
        nets.generator.eval()
        samples = family.sample(nets, {}, *family_inputs)
    sheet = family.sheet(samples, *family_inputs)
    assert sheet.shape == (12, 3, 32, 32)
    assert torch.equal(sheet[1::2], samples)
    assert torch.allclose(sheet[::2, 0], condition[:, 0] * 0.5 + 0.5)


def test_the_score_is_l1_of_the_range_0_to_1() -> None:
    family, nets = make()
    nets = Nets(generator=nn.Identity(), discriminator=nets.discriminator)
    white, black = torch.ones(2, 3, 8, 8), -torch.ones(2, 3, 8, 8)
    assert family.score(nets, Batch(image=white, condition=black))["score"].tolist() == [1.0, 1.0]


def test_the_colours_of_masks_are_known_and_photographs_have_none() -> None:
    masks = torch.zeros(3, 3, 16, 16)
    masks[:, 0, 4:12, 4:12] = 1.0
    masks[0, :, 4, 4] = 0.5  # where two meet
    green = masks[:, [1, 0, 2]]
    assert palette([masks]) == [[0, 0, 0], [255, 0, 0]]
    assert palette([masks, masks, green]) == [[0, 0, 0], [255, 0, 0], [0, 255, 0]]  # not all have all of them
    assert palette([torch.rand(2, 3, 16, 16)]) == []
    assert palette([masks, torch.rand(2, 3, 16, 16)]) == []
    family, nets = make(condition="masks")
    found = family.describe(nets, iter([Batch(image=masks, condition=masks * 2 - 1)]))
    assert found["condition"] == {"kind": "given", "palette": [[0, 0, 0], [255, 0, 0]]}
    family, nets = make(sigma=0.5)
    assert family.describe(nets, iter([]))["condition"] == {"kind": "edges", "sigma": 0.5, "blur": 3}


def test_how_data_are_read_follows_from_the_options() -> None:
    family, _ = make(direction="b2a", condition="halves", enlarge=1.5)
    assert family.reading() == Pairs(condition="halves", swapped=True, enlarge=1.5)


@pytest.mark.parametrize(
    ("option", "value"),
    [("channels", 2), ("enlarge", 0.5), ("sigma", 2), ("dropout", 1), ("width", 0), ("l1", -1), ("clip", 0),
     ("mode_seeking", -1), ("latent_size", 0), ("condition", ""), ("learning_rate", 0)],
)  # fmt: skip
def test_options_are_checked(option: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"--{option.replace('_', '-')} is "):
        Pix2PixConfig(**{option: value})


def pairs_of_squares(folder: Path) -> None:
    """Grey masks, and images in which the square is red on green."""
    images, masks = np.zeros((12, 40, 40, 3), np.uint8), np.zeros((12, 40, 40, 1), np.uint8)
    for number in range(12):
        y, x = 4 + number, 20 - number
        images[number, :, :, 1] = 150
        images[number, y : y + 12, x : x + 12] = (200, 30, 30)
        masks[number, y : y + 12, x : x + 12] = 255
    np.save(folder / "images.npy", images)
    np.save(folder / "masks.npy", masks)


@pytest.mark.slow
def test_masks_become_images(tmp_path: Path) -> None:
    pairs_of_squares(tmp_path)
    options = ["--data", tmp_path / "images.npy", "--condition", tmp_path / "masks.npy", "--image-size", 32,
               "--width", 16, "--hold-out", 4, "--steps", 300, "--save-every", 100, "--sample-every", 300,
               "--learning-rate", 1e-3]  # fmt: skip
    done = train(*options, "--out", tmp_path / "run", model="pix2pix")
    assert done.returncode == 0, done.stderr
    scores = [row["score"] for row in log_rows(tmp_path / "run", "held_out")]
    assert scores[-1] < 0.06, "in 0..1; an image of the mean colours is 0.12 away"
    assert (tmp_path / "run" / "samples" / "step_00000300.png").exists()


def test_a_mistake_ends_with_one_line(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((4, 32, 32, 3), 128, np.uint8))
    done = train("--data", tmp_path / "a.npy", "--out", tmp_path / "run", "--image-size", 100, model="pix2pix")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert "100x100 px, expected at least 32 px and multiples of 16" in line
