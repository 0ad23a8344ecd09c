"""Every image tool over every bad input: named in one line, at once, in little memory, and nothing is written."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bad_images import Bad, make_images, make_labelled, make_sets, make_tables_of_labels, photo
from commands import run_tools
from drawn_faces import NEEDS_FACES, draw_face

from trainer.contract.text import printable

SECONDS, MEGABYTES = 5, 1000


def check(folder: Path, cases: Iterable[tuple[list[str], Bad]]) -> None:
    """Run tools on bad inputs, each with ``OUT`` as its output: what has to be taken is, all else is one line."""
    listed = list(cases)
    outputs = [folder / f"out-{number}" for number in range(len(listed))]
    commands = []
    for (arguments, _), output in zip(listed, outputs, strict=True):
        named = [word.replace("OUT", str(output)) for word in arguments]
        commands.append({"arguments": named, "seconds": SECONDS + 5})
    for (arguments, bad), output, end in zip(listed, outputs, run_tools(commands, folder), strict=True):
        what = f"{' '.join(arguments)}: {end}"
        written = [path for path in folder.iterdir() if path.name.startswith((output.name + ".", f".{output.name}."))]
        lines = [line for line in end["error"].splitlines() if not line.startswith(("OpenCV", "[ WARN"))]
        assert end["seconds"] < SECONDS, what
        assert end["megabytes"] < MEGABYTES, what
        assert "\x1b" not in end["error"] + end["out"], what
        assert "Traceback" not in end["error"], what
        if bad.word == "" and end["code"] == 0:
            continue
        assert end["code"] == 2, what
        assert bad.word, f"refused: {what}"
        assert any(bad.word in line and _shown(bad.path) in line for line in lines), what
        assert lines[-1].startswith("error: "), what
        assert len(lines) <= 2, what
        assert not written, what


def _shown(path: Path) -> str:
    return printable(path.stem if path.suffix == ".npy" else path.name)[:60]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Bad]:
    return make_images(tmp_path_factory.mktemp("bad") / "images")


def test_the_corpus_is_large(images: list[Bad], tmp_path: Path) -> None:
    refused = [bad for bad in images if bad.word]
    assert len(refused) >= 45
    assert len(images) - len(refused) >= 20
    assert len(make_sets(tmp_path / "sets")) >= 30


def test_a_folder_of_them_loses_only_those_that_are_no_images(images: list[Bad], tmp_path: Path) -> None:
    """What a person does: all at once, with two at a time."""
    folder = images[0].path.parent
    good = [bad for bad in images if not bad.word]
    for tool, more in (("create", ["-o", "a.npy", "--size", "16", "--workers", "2"]),
                       ("filter", ["-o", "even", "--kind", "clahe", "--workers", "2"]),
                       ("edges", ["-o", "edges", "--size", "16", "--workers", "2"]),
                       ("downscale", ["-o", "small", "--scale", "2", "--workers", "2"])):  # fmt: skip
        (end,) = run_tools([{"arguments": [tool, str(folder), *more], "seconds": 30}], tmp_path)
        lines = end["error"].splitlines()
        assert end["code"] == 0, end
        assert end["megabytes"] < MEGABYTES, end["megabytes"]
        for bad in images:
            named = [line for line in lines if _shown(bad.path) in line and line.startswith("skipped ")]
            expected = bad.word or ("expected at least" if tool == "downscale" and "one-pixel" in bad.path.name else "")
            same_name = tool != "create" and named and "the same name" in named[0]
            assert same_name or bool(named) == bool(expected), (tool, bad, named)
            assert all(expected in line for line in named) or same_name, (tool, bad, named)
    assert len(np.load(tmp_path / "a.npy")) == len(good)
    names = json.loads((tmp_path / "a.json").read_text("utf-8"))["names"]
    assert {os.fsencode(name) for name in names} == {os.fsencode(bad.path.name) for bad in good}


@NEEDS_FACES
@pytest.mark.slow
def test_a_folder_of_them_leaves_the_face(images: list[Bad], tmp_path: Path) -> None:
    folder, face = images[0].path.parent, tmp_path / "face.png"
    cv2.imwrite(str(face), draw_face().image)
    arguments = ["align", str(face), str(folder), "-o", "a.npy", "--size", "16", "--workers", "2"]
    (end,) = run_tools([{"arguments": arguments, "seconds": 300}], tmp_path)
    assert end["code"] == 0, end
    assert end["megabytes"] < MEGABYTES, end["megabytes"]
    lines = end["error"].splitlines()
    for bad in (bad for bad in images if bad.word):
        (line,) = (line for line in lines if f"/{_shown(bad.path)}" in line and line.startswith("skipped "))
        assert bad.word in line, (bad, line)
    (line,) = (line for line in lines if line.startswith("no face found in "))
    assert any(f"/{_shown(bad.path)}" in line for bad in images if not bad.word)
    (name,) = json.loads((tmp_path / "a.json").read_text("utf-8"))["names"]
    assert Path(name).name == "face.png"
    assert f"{sum(not bad.word for bad in images)} images without a face" in end["out"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "tool",
    [
        ["create", "PATH", "-o", "OUT.npy", "--size", "32"],
        ["create", "PATH", "-o", "OUT.npy", "--crop", "center", "--dedupe", "--exact"],
        ["edges", "PATH", "-o", "OUT.folder"],
        ["downscale", "PATH", "-o", "OUT.folder"],
        ["filter", "PATH", "-o", "OUT.folder", "--kind", "highpass"],
        ["select", "PATH", "-o", "OUT.npy", "--rows", "1", "--columns", "1", "--margin", "0"],
        ["shards", "PATH", "-o", "OUT.shards-{0..0}.tar"],
        ["shards", "PATH", "-o", "OUT.shards-{0..0}.tar", "--size", "16", "--format", "webp"],
        pytest.param(["align", "PATH", "-o", "OUT.npy"], marks=NEEDS_FACES),
        pytest.param(["create", "PATH", "-o", "OUT.npy", "--crop", "face"], marks=NEEDS_FACES),
    ],
    ids=[
        "create",
        "create-more",
        "edges",
        "downscale",
        "filter",
        "select",
        "shards",
        "shards-sized",
        "align",
        "create-faces",
    ],
)
def test_each_bad_image_is_one_line(images: list[Bad], tool: list[str], tmp_path: Path) -> None:
    small = {"one-pixel.png"} if tool[0] == "downscale" else set()
    otherwise = "no face" if "align" in tool or "face" in tool else ""
    check(
        tmp_path,
        (
            ([str(bad.path) if word == "PATH" else word for word in tool], bad._replace(word=bad.word or otherwise))
            for bad in images
            if bad.path.name not in small
        ),
    )


def set_tools(path: Path, good: Path) -> list[list[str]]:
    """Every tool that takes a set."""
    return [
        ["info", str(path)],
        ["create", str(path), "-o", "OUT.npy", "--size", "4"],
        ["merge", str(good), str(path), "-o", "OUT.npy", "--labels", "none"],
        ["split", str(path), "-o", "OUT.npy", "--held-out", "OUT.held.npy", "--share", "0.4"],
        ["select", str(path), "--drop", "0", "-o", "OUT.npy"],
        ["stats", str(path), "-o", "OUT.png"],
        ["filter", str(path), "-o", "OUT.npy", "--kind", "blur"],
        ["align", str(path), "-o", "OUT.npy"],
        ["morph", str(path), "-o", "OUT.npy", "--method", "flow"],
        ["shards", str(path), "-o", "OUT.shards-{0..1}.tar"],
    ]


@pytest.mark.parametrize("number", [0, pytest.param(slice(1, None), marks=pytest.mark.slow)], ids=["info", "others"])
@pytest.mark.parametrize("make", [make_sets, make_labelled], ids=["sets", "labelled"])
def test_each_bad_set_is_one_line(make: Any, number: int | slice, tmp_path: Path) -> None:
    good = tmp_path / "good.npy"
    np.save(good, np.stack([photo(8, 8)] * 5))
    cases = []
    for bad in make(tmp_path / "bad"):
        tools = set_tools(bad.path, good)
        for tool in tools[number] if isinstance(number, slice) else [tools[number]]:
            word = bad.word
            if bad.path.is_dir():  # some tools look for images in it
                words = {
                    "info": "no readable", "create": "no file matches", "align": "no file matches",
                    "filter": "for image files", "shards": "holds no file",
                }  # fmt: skip
                word = words.get(tool[0], "a folder")
            cases.append((tool, bad._replace(word=word)))
    check(tmp_path, cases)


def test_each_bad_table_of_labels_is_one_line(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), photo())
    check(
        tmp_path,
        (
            (["create", str(tmp_path / "a.png"), "-o", "OUT.npy", "--labels", str(bad.path)], bad)
            for bad in make_tables_of_labels(tmp_path / "labels")
        ),
    )
