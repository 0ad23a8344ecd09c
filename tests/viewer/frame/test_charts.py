"""Curves are smoothed as TensorBoard smooths them, and no point that can be seen is lost where there are many."""

import math

import numpy as np
import pytest

from viewer.frame.area import Area
from viewer.frame.charts import axis_ticks, bounds_of, draw_curve, fraction_of, short, short_labels, smoothed, trace

RANDOM = np.random.default_rng(0)


def plainly(values: list[float], weight: float) -> list[float]:
    """TensorBoard's loop."""
    last, count, found = 0.0, 0, []
    for value in values:
        if not math.isfinite(value):
            found.append(value)
            continue
        last, count = last * weight + (1 - weight) * value, count + 1
        found.append(last / (1 - weight**count))
    return found


@pytest.mark.parametrize("weight", [0.3, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("count", [1, 2, 300, 5000])
def test_smoothing_is_that_of_tensorboard(weight: float, count: int) -> None:
    values = RANDOM.normal(5, 20, count)
    values[count // 2 :: 97] = np.nan
    values[count // 3 :: 89] = np.inf
    assert np.allclose(smoothed(values, weight), plainly(values.tolist(), weight), rtol=1e-9, equal_nan=True)


@pytest.mark.parametrize("known", [1, 2, 40, 299, 300])
def test_smoothing_goes_on_from_what_is_known(known: int) -> None:
    values = RANDOM.normal(5, 20, 300)
    values[::17] = np.nan
    values[:3] = 4.0
    whole = smoothed(values, 0.9)
    assert np.allclose(smoothed(values, 0.9, smoothed(values[:known], 0.9)), whole, rtol=1e-9, equal_nan=True)


def test_nothing_to_smooth() -> None:
    assert smoothed(np.array([1.0, 5.0]), 0.0).tolist() == [1, 5]
    assert smoothed(np.full(1000, 1e-4), 0.99).tolist() == [1e-4] * 1000
    assert smoothed(np.empty(0), 0.9).tolist() == []
    assert np.isnan(smoothed(np.full(3, np.nan), 0.9)).all()


@pytest.mark.parametrize(
    ("low", "high", "logarithmic"),
    [(0.0, 1.0, False), (2900.0, 7100.0, False), (-3.0, 1e-3, False), (1e-5, 1e3, True), (3e3, 7e3, True)],
)
def test_ticks_are_few_and_round(low: float, high: float, logarithmic: bool) -> None:
    found = axis_ticks(low, high, 5, logarithmic)
    assert 2 <= len(found) <= 8
    assert all(low - 1e-12 <= value <= high + 1e-12 for value in found)
    assert all(len(f"{value:.12g}".strip("-0.").replace("0", "").replace(".", "")) <= 4 for value in found)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (15360, "15.4k"), (64e6, "64M"), (4386.77, "4387"), (0.0031, "0.0031"), (1e-5, "1e-05"), (-0.5, "-0.5"),
     (9.9999e5, "1M"), (math.nan, "nan"), (1e300, "1e+300")],
)  # fmt: skip
def test_numbers_are_short(value: float, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize("logarithmic", [False, True])
@pytest.mark.parametrize(
    "values",
    [[], [np.nan], [np.inf, 1.0], [3.0, 3.0], [0.0], [-1.0, 5.0], [1e-28, 1e38], list(range(1000))],
)
def test_any_values_have_a_scale(values: list[float], logarithmic: bool) -> None:
    array = np.array(values, np.float64)
    bounds = bounds_of([array], logarithmic)
    assert bounds[0] < bounds[1]
    up = fraction_of(array, bounds, logarithmic)
    shown = up[np.isfinite(array) & ((array > 0) | (not logarithmic))]
    assert ((shown >= 0) & (shown <= 1)).all()
    assert len(axis_ticks(*bounds, 5, logarithmic)) < 20


@pytest.mark.parametrize(("low", "high"), [(0.000121, 0.000129), (0.0009981, 0.0009989), (10.0001, 10.0006), (0, 3)])
def test_the_labels_of_an_axis_differ(low: float, high: float) -> None:
    ticks = axis_ticks(low, high, 6)
    labels = short_labels(ticks)
    assert len(set(labels)) == len(ticks) > 1
    assert [float(label) for label in labels] == pytest.approx(ticks, rel=1e-3)


def test_outliers_do_not_count() -> None:
    values = np.append(RANDOM.normal(5, 1, 1000), 1e6)
    assert bounds_of([values], outliers=False)[1] < 20
    assert bounds_of([values], outliers=True)[1] > 1e6


def test_of_many_points_each_column_keeps_the_lowest_and_highest() -> None:
    area, values = Area(0, 0, 50, 100), np.full(20_000, 0.5)
    values[10_101], values[10_102] = 0.9, 0.1
    (curve,) = trace(np.linspace(0, 1, len(values)), values, area)
    heights = curve[:, 0, 1] / 8
    assert len(curve) <= 102
    assert (heights.min(), heights.max()) == (round((0.1 * 100 - 0.5) * 8) / 8, round((0.9 * 100 - 0.5) * 8) / 8)


def test_gaps_part_a_curve() -> None:
    up = np.array([0.1, 0.2, np.nan, 0.4, np.nan, np.nan, 0.5])
    assert [len(curve) for curve in trace(np.linspace(0, 1, 7), up, Area(0, 0, 50, 50))] == [2, 1, 1]
    assert trace(np.empty(0), np.empty(0), Area(0, 0, 50, 50)) == []


@pytest.mark.parametrize(("across", "drawn"), [(0.0, True), (0.5, True), (1.0, True), (1.3, False), (-0.2, False)])
def test_a_lone_point_at_the_end_of_time_is_a_whole_dot(across: float, drawn: bool) -> None:
    def dot(place: float) -> int:
        image, area = np.zeros((40, 60, 3), np.uint8), Area(10, 5, 40, 30)
        draw_curve(image, area, trace(np.array([place]), np.array([0.5]), area), (255, 255, 255))
        assert not image[:, 50:].any()
        return int(image.astype(int).sum())

    assert (dot(across) > 0) == drawn
    assert not drawn or dot(across) == pytest.approx(dot(0.5), rel=0.1)


@pytest.mark.parametrize("value", [137.4, 1e-4, -3.0, 1e12])
def test_rounding_alone_has_a_scale_too(value: float) -> None:
    values = np.array([value, np.nextafter(value, np.inf), value * (1 + 3e-8)])
    for some in (values[:2], values):
        low, high = bounds_of([some])
        ticks = axis_ticks(low, high, 5)
        assert ticks
        assert all(low <= tick <= high for tick in ticks)
    for relative in (1e-15, 3e-14, 1e-13):  # less than the digits of a number
        low, high = sorted((value * (1 + 3e-13), value * (1 + 3e-13 + relative)))
        assert all(low <= tick <= high for tick in axis_ticks(low, high, 5))
