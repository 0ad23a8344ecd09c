"""Windows of images of many sizes, beside those of their small versions."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from trainer.config import RunConfig
from trainer.contract.errors import UserError
from trainer.contract.resample import shrink
from trainer.data.batches.crops import Windows, open_crops
from trainer.data.batches.dataset import ImageDataset
from trainer.data.batches.stream import ordered
from trainer.family import Crops

READING = Crops(size_px=24, scale=2)
SIZES = [(40, 31), (24, 24), (57, 64), (23, 80)]  # the last is not as high as a window


def image(number: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "images"
    path.mkdir()
    for number, size in enumerate(SIZES):
        cv2.imwrite(str(path / f"{number}.png"), image(number, *size)[..., ::-1])
    return path


def opened(data: Path | str, reading: Crops = READING, **options: object) -> ImageDataset:
    return open_crops(dataclasses.replace(RunConfig(data=str(data)), **options), reading, progress=False)


def windows(images: ImageDataset) -> Windows:
    assert isinstance(images.images, Windows)
    return images.images


def place_of(part: np.ndarray, whole: np.ndarray) -> tuple[int, int]:
    height, width = part.shape[:2]
    for top in range(whole.shape[0] - height + 1):
        for left in range(whole.shape[1] - width + 1):
            if (whole[top : top + height, left : left + width] == part).all():
                return top, left
    raise AssertionError("this is no window of the image")


@pytest.mark.parametrize("memory", [4.0, 0.0], ids=["in memory", "read when asked for"])
@pytest.mark.parametrize("scale", [2, 4])
def test_windows_are_those_of_the_small_versions(folder: Path, memory: float, scale: int) -> None:
    images = opened(folder, dataclasses.replace(READING, scale=scale), memory=memory)
    assert (images.spec.image_size, images.spec.channels, len(images)) == ((24, 24), 3, 3)
    seen = set()
    for seed in range(6):
        large, small = windows(images).cut(np.arange(3), np.random.default_rng(seed))
        assert small is not None
        assert (large.shape, small.shape) == ((3, 24, 24, 3), (3, 24 // scale, 24 // scale, 3))
        for number in range(3):
            whole = image(number, *SIZES[number])
            top, left = place_of(large[number], whole)
            assert (top % scale, left % scale) == (0, 0)
            assert place_of(small[number], shrink(whole, scale)) == (top // scale, left // scale)
            seen.add((number, top, left))
    assert len(seen) > 6


def test_too_small_and_damaged_images_are_named_and_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "note.txt").write_text("no image")
    whole = (folder / "0.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    assert len(opened(folder)) == 3
    said = capsys.readouterr().err
    assert "3.png: 80x23 px, expected at least 24x24" in said
    assert "note.txt: not an image" in said
    assert "cut.png: " in said


def test_validation_images_come_whole_and_are_the_only_ones_held_out(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "validation"
    other.mkdir()
    cv2.imwrite(str(other / "a.png"), image(9, 19, 22)[..., ::-1])
    images = opened(folder, dataclasses.replace(READING, validation=str(other)))
    training, held_out = images.split(2)
    assert (training.tolist(), held_out.tolist()) == ([0, 1, 2], [3])
    (batch,) = ordered(images, held_out, batch_size=64, device="cpu", image_range=(0, 1))
    assert batch.condition is not None
    assert (batch.image.shape, batch.condition.shape) == ((1, 3, 18, 22), (1, 3, 9, 11))


def test_small_versions_may_be_given(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low = tmp_path / "low"
    low.mkdir()
    cv2.imwrite(str(low / "0.bmp"), 255 - shrink(image(0, *SIZES[0]), 2)[..., ::-1])
    cv2.imwrite(str(low / "2.png"), image(2, 9, 9))
    images = opened(folder, dataclasses.replace(READING, condition=str(low)))
    assert len(images) == 1
    large, small = windows(images).whole(0)
    assert small is not None
    assert (small[0] == 255 - shrink(large[0], 2)).all()
    said = capsys.readouterr().err
    assert "1.png: nothing of its name in" in said
    assert "2.png is 9x9 px, expected 32x28" in said


def test_sets_of_one_size_are_cut_too(tmp_path: Path) -> None:
    np.save(tmp_path / "grey.npy", np.random.default_rng(0).integers(0, 256, (5, 30, 28)).astype(np.uint8))
    images = opened(tmp_path / "grey.npy")
    large, small = windows(images).cut(np.arange(5), np.random.default_rng(0))
    assert small is not None
    assert (large.shape, small.shape, images.spec.channels) == ((5, 24, 24, 1), (5, 12, 12, 1), 1)
    with pytest.raises(UserError, match=r"grey\.npy holds images of 28x30 px, expected at least 32x32"):
        opened(tmp_path / "grey.npy", Crops(size_px=32, scale=2))


@pytest.mark.parametrize(
    ("reading", "data", "message"),
    [
        (Crops(size_px=90, scale=2), "images", "holds no readable image of at least 90x90 px"),
        (dataclasses.replace(READING, condition="nowhere"), "images", "--low is nowhere, expected a folder"),
        (dataclasses.replace(READING, condition="nowhere"), "toycats:4", "expected a folder in --data beside it"),
        (dataclasses.replace(READING, validation="nowhere"), "images", "--validation is nowhere, expected a folder"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(folder: Path, reading: Crops, data: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        opened(folder if data == "images" else data, reading)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
