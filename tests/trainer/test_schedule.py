"""Learning rates over a run."""

import pytest

from trainer.schedule import rate_factor


@pytest.mark.parametrize(("schedule", "decay_from", "expected"), [
    ("constant", 0.5, (1, 1, 1, 1, 1)),
    ("linear", 0.0, (1, 0.75, 0.5, 0.25, 0)),
    ("linear", 0.5, (1, 1, 1, 0.5, 0)),
    ("cosine", 0.5, (1, 1, 1, 0.5, 0)),
    ("tenth", 0.75, (1, 1, 1, 0.1, 0.1)),
])  # fmt: skip
def test_a_rate_is_held_and_then_falls(schedule, decay_from, expected) -> None:  # type: ignore[no-untyped-def]
    for place, factor in enumerate(expected):
        found = rate_factor(schedule, progress=place / 4, step=100, warmup=0, decay_from=decay_from)
        assert found == pytest.approx(factor)
    assert rate_factor(schedule, progress=0, step=4, warmup=10, decay_from=decay_from) == 0.5


def test_a_rate_falls_to_what_is_left_in_the_end() -> None:
    for schedule, middle, last in (("constant", 1, 1), ("linear", 0.625, 0.25), ("cosine", 0.625, 0.25)):
        for progress, expected in ((0.0, 1), (0.5, middle), (1.0, last)):
            found = rate_factor(schedule, progress=progress, step=100, warmup=0, decay_to=0.25)  # type: ignore[arg-type]
            assert found == pytest.approx(expected)
    assert rate_factor("tenth", progress=1, step=100, warmup=0, decay_from=0.5, decay_to=0.25) == 0.1


def test_the_second_stage_of_srgan_ends_at_a_tenth() -> None:
    """100,000 of its 200,000 steps at 1e-4, as many at 1e-5, after a million of the first stage."""

    def factor(step: int) -> float:
        return rate_factor("tenth", progress=step / 1_200_000, step=step, warmup=0, decay_from=0.9166666666)

    assert [factor(step) for step in (0, 999_999, 1_099_999, 1_100_000, 1_199_999)] == [1, 1, 1, 0.1, 0.1]
