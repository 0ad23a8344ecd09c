"""Pages that came to nothing are said to be that, with what may be the cause; others are not."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import small_foreign as foreign
import small_models as make
from small_denoisers import make_denoiser

from viewer.__main__ import main
from viewer.modes import Mode
from viewer.modes.diffuse.saturation import is_saturated

CHANCE = np.random.default_rng(0)


def digits() -> np.ndarray:
    """White strokes on black, nearly all of them at either end."""
    images = np.zeros((6, 28, 28, 3), np.uint8)
    for number, image in enumerate(images):
        cv2.ellipse(image, (14, 14), (8, 10 - number), 15 * number, 0, 360, (255, 255, 255), 2, cv2.LINE_AA)
    return images


def test_noise_and_one_colour_are_told_from_images() -> None:
    noise = CHANCE.choice(np.array([0, 255], np.uint8), (6, 16, 16, 3))
    white, photos = np.full_like(noise, 255), np.stack([make.photo_like(16, 16, seed) for seed in range(6)])
    dull = CHANCE.integers(90, 160, noise.shape).astype(np.uint8)
    assert is_saturated(noise)
    assert is_saturated(white)
    assert is_saturated(np.concatenate([noise, white]))
    for images in (photos, digits(), dull, np.full_like(noise, 128), np.concatenate([noise, photos[:1]])):
        assert not is_saturated(images)


@pytest.mark.parametrize("card", [False, True])
def test_it_is_said_with_what_may_be_the_cause(card: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if card:
        path = make_denoiser(tmp_path / "untrained.onnx", "epsilon", spread=30.0)
        said = "its network may have learned too little yet, or diverged"
    else:
        path = foreign.denoiser(tmp_path / "theirs.onnx", sides=(16, 16), share=-1.0)
        said = "it may not predict epsilon, as is assumed (try --prediction v or --prediction x0)"
    words = [str(path), "--seed", "3", "--rows", "2", "--cols", "2", "--steps", "5"]
    assert main(["diffuse", *words, "--display", "none", "-o", str(tmp_path / "out")]) == 0
    line = f"{path}: all images are saturated, which means nothing was drawn: {said}"
    assert capsys.readouterr().err.count(line) == 1
    mode = Mode("diffuse")
    session = mode.open(mode.parse(words))
    session.settle(0.0)
    assert session._notice is not None
    assert session._notice[0].startswith(f"all images are saturated, which means nothing was drawn: {said}"[:200])
    session.close()


def test_images_are_not_said_to_be_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_denoiser(tmp_path / "normal.onnx", "v", spread=0.3)
    assert main(["diffuse", str(path), "--display", "none", "--steps", "5", "-o", str(tmp_path / "out")]) == 0
    assert "saturated" not in capsys.readouterr().err
