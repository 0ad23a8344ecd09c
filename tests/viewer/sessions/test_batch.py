"""Folders of results: they keep their tree, and what is finished is not made again, replaced or lost."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import small_models as make

from viewer.__main__ import main
from viewer.files.png import encode_png, read_recipe
from viewer.files.tree import find_images

Said = Callable[..., tuple[str, str]]


@pytest.fixture
def said(twice_path: Path, capsys: pytest.CaptureFixture[str]) -> Said:
    """Enlarges; what is printed, and what goes to stderr."""

    def run(*words: object, model: Path = twice_path, code: int = 0) -> tuple[str, str]:
        assert main(["upscale", str(model), *map(str, words)]) == code
        printed = capsys.readouterr()
        return printed.out, printed.err

    return run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of images with others below it, some of one name but for its ending."""
    names = ["a.png", "b.png", "b.webp", "2023/c.01.png", "2023/spring/a.png"]
    for seed, name in enumerate(names):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), make.photo_like(20, 30, seed=seed))
    return tmp_path / "photos"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


ALL = {"a.png", "b.png", "b-0002.png", "2023/c.01.png", "2023/spring/a.png"}


def test_a_tree_is_kept_and_goes_on_where_it_ended(said: Said, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (photos / "notes.txt").touch()
    (photos / "2023" / "film.mp4").touch()
    printed, errors = said(photos, "-o", out)
    assert printed == f"{out}: 5 made, 0 finished before, 0 failed\n"
    assert "ignored 2 files that are no images (1 .mp4, 1 .txt)" in errors or "(1 .txt, 1 .mp4)" in errors
    assert "1 result is numbered, since the name is taken" in errors
    assert "b-0002.png" in errors
    first = files(out)
    assert first.keys() == ALL
    assert {read_recipe(out / name)["image"] for name in ("b.png", "b-0002.png")} == {"b.png", "b.webp"}
    (out / "2023" / "spring" / "a.png").unlink()  # as after a kill
    (out / "a.png").write_bytes(first["a.png"][:-30])  # as after a power cut
    (out / ".b.png.123.456.part").write_bytes(b"half of it")
    printed, errors = said(photos, "-o", out)
    assert printed == f"{out}: 2 made, 3 finished before, 0 failed\n"
    assert "otherwise" not in errors
    (out / ".b.png.123.456.part").unlink()
    assert files(out) == first


def test_what_was_made_otherwise_is_said_and_force_makes_it_anew(said: Said, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said(photos, "-o", out)
    first = files(out)
    printed, errors = said(photos, "-o", out, "--tile", 16)
    assert "0 made, 5 finished before" in printed
    assert "5 of the finished were made otherwise (tile 384), and left as they are" in errors
    assert files(out) == first
    other = make.make_translator(tmp_path / "other.onnx", scale=2, context=3)
    assert "(another model)" in said(photos, "-o", out, model=other)[1]
    cv2.imwrite(str(photos / "a.png"), make.photo_like(20, 30, seed=9))
    errors = said(photos, "-o", out)[1]
    assert "1 of the finished was made otherwise (the image has changed), and left as it is" in errors
    printed, errors = said(photos, "-o", out, "--tile", 16, "--force")
    assert printed == f"{out}: 5 made, 0 finished before, 0 failed\n"
    assert files(out).keys() == ALL
    assert {read_recipe(out / name)["tile"] for name in ALL} == {16}


def test_a_renamed_model_is_the_same_and_so_are_moved_images(
    said: Said, photos: Path, twice_path: Path, tmp_path: Path
) -> None:
    said(photos, "-o", tmp_path / "out")
    photos = photos.rename(tmp_path / "moved")
    named = tmp_path / "named.onnx"
    named.write_bytes(twice_path.read_bytes())
    printed, errors = said(photos, "-o", tmp_path / "out", model=named)
    assert "5 finished before" in printed
    assert "otherwise" not in errors


def test_files_of_somebody_else_are_never_replaced(said: Said, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    strangers = {"a.png": b"mine", "b.png": (photos / "b.png").read_bytes()}
    for name, data in strangers.items():
        (out / name).write_bytes(data)
    for force in ((), ("--force",)):
        said(photos, "-o", out, *force)
        assert {name: data for name, data in files(out).items() if name in strangers} == strangers
        assert files(out).keys() == ALL | {"a-0002.png", "b-0003.png"}


def test_results_do_not_come_among_the_images(said: Said, photos: Path, tmp_path: Path) -> None:
    before = files(photos)
    errors = said(photos, "-o", photos, code=2)[1]
    assert "would hold the results" in errors
    assert files(photos) == before
    assert "5 made" in said(photos, "-o", photos / "large")[0]
    assert "0 made, 5 finished before" in said(photos, "-o", photos / "large")[0]
    alone = tmp_path / "alone.png"
    cv2.imwrite(str(alone), make.photo_like(20, 30))
    image = alone.read_bytes()
    assert "is the image itself" in said(alone, "-o", alone, "--force", code=2)[1]
    said(alone, "-o", tmp_path)
    assert alone.read_bytes() == image
    assert read_recipe(tmp_path / "alone-0002.png")["image"] == "alone.png"


def test_one_file_is_replaced_by_force_alone(said: Said, photos: Path, tmp_path: Path) -> None:
    target = tmp_path / "large.png"
    said(photos / "a.png", "-o", target)
    assert "--force to replace it" in said(photos / "a.png", "-o", target, code=2)[1]
    said(photos / "b.png", "-o", target, "--force")
    assert read_recipe(target)["image"] == "b.png"


def test_several_folders_and_patterns_keep_their_places(photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "more"
    other.mkdir()
    cv2.imwrite(str(other / "a.png"), make.photo_like(20, 30))
    places = find_images([str(photos), str(other), str(other / "a.png")]).places
    assert places[photos / "a.png"] == Path("photos")
    assert places[photos / "2023" / "c.01.png"] == Path("photos/2023")
    assert places[other / "a.png"] == Path("more")
    places = find_images([f"{photos}/**/*.png"]).places
    assert places[photos / "2023" / "spring" / "a.png"] == Path("2023/spring")
    assert places[photos / "a.png"] == Path()


def test_two_files_of_one_name_have_two_results(said: Said, photos: Path, tmp_path: Path) -> None:
    words = photos / "a.png", photos / "2023" / "spring" / "a.png", "-o", tmp_path / "out"
    assert "2 made" in said(*words)[0]
    first = files(tmp_path / "out")
    assert len({cv2.imread(str(tmp_path / "out" / name)).tobytes() for name in first}) == 2
    assert "2 finished before" in said(*words)[0]
    assert "1 finished before" in said(words[1], "-o", tmp_path / "out")[0]
    assert files(tmp_path / "out") == first
    other = tmp_path / "other" / "a.png"
    other.parent.mkdir()
    cv2.imwrite(str(other), make.photo_like(20, 30, seed=7))
    assert "1 made" in said(other, "-o", tmp_path / "out", "--force")[0]  # another image of that name
    assert {name: data for name, data in files(tmp_path / "out").items() if name in first} == first


def test_one_image_is_translated_to_a_file(edges_path: Path, photos: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "one.webp"
    assert main(["translate", str(edges_path), str(photos / "a.png"), "-o", str(target)]) == 0
    assert cv2.imread(str(target)).shape == (20, 30, 3)
    assert main(["translate", str(edges_path), str(photos), "-o", str(tmp_path / "out")]) == 0
    assert files(tmp_path / "out").keys() == ALL
    assert np.ptp(cv2.imread(str(tmp_path / "out" / "2023" / "c.01.png"))) > 0


@pytest.mark.parametrize(
    "there",
    [
        {"mode": ["upscale"] * 1000, "image": "a.png"},
        {"mode": "upscale", "image": {"a.png": "a.png"}},
        {"mode": "upscale", "image": "a.png", "tile": "\x1b[31m\n" * 999, "\x07": [[[]]]},
        [1],
    ],
)
def test_hostile_results_are_left_and_said_in_one_line(
    there: dict[str, object], said: Said, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes(encode_png(make.photo_like(8, 8), there))
    before = (out / "a.png").read_bytes()
    printed, errors = said(photos / "a.png", "-o", out)
    assert (out / "a.png").read_bytes() == before
    assert all(line.isprintable() and len(line) <= 1000 for line in errors.splitlines())
    assert "1 made" in printed or "otherwise" in errors


def test_pipes_links_and_folders_in_the_way_are_left(said: Said, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "a.png").mkdir(parents=True)
    os.mkfifo(out / "a-0002.png")
    (out / "a-0003.png").symlink_to("a-0003.png")
    (out / "a-0004.png").symlink_to(photos / "b.png")
    source = (photos / "b.png").read_bytes()
    assert "1 made" in said(photos / "a.png", "-o", out)[0]
    assert read_recipe(out / "a-0005.png")["image"] == "a.png"
    assert "1 finished before" in said(photos / "a.png", "-o", out)[0]
    assert (photos / "b.png").read_bytes() == source
