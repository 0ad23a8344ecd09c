"""The direction between two groups of latents: that it is the one which separates them, and how well that is said."""

import numpy as np
import pytest

from viewer.modes.latent.groups import METHODS, separate, shrunk_covariance


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def skewed(size: int, count: int, gap: float = 2.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two groups, normal with one covariance, that a known axis separates best; their means differ by S·axis, and lie
    apart along another one."""
    random = np.random.default_rng(seed)
    axis = random.normal(size=size)
    axis /= np.linalg.norm(axis)
    turned = np.linalg.qr(random.normal(size=(size, size)))[0]
    covariance = turned @ np.diag(np.geomspace(0.05, 5, size)) @ turned.T
    mean = covariance @ axis
    mean *= gap / np.sqrt(axis @ covariance @ axis)
    half = np.linalg.cholesky(covariance)
    groups = [random.normal(size=(count, size)) @ half.T + sign * mean / 2 for sign in (-1, 1)]
    return axis, *groups


@pytest.mark.parametrize("size", [6, 20])
def test_lda_finds_the_axis_that_the_means_miss(size: int) -> None:
    axis, first, second = skewed(size, 2000)
    means, lda = separate(first, second, "means"), separate(first, second, "LDA")
    assert means is not None
    assert lda is not None
    assert cosine(lda.direction, axis) > 0.95
    assert cosine(means.direction, axis) < 0.8
    assert lda.accuracy is not None
    assert means.accuracy is not None
    assert lda.accuracy > means.accuracy + 0.01
    assert lda.accuracy == pytest.approx(0.841, abs=0.03)  # Φ(1): the best that there is for means 2 std apart


def test_the_axis_is_found_where_points_were_told_apart_by_it() -> None:
    """Groups as a user makes them: latents of one skewed cloud, on either side of a plane."""
    random = np.random.default_rng(1)
    axis = np.array([1.0, 0, 0, 0])
    cloud = random.normal(size=(3000, 4)) @ np.array([[1, 2, 0, 0], [0, 1, 0, 0], [0, 0, 3, 1], [0, 0, 0, 0.2]])
    second = cloud @ axis > 0
    found = separate(cloud[~second], cloud[second], "LDA")
    assert found is not None
    assert cosine(found.direction, axis) > 0.95
    skew = separate(cloud[~second], cloud[second], "means")
    assert skew is not None
    assert cosine(skew.direction, axis) < 0.8


def test_what_does_not_separate_is_said_to_be_no_better_than_chance() -> None:
    groups = np.random.default_rng(2).normal(size=(2, 60, 30))
    for method in METHODS:
        found = separate(*groups, method)
        assert found is not None
        assert found.accuracy is not None
        assert 0.35 < found.accuracy < 0.65  # on the points that it was fitted to it would be above 0.8


@pytest.mark.parametrize("method", METHODS)
def test_few_points_of_many_numbers(method: str) -> None:
    random = np.random.default_rng(3)
    first, second = random.normal(size=(4, 100)), random.normal(size=(5, 100)) + np.eye(1, 100) * 30
    found = separate(first, second, method)
    assert found is not None
    assert cosine(found.direction, np.eye(1, 100)[0]) > 0.9
    assert found.accuracy == 1.0
    assert np.array_equal(found.direction, separate(first, second, method).direction)
    alone = separate(first[:1], second[:1], method)
    assert alone is not None
    assert alone.accuracy is None
    assert cosine(alone.direction, second[0] - first[0]) == pytest.approx(1)
    assert separate(first[:1], first[:1], method) is None


def test_the_covariance_is_shrunk_as_far_as_points_are_few() -> None:
    """Against the definition of Ledoit and Wolf, written out."""
    points = np.random.default_rng(4).normal(size=(12, 5)) * (3, 2, 1, 1, 0.1)
    points -= points.mean(axis=0)
    sample = points.T @ points / 12
    target = np.trace(sample) / 5 * np.eye(5)
    distance = np.sum((sample - target) ** 2)
    error = sum(np.sum((np.outer(point, point) - sample) ** 2) for point in points) / 12**2
    weight = min(error / distance, 1)
    assert 0.05 < weight < 1
    assert np.allclose(shrunk_covariance(points), weight * target + (1 - weight) * sample)


def test_latents_of_any_size_do_no_harm() -> None:
    """Encoders come from anywhere."""
    random = np.random.default_rng(5)
    for scale in (0.0, 1e-30, 1e30, 3e38):
        first, second = (random.normal(size=(6, 4)).clip(-1, 1) * scale for _ in range(2))
        for method in METHODS:
            found = separate(first.astype(np.float32), second.astype(np.float32), method)
            assert found is None or np.linalg.norm(found.direction) == pytest.approx(1)
