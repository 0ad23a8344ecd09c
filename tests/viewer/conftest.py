"""Model files that several of the viewer tests open."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_models import make_encoder, make_generator, make_translator, photo_like
from windows import running_screen


@pytest.fixture(autouse=True)
def _threads_left_behind_end_no_later_test() -> Iterator[None]:
    """``viewer.worker.leave`` ends the process while a thread that a session left behind runs: forget those of a test,
    or the next ``main`` in this process would end all tests, with exit code 0."""
    yield
    if "viewer.worker" in sys.modules:
        sys.modules["viewer.worker"]._busy.clear()


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def generator_path(model_folder: Path) -> Path:
    """A sealed generator, 4 numbers to 16x16, with its encoder beside it."""
    make_encoder(model_folder / "tiny.encoder.onnx")
    return make_generator(model_folder / "tiny.onnx")


@pytest.fixture(scope="session")
def classes_path(model_folder: Path) -> Path:
    """A generator that draws three classes, and keeps the latents of five training images."""
    samples = tuple(tuple(float(number) for number in row) for row in np.random.default_rng(3).normal(size=(5, 4)))
    return make_generator(
        model_folder / "classes.onnx", labels=3, classes=("ant", "bee", "cat"), sample_latents=samples
    )


@pytest.fixture(scope="session")
def plane_path(model_folder: Path) -> Path:
    """A generator of two numbers, with its encoder beside it."""
    make_encoder(model_folder / "plane.encoder.onnx", size=2)
    return make_generator(model_folder / "plane.onnx", size=2)


@pytest.fixture(scope="session")
def cat_sized_path(model_folder: Path) -> Path:
    """The decoder of the hierarchical VAE in its real size: 10 → 50 → 128x128x3."""
    return make_generator(model_folder / "cats.onnx", size=10, height=128, width=128, hidden=50)


@pytest.fixture(scope="session")
def edges_path(model_folder: Path) -> Path:
    """A translator of edges, whose height and width are multiples of 8, trained at 48x64."""
    condition = {"kind": "edges", "sigma": 0.33, "blur": 3, "size": [48, 64]}
    return make_translator(model_folder / "edges.onnx", multiple=8, condition=condition)


@pytest.fixture(scope="session")
def masks_path(model_folder: Path) -> Path:
    """A translator of masks in three colours, with latents."""
    palette = [[10, 20, 30], [255, 0, 0], [0, 255, 0]]
    condition = {"kind": "given", "size": [32, 32], "palette": palette}
    return make_translator(model_folder / "masks.onnx", latent=3, condition=condition)


@pytest.fixture(scope="session")
def twice_path(model_folder: Path) -> Path:
    """A translator that makes images twice as large, and looks 4 pixels far."""
    return make_translator(model_folder / "twice.onnx", scale=2, context=4)


@pytest.fixture
def photo_path(tmp_path: Path) -> Path:
    """A photograph-like image of 60x40 pixels."""
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), photo_like(40, 60))
    return path


@pytest.fixture(scope="module")
def screen(request: pytest.FixtureRequest) -> Iterator[str]:
    """A screen of its own, as large as the module's ``SCREEN`` says; Xvfb finds a free number."""
    if not shutil.which("Xvfb"):
        pytest.skip("needs Xvfb")
    with running_screen(f"{getattr(request.module, 'SCREEN', '1024x768')}x24") as name:
        yield name
