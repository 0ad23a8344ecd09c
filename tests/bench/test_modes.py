"""The measures of ``bench_modes``: figures that are known beforehand."""

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra")
import bench_modes
import torch
from torch.nn import functional as F

from trainer.evaluation.features import FeatureExtractor


def test_points_of_the_grid_itself_are_in_all_modes(tmp_path: Path) -> None:
    bench_modes.write_points(tmp_path / "points.npy")
    images = torch.from_numpy(np.load(tmp_path / "points.npy"))[:5000, None].float() / 255
    found = bench_modes.measure_points(images)
    assert found["modes"] == 25
    assert found["high_quality"] == pytest.approx(1 - math.exp(-(3**2) / 2), abs=0.01)  # within three deviations


def test_a_collapsed_generator_and_one_between_the_modes_are_found_out() -> None:
    middle = torch.full((50, 1, 8, 8), 0.5)  # the centre of the grid
    assert bench_modes.measure_points(middle) == {"modes": 1, "high_quality": 1.0}
    between = 0.5 + 0.5 / bench_modes.RANGE / 2  # half a unit to the side
    assert bench_modes.measure_points(torch.full((50, 1, 8, 8), between)) == {"modes": 0, "high_quality": 0.0}


def test_stacks_are_read_channel_by_channel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Digits as bright as they are large, read by their brightness."""
    by_brightness = FeatureExtractor(
        name="brightness", embed=lambda image: F.one_hot((image.mean((1, 2, 3)) * 10).long(), 10)
    )
    monkeypatch.setattr(bench_modes, "open_network", lambda *_: by_brightness)
    measure = bench_modes.measure_stacks(tmp_path)
    numbers = torch.arange(1000)
    digits = torch.stack([numbers // 100, numbers // 10 % 10, numbers % 10], 1)
    stacks = ((digits + 0.5) / 10)[:, :, None, None].expand(-1, -1, 4, 4)
    assert measure(stacks) == pytest.approx({"modes": 1000, "kl": 0.0}, abs=1e-6)
    assert measure(stacks[:10]) == pytest.approx({"modes": 10, "kl": math.log(100)})
    assert measure(stacks[:1].expand(30, -1, -1, -1)) == pytest.approx({"modes": 1, "kl": math.log(1000)})
