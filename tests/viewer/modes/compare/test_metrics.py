"""The figures are those that trainings and evaluations measure."""

import numpy as np
import pytest

from viewer.modes.compare import metrics

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("shape", [(24, 31), (7, 9)])
def test_images(shape: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    from trainer import metrics as known

    one, other = (RNG.integers(0, 256, (*shape, 3), dtype=np.uint8) for _ in range(2))
    first, second = metrics.unit(one), metrics.unit(other)
    tensors = [torch.from_numpy(value.transpose(2, 0, 1)[None].copy()) for value in (first, second)]
    assert metrics.squared_error(first, second) == pytest.approx(float(known.squared_error(*tensors)))
    assert metrics.peak_signal_to_noise(first, second) == pytest.approx(float(known.peak_signal_to_noise(*tensors)))
    assert metrics.structural_similarity(first, second) == pytest.approx(float(known.structural_similarity(*tensors)))
    luma = known.luma(tensors[0].flip(1))  # RGB there, BGR here
    assert np.allclose(metrics.luma(one)[..., 0], luma[0, 0].numpy())


def test_equal_images() -> None:
    image = metrics.unit(RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    assert metrics.peak_signal_to_noise(image, image) == 100
    assert metrics.structural_similarity(image, image) == pytest.approx(1)


@pytest.mark.parametrize(("count", "size"), [(40, 6), (5, 12), (30, 1)])
def test_frechet_distance(count: int, size: int) -> None:
    torch = pytest.importorskip("torch")
    from trainer import metrics as known

    one = RNG.normal(size=(count, size)).astype(np.float32)
    other = (RNG.normal(size=(count + 3, size)) @ RNG.normal(size=(size, size)) + 0.5).astype(np.float32)
    wanted = known.frechet_distance(torch.from_numpy(one), torch.from_numpy(other))
    assert metrics.frechet_distance(one, other) == pytest.approx(wanted, rel=1e-5)
    assert metrics.frechet_distance(one, one) == pytest.approx(0, abs=1e-6)
