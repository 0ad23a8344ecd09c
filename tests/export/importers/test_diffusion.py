"""Diffusion models: networks predict what their program's predict, on the schedule that it trains with."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.export.importers.imports import difference, exported, read, saved
from tests.export.importers.published_gans import lively
from tests.export.importers.published_unets import Diffusion, Standardised, Unet
from tests.export.small_networks import run
from trainer.contract.errors import UserError
from trainer.contract.samplers import ddim
from trainer.parts.noise_schedule import alpha_bars

STYLES = {
    "2": lambda: Unet("2"),
    "2, three levels": lambda: Unet("2", mults=(1, 2, 2)),
    "2, self-conditioned": lambda: Unet("2", twice=True),
    "1.9": lambda: Unet("1.9"),
    "tutorial": lambda: Unet("tutorial", channels=3),
}

FEW = [style if style in ("2", "tutorial") else pytest.param(style, marks=pytest.mark.slow) for style in STYLES]


def unet(style: str) -> nn.Module:
    torch.manual_seed(0)
    return lively(STYLES[style]())


def noisy(channels: int = 3, count: int = 3, side: int = 8) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, channels, side, side, generator=generator), torch.tensor([0, 7, 150][:count])


@pytest.mark.parametrize("style", FEW)
def test_it_predicts_what_the_program_predicts(style: str) -> None:
    network = unet(style)
    imported = read(network.state_dict(), image_size=(8, 8))
    x, t = noisy()
    expected = network(x, t)
    assert difference(imported.exportables[0].module(x, t), expected) < 1e-5
    assert expected.std() > 0.05
    assert any("self-conditioning" in remark for remark in imported.remarks) == ("self" in style)


def test_grey_ones_sample_one_image_in_three_channels() -> None:
    torch.manual_seed(0)
    network = lively(Unet("2", channels=1))
    imported = read(network.state_dict(), image_size=(8, 8))
    assert imported.spec.shape == (1, 8, 8)
    item, (x, _) = imported.exportables[0], noisy(3)
    *_, (_, image) = ddim(lambda x, t: item.module(x, torch.full((3,), t)), item.card.schedule, x, 1000, 5)
    *_, (_, grey) = ddim(lambda x, t: network(x, torch.full((3,), t)), item.card.schedule, x[:, :1], 1000, 5)
    assert difference(image, grey.expand(-1, 3, -1, -1)) < 1e-3


@pytest.mark.parametrize("clip", [math.inf, 5.0])
@pytest.mark.parametrize(("objective", "prediction"), [("pred_noise", "epsilon"), ("pred_x0", "x0"), ("pred_v", "v")])
def test_buffers_say_schedule_and_prediction(objective: str, prediction: str, clip: float) -> None:
    network = unet("2")
    alpha_bar = torch.from_numpy(alpha_bars("cosine", 40))
    imported = read(Diffusion(network, alpha_bar, objective, clip).state_dict(), image_size=(8, 8))
    schedule = imported.exportables[0].card.schedule
    assert schedule["prediction"] == prediction
    assert np.allclose(schedule["alpha_bar"], alpha_bar, rtol=1e-5)
    assert imported.remarks == ()
    x, t = noisy(count=2)
    assert difference(imported.exportables[0].module(x, t), network(x, t)) < 1e-5


def test_the_trainers_file_gives_the_averaged_network(tmp_path: Path) -> None:
    averaged, newest = (Diffusion(unet("2"), torch.from_numpy(alpha_bars("sigmoid", 30)), "pred_v") for _ in range(2))
    newest.model.final_conv.weight.data.zero_()
    ema = {
        "initted": torch.tensor(True),
        "step": torch.tensor(10),
        **{f"online_model.{key}": value for key, value in newest.state_dict().items()},
        **{f"ema_model.{key}": value for key, value in averaged.state_dict().items()},
    }
    content = {
        "step": 10, "model": newest.state_dict(), "opt": {"state": {}, "param_groups": []}, "ema": ema, "scaler": None,
        "version": "2.2.5",
    }  # fmt: skip
    imported, weights = saved(tmp_path / "model-1.pt", content, image_size=(8, 8))
    x, t = noisy(count=1)
    assert difference(imported.exportables[0].module(x, t), averaged.model(x, t)) < 1e-5
    assert weights.averaged
    assert len(imported.exportables[0].card.schedule["alpha_bar"]) == 30


def test_what_a_unet_does_not_say_is_said_and_can_be_given() -> None:
    network = unet("2")
    imported = read(network.state_dict())
    said = " ".join(imported.remarks)
    assert all(flag in said for flag in ("--image-size", "--noise-schedule", "--noise-steps", "--prediction"))
    assert imported.spec.image_size == (128, 128)
    asked = read(network.state_dict(), image_size=(16, 24), noise_schedule="cosine", noise_steps=50, prediction="x0")
    assert asked.remarks == ()
    assert asked.spec.image_size == (16, 24)
    assert asked.exportables[0].card.schedule["prediction"] == "x0"
    assert np.allclose(asked.exportables[0].card.schedule["alpha_bar"], alpha_bars("cosine", 50))
    with pytest.raises(UserError, match="--image-size 9x8: expected multiples of 2"):
        read(network.state_dict(), image_size=(8, 9))
    buffers = Diffusion(network, torch.from_numpy(alpha_bars("cosine", 40)), "pred_v").state_dict()
    with pytest.raises(UserError, match="--noise-steps: the file has its schedule"):
        read(buffers, noise_steps=10)


def test_the_tutorials_constants() -> None:
    torch.manual_seed(0)
    imported = read(lively(Unet("tutorial", channels=1, mults=(1, 2, 4))).state_dict())
    schedule = imported.exportables[0].card.schedule
    assert imported.spec.shape == (1, 28, 28)
    assert schedule["prediction"] == "epsilon"
    assert np.allclose(schedule["alpha_bar"], np.cumprod(1 - np.linspace(1e-4, 0.02, 300)))


def giving_back(network: nn.Module) -> nn.Module:
    """A U-Net whose answer is what goes in, by its outermost skip connection: as one predicts the noise where there is
    nothing else."""
    last, width = network.final_res_block, network.init_conv.out_channels
    for weight in (network.init_conv.weight, network.init_conv.bias, last.block2.norm.g, last.res_conv.weight,
                   last.res_conv.bias, network.final_conv.weight, network.final_conv.bias):  # fmt: skip
        weight.data.zero_()
    for channel in range(3):
        network.init_conv.weight.data[channel, channel, 3, 3] = 1
        last.res_conv.weight.data[channel, width + channel] = 1
        network.final_conv.weight.data[channel, channel] = 1
    return network


def test_the_answers_tell_that_the_noise_is_predicted() -> None:
    imported = read(giving_back(unet("2")).state_dict(), image_size=(16, 16))
    assert imported.exportables[0].card.schedule["prediction"] == "epsilon"
    assert any("gives back the noise" in remark for remark in imported.remarks)
    asked = read(giving_back(unet("2")).state_dict(), image_size=(16, 16), prediction="v")
    assert asked.exportables[0].card.schedule["prediction"] == "v"


@pytest.mark.slow
@pytest.mark.parametrize("corrected", [False, True])
def test_the_answers_tell_how_weights_are_standardised(corrected: bool) -> None:
    torch.manual_seed(0)
    network = Unet("tutorial")
    for part in network.modules():
        if isinstance(part, Standardised):
            part.corrected = corrected
    network = lively(network).requires_grad_(True)
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(150):  # so that it finds noise
        x, t = torch.randn(4, 3, 16, 16), torch.randint(300, (4,))
        optimiser.zero_grad()
        (network(x, t) - x).square().mean().backward()
        optimiser.step()
    network = network.eval().requires_grad_(False)
    imported = read(network.state_dict(), image_size=(16, 16))
    x, t = noisy(side=16)
    assert difference(imported.exportables[0].module(x, t), network(x, t)) < 1e-4
    (said,) = (remark for remark in imported.remarks if "standardised" in remark)
    assert ("corrected copies" in said) == corrected
    assert "of the noise" in said
    asked = read(network.state_dict(), image_size=(16, 16), standardisation="published" if corrected else "corrected")
    assert difference(asked.exportables[0].module(x, t), network(x, t)) > 1e-2


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES)
def test_exported_denoisers_predict_the_same(tmp_path: Path, style: str) -> None:
    network = unet(style)
    path, card = exported(network.state_dict(), tmp_path, image_size=(8, 8))
    x, t = noisy()
    assert abs(run(path, noisy=x.numpy(), t=t.numpy()) - network(x, t).numpy()).max() < 1e-4
    assert (card.kind, card.family, card.image_size) == ("denoiser", "ddpm_unet", (8, 8))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"downs.0.0.block1.norm.g": None}, "downs.0.0.block1.norm.weight is missing"),
        (
            {"downs.1.2.to_out.weight": torch.zeros(8, 32, 2, 1)},
            "downs.1.2.to_out.weight is 8x32x2x1, expected",
        ),
        ({"mid_attn.mem_kv": torch.zeros(3)}, "mid_attn.mem_kv is .*3.*, expected 4 axes"),
        ({"downs.7.0.block1.proj.weight": torch.zeros(1)}, "downs has levels"),
        ({"time_mlp.0.weights": torch.zeros(8)}, "there is no place for time_mlp.0.weights"),
        ({"init_conv.weight": torch.zeros(8, 5, 7, 7)}, "images of 5 channels|init_conv|final_conv"),
        ({"downs.0.3.1.weight": torch.zeros(1 << 22, 1, 1, 1)}, "downs.0.3.1|nearly"),
        ({"mid_attn.mem_kv": torch.zeros(2, 4, 4, 9)}, "does not fit ddpm_unet: nearly"),
    ],
)
def test_what_almost_fits_is_named(change: dict[str, Tensor | None], expected: str) -> None:
    state = {key: value for key, value in {**unet("2").state_dict(), **change}.items() if value is not None}
    with pytest.raises(UserError, match=expected) as caught:
        read(state, image_size=(8, 8))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "alpha_bar",
    [
        torch.ones(20), torch.linspace(0.1, 0.9, 20), torch.linspace(0.9, -1, 20), torch.zeros(0), torch.rand(3, 3),
        torch.linspace(0.99, 0.01, 1_000_000),
    ],
    ids=["flat", "rising", "negative", "empty", "table", "a million steps"],
)  # fmt: skip
def test_schedules_that_no_sampler_can_use_are_refused(alpha_bar: Tensor) -> None:
    state = {f"model.{key}": value for key, value in unet("2").state_dict().items()}
    with pytest.raises(UserError, match=r"alphas_cumprod (has|does not)"):
        read({**state, "alphas_cumprod": alpha_bar}, image_size=(8, 8))
