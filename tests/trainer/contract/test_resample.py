"""Bicubic resizing against weights worked out by hand, and against torch's where it does the same."""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from trainer import metrics
from trainer.contract.resample import matrix, shrink, taps
from trainer.parts.degrade import degrade, enlarge, jpeg_artefacts, reduce, whole_levels

# Keys' kernel with a = -1/2 at 1/4, 3/4, 5/4 and 7/4 is 222/256, 58/256, -18/256 and -6/256; halved, they sum to 1/2.
HALVING = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256


def smooth_image(height: int, width: int) -> np.ndarray:
    """u8 [h, w, 3] with edges and gradients."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)


def test_a_pixel_half_as_large_is_made_of_eight() -> None:
    rows = matrix(32, 16, 0.5)
    assert np.allclose(rows[8, 13:21], HALVING, atol=1e-7)
    assert np.count_nonzero(rows[8]) == 8


def test_beyond_the_edge_the_image_is_mirrored() -> None:
    rows = matrix(32, 16, 0.5)
    expected = HALVING[3:].copy()  # pixels 0 to 4 ...
    expected[:3] += HALVING[2::-1]  # ... and -1 to -3, which are 0 to 2 again
    assert np.allclose(rows[0, :5], expected, atol=1e-7)
    assert np.allclose(rows.sum(1), 1, atol=1e-6)
    assert np.allclose(rows[::-1, ::-1], rows, atol=1e-7)


def test_enlarging_takes_four_pixels() -> None:
    indices, weights = taps(10, 20, 2)
    # at distances 1/4, 3/4, 5/4 and 7/4
    assert np.allclose(weights[8][weights[8] != 0], np.array([-6, 58, 222, -18])[::1] / 256)
    assert indices[8][weights[8] != 0].tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize("times", [2, 3, 4])
def test_inside_it_is_what_torch_makes_of_it(times: int) -> None:
    image = torch.rand(2, 3, 48, 36, generator=torch.Generator().manual_seed(0))
    theirs = F.interpolate(image, scale_factor=1 / times, mode="bicubic", antialias=True)
    assert torch.allclose(reduce(image, times)[..., 2:-2, 2:-2], theirs[..., 2:-2, 2:-2], atol=1e-6)


@pytest.mark.parametrize("times", [2, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_whole_images_and_batches_are_reduced_alike(times: int, channels: int) -> None:
    image = smooth_image(42, 51)[..., :channels]
    few = shrink(image, times)
    assert few.shape == (42 // times, 51 // times, channels)
    cut = image[: 42 // times * times, : 51 // times * times]
    batch = torch.from_numpy(cut).permute(2, 0, 1)[None].float() / 255
    again = (whole_levels(reduce(batch, times)) * 255).round().byte()[0].permute(1, 2, 0).numpy()
    assert np.abs(few.astype(int) - again).max() <= 1  # where a value lies between two levels
    assert (few != again).mean() < 0.01


def test_compression_loses_what_opencv_loses() -> None:
    image = smooth_image(67, 93)
    batch = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    for quality in (15, 60, 90):
        coded = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        theirs = cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1].astype(float)
        ours = (whole_levels(jpeg_artefacts(batch, torch.tensor([float(quality)]))) * 255)[0].permute(1, 2, 0).numpy()
        lost = np.sqrt(np.square(theirs - image).mean())
        assert np.sqrt(np.square(ours - theirs).mean()) < max(0.6 * lost, 1.2)
        assert np.sqrt(np.square(ours - image).mean()) == pytest.approx(lost, rel=0.15)


@pytest.mark.parametrize("options", [{"blur": 2.0}, {"noise": 10.0}, {"jpeg": 20}])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_degradation_changes_small_images_and_repeats(options: dict[str, Any], channels: int) -> None:
    large = torch.from_numpy(smooth_image(64, 64)).permute(2, 0, 1)[None, :channels].float().repeat(2, 1, 1, 1) / 255
    small = reduce(large, 2)
    results = []
    for _ in range(2):
        torch.manual_seed(1)
        results.append(degrade(large, small, **options))
    assert torch.equal(*results)
    assert results[0].shape == small.shape
    assert torch.equal(whole_levels(results[0]), results[0])
    error = (results[0] - small).abs().mean((1, 2, 3))
    assert (error > 2 / 1000).all()
    assert (error < 0.1).all()
    assert not torch.equal(results[0][0], results[0][1])


def test_no_blur_is_no_change() -> None:
    image = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(reduce(image, 2, torch.full((2,), 1e-3)), reduce(image, 2), atol=1e-6)


def test_bicubic_reaches_on_set5_what_is_published() -> None:
    """33.66 dB with brightness rounded, as MATLAB has it; a few hundredths more without."""
    folder = Path(os.environ.get("IMAGE_DATA", "nowhere")) / "sr" / "set5"
    if not folder.is_dir():
        pytest.skip("needs Set5 in $IMAGE_DATA/sr/set5")
    found = {}
    for path in sorted(folder.glob("*.bmp")):
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        height, width = (side // 2 * 2 for side in image.shape[:2])
        large = torch.from_numpy(image[:height, :width]).permute(2, 0, 1)[None].float() / 255
        again = whole_levels(enlarge(whole_levels(reduce(large, 2)), 2))
        ours, theirs = (metrics.luma(metrics.inside(value, 2)) for value in (again, large))
        found[path.name] = (
            float(metrics.peak_signal_to_noise(ours, theirs)),
            float(metrics.peak_signal_to_noise((ours * 255).round() / 255, (theirs * 255).round() / 255)),
        )
    assert len(found) == 5
    exact, rounded = np.mean(list(found.values()), axis=0)
    assert rounded == pytest.approx(33.66, abs=0.03)
    assert exact == pytest.approx(33.69, abs=0.02)
