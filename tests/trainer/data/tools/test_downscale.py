"""The tool that makes images smaller."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from trainer.contract.resample import shrink
from trainer.data.__main__ import main
from trainer.data.tools import downscale


def image(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (21 + number, 30, 3)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.bmp", "deep/a.png")):
        cv2.imwrite(str(tmp_path / "in" / name), image(number))
    (tmp_path / "in" / "note.txt").write_text("no image")
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["downscale", *arguments])
    return int(caught.value.code or 0)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_images_are_halved_under_their_names(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("in", "-o", "out") == 0
    assert files(folder / "out") == {"a.png", "b.png", "deep/a.png"}
    assert (cv2.imread("out/deep/a.png") == shrink(image(2), 2)).all()
    assert files(folder / "in") == {"a.png", "b.bmp", "deep/a.png", "note.txt"}
    said = capsys.readouterr()
    assert "3 images, 2 times smaller, 1 skipped" in said.out
    assert "skipped in/note.txt: not an image" in said.err


@pytest.mark.parametrize("aside", ["done", "in/done"])
def test_originals_can_be_set_aside(folder: Path, aside: str) -> None:
    before = (folder / "in" / "b.bmp").read_bytes()
    assert run("in", "-o", "out", "--move", aside, "--scale", "3") == 0
    assert files(folder / aside) == {"a.png", "b.bmp", "deep/a.png"}
    assert (folder / aside / "b.bmp").read_bytes() == before
    assert "in/note.txt" in files(folder)
    assert cv2.imread("out/a.png").shape == (7, 10, 3)
    assert run("in", "-o", "out", "--move", aside) == 2  # only the text is left


def test_nothing_is_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "done").mkdir()
    (folder / "done" / "b.bmp").write_text("here before")
    assert run("in", "-o", "out", "--move", "done") == 2
    assert "done/b.bmp exists" in capsys.readouterr().err
    assert files(folder / "done") == {"b.bmp"}
    assert not (folder / "out").exists()
    assert run("in", "-o", "out") == 0
    assert run("in", "-o", "out") == 2
    assert "out/a.png exists; give --force" in capsys.readouterr().err
    assert run("in", "-o", "out", "--force") == 0


def test_a_file_that_appears_meanwhile_stays(folder: Path) -> None:
    (folder / "taken.bmp").write_text("here before")
    with pytest.raises(downscale.UserError, match=r"cannot move in/b\.bmp to taken\.bmp: it exists"):
        downscale.move(Path("in/b.bmp"), Path("taken.bmp"))
    assert (folder / "taken.bmp").read_text() == "here before"
    assert (folder / "in" / "b.bmp").exists()


def test_to_another_disk_files_are_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    before = (folder / "in" / "b.bmp").read_bytes()
    monkeypatch.setattr(os, "link", refuse)
    downscale.move(Path("in/b.bmp"), Path("moved.bmp"))
    assert (folder / "moved.bmp").read_bytes() == before
    assert not (folder / "in" / "b.bmp").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("in", "-o", "out", "--scale", "1"), "--scale is 1, expected 2 to 16"),
        (("in", "-o", "out", "--move", "out"), "--move is out, the folder of the results"),
        (("in", "-o", "out", "--move", "in/note.txt"), "--move is in/note.txt, a file"),
        (("no*", "-o", "out"), "no file matches no*"),
        (("in/note.txt", "-o", "out"), "none of the 1 files is a readable image"),
    ],
)
def test_mistakes_are_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert run(*arguments) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert message in said[-1]
    assert files(folder / "in") == {"a.png", "b.bmp", "deep/a.png", "note.txt"}
