"""What every data tool must do, found by listing: its help, its examples, its mistakes, and its outputs whole.

Examples name files of ``make_inputs``: a new tool's docstring uses those, and needs nothing else here.
"""

import os
import shlex
import subprocess
import sys
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from bad_images import photo
from commands import environment
from drawn_cats import draw
from drawn_faces import NEEDS_FACES, draw_face
from failing_disk import Ending, Refusal, forked
from killed_tools import TOOLS as KILLED
from killed_tools import state_of
from small_sets import write_idx

from trainer.data.__main__ import main
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources.npy_set import writing
from trainer.data.tools import description, load_tool, tool_names

START = "python -m trainer.data "
EXAMPLES = {
    name: [
        shlex.split(line)[3:]
        for line in description(name)[1].splitlines()
        if line.lstrip().startswith(f"{START}{name} ")
    ]
    for name in tool_names()
}
OUTPUTS = ("-o", "--output", "--held-out", "--move")
FACES = {"align", "morph"}  # need dlib, in their first example
SLOW = {"align", "morph", "shards", "toycats"}  # take seconds


def make_inputs(folder: Path) -> None:
    """All the files that examples name."""
    for k, name in enumerate(
        ("cats/a.jpg", "cats/b.jpg", "more-cats/c.png", "holidays/beach.png", "holidays/deep/hills.jpg",
         "animals/cat/1.png", "animals/dog/1.png", "photos/a.png", "photos/b.jpg", "inbox/new.png",
         "illustrations/fox.png", "portraits/me.jpg")
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        image = draw_face(k).image if name.startswith(("holidays", "portraits")) else photo(40 + k, 50)
        cv2.imwrite(str(folder / name), np.roll(image, 3 * k, 1))
    (folder / "mnist").mkdir()
    write_idx(folder / "mnist", bytes)
    for seed, name in enumerate(("cats", "dogs", "morphs", "faces")):
        cats = draw(130 if name == "cats" else 6, 16, seed)
        images = np.stack([cv2.resize(draw_face(k).image, (64, 64)) for k in range(3)])
        with writing(folder / f"{name}.npy", (64, 64, 3) if name == "faces" else (16, 16, 3), force=False) as writer:
            writer.append(images if name == "faces" else cats.images)
            if name in ("cats", "morphs"):
                writer.sidecar = Sidecar(labels=cats.labels, classes=cats.classes)
    (folder / "blurred.txt").write_text("3\n5\n")
    cv2.imwrite(str(folder / "sheet.png"), np.full((6 * 10 + 5 * 2, 8 * 12 + 7 * 2, 3), 99, np.uint8))
    subprocess.run(
        [sys.executable, "-m", "viewer", "grid", "--display", "none", "--keys", "S,esc", "--out", folder / "viewer"],
        check=True, capture_output=True, env=environment(),
    )  # fmt: skip
    (sheet,) = (folder / "viewer").iterdir()
    sheet.rename(folder / "cats-0001.png")
    (folder / "viewer").rmdir()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all tests; those that write link its files into a folder of their own."""
    folder = tmp_path_factory.mktemp("inputs")
    make_inputs(folder)
    return folder


@pytest.fixture
def place(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all inputs, where the test runs."""
    link_all(inputs, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def link_all(inputs: Path, folder: Path) -> None:
    for path in inputs.rglob("*"):
        if path.is_file():
            target = folder / path.relative_to(inputs)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(path)


def clear(folder: Path, words: list[str]) -> None:
    """Make room for the output of an example where it is an input of another one."""
    for before, word in pairwise(words):
        if before in OUTPUTS and (folder / word).is_file():
            (folder / word).unlink()
            (folder / word).with_suffix(".json").unlink(missing_ok=True)


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(ended.value.code or 0)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def marked(names: set[str], slow: set[str]) -> list[object]:
    """Tools as parameters, marked by what their examples take."""
    marks = {name: [pytest.mark.slow] if name in slow else [] for name in names}
    return [pytest.param(name, marks=marks[name] + ([NEEDS_FACES] if name in FACES else [])) for name in sorted(names)]


WRITING = {name for name in EXAMPLES if "output" in {item.name for item in fields(load_tool(name).Options)}}


@pytest.mark.parametrize("name", tool_names())
def test_help_shows_the_docstring_and_every_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(name, "--help") == 0
    text = capsys.readouterr().out
    summary, rest = description(name)
    words = " ".join(text.split())
    assert summary in words
    assert rest in text
    assert summary.endswith(".")
    assert EXAMPLES[name], "expected an example in the docstring"
    for item in fields(load_tool(name).Options):
        assert item.metadata["help"] in words, item.name
        if "names" in item.metadata:
            for flag in item.metadata["names"] or (f"--{item.name.replace('_', '-')}",):
                assert flag in text


def test_the_list_of_tools_imports_none_of_them() -> None:
    code = (
        "import sys\nfrom trainer.data.__main__ import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        "tools = [f'trainer.data.tools.{name}' for name in sys.argv[1:]]\n"
        "print(sorted({'cv2', 'numpy', 'torch', *tools} & {*sys.modules}))"
    )
    command = [sys.executable, "-c", code, *tool_names()]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert all(f"\n    {name}" in out for name in tool_names())
    assert out.endswith("[]\n")


@pytest.mark.parametrize("name", marked(set(EXAMPLES), SLOW))
def test_examples_run(name: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in EXAMPLES[name]:
        clear(place, words)
    before = files(place)
    for words in EXAMPLES[name]:
        clear(place, words)  # which an earlier example has made, too
        assert run(*words) == 0, capsys.readouterr().err
        said = capsys.readouterr()
        assert said.out.strip()
        assert "it/s" not in said.err
        assert "Traceback" not in said.err
    after = files(place)
    if "--move" not in str(EXAMPLES[name]):
        assert {path: after[path] for path in before} == before
    assert (len(after) > len(before)) == (name in WRITING)


@pytest.mark.parametrize("name", tool_names())
def test_mistakes_are_one_line(name: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (words, *_) = EXAMPLES[name]
    options = load_tool(name).Options
    cases = []
    for at, word in enumerate(words[1:], 1):
        if words[at - 1] not in OUTPUTS and (Path(word).exists() or "*" in word):
            cases.append([*words[:at], "missing" + Path(word).suffix.replace("*", ""), *words[at + 1 :]])
    for item in fields(options):
        if "within" in item.metadata:
            (flag, *_) = item.metadata["names"] or (f"--{item.name.replace('_', '-')}",)
            cases.append([*words, flag, str(item.metadata["within"][1] + 1)])
            assert run(*cases[-1]) == 2
            assert f"error: {flag} is " in capsys.readouterr().err
    assert cases
    before = files(place)
    for case in cases:
        assert run(*case) == 2, case
        (*notes, line) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: "), case
        assert len(notes) <= 1, case
        assert files(place) == before


@pytest.mark.parametrize("kill", [False, True], ids=["failing", "killed"])
@pytest.mark.parametrize("old", [False, True], ids=["new", "replaced"])
@pytest.mark.parametrize("name", marked(WRITING, {tool.split("-")[0] for tool in KILLED}))
def test_a_write_that_fails_leaves_the_old_file_or_the_whole_new_one(
    name: str, old: bool, kill: bool, inputs: Path, tmp_path: Path
) -> None:
    """Each write of the first example in turn; ``test_kills`` has more of today's tools."""
    (words, *_) = EXAMPLES[name]
    if old and "force" not in {item.name for item in fields(load_tool(name).Options)}:
        pytest.skip("this tool never replaces anything")

    def forked_in(folder: Path, refusal: Refusal, *more: str) -> Ending:
        absolute = [str(folder / word) if before in OUTPUTS else word for before, word in pairwise(["", *words])]

        def command() -> None:
            os.chdir(folder)
            main([*absolute, *more])

        return forked(command, refusal)

    def prepared(folder: Path) -> Path:
        link_all(inputs, folder)
        clear(folder, words)
        for path in made if old else ():
            (folder / path).parent.mkdir(exist_ok=True)
            if path.endswith(".npy"):
                np.save(folder / path, np.full((2, 4, 4, 3), 7, np.uint8))
            elif path.endswith(".png"):
                cv2.imwrite(str(folder / path), np.full((2, 2, 3), 7, np.uint8))
        return folder

    made: list[str] = []
    whole = prepared(tmp_path / "whole")
    before = files(whole)
    ending = forked_in(whole, Refusal(at=-1, under=str(whole)))
    assert ending.code == 0, ending
    made += sorted(files(whole).keys() - before.keys())
    new = {path: readable(whole / path) for path in made}
    force = ["--force"] if old else []
    for at in range(1, ending.steps + 1):
        folder = prepared(tmp_path / f"failing-{at}")
        was = {path: readable(folder / path) for path in made}
        ending = forked_in(folder, Refusal(at=at, under=str(folder), kill=kill), *force)
        assert ending.code in ((-9,) if kill else (0, 2)), ending
        assert "Traceback" not in ending.error, ending
        for path in made:
            assert readable(folder / path) in (was[path], new[path]), (at, path, ending)


def readable(path: Path) -> object:
    """What a reader finds in an output; None where there is nothing."""
    return state_of(path) if path.suffix in (".npy", ".png") else None
