"""What the tools for whole sets do: labels by name, fair halves, the right images out of tables, true figures."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from bad_images import photo
from commands import environment
from small_sets import flat, levels, run, write_set

from trainer.data.batches.dataset import open_dataset
from trainer.data.sources.npy_set import ImageSet
from trainer.data.tools import tool_names
from trainer.data.tools.create import Seen
from trainer.data.tools.stats import measure


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    a = write_set(tmp_path / "a.npy", flat(1, 2, 3), labels=np.array([0, 1, 0]), classes=("cat", "dog"),
                  names=("x.png", "y.png", "z.png"), sizes=np.array([[9, 8]] * 3))  # fmt: skip
    b = write_set(tmp_path / "b.npy", flat(4, 5), labels=np.array([0, 1]), classes=("newt", "cat"), names=("x.png", ""))
    return a, b


def test_merging_matches_labels_by_name(tmp_path: Path, two: tuple[Path, Path]) -> None:
    out = tmp_path / "out.npy"
    assert run("merge", *two, "-o", out) == 0
    found = ImageSet(out).sidecar
    assert levels(out) == [1, 2, 3, 4, 5]
    assert found.labels is not None
    assert [found.classes[label] for label in found.labels] == ["cat", "dog", "cat", "newt", "cat"]
    assert found.names == ("a/x.png", "y.png", "z.png", "b/x.png", "")
    assert found.sizes is not None
    assert found.sizes.tolist() == [[9, 8]] * 3 + [[4, 4]] * 2
    training = open_dataset(str(out), progress=False)
    assert training.classes == found.classes
    assert training.labels is not None
    assert training.labels.tolist() == found.labels.tolist()


def test_merging_sets_of_which_some_have_labels(
    tmp_path: Path, two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    bare = write_set(tmp_path / "bare.npy", flat(7))
    assert run("merge", two[0], bare, "-o", tmp_path / "no.npy") == 2
    assert "bare.npy has no labels" in capsys.readouterr().err
    assert not (tmp_path / "no.npy").exists()
    assert run("merge", *two, bare, "-o", tmp_path / "sets.npy", "--labels", "sets") == 0
    found = ImageSet(tmp_path / "sets.npy").sidecar
    assert found.classes == ("a", "b", "bare")
    assert found.labels is not None
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 2]
    assert run("merge", *two, bare, "-o", tmp_path / "none.npy", "--labels", "none") == 0
    assert ImageSet(tmp_path / "none.npy").sidecar.labels is None
    write_set(tmp_path / "wide.npy", flat(1, side=5))
    assert run("merge", two[0], tmp_path / "wide.npy", "-o", tmp_path / "no.npy", "--labels", "none") == 2
    assert "wide.npy has images of 5x5 px and 3 channel(s), expected 4x4 px" in capsys.readouterr().err


def test_merged_sets_keep_their_colours_whatever_their_order(tmp_path: Path) -> None:
    image = np.array([[[[10, 20, 30]]]], np.uint8)
    np.save(tmp_path / "bgr.npy", image[..., ::-1])
    (tmp_path / "bgr.json").write_text('{"order": "BGR"}')
    np.save(tmp_path / "rgb.npy", image)
    assert run("merge", tmp_path / "bgr.npy", tmp_path / "rgb.npy", "-o", tmp_path / "out.npy") == 0
    assert np.load(tmp_path / "out.npy").reshape(2, 3).tolist() == [[10, 20, 30]] * 2
    assert open_dataset(str(tmp_path / "bgr.npy"), progress=False).images[np.array([0])].ravel().tolist() == [
        10,
        20,
        30,
    ]


def test_splitting_is_by_seed_and_fair_to_every_class(tmp_path: Path) -> None:
    labels = np.array([0] * 60 + [1] * 30 + [2] * 10)[np.random.default_rng(0).permutation(100)]
    whole = write_set(tmp_path / "in.npy", flat(*range(100)), labels=labels, classes=("a", "b", "c"))

    def split(name: str, seed: int) -> tuple[list[int], list[int]]:
        paths = tmp_path / f"{name}.npy", tmp_path / f"{name}-held.npy"
        assert run("split", whole, "-o", paths[0], "--held-out", paths[1], "--share", "0.2", "--seed", seed) == 0
        for path in paths:
            found = ImageSet(path).sidecar
            assert found.labels is not None
            assert found.labels.tolist() == labels[levels(path)].tolist()
        return levels(paths[0]), levels(paths[1])

    training, held_out = split("first", 0)
    assert sorted(training + held_out) == list(range(100))
    assert training == sorted(training)
    assert np.bincount(labels[held_out]).tolist() == [12, 6, 2]
    assert split("repeated", 0) == (training, held_out)
    assert split("other", 1)[1] != held_out


def test_selecting_by_numbers_names_and_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("a.png", "b c.png", "#d.png", "17")
    whole = write_set(tmp_path / "in.npy", flat(1, 2, 3, 4), names=names, labels=np.arange(4) % 2, classes=("x", "y"))
    listed = tmp_path / "list.txt"
    listed.write_text("# seen twice\nb c.png\n\n3\n#d.png\n")
    for number, (flags, expected) in enumerate(
        [
            (("--keep", "2-3,0"), [1, 3, 4]),
            (("--drop", "0"), [2, 3, 4]),
            (("--drop", listed), [1]),
            (("--keep", "0-2", "--drop", listed), [1]),
        ]
    ):
        out = tmp_path / f"{number}.npy"
        assert run("select", whole, "-o", out, *flags) == 0
        assert levels(out) == expected
        assert ImageSet(out).sidecar.names == tuple(names[level - 1] for level in expected)
    for flags, words in [
        (("--drop", "4"), "no image 4, expected 0 to 3"),
        (("--drop", "0-3"), "nothing is left of 4"),
        (("--keep", "nowhere.txt"), "there is none"),
    ]:
        assert run("select", whole, "-o", tmp_path / "no.npy", *flags) == 2
        assert words in capsys.readouterr().err
    listed.write_text("e.png\n")
    assert run("select", whole, "-o", tmp_path / "no.npy", "--drop", listed) == 2
    assert "list.txt, line 1: 'e.png' is the name of no image here" in capsys.readouterr().err


@pytest.mark.parametrize(("margin", "border"), [(2, True), (3, False), (0, False)])
def test_images_are_cut_out_of_a_table(tmp_path: Path, margin: int, border: bool) -> None:
    images = np.stack([np.roll(photo(10, 14), k, 1) for k in range(6)])
    edge = margin if border else 0
    table = np.zeros((2 * (10 + margin) - margin + 2 * edge, 3 * (14 + margin) - margin + 2 * edge, 3), np.uint8)
    for k, one in enumerate(images):
        top, left = edge + k // 3 * (10 + margin), edge + k % 3 * (14 + margin)
        table[top : top + 10, left : left + 14] = one
    cv2.imwrite(str(tmp_path / "table.png"), table[..., ::-1])
    flags = ("--rows", 2, "--columns", 3, "--margin", margin)
    assert run("select", tmp_path / "table.png", "-o", tmp_path / "out.npy", *flags) == 0
    assert (np.load(tmp_path / "out.npy") == images).all()
    assert run("select", tmp_path / "table.png", "-o", tmp_path / "cut", "--keep", 4, *flags) == 0
    assert [path.name for path in (tmp_path / "cut").iterdir()] == ["table-4.png"]
    assert (cv2.imread(str(tmp_path / "cut" / "table-4.png"))[..., ::-1] == images[4]).all()
    assert run("select", tmp_path / "table.png", "-o", tmp_path / "no.npy", "--rows", 7, "--columns", 3) == 2


def test_labels_by_folder_and_by_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, name in enumerate(("dog/deep/a.png", "cat/b.png", "cat/c.png", "d.png")):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((8, 8, 3), 10 * number, np.uint8))

    def labelled(out: str, labels: object) -> dict[str, str]:
        assert run("create", tmp_path / "in", "-o", tmp_path / out, "--size", 8, "--labels", labels) == 0
        found = ImageSet(tmp_path / out).sidecar
        assert found.labels is not None
        return {name: found.classes[label] for name, label in zip(found.names, found.labels, strict=True)}

    by_folder = labelled("a.npy", "folders")
    assert by_folder == {"dog/deep/a.png": "dog", "cat/b.png": "cat", "cat/c.png": "cat", "d.png": "in"}
    table = tmp_path / "labels.csv"
    table.write_text('file,class\ndog/deep/a.png,10\n"b.png",9\nd.png,9\nnobody.png,3\n')
    assert labelled("b.npy", table) == {"dog/deep/a.png": "10", "cat/b.png": "9", "d.png": "9"}
    error = capsys.readouterr().err
    assert "c.png: no label in" in error
    assert "note: 1 of the names" in error
    assert ImageSet(tmp_path / "b.npy").sidecar.classes == ("9", "10")


def test_doubles_are_dropped_by_name_and_likenesses_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    original, other = photo(120, 160), photo(128, 128)
    lighter = cv2.convertScaleAbs(original, alpha=1.1, beta=6)
    for name, image, flags in (
        ("0.png", original, []),
        ("1-smaller.png", cv2.resize(original, (80, 60), interpolation=cv2.INTER_AREA), []),
        ("2-squeezed.jpg", original, [cv2.IMWRITE_JPEG_QUALITY, 30]),
        ("3-lighter.png", lighter, []),
        ("4-other.png", other, []),
        ("5-mirrored.png", original[:, ::-1], []),
    ):
        cv2.imwrite(str(folder / name), image, flags)
    assert run("create", folder, "-o", tmp_path / "out.npy", "--size", 64, "--dedupe") == 0
    shown = capsys.readouterr()
    assert ImageSet(tmp_path / "out.npy").sidecar.names == ("0.png", "4-other.png", "5-mirrored.png")
    for name in ("1-smaller.png", "2-squeezed.jpg", "3-lighter.png"):
        assert any(name in line and line.endswith("in/0.png") for line in shown.err.splitlines()), name
    assert "3 dropped that came before" in shown.out


def test_small_ones_are_left_out_and_the_middle_is_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wide = np.zeros((40, 120, 3), np.uint8)
    wide[:, 40:80] = 255
    cv2.imwrite(str(tmp_path / "wide.png"), wide)
    cv2.imwrite(str(tmp_path / "low.png"), wide[:39])
    flags = ("--size", 20, "--crop", "center", "--min-size", 40)
    assert run("create", tmp_path / "*.png", "-o", tmp_path / "out.npy", *flags) == 0
    assert "low.png: 120x39 px, --min-size is 40" in capsys.readouterr().err
    assert (np.load(tmp_path / "out.npy") == 255).all()
    sidecar = json.loads((tmp_path / "out.json").read_text())
    assert sidecar["names"] == ["wide.png"]
    assert sidecar["sizes"] == [[120, 40]]
    assert sidecar["order"] == "RGB"
    assert sidecar["made"]["options"] == {"size": 20, "crop": "center", "min_size": 40}
    assert {"python", "numpy", "opencv"} <= sidecar["versions"].keys()


@pytest.mark.parametrize("channels", [1, 3])
def test_figures_are_those_of_plain_numpy(tmp_path: Path, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 256, (23, 9, 11, channels), np.uint8)
    write_set(tmp_path / "in.npy", images)
    whole = ImageSet.pieces
    monkeypatch.setattr(ImageSet, "pieces", lambda stored: whole(stored, 5 * images[0].size))
    found = measure(ImageSet(tmp_path / "in.npy"))
    floats = images.astype(np.float64)
    assert np.allclose(found.mean, floats.mean((0, 1, 2)))
    assert np.allclose(found.std, floats.std((0, 1, 2)))
    assert np.allclose(found.mean_image, floats.mean(0))
    assert np.allclose(found.std_image, floats.std(0))
    assert (found.histograms == [np.bincount(images[..., k].ravel(), minlength=256) for k in range(channels)]).all()
    grey = floats @ [0.299, 0.587, 0.114] if channels == 3 else floats[..., 0]
    assert np.abs(found.brightness - grey.mean((1, 2))).max() < 0.1
    around = np.pad(np.rint(grey), ((0, 0), (1, 1), (1, 1)), "reflect")
    edges = around[:, :-2, 1:-1] + around[:, 2:, 1:-1] + around[:, 1:-1, :-2] + around[:, 1:-1, 2:] - 4 * np.rint(grey)
    assert np.allclose(found.sharpness, edges.std((1, 2)), rtol=2e-3)


def test_the_page_shows_every_kind_of_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many = tuple(f"a kind with a long name {k}" for k in range(40))
    sets = {
        "one": write_set(tmp_path / "one.npy", flat(7, side=1)),
        "grey": write_set(tmp_path / "grey.npy", flat(*range(30))[..., :1]),
        "many": write_set(tmp_path / "many.npy", flat(*range(200)), labels=np.arange(200) % 40, classes=many),
    }
    for name, path in sets.items():
        assert run("stats", path, "-o", tmp_path / f"{name}.png") == 0
        page = cv2.imread(str(tmp_path / f"{name}.png"))
        assert page is not None
        assert page.std() > 1
    assert run("stats", sets["one"], "-o", tmp_path / "one.png") == 2
    assert "one.png exists; give --force" in capsys.readouterr().err
    assert run("stats", tmp_path, "-o", tmp_path / "new.png") == 2
    assert "is a folder, expected a .npy file of images; 'create' makes one" in capsys.readouterr().err


def test_info_says_how_a_set_was_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_set(tmp_path / "in.npy", flat(1, 2, 3))
    assert run("filter", tmp_path / "in.npy", "-o", tmp_path / "out.npy", "--kind", "highpass", "--sigma", 3) == 0
    assert run("info", tmp_path / "out.npy") == 0
    assert "filter in.npy --kind highpass --sigma 3.0" in capsys.readouterr().out


@pytest.mark.parametrize("name", tool_names())
def test_help_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(name, "--help") == 0
    assert f"    python -m trainer.data {name} " in capsys.readouterr().out


def test_plain_images_repeat_only_those_of_their_own_level() -> None:
    seen = Seen()
    found = [seen.find(np.full((20, 20, 3), level, np.uint8)) for level in (10, 200, 11, 100, 200)]
    assert found == [None, None, 0, None, 1]
    noisy = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    assert seen.find(noisy) is None
    assert seen.find(noisy) == 3


def test_a_reader_that_has_seen_enough_gets_no_complaint(tmp_path: Path) -> None:
    write_set(tmp_path / "in.npy", flat(1, 2, 3))
    command = [sys.executable, "-m", "trainer.data", "info", str(tmp_path / "in.npy")]
    reading, writing_end = os.pipe()
    os.close(reading)
    ended = subprocess.run(command, stdout=writing_end, stderr=subprocess.PIPE, env=environment(), check=False)
    os.close(writing_end)
    assert ended.returncode == 1
    assert ended.stderr == b""
