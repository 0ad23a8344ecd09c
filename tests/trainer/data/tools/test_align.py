"""The tool that cuts out faces: how upright they are, where they lie, which are left out, and what is said of it."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from bad_images import photo
from drawn_faces import NEEDS_FACES, draw_face, shared_finder

from trainer.contract.packages import how_to_install
from trainer.data.__main__ import main
from trainer.data.faces.cutter import cut, face_box, fit_face, upright
from trainer.data.faces.landmarks import LEFT_EYE, RIGHT_EYE, Finder, eye_angle
from trainer.data.sources.npy_set import ImageSet
from trainer.data.tools import align


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments)])
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def finder() -> Finder:
    return shared_finder()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(align, "Finder", shared_finder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two faces, one of them lying on its side, and two images without."""
    images = tmp_path / "images"
    (images / "people").mkdir(parents=True)
    for name, image in {
        "people/a.png": draw_face(0).image, "people/b.jpg": draw_face(1, 85).image, "vase.png": photo(96, 96),
    }.items():  # fmt: skip
        cv2.imwrite(str(images / name), image[..., ::-1])
    (images / "notes.png").write_text("not an image")
    return images


@NEEDS_FACES
def test_faces_are_upright_whatever_way_they_lay(finder: Finder) -> None:
    """By the eyes as they were drawn, not as they are found."""
    errors, places = [], []
    for number, turn in enumerate(range(-180, 180, 36)):
        drawn = draw_face(number, turn)
        points = finder.find(drawn.image)
        assert points is not None, turn
        matrix = upright(points, 128)
        left, right = drawn.eyes @ matrix[:, :2].T + matrix[:, 2]
        errors.append(abs(float(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))))
        places.append(np.concatenate([left, right]))
    assert np.median(errors) < 1
    assert max(errors) < 3
    assert np.std(places, axis=0).max() < 4  # eyes of all in the same place, of 128 pixels


@NEEDS_FACES
def test_a_face_fills_its_square_but_for_the_margin(finder: Finder) -> None:
    image = draw_face(3, 30).image
    for margin in (0.0, 0.25):
        points = finder.find(image)
        assert points is not None
        points = finder.find(cut(image, points, 200, margin))
        assert points is not None
        assert abs(eye_angle(points)) < 1
        centre, side = face_box(points)
        assert np.abs(centre - 99.5).max() < 5
        assert side * (1 + 2 * margin) == pytest.approx(200, rel=0.04)


@NEEDS_FACES
def test_a_small_face_in_a_large_image_is_found_and_kept_sharp(finder: Finder) -> None:
    large = np.full((1500, 2000, 3), 128, np.uint8)
    large[900:1156, 1500:1756] = draw_face(2, 10).image
    points = finder.find(large)
    assert points is not None
    expected = draw_face(2, 10).eyes + np.array([1500, 900])
    found = np.stack([points[LEFT_EYE].mean(0), points[RIGHT_EYE].mean(0)])
    assert np.abs(found - expected).max() < 3
    face, whole = (fit_face(finder, image, 96, 96) for image in (large, draw_face(2, 10).image))
    assert np.abs(face.astype(int) - whole).mean() < 4


@NEEDS_FACES
def test_copies_are_turned_and_mirrored(finder: Finder) -> None:
    image = draw_face(1).image
    points = finder.find(image)
    assert points is not None
    variants = ((0, False), (12, False), (0, True), (12, True))
    plain, turned, mirrored, both = (cut(image, points, 128, 0.1, *variant) for variant in variants)
    assert (mirrored == plain[:, ::-1]).all()
    angles = [eye_angle(points) for face in (plain, turned, both) if (points := finder.find(face)) is not None]
    assert angles == pytest.approx([0, -12, -12], abs=1.5)


@NEEDS_FACES
@pytest.mark.usefixtures("quick")
def test_a_folder_becomes_a_set_and_what_has_no_face_is_listed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "faces.npy"
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    assert run("align", folder, "-o", out, "--size", "64", "--jitter", "-5", "5", "--flip") == 0
    said = capsys.readouterr()
    found = ImageSet(out)
    assert found.shape == (12, 64, 64, 3)
    assert found.sidecar.names[:6] == (
        "people/a.png", "people/a-turned-5.png", "people/a-turned+5.png", "people/a-mirrored.png",
        "people/a-turned-5-mirrored.png", "people/a-turned+5-mirrored.png",
    )  # fmt: skip
    assert found.sidecar.sizes is not None
    assert found.sidecar.sizes.tolist() == [[256, 256]] * 12
    assert f"no face found in 1 image: {folder}/vase.png" in said.err.splitlines()
    assert f"skipped {folder}/notes.png: not an image" in said.err
    assert "12 faces of 64x64 px, 6 of each face, 1 images without a face, 1 skipped" in said.out
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before
    assert run("align", folder, "-o", out) == 2
    assert "exists" in capsys.readouterr().err


@NEEDS_FACES
@pytest.mark.usefixtures("quick")
def test_a_folder_becomes_a_folder(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run("align", folder, "-o", out, "--flip") == 0
    names = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png"))
    assert names == ["people/a-mirrored.png", "people/a.png", "people/b-mirrored.png", "people/b.png"]
    image = cv2.imread(str(out / "people/a.png"))
    assert image is not None
    assert image.shape == (128, 128, 3)
    assert run("align", folder, "-o", out, "--flip") == 2
    assert "a.png exists" in capsys.readouterr().err
    assert run("align", folder, "-o", folder, "--force") == 2
    assert "would take the place of" in capsys.readouterr().err


@NEEDS_FACES
@pytest.mark.usefixtures("quick")
def test_a_set_keeps_the_labels_of_those_with_a_face(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = [draw_face(0).image, photo(256, 256), draw_face(2, 180).image]
    np.save(tmp_path / "in.npy", np.stack(images)[..., ::-1])
    sidecar = {"labels": [0, 1, 2], "classes": ["ann", "vase", "bob"], "names": ["a", "v", "b"], "order": "BGR"}
    (tmp_path / "in.json").write_text(json.dumps(sidecar))
    assert run("align", tmp_path / "in.npy", "-o", tmp_path / "out.npy", "--flip", "--size", "96") == 0
    assert "no face found in 1 image: image 1, v" in capsys.readouterr().err.splitlines()
    found = ImageSet(tmp_path / "out.npy")
    assert found.sidecar.labels is not None
    assert found.sidecar.labels.tolist() == [0, 0, 2, 2]
    assert found.sidecar.names == ("a", "a-mirrored", "b", "b-mirrored")
    assert found.sidecar.groups is not None
    assert found.sidecar.groups.tolist() == [0, 0, 1, 1]
    pieces = [fit_face(shared_finder(), image, 96, 96) for image in (images[0], images[2])]
    assert np.abs(found[np.array([0, 2])].astype(int) - np.stack(pieces)).max() <= 1
    assert run("align", tmp_path / "in.npy", "-o", tmp_path / "out", "--size", "32") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a-0.png", "b-2.png"]


@NEEDS_FACES
def test_create_cuts_the_same_faces(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("create", folder, "-o", tmp_path / "a.npy", "--crop", "face", "--size", "64", "--labels", "folders") == 0
    assert "skipped" in capsys.readouterr().err
    assert run("align", folder, "-o", tmp_path / "b.npy", "--size", "64") == 0
    created, aligned = (ImageSet(tmp_path / name) for name in ("a.npy", "b.npy"))
    assert (created[np.arange(2)] == aligned[np.arange(2)]).all()
    assert created.sidecar.classes == ("people",)
    assert run("create", tmp_path / "a.npy", "-o", tmp_path / "c.npy", "--crop", "face") == 2
    assert "use the tool align" in capsys.readouterr().err


@pytest.mark.parametrize("tool", [["align"], ["create", "--crop", "face"], ["morph"]])
def test_what_is_not_installed_is_said_in_one_line(
    tool: list[str], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = folder
    if tool == ["morph"]:
        source = tmp_path / "a.npy"
        np.save(source, np.stack([photo(32, 32)] * 3))
    monkeypatch.setitem(sys.modules, "dlib", None)
    assert run(*tool, source, "-o", tmp_path / "out.npy") == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.endswith(f"not installed: {how_to_install('data')}")
    assert not (tmp_path / "out.npy").exists()


@NEEDS_FACES
def test_a_model_that_is_none_is_said_in_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.dat").write_text("hello")
    (tmp_path / "empty.dat").write_bytes(b"")
    (tmp_path / "zeros.dat").write_bytes(bytes(1000))
    for name, word in (
        ("text.dat", "shape_predictor"), ("empty.dat", "shape_predictor"), ("zeros.dat", "shape_predictor"),
        ("none.dat", "there is no file"), ("images", "there is no file"),
    ):  # fmt: skip
        command = ("align", folder, "-o", tmp_path / "out.npy", "--landmarks-model", tmp_path / name)
        assert run(*command) == 2, name
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert word in line, name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "4"], "--size is 4, expected 8 to 4096"),
        (["--jitter", "200"], "--jitter is 200.0, expected -180 to 180"),
        (["--workers", "-1"], "--workers is -1"),
    ],
)
def test_options_are_checked(
    options: list[str], message: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("align", folder, "-o", tmp_path / "out.npy", *options) == 2
    assert message in capsys.readouterr().err
