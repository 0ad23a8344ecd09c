"""The samplers, against the exact answers of known denoisers, with arrays of NumPy and of torch."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from small_denoisers import STEPS, alpha_bar, known_images

from trainer.contract.samplers import add_noise, ddim, ddpm, dpm_solver, even_ratios, even_times
from viewer.sessions.denoiser import Floats
from viewer.sessions.sampling import Page

PREDICTIONS = ("epsilon", "x0", "v")
SHARES = alpha_bar()
COSINE = np.cos((np.arange(1, STEPS + 1) / STEPS + 0.008) / 1.008 * np.pi / 2) ** 2 * 0.999 + 1e-6


def schedule(prediction: str, shares: np.ndarray = SHARES) -> dict[str, Any]:
    return {"prediction": prediction, "alpha_bar": shares.tolist()}


def exact(known: dict[str, Any], mean: Floats, spread: float = 0.0) -> Callable[[Floats, int], Floats]:
    """What is right to predict where images are spread normally round one."""

    def predict(x: Floats, t: int) -> Floats:
        share = known["alpha_bar"][t]
        clean = mean + share**0.5 * spread**2 / (share * spread**2 + 1 - share) * (x - share**0.5 * mean)
        epsilon = (x - share**0.5 * clean) / (1 - share) ** 0.5
        found = {"epsilon": epsilon, "x0": clean, "v": share**0.5 * epsilon - (1 - share) ** 0.5 * clean}
        return np.asarray(found[known["prediction"]], np.float32)

    return predict


def gaussian(seed: int) -> Callable[[Sequence[int]], Floats]:
    generator = np.random.default_rng(seed)
    return lambda shape: generator.normal(size=shape).astype(np.float32)


def last(steps: Iterator[tuple[int, Floats]], count: int) -> Floats:
    made = list(steps)
    assert [index for index, _ in made] == list(range(count))
    return made[-1][1]


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("shares", [SHARES, COSINE], ids=["linear", "cosine"])
@pytest.mark.parametrize("start", [STEPS, 300, 1])
def test_every_sampler_arrives_at_the_only_image_there_is(prediction: str, shares: np.ndarray, start: int) -> None:
    known, image = schedule(prediction, shares), known_images()
    predict, x = exact(known, image), gaussian(1)((2, 3, 16, 16))
    for steps in (1, 2, 25, min(start, 300)):
        count = min(steps, start)
        ways = [
            ddim(predict, known, x, start, steps),
            ddim(predict, known, x, start, steps, eta=0.7, noise=gaussian(2)),
            ddpm(predict, known, x, start, steps, noise=gaussian(2)),
            dpm_solver(predict, known, x, start, steps),
        ]
        for way in ways:
            found = last(way, count)
            assert found.dtype == np.float32
            assert np.abs(found - image).max() < 2e-3


def test_where_images_are_a_cloud_noise_goes_to_its_own_place_in_it() -> None:
    known, spread, image = schedule("v"), 0.3, known_images() * 0.5
    x, share = gaussian(3)((4, 3, 16, 16)), SHARES[-1]
    place = image + spread * (x - share**0.5 * image) / (share * spread**2 + 1 - share) ** 0.5  # along the ODE

    def error(way: Iterator[tuple[int, Floats]], steps: int) -> float:
        return float(np.abs(last(way, steps) - place).max())

    predict = exact(known, image, spread)
    assert error(ddim(predict, known, x, STEPS, STEPS, limit=0), STEPS) < 0.01
    plain = error(ddim(predict, known, x, STEPS, 20, limit=0), 20)
    assert error(dpm_solver(predict, known, x, STEPS, 20, limit=0), 20) < 0.35 * plain


def test_ancestral_sampling_draws_from_the_whole_cloud() -> None:
    known, spread, image = schedule("epsilon"), 0.2, known_images(1, 8, 8) * 0.5
    x = gaussian(4)((60, 3, 8, 8))
    found = last(ddpm(exact(known, image, spread), known, x, STEPS, STEPS, noise=gaussian(5), limit=0), STEPS)
    assert np.abs(found.mean(0) - image).max() < 0.15
    assert found.std(0).mean() == pytest.approx(spread, rel=0.05)
    assert np.corrcoef((found - image).ravel(), x.ravel())[0, 1] < 0.1  # and has forgotten where it began


def test_an_image_with_noise_put_on_is_itself_again_where_nothing_is_better() -> None:
    known, image = schedule("x0"), known_images()
    noisy = add_noise(known, image, 300, gaussian(6)(image.shape))
    assert (noisy - SHARES[299] ** 0.5 * image).std() == pytest.approx((1 - SHARES[299]) ** 0.5, rel=0.1)
    assert np.abs(last(ddim(exact(known, image), known, noisy, 300, 10), 10) - image).max() < 1e-3


@pytest.mark.parametrize(("start", "steps"), [(1000, 1), (1000, 25), (300, 7), (300, 300), (5, 99), (1, 1)])
def test_times_fall_from_the_start_and_none_comes_twice(start: int, steps: int) -> None:
    for times in (even_times(schedule("v"), start, steps), even_ratios(schedule("v"), start, steps)):
        assert len(times) == min(steps, start)
        assert times[0] == start - 1
        assert times[-1] >= 0
        assert all(one > other for one, other in pairwise(times))


@pytest.mark.parametrize(
    ("start", "steps", "expected"), [(0, 5, "start is 0"), (1001, 5, "1 to 1000"), (9, 0, "least 1")]
)
def test_no_steps_to_take_is_an_error(start: int, steps: int, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        next(ddim(lambda x, t: x, schedule("x0"), known_images(), start, steps))


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("start", [STEPS, 300])
def test_torch_and_numpy_give_the_same(prediction: str, start: int) -> None:
    torch = pytest.importorskip("torch")

    known = schedule(prediction, COSINE)
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.SiLU(), torch.nn.Conv2d(8, 3, 3, padding=1), torch.nn.Tanh()
    )

    def in_torch(x: Any, t: int) -> Any:
        with torch.no_grad():
            return network(x) * (1 + t / STEPS)

    def in_numpy(x: Floats, t: int) -> Floats:
        return np.asarray(in_torch(torch.from_numpy(x), t).numpy())

    def noise_in_torch(seed: int) -> Callable[[Sequence[int]], Any]:
        numbers = gaussian(seed)
        return lambda shape: torch.from_numpy(numbers(shape))

    x = gaussian(7)((2, 3, 8, 8))
    image = torch.from_numpy(x.copy())
    pairs = [
        (ddpm(in_numpy, known, x, 200, 200, noise=gaussian(8)),
         ddpm(in_torch, known, image, 200, 200, noise=noise_in_torch(8))),
        (ddpm(in_numpy, known, x, start, 40, noise=gaussian(8)),
         ddpm(in_torch, known, image, start, 40, noise=noise_in_torch(8))),
        (ddim(in_numpy, known, x, start, 25), ddim(in_torch, known, image, start, 25)),
        (ddim(in_numpy, known, x, start, 25, eta=0.5, noise=gaussian(9), limit=0),
         ddim(in_torch, known, image, start, 25, eta=0.5, noise=noise_in_torch(9), limit=0)),
        (dpm_solver(in_numpy, known, x, start, 15), dpm_solver(in_torch, known, image, start, 15)),
        (dpm_solver(in_numpy, known, x, start, 15, eta=0.5, noise=gaussian(9)),
         dpm_solver(in_torch, known, image, start, 15, eta=0.5, noise=noise_in_torch(9))),
    ]  # fmt: skip
    for ours, theirs in pairs:
        for (index, found), (their_index, expected) in zip(ours, theirs, strict=True):
            assert index == their_index
            assert np.abs(found - expected.numpy()).max() < 1e-4 * max(1.0, float(np.abs(found).max()))


def test_noise_follows_from_the_seed_and_turns_between_the_corners() -> None:
    shape = (3, 16, 16)
    alone, between = Page(5, 1, 3, 4), Page(5, 1, 3, 4, interpolated=True)
    assert np.array_equal(alone.noise(shape, range(12), 0), alone.noise(shape, range(12), 0))
    fields = alone.noise(shape, range(12), 2)
    assert not np.array_equal(fields, alone.noise(shape, range(12), 1))
    assert not np.array_equal(fields, Page(6, 1, 3, 4).noise(shape, range(12), 2))
    assert fields.mean() == pytest.approx(0, abs=0.05)
    assert fields.std() == pytest.approx(1, abs=0.05)
    turned = between.noise(shape, range(12), 2)
    for corner in (0, 3, 8, 11):
        assert np.array_equal(turned[corner], fields[corner])
    assert turned.std(axis=(1, 2, 3)) == pytest.approx(np.ones(12), abs=0.12)  # as long as noise is, everywhere
    near = [np.corrcoef(turned[0].ravel(), field.ravel())[0, 1] for field in turned[:4]]
    assert near == sorted(near, reverse=True)
    assert np.array_equal(Page(5, 1, 1, 1, interpolated=True).noise(shape, [0], 0)[0], alone.noise(shape, [0], 0)[0])
