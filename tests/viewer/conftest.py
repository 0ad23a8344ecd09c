"""Model files that several of the viewer tests open."""

from pathlib import Path

import pytest
from small_models import make_encoder, make_generator


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def generator_path(model_folder: Path) -> Path:
    """A sealed generator, 4 numbers to 16x16, with its encoder beside it."""
    make_encoder(model_folder / "tiny.encoder.onnx")
    return make_generator(model_folder / "tiny.onnx")


@pytest.fixture(scope="session")
def cat_sized_path(model_folder: Path) -> Path:
    """The decoder of the hierarchical VAE in its real size: 10 → 50 → 128x128x3."""
    return make_generator(model_folder / "cats.onnx", size=10, height=128, width=128, hidden=50)
