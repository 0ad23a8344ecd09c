"""The measures against closed forms, and against torchmetrics."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer import metrics


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_frechet_distance_of_two_gaussians_is_its_closed_form() -> None:
    spread1, spread2 = torch.tensor([1.0, 2.0, 0.5]).double(), torch.tensor([3.0, 1.0, 0.5]).double()
    mean1, mean2 = torch.tensor([0.0, 1.0, 0.0]).double(), torch.tensor([2.0, 0.0, 0.0]).double()
    expected = 5 + (2.0**2 + 1.0**2 + 0)
    turn, _ = torch.linalg.qr(draw(3, 3))  # matrices that commute, and are not diagonal
    parts = [
        mean1 @ turn,
        turn.T @ spread1.square().diag() @ turn,
        mean2 @ turn,
        turn.T @ spread2.square().diag() @ turn,
    ]
    assert metrics.frechet_of_moments(*parts) == pytest.approx(expected)
    sampled = [mean + draw(200_000, 3, seed=seed) * spread for seed, (mean, spread) in
               enumerate(((mean1, spread1), (mean2, spread2)))]  # fmt: skip
    assert metrics.frechet_distance(*sampled) == pytest.approx(expected, rel=0.02)


def test_frechet_distance_where_covariances_do_not_commute() -> None:
    one, other = draw(500, 6) @ draw(6, 6, seed=1), draw(400, 6, seed=2) @ draw(6, 6, seed=3) + 1
    (mean1, covariance1), (mean2, covariance2) = metrics.moments(one), metrics.moments(other)
    root = torch.linalg.eigvals(covariance1 @ covariance2).sqrt().sum().real
    expected = (mean1 - mean2).square().sum() + covariance1.trace() + covariance2.trace() - 2 * root
    assert metrics.frechet_distance(one, other) == pytest.approx(float(expected), rel=1e-9)
    assert metrics.frechet_distance(other, one) == pytest.approx(float(expected), rel=1e-9)


@given(count=st.integers(2, 30), size=st.integers(1, 40), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_a_set_is_at_no_distance_from_itself_even_of_few_images(count: int, size: int, seed: int) -> None:
    rows = draw(count, size, seed=seed).float()
    assert metrics.frechet_distance(rows, rows) < 1e-4 * size
    if count > 3:
        assert metrics.precision_recall(rows, rows) == (1.0, 1.0)


def test_kernel_distance_is_unbiased_and_grows_with_the_gap() -> None:
    rows = draw(4000, 16)
    same, std = metrics.kernel_distance(rows[:2000], rows[2000:], size=500)
    assert abs(same) < 3 * std / 2
    assert abs(same) < 0.02
    near, far = (metrics.kernel_distance(rows[:2000], rows[2000:] + gap, size=500)[0] for gap in (0.3, 1.0))
    assert same < near < far
    x, y = draw(3, 2), draw(4, 2, seed=1)
    kernel = [[float((a @ b / 2 + 1) ** 3) for b in (*x, *y)] for a in (*x, *y)]
    xx = sum(kernel[i][j] for i in range(3) for j in range(3) if i != j) / 6
    yy = sum(kernel[i][j] for i in range(3, 7) for j in range(3, 7) if i != j) / 12
    xy = sum(kernel[i][j] for i in range(3) for j in range(3, 7)) / 12
    assert metrics.squared_discrepancy(x, y) == pytest.approx(xx + yy - 2 * xy)


def test_precision_and_recall_tell_narrow_from_wide() -> None:
    real = draw(1500, 2)
    narrow = metrics.precision_recall(real, draw(1500, 2, seed=1) * 0.3)
    wide = metrics.precision_recall(real, draw(1500, 2, seed=1) * 4)
    assert narrow[0] > 0.95
    assert narrow[1] < 0.5
    assert wide[0] < 0.5
    assert wide[1] > 0.9
    assert metrics.precision_recall(real, real + 1000) == (0.0, 0.0)
    # by hand: radii are distances to the nearest other point
    line = metrics.precision_recall(torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[1.5], [2.25], [9.0]]), 1)
    assert line == (pytest.approx(2 / 3), pytest.approx(2 / 3))


def test_entropy_is_that_of_the_shares() -> None:
    assert metrics.entropy(torch.arange(10), 10) == pytest.approx(math.log(10))
    assert metrics.entropy(torch.full((7,), 3), 10) == 0
    assert metrics.entropy(torch.tensor([0, 0, 0, 1]), 2) == pytest.approx(
        -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    )


def test_nearest_finds_the_nearest_in_pieces_and_in_parts() -> None:
    rows = draw(3000, 5)
    points = rows[1000:2500] + 1e-3
    numbers = torch.arange(3000)
    pieces = list(zip(numbers.split(700), rows.split(700), strict=True))
    found = metrics.nearest(points, pieces, 3)
    assert (found.indices[:, 0] == torch.arange(1000, 2500)).all()
    expected = torch.cdist(points, rows).topk(3, largest=False)
    assert torch.allclose(found.distances, expected.values)
    parts = [metrics.nearest(points, pieces[rank::2], 3) for rank in range(2)]
    assert (metrics.merge_nearest(parts, 3).indices == expected.indices).all()
    assert metrics.nearest(points, [(numbers[:2], rows[:2])], 3).indices.shape == (1500, 2)


def test_copies_are_told_from_new_images() -> None:
    train, held_out, new = draw(2000, 4), draw(1000, 4, seed=1), draw(1000, 4, seed=2)
    pieces = [(torch.arange(2000), train)]
    apart = [metrics.nearest(rows, pieces).distances[:, 0] for rows in (held_out, new, train[:1000] + 1e-4)]
    assert metrics.copying(apart[1], apart[0]) == pytest.approx(0.5, abs=0.03)
    assert metrics.copying(apart[2], apart[0]) > 0.99
    assert metrics.copying(apart[0], apart[0]) == pytest.approx(0.5)


@pytest.mark.parametrize("shape", [(3, 3, 32, 24), (2, 1, 28, 28), (2, 3, 11, 11)])
def test_image_measures_agree_with_torchmetrics(shape: tuple[int, ...]) -> None:
    reference = pytest.importorskip("torchmetrics.functional.image")
    random = torch.Generator().manual_seed(0)
    target = torch.rand(shape, generator=random)
    image = (target + 0.1 * torch.randn(shape, generator=random)).clamp(0, 1)
    ours = metrics.structural_similarity(image, target)
    _, theirs = reference.structural_similarity_index_measure(
        image, target, data_range=1.0, reduction="none", return_full_image=True
    )
    inner = theirs[..., 5:-5, 5:-5].flatten(1).mean(1)  # the paper takes windows that lie within the image
    assert torch.allclose(ours, inner, atol=1e-4)
    for one, other, found in zip(image, target, metrics.peak_signal_to_noise(image, target), strict=True):
        assert float(found) == pytest.approx(
            float(reference.peak_signal_noise_ratio(one, other, data_range=1.0)), rel=1e-4
        )


def test_equal_images_are_perfect_at_any_size() -> None:
    for side in (2, 5, 16):
        image = torch.rand(2, 3, side, side)
        assert torch.allclose(metrics.structural_similarity(image, image), torch.ones(2), atol=1e-4)
        assert (metrics.peak_signal_to_noise(image, image) == 100).all()


@pytest.mark.parametrize(
    ("colour", "level"), [((0, 0, 0), 16.0), ((1, 1, 1), 235.0), ((1, 0, 0), 81.481), ((0, 0, 1), 40.966)]
)
def test_brightness_is_that_of_bt_601(colour: tuple[float, float, float], level: float) -> None:
    image = torch.tensor(colour, dtype=torch.float32).view(1, 3, 1, 1).expand(1, 3, 2, 4)
    assert torch.allclose(metrics.luma(image) * 255, torch.full((1, 1, 2, 4), level))
    if colour[0] == colour[1] == colour[2]:
        assert torch.allclose(metrics.luma(image[:, :1]), metrics.luma(image))


def test_a_border_is_left_off_on_all_sides() -> None:
    image = torch.arange(35.0).view(1, 1, 5, 7)
    assert torch.equal(metrics.inside(image, 2), image[:, :, 2:3, 2:5])
    assert torch.equal(metrics.inside(image, 0), image)
