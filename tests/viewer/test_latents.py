"""Seeds to latents, and the ways between them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from export.card import Latent
from viewer.latents import Walk, bilinear, draw, draw_many, lerp, slerp, truncate

LATENT = Latent(size=10)
vectors = arrays(np.float32, 6, elements=st.floats(-100, 100, width=32))


def test_a_seed_gives_the_same_latent_for_ever() -> None:
    assert draw(Latent(size=3), 0, 0) == pytest.approx([0.2396455, 0.6037219, -0.2856404], abs=1e-6)
    assert draw(Latent(size=3), 7, 47) == pytest.approx([-2.3284943, 0.2068008, -0.5691567], abs=1e-6)


def test_latents_are_standard_normal_and_independent() -> None:
    drawn = draw_many(Latent(size=64), 5, range(400)).astype(np.float64)
    assert abs(drawn.mean()) < 0.02
    assert abs(drawn.std() - 1) < 0.02
    assert abs((drawn**4).mean() - 3) < 0.15
    assert np.abs(np.corrcoef(drawn.T) - np.eye(64)).max() < 0.25
    assert len(np.unique(drawn[:, 0])) == 400


def test_a_uniform_prior_stays_in_its_range() -> None:
    latent = Latent(size=50, prior="uniform")
    drawn = draw_many(latent, 0, range(50))
    assert -1 < drawn.min() < -0.95
    assert 0.95 < drawn.max() < 1
    assert np.abs(truncate(latent, drawn, 2.0)).max() <= 1


def test_truncation_is_about_the_mean_of_the_training_images() -> None:
    latent = Latent(size=3, mean=(1.0, 2.0, 3.0))
    drawn = draw_many(latent, 0, range(5))
    assert np.array_equal(truncate(latent, drawn, 1.0), drawn)
    assert np.allclose(truncate(latent, drawn, 0.0), [1, 2, 3])
    assert np.allclose(truncate(latent, drawn, 0.5), (drawn + np.array([1, 2, 3])) / 2, atol=1e-6)


@given(vectors, vectors, st.floats(0, 1))
def test_ways_begin_and_end_where_they_should_and_stay_finite(
    start: np.ndarray, end: np.ndarray, fraction: float
) -> None:
    for between in (lerp, slerp):
        assert np.isfinite(between(start, end, fraction)).all()
        assert np.allclose(between(start, end, 0.0), start, atol=1e-2)
        assert np.allclose(between(start, end, 1.0), end, atol=1e-2)


@given(st.integers(0, 1000), st.floats(0, 1))
def test_slerp_keeps_the_length(seed: int, fraction: float) -> None:
    start, end = draw(LATENT, seed, 0), draw(LATENT, seed, 1)
    end = end * np.linalg.norm(start) / np.linalg.norm(end)
    assert np.linalg.norm(slerp(start, end, fraction)) == pytest.approx(np.linalg.norm(start), rel=1e-4)


def test_the_corners_of_a_sheet_are_exact() -> None:
    corners = draw_many(LATENT, 0, range(4))
    sheet = bilinear(corners, 6, 8).reshape(6, 8, -1)
    assert np.array_equal(sheet[[0, 0, -1, -1], [0, -1, 0, -1]], corners)
    assert np.allclose(sheet[2, 3], sheet[2, 2] / 2 + sheet[2, 4] / 2, atol=1e-6)
    assert np.array_equal(bilinear(corners, 1, 1), corners[:1])


@pytest.mark.parametrize("straight", [False, True])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_a_walk_has_no_hitch_at_its_joints(straight: bool, seed: int) -> None:
    walk = Walk(LATENT, seed, straight)
    points = np.stack([walk.at(frame / 30) for frame in range(151)])
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    assert steps.min() > 0.02  # no image is shown twice
    ratio = steps[1:] / steps[:-1]
    assert ratio.min() > 0.8
    assert ratio.max() < 1.25
    for joint in range(1, 5):
        assert np.allclose(points[30 * joint], draw(LATENT, seed, joint), atol=1e-5)


def test_a_closed_walk_comes_back_without_a_hitch() -> None:
    walk = Walk(LATENT, 3, legs=3)
    points = np.stack([walk.at(frame / 30) for frame in range(181)])
    assert np.allclose(points[90:], points[:91], atol=1e-5)


def test_several_walks_of_one_seed_differ() -> None:
    assert not np.allclose(Walk(LATENT, 0).at(0.5), Walk(LATENT, 0, number=1).at(0.5))
