"""Recordings: what was shown is in the file, as long as it was shown, and no older file is lost."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from viewer.displays import DisplayError, open_display, recorder


def drawn(count: int, height: int = 60, width: int = 81) -> list[NDArray[np.uint8]]:
    """A disc that moves over a smooth ground; odd width."""
    y, x = np.mgrid[0:height, 0:width]
    ground = np.stack([x * 2, y * 3, 255 - x - y], axis=2).clip(0, 255).astype(np.uint8)
    frames = []
    for index in range(count):
        frame = ground.copy()
        cv2.circle(frame, (15 + 5 * index, 30), 9, (30, 60, 230), -1, cv2.LINE_AA)
        frames.append(frame)
    return frames


def record(path: Path, frames: list[NDArray[np.uint8]], delay_ms: int = 50) -> None:
    display = open_display("none", title="t", record=path, delay_ms=delay_ms)
    for frame in frames:
        display.show(frame, "t")
    display.close()


def images(path: Path) -> list[tuple[NDArray[np.int16], int]]:
    """Each image of an animation, BGR, with its duration in milliseconds."""
    with Image.open(path) as film:
        assert film.info["loop"] == 0
        return [
            (np.array(image.convert("RGB"))[..., ::-1].astype(np.int16), image.info["duration"])
            for image in ImageSequence.Iterator(film)
        ]


@pytest.mark.parametrize(("suffix", "most"), [(".gif", 6.0), (".webp", 2.5)])
def test_an_animation_shows_each_frame_for_its_time(tmp_path: Path, suffix: str, most: float) -> None:
    frames = drawn(6)
    shown = [frames[0], *frames[:3], frames[2], frames[2], *frames[3:]]  # 0 twice, 2 three times
    record(tmp_path / f"film{suffix}", shown, delay_ms=70)
    found = images(tmp_path / f"film{suffix}")
    assert [duration for _, duration in found] == [140, 70, 210, 70, 70, 70]
    for frame, (image, _) in zip(frames, found, strict=True):
        assert np.abs(image - frame).mean() < most


def test_a_gif_draws_only_what_changes_to_the_eye(tmp_path: Path) -> None:
    y, x = np.mgrid[0:120, 0:160]
    ground = np.stack([x, y * 2, 255 - x], axis=2).clip(0, 255).astype(np.int16)
    generator = np.random.default_rng(0)
    shown = [(ground + generator.integers(-1, 2, ground.shape)).clip(0, 255).astype(np.uint8) for _ in range(8)]
    record(tmp_path / "one.gif", shown[:1])
    record(tmp_path / "all.gif", shown)
    assert (tmp_path / "all.gif").stat().st_size < 2 * (tmp_path / "one.gif").stat().st_size
    for frame, (image, _) in zip(shown, images(tmp_path / "all.gif"), strict=True):
        assert np.abs(image - frame).mean() < 6


def test_a_gif_gets_other_colours_where_the_old_ones_do_not_serve(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 120).astype(np.uint8)
    shown = [np.zeros((90, 120, 3), np.uint8) for _ in range(3)]
    for channel, frame in enumerate(shown):
        frame[..., channel] = ramp
    record(tmp_path / "film.gif", shown)
    for frame, (image, _) in zip(shown, images(tmp_path / "film.gif"), strict=True):
        assert np.abs(image - frame).max() < 20


def test_a_large_gif_is_said_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(recorder, "_LARGE_GIF", 0.001)
    for suffix in (".webp", ".gif"):
        record(tmp_path / f"film{suffix}", drawn(3))
        said = capsys.readouterr().err
        assert ("film.gif: 0.0 MB; recorded as .webp" in said) == (suffix == ".gif")
    assert said.count("\n") == 1


def test_gif_delays_that_are_no_whole_hundredths_add_up(tmp_path: Path) -> None:
    record(tmp_path / "film.gif", drawn(12), delay_ms=33)
    assert abs(sum(duration for _, duration in images(tmp_path / "film.gif")) - 12 * 33) <= 10


def test_mp4_keeps_every_frame(tmp_path: Path) -> None:
    frames = drawn(7, height=61)
    record(tmp_path / "film.mp4", frames, delay_ms=40)
    film = cv2.VideoCapture(str(tmp_path / "film.mp4"))
    assert film.get(cv2.CAP_PROP_FPS) == pytest.approx(25)
    for frame in frames:
        read, image = film.read()
        assert read
        assert image.shape == (62, 82, 3)
        assert np.abs(image[:61, :81].astype(int) - frame).mean() < 8
    assert not film.read()[0]


def test_png_is_the_last_frame_exactly(tmp_path: Path) -> None:
    frames = [*drawn(3), drawn(1, 20, 30)[0]]
    record(tmp_path / "last.PNG", frames)
    assert np.array_equal(cv2.imread(str(tmp_path / "last.PNG")), frames[-1])


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_frames_of_another_size_are_fitted(tmp_path: Path, suffix: str) -> None:
    record(tmp_path / f"film{suffix}", [np.full((40, 60, 3), 90, np.uint8), np.full((80, 20, 3), 200, np.uint8)])
    _, (second, _) = images(tmp_path / f"film{suffix}")
    assert second.shape == (40, 60, 3)
    assert abs(second[20, 30] - 200).max() < 6
    assert second[20, 5].max() < 6


def test_a_single_colour_frame_and_noise_can_both_be_recorded(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (33, 47, 3), dtype=np.uint8)
    for suffix in (".gif", ".webp", ".mp4"):
        path = tmp_path / f"film{suffix}"
        record(path, [np.zeros((33, 47, 3), np.uint8), noise, noise[::-1]])
        assert path.stat().st_size > 100


def test_an_older_file_is_replaced_only_by_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "film.gif"
    path.write_bytes(b"older")
    display = open_display("none", title="t", record=path)
    display.show(drawn(1)[0], "t")
    assert path.read_bytes() == b"older"
    display.close()
    assert path.read_bytes()[:3] == b"GIF"
    assert [entry.name for entry in tmp_path.iterdir()] == ["film.gif"]


def test_nothing_shown_leaves_nothing(tmp_path: Path) -> None:
    for suffix in (".png", ".gif", ".webp", ".mp4"):
        record(tmp_path / f"film{suffix}", [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["film.avi", "film", "missing/film.gif", "folder.gif"])
def test_what_cannot_be_recorded_is_said_before_anything_starts(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.gif").mkdir()
    with pytest.raises(DisplayError, match=name) as failure:
        open_display("none", title="t", record=tmp_path / name)
    assert "\n" not in str(failure.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("suffix", [".png", ".gif", ".webp"])
def test_a_full_disk_is_one_line_and_the_older_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = tmp_path / f"film{suffix}"
    path.write_bytes(b"older")
    partial = tmp_path / f".film.{os.getpid()}{suffix}"
    partial.symlink_to("/dev/full")
    with pytest.raises(DisplayError, match="No space left"):
        record(path, [np.random.default_rng(1).integers(0, 256, (300, 300, 3), dtype=np.uint8)] * 2)
    assert path.read_bytes() == b"older"
    assert not partial.is_symlink()
