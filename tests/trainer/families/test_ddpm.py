"""Noise schedules, samplers on data whose best predictor is known, and the U-Net that learns to be one."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from export.card import Card, Port
from trainer.contract.errors import UserError
from trainer.contract.samplers import ddim, ddpm, dpm_solver, even_ratios, even_times, predict_x0
from trainer.families.ddpm import DDPM, DDPMConfig
from trainer.family import Batch, DataSpec
from trainer.parts.denoiser_unet import Denoiser, folded
from trainer.parts.in_colour import InColour
from trainer.parts.noise_schedule import Diffusion, Prediction, ScheduleName

SCHEDULES: tuple[ScheduleName, ...] = get_args(ScheduleName)
PREDICTIONS: tuple[Prediction, ...] = ("epsilon", "x0", "v")
EVERY = [Diffusion(kind=kind, prediction=prediction) for kind in SCHEDULES for prediction in PREDICTIONS]
NAMES = [f"{item.kind}-{item.prediction}" for item in EVERY]
STD = 0.5  # of the images, all normal numbers, that the samplers are to draw


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def best_predictor(diffusion: Diffusion) -> Callable[[Tensor, int], Tensor]:
    """What a perfect network would say of normal images: their mean given what is seen."""
    alpha_bar = diffusion.alpha_bar

    def predict(x: Tensor, t: int) -> Tensor:
        share = float(alpha_bar[t])
        image = share**0.5 * STD**2 / (share * STD**2 + 1 - share) * x
        noise = (x - share**0.5 * image) / (1 - share) ** 0.5
        v = share**0.5 * noise - (1 - share) ** 0.5 * image
        return {"epsilon": noise, "x0": image, "v": v}[diffusion.prediction]

    return predict


def draw(shape: Sequence[int]) -> Tensor:
    return torch.randn(tuple(shape), generator=generator(1))


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("steps", [2, 1000])
def test_the_card_takes_every_schedule(kind: ScheduleName, steps: int) -> None:
    facts = Diffusion(kind=kind, prediction="v", steps=steps).schedule()
    ports = (
        Port(name="noisy", dtype="f32", shape=(None, 3, 8, 8)),
        Port(name="t", dtype="i64", shape=(None,)),
    )
    output = Port(name="prediction", dtype="f32", shape=(None, 3, 8, 8))
    card = Card(kind="denoiser", family="ddpm", name="x", inputs=ports, output=output, schedule=facts)
    read = Card.from_props(card.to_props())
    assert read is not None
    assert read.schedule["alpha_bar"] == facts["alpha_bar"]
    assert len(facts["alpha_bar"]) == steps


def test_schedules_are_those_of_the_papers() -> None:
    linear, cosine = (Diffusion(kind=kind).alpha_bar for kind in ("linear", "cosine"))
    assert linear[0] == pytest.approx(1 - 1e-4)
    assert linear[-1] == pytest.approx(4.0358e-5, rel=1e-3)
    assert cosine[499] == pytest.approx(0.4938, abs=1e-3)
    assert Diffusion(kind="sigmoid").alpha_bar[499] == pytest.approx(0.5, abs=1e-6)
    assert np.diff(np.sqrt(1 - Diffusion(kind="quadratic").alpha_bar[1:] / Diffusion(kind="quadratic").alpha_bar[:-1]),
                   2) == pytest.approx(0, abs=1e-9)  # fmt: skip


@pytest.mark.parametrize("diffusion", EVERY, ids=NAMES)
def test_a_true_prediction_gives_the_image_back(diffusion: Diffusion) -> None:
    times = torch.tensor([0, 10, 500, 900])
    image, noise = torch.rand(2, 4, 3, 4, 4, generator=generator())
    noisy, target = diffusion.add_noise(image, times, noise), diffusion.target(image, times, noise)
    for index, t in enumerate(times.tolist()):
        found = predict_x0(diffusion.schedule(), target[index], noisy[index], t)
        assert torch.allclose(found, image[index], atol=1e-4)


def test_min_snr_weighs_the_errors_of_images() -> None:
    """Whatever is predicted, the same mistake about the image counts the same."""
    t = torch.tensor([0, 100, 300, 600, 950])
    image, noise, wrong = torch.rand(3, 5, 1, 2, 2, generator=generator())
    counted = []
    for prediction in PREDICTIONS:
        diffusion = Diffusion(kind="linear", prediction=prediction)
        noisy = diffusion.add_noise(image, t, noise)
        signal, rest = diffusion.coefficients(t)
        truth, said = (
            {"epsilon": (noisy - signal * x) / rest, "x0": x, "v": (signal * noisy - x) / rest}[prediction]
            for x in (image, wrong)
        )
        counted.append(diffusion.weight(t, 5.0) * (truth - said).square().flatten(1).mean(1))
    assert torch.allclose(counted[0], counted[1], rtol=1e-3)
    assert torch.allclose(counted[0], counted[2], rtol=1e-3)
    assert torch.equal(Diffusion().weight(t, 0.0), torch.ones(5))


@pytest.mark.parametrize("diffusion", EVERY, ids=NAMES)
def test_samplers_draw_from_the_right_distribution(diffusion: Diffusion) -> None:
    predict, schedule, x = best_predictor(diffusion), diffusion.schedule(), draw((20_000, 1, 1, 1))
    chance = generator(2)

    def noise(shape: Sequence[int]) -> Tensor:
        return torch.randn(tuple(shape), generator=chance)

    for sampler, tolerance in (
        (ddpm(predict, schedule, x, 1000, 1000, noise=noise, limit=0), 0.02),
        (ddpm(predict, schedule, x, 1000, 200, noise=noise, limit=0), 0.05),
        (ddim(predict, schedule, x, 1000, 200, limit=0), 0.02),
        (ddim(predict, schedule, x, 1000, 200, eta=0.5, noise=noise, limit=0), 0.05),
        (dpm_solver(predict, schedule, x, 1000, 15, limit=0), 0.04),
        (dpm_solver(predict, schedule, x, 1000, 60, limit=0), 0.02),
        (dpm_solver(predict, schedule, x, 1000, 60, eta=0.5, noise=noise, limit=0), 0.04),
        (dpm_solver(predict, schedule, x, 1000, 60, eta=1.0, noise=noise, limit=0), 0.04),
    ):
        *_, (_, image) = sampler
        assert image.std().item() == pytest.approx(STD, rel=tolerance)


def test_the_solver_of_second_order_needs_fewer_steps() -> None:
    """Its error falls with the square of the steps, that of DDIM with the steps."""
    diffusion = Diffusion(kind="linear", prediction="epsilon")
    predict, schedule, x = best_predictor(diffusion), diffusion.schedule(), draw((64, 1, 1, 1))

    def end(sampler: Any) -> Tensor:
        *_, (_, image) = sampler
        return image

    exact = end(dpm_solver(predict, schedule, x, 1000, 300, limit=0))
    errors = [
        (end(dpm_solver(predict, schedule, x, 1000, steps, limit=0)) - exact).abs().max().item() for steps in (10, 40)
    ]
    assert errors[1] < errors[0] / 6
    assert errors[0] < (end(ddim(predict, schedule, x, 1000, 10, limit=0)) - exact).abs().max().item() / 2


@pytest.mark.parametrize("start", [1, 7, 300, 1000])
@pytest.mark.parametrize("steps", [1, 2, 15, 299, 5000])
def test_any_number_of_steps_from_any_start(start: int, steps: int) -> None:
    schedule = Diffusion().schedule()
    for times in (even_times(schedule, start, steps), even_ratios(schedule, start, steps)):
        assert len(times) == min(steps, start)
        assert times[0] == start - 1
        assert times[-1] >= 0
        assert all(one > other for one, other in pairwise(times))


@pytest.mark.parametrize(("start", "steps"), [(0, 5), (1001, 5), (5, 0)])
def test_no_steps_to_take_is_an_error(start: int, steps: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        next(ddim(best_predictor(Diffusion()), Diffusion().schedule(), draw((1, 1, 1, 1)), start, steps))


def test_images_stay_within_the_limit() -> None:
    """A network that is wrong by far does no harm."""
    schedule = Diffusion(prediction="epsilon").schedule()
    for sampler in (ddim, dpm_solver):
        *_, (_, image) = sampler(lambda x, t: 100 * x, schedule, draw((8, 1, 4, 4)), 1000, 10)
        assert image.abs().max() <= 1.001


@pytest.mark.parametrize("size", [(32, 32), (28, 28), (36, 44)])
@pytest.mark.parametrize("classes", [0, 3])
def test_folded_weights_are_the_same_network(size: tuple[int, int], classes: int) -> None:
    torch.manual_seed(0)
    net = Denoiser(3, 8, (1, 2, 4), classes).eval()
    for parameter in net.parameters():  # also what begins at zero
        parameter.data += 0.1 * torch.randn_like(parameter)
    noisy, t, label = torch.randn(4, 3, *size), torch.tensor([0, 5, 500, 999]), torch.tensor([0, 2, 3, -1])
    with torch.no_grad():
        expected = net(noisy, t, label if classes else None)
        assert torch.allclose(folded(net)(noisy, t, label if classes else None), expected, atol=1e-4)
        if classes:  # what no class is told, any class is
            assert torch.allclose(net(noisy, t)[2:], expected[2:], atol=1e-5)
            assert not torch.allclose(net(noisy, t)[:2], expected[:2], atol=1e-3)
    assert expected.shape == noisy.shape
    assert sum(parameter.requires_grad for parameter in net.parameters()) == len(list(net.parameters()))


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_a_grey_network_makes_three_equal_channels_of_any_noise(prediction: Prediction) -> None:
    torch.manual_seed(0)
    diffusion = Diffusion(prediction=prediction)
    net = Denoiser(1, 8, (1, 2)).eval()
    net.last.weight.data.normal_()
    coloured = InColour(folded(net), 1, prediction, diffusion.alpha_bar).eval()
    x = torch.randn(2, 3, 8, 8, generator=generator())
    with torch.no_grad():
        *_, (_, image) = ddim(lambda x, t: coloured(x, torch.full((2,), t)), diffusion.schedule(), x, 1000, 20)
        *_, (_, grey) = ddim(lambda x, t: net(x, torch.full((2,), t)), diffusion.schedule(), x[:, :1], 1000, 20)
    assert torch.allclose(image, grey.expand(-1, 3, -1, -1), atol=1e-3)


def test_some_classes_are_not_told() -> None:
    torch.manual_seed(0)
    labels = torch.arange(1000) % 3
    dropped = DDPM(DDPMConfig(drop_label=0.25)).drop_labels(labels)
    assert dropped is not None
    assert set(dropped.unique().tolist()) == {-1, 0, 1, 2}
    assert (dropped == -1).float().mean().item() == pytest.approx(0.25, abs=0.05)
    assert torch.equal(dropped[dropped >= 0], labels[dropped >= 0])
    assert DDPM(DDPMConfig(classes=False)).drop_labels(labels) is None


def test_scores_are_always_of_the_same_noise() -> None:
    family = DDPM(DDPMConfig(width=8, classes=False))
    nets = family.build(DataSpec(image_size=(8, 8), channels=3))
    batch = Batch(image=torch.rand(5, 3, 8, 8, generator=generator()))
    with torch.no_grad():
        first, second = (family.score(nets, batch)["score"] for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape == (5,)


def test_guidance_leads_from_all_classes_towards_one() -> None:
    torch.manual_seed(0)
    noise, label = torch.randn(2, 3, 8, 8), torch.tensor([0, 1])
    nets, images = None, {}
    for guidance in (0.0, 3.0, -1.0):
        family = DDPM(DDPMConfig(width=8, guidance=guidance, sample_steps=3))
        nets = nets or family.build(DataSpec(image_size=(8, 8), channels=3, classes=("a", "b")))
        for parameter in nets.denoiser.parameters():
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator(3)) * (guidance == 0)
        with torch.no_grad():
            images[guidance] = family.sample(nets, {}, noise, label)
            free = family.sample(nets, {}, noise)
    assert torch.allclose(images[-1.0], free, atol=1e-4)  # all the way back to any class
    assert not torch.allclose(images[0.0], images[3.0], atol=1e-3)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"width": 12}, "--width is 12, expected a multiple of 8"),
        ({"multipliers": ()}, "--multipliers"),
        ({"multipliers": (1, 0)}, "--multipliers"),
        ({"drop_label": 1.5}, "--drop-label is 1.5, expected 0 to 1"),
        ({"min_snr": -1.0}, "--min-snr"),
        ({"sample_steps": 0}, "--sample-steps"),
        ({"noise_steps": 1}, "--noise-steps is 1, expected at least 2"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        DDPMConfig(**options)


def test_sides_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(ValueError, match="30x32 px, expected multiples of 4 px"):
        DDPM(DDPMConfig()).build(DataSpec(image_size=(32, 30), channels=3))
