"""Sets merged, split, selected from and looked at; tables cut apart."""

import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.contract.errors import UserError
from trainer.contract.sheet import find_layout
from trainer.data.__main__ import main
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources.npy_set import ImageSet, writing
from trainer.data.tools.split import choose
from trainer.data.tools.stats import WIDTH, measure


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments)])
    return int(ended.value.code or 0)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert run(*arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def numbered(count: int, start: int = 0, size: int = 6, channels: int = 3) -> np.ndarray:
    return np.broadcast_to(np.arange(start, start + count, dtype=np.uint8)[:, None, None, None],
                           (count, size, size, channels)).copy()  # fmt: skip


def make(
    path: Path,
    images: np.ndarray,
    labels: list[int] | None = None,
    classes: tuple[str, ...] = (),
    names: tuple[str, ...] = (),
) -> Path:
    with writing(path, images.shape[1:], force=False) as writer:
        writer.append(images)
        writer.sidecar = Sidecar(labels=None if labels is None else np.array(labels), classes=classes, names=names)
    return path


def words(path: Path) -> list[tuple[int, str]]:
    """The number in each image, and its class in words."""
    found = ImageSet(path)
    labels = found.sidecar.labels
    assert labels is not None
    numbers = found[np.arange(len(found))][:, 0, 0, 0].tolist()
    return [(number, found.sidecar.classes[label]) for number, label in zip(numbers, labels, strict=True)]


def test_merged_labels_go_by_name(tmp_path: Path) -> None:
    one = make(tmp_path / "one.npy", numbered(3), [0, 1, 0], ("cat", "dog"), ("a", "b", "c"))
    two = make(tmp_path / "two.npy", numbered(3, 3), [0, 1, 2], ("newt", "cat", "dog"), ("a", "x", "y"))
    assert run("merge", one, two, "-o", tmp_path / "all.npy") == 0
    assert words(tmp_path / "all.npy") == [(0, "cat"), (1, "dog"), (2, "cat"), (3, "newt"), (4, "cat"), (5, "dog")]
    sidecar = ImageSet(tmp_path / "all.npy").sidecar
    assert sidecar.classes == ("cat", "dog", "newt")
    assert sidecar.names == ("one/a", "b", "c", "two/a", "x", "y"), "names stay apart"


def test_sets_with_and_without_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = make(tmp_path / "one.npy", numbered(2), [0, 0], ("cat",)), make(tmp_path / "two.npy", numbered(3, 2))
    out = tmp_path / "all.npy"
    error = refusal(capsys, "merge", one, two, "-o", out)
    assert "two.npy has no labels" in error
    assert "--labels sets" in error
    assert run("merge", str(tmp_path / "*.npy"), "-o", out, "--labels", "sets") == 0
    assert words(out) == [(0, "one"), (1, "one"), (2, "two"), (3, "two"), (4, "two")]
    assert run("merge", one, two, "-o", out, "--labels", "none", "--force") == 0
    assert ImageSet(out).sidecar.labels is None


def test_shapes_must_be_the_same_and_inputs_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, grey = make(tmp_path / "one.npy", numbered(2)), make(tmp_path / "grey.npy", numbered(2, channels=1))
    large = make(tmp_path / "large.npy", numbered(2, size=9))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    out = tmp_path / "all.npy"
    assert "9x9 px and 3 channel(s), expected 6x6 px and 3" in refusal(capsys, "merge", one, large, "-o", out)
    assert "6x6 px and 1 channel(s), expected 6x6 px and 3" in refusal(capsys, "merge", one, grey, "-o", out)
    assert "an input as well" in refusal(capsys, "merge", one, one.parent / "large.npy", "-o", large, "--force")
    assert "two or more" in refusal(capsys, "merge", one, "-o", out)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    fraction=st.floats(0.02, 0.98),
    seed=st.integers(0, 2**40),
)
@settings(max_examples=60)
def test_a_split_holds_out_the_fraction_of_each_class(counts: list[int], fraction: float, seed: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    labels = np.random.default_rng(0).permutation(labels)
    chosen = choose(len(labels), labels, fraction, seed)
    assert abs(chosen.sum() - fraction * len(labels)) < 1 + 1e-6
    for label, count in enumerate(counts):
        assert abs(chosen[labels == label].sum() - fraction * count) < 1 + 1e-6
    assert (chosen == choose(len(labels), labels, fraction, seed)).all()


def test_split_writes_each_image_once_by_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = [k % 4 for k in range(40)]
    source = make(tmp_path / "a.npy", numbered(40), labels, tuple("abcd"), tuple(f"{k}.png" for k in range(40)))
    parts: dict[int, list[list[tuple[int, str]]]] = {}
    for seed in (0, 0, 1):
        training, held_out = tmp_path / "train.npy", tmp_path / "held.npy"
        command = ("split", source, "-o", training, "--held-out", held_out, "--share", 0.2, "--seed", seed)
        assert run(*command, "--force") == 0
        found = [words(training), words(held_out)]
        assert sorted(found[0] + found[1]) == [(k, "abcd"[k % 4]) for k in range(40)]
        assert [word for _, word in found[1]].count("a") == 2
        assert found == parts.setdefault(seed, found)
    assert parts[0] != parts[1]
    sidecar = ImageSet(held_out).sidecar
    assert sidecar.names == tuple(f"{number}.png" for number, _ in parts[1][1])
    assert dict(sidecar.made)["part"] == "held out"
    assert "expected two files" in refusal(capsys, "split", source, "-o", training, "--held-out", training, "--force")
    alone = make(tmp_path / "alone.npy", numbered(1))
    assert "leaves one part" in refusal(capsys, "split", alone, "-o", tmp_path / "x.npy", "--held-out",
                                        tmp_path / "y.npy")  # fmt: skip


def test_select_by_numbers_and_by_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("a.png", "b b.png", "# c.png", "7", "e.png")
    source = make(tmp_path / "a.npy", numbered(5), [0, 1, 0, 1, 0], ("x", "y"), names)
    marked = tmp_path / "marked.txt"
    marked.write_text("# blurred\n1\n\n# c.png\r\ne.png\n")
    cases = (
        (("--keep", "0,2-3"), [0, 2, 3]),
        (("--drop", marked), [0, 3]),
        (("--keep", "0-3", "--drop", "1"), [0, 2, 3]),
        ((), [0, 1, 2, 3, 4]),
    )
    for options, expected in cases:
        assert run("select", source, *options, "-o", tmp_path / "out.npy", "--force") == 0
        assert words(tmp_path / "out.npy") == [(k, "xy"[k % 2]) for k in expected]
        assert ImageSet(tmp_path / "out.npy").sidecar.names == tuple(names[k] for k in expected)
    out = ("-o", tmp_path / "x.npy")
    for options, word in (
        (("--keep", "5"), "no image 5, expected 0 to 4"),
        (("--drop", "0-4"), "nothing is left"),
        (("--keep", "nowhere.txt"), "a file of them"),
    ):
        assert word in refusal(capsys, "select", source, *options, *out)
    marked.write_text("0\nz.png\n")
    assert "line 2: 'z.png' is the name of no image" in refusal(capsys, "select", source, "--drop", marked, *out)


def test_select_into_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = np.zeros((3, 6, 6, 3), np.uint8)
    images[1, ..., 0] = 255
    source = make(tmp_path / "a.npy", images, names=("in/one.jpg", "../../two.jpg", "in/\x1b[31m.jpg"))
    assert run("select", source, "-o", tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["_31m.png", "one.png", "two.png"]
    assert cv2.imread(str(tmp_path / "out" / "two.png"))[0, 0].tolist() == [0, 0, 255]
    assert "exists; give --force" in refusal(capsys, "select", source, "-o", tmp_path / "out")


def sheet(rows: int, columns: int, margin: int, border: int, height: int = 5, width: int = 7) -> np.ndarray:
    """A table whose images are numbered, with a bright margin."""
    whole = [parts * (side + margin) - margin + 2 * border for parts, side in ((rows, height), (columns, width))]
    image = np.full((*whole, 3), 255, np.uint8)
    for k in range(rows * columns):
        row, column = divmod(k, columns)
        top, left = border + row * (height + margin), border + column * (width + margin)
        image[top : top + height, left : left + width] = k
    return image


@pytest.mark.parametrize(("margin", "border"), [(2, 2), (2, 0), (0, 0), (5, 5)])
def test_a_table_is_cut_along_its_margins(tmp_path: Path, margin: int, border: int) -> None:
    cv2.imwrite(str(tmp_path / "t.png"), sheet(3, 4, margin, border))
    options = ("--rows", 3, "--columns", 4, *(() if margin == 2 else ("--margin", margin)))
    assert run("select", tmp_path / "t.png", *options, "-o", tmp_path / "out.npy") == 0
    images = np.load(tmp_path / "out.npy")
    assert images.shape == (12, 5, 7, 3)
    assert (images == np.arange(12, dtype=np.uint8)[:, None, None, None]).all()
    assert run("select", tmp_path / "t.png", *options, "--keep", "5", "-o", tmp_path / "one") == 0
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["t-5.png"]


def test_a_layout_that_does_not_fit_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=r"t\.png: 38x23 pixels are not 3 rows and 4 columns with 3 between"):
        find_layout(Path("t.png"), sheet(3, 4, 2, 2), {}, 3, 4, 3)
    cv2.imwrite(str(tmp_path / "t.png"), np.random.default_rng(0).integers(0, 256, (23, 38, 3), np.uint8))
    assert "expected --rows, --columns and --margin" in refusal(
        capsys, "select", tmp_path / "t.png", "-o", tmp_path / "x.npy"
    )


def test_a_sheet_of_the_viewer_says_its_own_layout(tmp_path: Path) -> None:
    options = ["--display", "none", "--keys", "S,s", "--rows", "2", "--cols", "3", "--out", str(tmp_path)]
    subprocess.run([sys.executable, "-m", "viewer", "grid", *options], check=True, capture_output=True)
    first, second = sorted(tmp_path.iterdir())
    assert run("select", first, "-o", tmp_path / "out.npy") == 0
    images = np.load(tmp_path / "out.npy")
    assert images.shape == (6, 128, 128, 3)
    assert (images[0] == cv2.imread(str(second))[..., ::-1]).all(), "the first image of the sheet"


def test_what_a_table_says_is_not_believed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = cv2.imencode(".png", sheet(2, 2, 2, 2))[1].tobytes()
    for recipe in ('{"rows": 1e9, "cols": "2"}', '{"rows": -1, "cols": 2}', '{"rows": 5, "cols": 2}', "[", "[" * 10**5,
                   '{"image": 0}', '{"rows": 2, "cols": 2, "gap": 1e99}'):  # fmt: skip
        body = b"utsuroi\0" + recipe.encode()
        chunk = struct.pack(">I", len(body)) + b"tEXt" + body + struct.pack(">I", zlib.crc32(b"tEXt" + body))
        (tmp_path / "t.png").write_bytes(data[:33] + chunk + data[33:])
        options = () if "gap" not in recipe else ("--margin", 9)
        if options or "image" in recipe:
            line = refusal(capsys, "select", tmp_path / "t.png", *options, "-o", tmp_path / "x.npy")
            assert "t.png" in line
        else:  # but the lines between the images are
            assert run("select", tmp_path / "t.png", "-o", tmp_path / "y.npy", "--force") == 0
            assert (np.load(tmp_path / "y.npy") == np.arange(4, dtype=np.uint8)[:, None, None, None]).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_stats_are_right_and_the_page_is_an_image(
    tmp_path: Path, channels: int, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 200, (50, 12, 16, channels), np.uint8)
    images[7] = 255
    images[11] = cv2.GaussianBlur(images[11], (7, 7), 0).reshape(12, 16, channels)
    source = make(tmp_path / "a.npy", images, [k % 2 for k in range(50)], ("cat\x1b[31m", "a" * 300))
    measured = measure(ImageSet(source))
    assert np.allclose(measured.mean, images.mean((0, 1, 2)))
    assert np.allclose(measured.std, images.std((0, 1, 2)))
    assert np.allclose(measured.mean_image, images.mean(0))
    assert np.allclose(measured.std_image, images.std(0))
    assert measured.histograms.sum() == images.size
    assert int(measured.brightness.argmax()) == 7
    assert np.argsort(measured.sharpness)[:2].tolist() == [7, 11]
    page = tmp_path / "page.png"
    assert run("stats", source, "-o", page) == 0
    assert f"mean {images[..., 0].mean():.1f}" in capsys.readouterr().out
    drawn = cv2.imread(str(page))
    assert drawn.shape[1] == WIDTH
    assert drawn.std() > 20
    assert "exists; give --force" in refusal(capsys, "stats", source, "-o", page)
    assert "ends in .png" in refusal(capsys, "stats", source, "-o", tmp_path / "page.jpg")


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (1, 2000, 3, 3), (2, 3, 2000, 1), (97, 5, 5, 3)])
def test_a_page_of_odd_shapes(tmp_path: Path, shape: tuple[int, int, int, int]) -> None:
    source = make(tmp_path / "a.npy", np.full(shape, 9, np.uint8))
    assert run("stats", source, "-o", tmp_path / "a.png") == 0
    assert cv2.imread(str(tmp_path / "a.png")).shape[0] < 6000


@pytest.mark.parametrize("name", ["merge", "split", "select", "stats"])
def test_help_shows_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([name, "--help"])
    assert f"python -m trainer.data {name} " in capsys.readouterr().out


def test_facts_are_json_that_others_can_read(tmp_path: Path) -> None:
    source = make(tmp_path / "a.npy", numbered(2), [0, 1], ("\U0001f408", "b"), ("\udcff.png", "b.png"))
    sidecar = json.loads((tmp_path / "a.json").read_bytes().decode("utf-8"))
    assert sidecar["names"] == ["\udcff.png", "b.png"]
    assert sidecar["classes"] == ["\U0001f408", "b"]
    np.save(source, numbered(2, 5))
    with pytest.raises(UserError, match="of other images"):
        ImageSet(source)


def test_one_image_in_place_of_a_set_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    line = refusal(capsys, "info", tmp_path / "a.png")
    assert line.endswith("a.png is not a .npy file of images: found an image, expected its folder or a set")
