"""Lists of images to keep or drop, and the names that they go by."""

from pathlib import Path

import numpy as np
import pytest
from small_sets import flat, levels, run, write_set

from trainer.data.sources._sidecar import fingerprint
from trainer.data.sources.npy_set import ImageSet


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert run(*arguments) == 2
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    return said


def test_a_selection_of_other_images_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = write_set(tmp_path / "a.npy", flat(1, 2, 3))
    selection, out = tmp_path / "a.npy.marks.txt", tmp_path / "out.npy"
    lines = f"# marked in a.npy {fingerprint(whole)}\n# python -m trainer.data select a.npy --drop ...\n1\n"
    selection.write_text("\ufeff" + lines, "utf-8")
    assert run("select", whole, "--drop", selection, "-o", out) == 0
    assert levels(out) == [1, 3]
    out.unlink()
    out.with_suffix(".json").unlink()
    whole.unlink()
    whole.with_suffix(".json").unlink()
    write_set(whole, flat(9, 1, 2, 3))
    for option in ("--drop", "--keep"):
        said = refused(capsys, "select", whole, option, selection, "-o", out)
        assert "a.npy.marks.txt: selected from other images than a.npy holds now" in said
    assert not out.exists()
    selection.write_text("# all of these\n" + lines)  # a remark further down is one
    assert run("select", whole, "--drop", selection, "-o", out) == 0
    assert levels(out) == [9, 2, 3]


@pytest.mark.parametrize(
    ("numbers", "word"), [("2-1", "expected 1-2"), ("99-1", "no image 99"), ("0,3-0", "expected 0-3")]
)
def test_ranges_that_run_backwards_are_refused(
    tmp_path: Path, numbers: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = write_set(tmp_path / "a.npy", flat(1, 2, 3, 4))
    assert word in refused(capsys, "select", whole, "--drop", numbers, "-o", tmp_path / "out.npy")


def test_a_name_that_two_images_have_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = write_set(tmp_path / "a.npy", flat(1, 2, 3, 4), names=("x", "y", "x", ""))
    listed = tmp_path / "list.txt"
    listed.write_text("y\nx\n")
    said = refused(capsys, "select", whole, "--drop", listed, "-o", tmp_path / "out.npy")
    assert "list.txt, line 2: 'x' is the name of 2 images here" in said
    listed.write_text("y\n\n")  # an empty line is not the image without a name
    assert run("select", whole, "--drop", listed, "-o", tmp_path / "out.npy") == 0
    assert levels(tmp_path / "out.npy") == [1, 3, 4]


def test_merged_sets_of_one_name_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sets = []
    for number, place in enumerate(("a/cats", "b/cats", "x/b/dogs", "y/b/dogs")):
        path = tmp_path / f"{place}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        names = ("1.jpg", "2.jpg") if number else ()
        sets.append(write_set(path, flat(2 * number, 2 * number + 1), names=names))
    whole, out = tmp_path / "all.npy", tmp_path / "out.npy"
    assert run("merge", *sets, "-o", whole, "--labels", "sets") == 0
    found = ImageSet(whole).sidecar
    titles = ("a/cats", "b/cats", "x/b/dogs", "y/b/dogs")
    assert found.classes == titles
    assert found.labels is not None
    assert found.labels.tolist() == np.repeat(np.arange(4), 2).tolist()
    assert found.names == ("a/cats/0", "a/cats/1", *(f"{title}/{k}.jpg" for title in titles[1:] for k in (1, 2)))
    (tmp_path / "list.txt").write_text("b/cats/2.jpg\n")
    assert run("select", whole, "--drop", tmp_path / "list.txt", "-o", out) == 0
    assert levels(out) == [0, 1, 2, 4, 5, 6, 7]
    twice = tmp_path / "a" / ".." / "a" / "cats.npy"
    assert "cats.npy is there twice" in refused(capsys, "merge", sets[0], twice, "-o", tmp_path / "no.npy")
