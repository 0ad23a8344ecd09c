"""Data that several of the trainer's tests train on."""

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .npy of 37 smooth 16 px images: a size that no batch divides."""
    random = np.random.default_rng(0)
    low = random.uniform(0, 1, (37, 2, 2, 3))
    ramp = np.linspace(0, 1, 16)
    across = low[:, :, :1] * (1 - ramp)[None, None, :, None] + low[:, :, 1:] * ramp[None, None, :, None]
    images = across[:, :1] * (1 - ramp)[None, :, None, None] + across[:, 1:] * ramp[None, :, None, None]
    path = tmp_path_factory.mktemp("data") / "smooth.npy"
    np.save(path, (images * 255).astype(np.uint8))
    return path
