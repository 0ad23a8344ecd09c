"""The tool that filters images: the arithmetic of each kind, sets in pieces, folders."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from trainer.data.__main__ import main
from trainer.data.sources.npy_set import ImageSet
from trainer.data.tools import filter as filters

pieces = ImageSet.pieces


def random_image(seed: int = 0, channels: int = 3) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(40, 216, (6, 7, channels)).astype(np.uint8)
    return cv2.resize(coarse, (28, 24), interpolation=cv2.INTER_CUBIC).reshape(24, 28, channels)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["filter", *map(str, arguments)])
    return int(ended.value.code or 0)


def test_the_kernels_are_those_that_people_know() -> None:
    unit = random_image().astype(np.float64) / 255
    for centre, made, expected in (
        (24.1, filters.high_pass(random_image(), 0), lambda value: value / 256 + 0.5),
        (28.0, filters.sharpen(random_image()), lambda value: value),
    ):
        ring = np.array([[-2, -4, -2], [-4, centre, -4], [-2, -4, -2]])
        value = (unit[4:7, 9:12] * (ring / ring.sum())[..., None]).sum((0, 1))
        assert np.abs(made[5, 10] / 255 - expected(value).clip(0, 1)).max() <= 0.5 / 255 + 1e-6


def test_what_the_blur_takes_away_can_be_put_back() -> None:
    apart = filters.high_pass(random_image(), 1.5).astype(int) - 128
    soft = cv2.GaussianBlur(random_image().astype(np.float32), (0, 0), 1.5)
    assert np.abs(soft + apart - random_image()).max() <= 0.5 + 1e-3
    assert not (filters.high_pass(np.full((9, 9, 3), 77, np.uint8), 2.0) - 128).any()


def test_even_contrast_of_brightness_leaves_grey_grey() -> None:
    grey = random_image(channels=1).repeat(3, 2) // 3 + 60
    brighter = filters.even_contrast(grey, 2.0, 2, channels=False)
    assert np.ptp(brighter.astype(int), axis=2).max() <= 3
    assert np.ptp(brighter) > 1.2 * np.ptp(grey)
    tinted = random_image()
    alone = [filters.even_contrast(tinted[..., k : k + 1], 2.0, 2, channels=False) for k in range(3)]
    assert (filters.even_contrast(tinted, 2.0, 2, channels=True) == np.concatenate(alone, 2)).all()


@pytest.mark.parametrize("kind", ["highpass", "sharpen", "clahe", "blur"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_set_is_filtered_in_pieces_with_its_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, channels: int
) -> None:
    images = np.stack([random_image(seed, channels) for seed in range(7)])
    np.save(tmp_path / "in.npy", images)
    (tmp_path / "in.json").write_text(json.dumps({"labels": [0, 1, 0, 1, 1, 0, 1], "classes": ["a", "b"]}))
    monkeypatch.setattr(
        ImageSet, "pieces", lambda stored: pieces(stored, 2 * images[0].size)
    )  # the last piece is a single image
    assert run(tmp_path / "in.npy", "-o", tmp_path / "out.npy", "--kind", kind) == 0
    found = np.load(tmp_path / "out.npy")
    assert found.shape == images.shape
    change = {
        "highpass": lambda one: filters.high_pass(one, 2.0),
        "sharpen": filters.sharpen,
        "clahe": lambda one: filters.even_contrast(one, 2.0, 2, False),
        "blur": lambda one: filters.blur(one, 7),
    }[kind]
    assert all((one == change(other)).all() for one, other in zip(found, images, strict=True))
    assert json.loads((tmp_path / "out.json").read_text())["labels"] == [0, 1, 0, 1, 1, 0, 1]


def test_nothing_is_overwritten_and_nothing_is_left_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "in.npy", tmp_path / "out.npy"
    np.save(source, np.stack([random_image(seed) for seed in range(3)]))
    before = source.read_bytes()
    assert run(source, "-o", tmp_path / "." / "in.npy", "--kind", "blur", "--force") == 2
    assert "is an input as well" in capsys.readouterr().err
    assert run(source, "-o", tmp_path / "folder", "--kind", "blur") == 2
    monkeypatch.setattr(ImageSet, "pieces", lambda stored: pieces(stored, 1))

    def fails_late(image: np.ndarray, size: int) -> np.ndarray:
        if (image == random_image(2)).all():
            raise ZeroDivisionError
        return image

    monkeypatch.setitem(filters.FILTERS, "blur", (fails_late, ("size",)))
    with pytest.raises(ZeroDivisionError):
        main(["filter", str(source), "-o", str(target), "--kind", "blur"])
    assert source.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["in.npy"]


def test_folders_of_images_keep_their_names_and_colours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for number, name in enumerate(("a.png", "deep/b.bmp")):
        cv2.imwrite(str(tmp_path / "in" / name), random_image(number)[..., ::-1])
    (tmp_path / "in" / "note.txt").write_text("no image")
    assert run(tmp_path / "in", "-o", tmp_path / "out", "--kind", "clahe") == 0
    assert "clahe of 2 images, 1 skipped" in capsys.readouterr().out
    found = cv2.imread(str(tmp_path / "out" / "deep" / "b.png"))[..., ::-1]
    assert (found == filters.even_contrast(random_image(1), 2.0, 2, channels=False)).all()
    assert run(tmp_path / "in", "-o", tmp_path / "out.npy", "--kind", "clahe") == 2
    assert "the tool create makes a .npy" in capsys.readouterr().err


@pytest.mark.parametrize(("flag", "value"), [("--size", 6), ("--sigma", -1), ("--clip", 0), ("--tiles", 0)])
def test_mistakes_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str, value: int) -> None:
    assert run(tmp_path / "in.npy", "-o", tmp_path / "out.npy", "--kind", "blur", flag, value) == 2
    assert f"{flag} is {value}" in capsys.readouterr().err
