"""Lists of marked images: what they look like, that nothing is lost, and that the image tools take them."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from trainer.contract.errors import ImageError
from viewer.files.image_set import open_set
from viewer.modes.dataset.selection import Selection, marks_path
from viewer.modes.dataset.session import open_sets

ROOT = Path(__file__).parents[4]
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 6, 5, 3), np.uint8)


@pytest.fixture
def npy(tmp_path: Path) -> Path:
    np.save(tmp_path / "set.npy", IMAGES)
    return tmp_path / "set.npy"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("ant/a.png", "ant/b c.png", "bee/#1.png", "bee/ä.png")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", IMAGES[number])[1].tobytes())
    return tmp_path / "photos"


def tool(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trainer.data", *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False, env=environment)


def test_the_tools_drop_what_is_marked(npy: Path) -> None:
    selection = Selection(open_set(npy))
    for number in (7, 0, 11, 3):
        selection.put(number, True)
    assert selection.put(3, False) == {0, 7, 11}
    left = npy.with_name("left.npy")
    done = tool("select", npy, "--drop", marks_path(open_set(npy)), "-o", left)
    assert (done.returncode, "9 of 12 images" in done.stdout) == (0, True), done.stderr
    assert np.array_equal(np.load(left), np.delete(IMAGES, [0, 7, 11], axis=0))


def test_the_list_of_a_folder_is_for_the_set_that_is_made_of_it(folder: Path) -> None:
    source = open_set(folder)
    selection = Selection(source)
    for name in ("bee/#1.png", "ant/b c.png", "bee/ä.png"):
        selection.put(source.names.index(name), True)
    made, left = folder.with_name("made.npy"), folder.with_name("left.npy")
    assert tool("create", folder, "-o", made, "--size", 6).returncode == 0
    done = tool("select", made, "--drop", folder.with_name("photos.marks.txt"), "-o", left)
    assert done.returncode == 0, done.stderr
    assert json.loads(left.with_suffix(".json").read_text())["names"] == ["ant/a.png"]


def test_marks_are_found_again(npy: Path, folder: Path) -> None:
    for source in (open_set(npy), open_set(folder)):
        Selection(source).put(2, True)
        assert Selection(source).numbers == {2}
        assert Selection(source).put(2, False) == Selection(source).numbers == frozenset()
    (npy.with_name("a-images-idx3-ubyte.gz")).write_bytes(
        gzip.compress(bytes((0, 0, 8, 3, 0, 0, 0, 12, 0, 0, 0, 6, 0, 0, 0, 5)) + IMAGES[..., 0].tobytes())
    )
    source = open_set(npy.with_name("a-images-idx3-ubyte.gz"))
    Selection(source).put(5, True)
    assert Selection(source).numbers == {5}


def test_two_viewers_lose_nothing_of_each_other(npy: Path) -> None:
    one, other = Selection(open_set(npy)), Selection(open_set(npy))
    one.put(1, True)
    other.put(2, True)
    one.put(3, True)
    assert other.put(1, False) == {2, 3}
    assert Selection(open_set(npy)).numbers == {2, 3}


def test_files_of_a_folder_share_its_list_and_leave_what_is_not_theirs(folder: Path) -> None:
    Selection(open_set(folder / "bee")).put(0, True)
    (few,) = open_sets([folder / "bee" / "ä.png"])
    Selection(few).put(0, True)
    lines = (folder / "bee.marks.txt").read_text().splitlines()
    assert sorted(line for line in lines if not line.startswith("# ")) == ["#1.png", "ä.png"]
    (folder / "bee" / "#1.png").unlink()
    left = Selection(open_set(folder / "bee"))
    assert left.numbers == {0}
    left.put(0, False)
    assert "#1.png" in (folder / "bee.marks.txt").read_text()


def test_a_list_by_hand(npy: Path) -> None:
    npy.with_suffix(".json").write_text(json.dumps({"names": [f"p{number}.jpg" for number in range(12)]}))
    marks_path(open_set(npy)).write_text("\ufeff3\r\n\n  p4.jpg \n# not this one\n5", "utf-8")
    assert Selection(open_set(npy)).put(6, True) == {3, 4, 5, 6}
    assert "# not this one" in marks_path(open_set(npy)).read_text()
    assert Selection(open_set(npy)).numbers == {3, 4, 5, 6}


def test_marks_of_other_images_are_refused(npy: Path) -> None:
    Selection(open_set(npy)).put(1, True)
    opened = Selection(open_set(npy))
    np.save(npy, 255 - IMAGES)
    os.utime(npy, ns=(1, 1))
    with pytest.raises(ImageError, match="has changed"):
        opened.put(2, True)
    with pytest.raises(ImageError, match="selected from other images") as failure:
        Selection(open_set(npy))
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("text", ["12\n", "-1\n", "1.5\n", "cat.jpg\n", "9999999999999\n", "\x00\x01\n"])
def test_a_list_that_does_not_fit_is_one_line(npy: Path, text: str) -> None:
    marks_path(open_set(npy)).write_text(text)
    with pytest.raises(ImageError, match=r"set\.npy\.marks\.txt, line 1: .*expected a number 0\.\.11") as failure:
        Selection(open_set(npy))
    assert "\n" not in str(failure.value)


def test_what_is_no_list_is_one_line(npy: Path) -> None:
    path = marks_path(open_set(npy))
    path.mkdir()
    with pytest.raises(ImageError, match="not a regular file"):
        Selection(open_set(npy))
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(ImageError, match="not a regular file"):
        Selection(open_set(npy))


def test_a_list_that_cannot_be_written_stays_as_it_was(npy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    selection = Selection(open_set(npy))
    selection.put(1, True)
    before = selection.path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ImageError, match="No space left"):
        selection.put(2, True)
    assert selection.path.read_bytes() == before
    assert selection.numbers == {1}
    assert {path.name for path in npy.parent.iterdir()} == {"set.npy", "set.npy.marks.txt"}
