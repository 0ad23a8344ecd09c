"""What info says of saved images."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from viewer.__main__ import main
from viewer.files.png import encode_png, read_recipe


def page(path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """What is printed of a file."""
    capsys.readouterr()
    assert main(["info", str(path), *more]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    return said.out


def fields(text: str) -> dict[str, str]:
    width = text.index(" ", text.index("file")) + len(text.split("file", 1)[1]) - len(text.split("file", 1)[1].lstrip())
    return {line[:width].strip(): line[width:] for line in text.splitlines()}


def test_a_sheet_is_a_page_and_not_its_numbers(
    generator_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["grid", str(generator_path), "--display", "none", "--rows", "4", "--cols", "5", "--seed", "9"]
    assert main([*words, "--keys", "right,s,S", "--out", str(tmp_path)]) == 0
    one, sheet = sorted(tmp_path.iterdir())

    said = fields(page(sheet, capsys))
    assert said["what"].startswith("a page of images, 4 rows of 5, ")
    assert said["mode"] == "grid random"
    assert said["made by"] == "tiny.onnx"
    assert said["seed"] == "9"
    assert said["latents"].startswith("20 times 4 numbers, ")
    assert "mean" in said["latents"]
    assert said["again"] == f"python -m viewer grid tiny.onnx --from {sheet}"
    assert said[""] == "made by 'tiny.onnx', found none beside it or here"  # the model is in another folder
    assert max(map(len, page(sheet, capsys).splitlines())) < 200

    said = fields(page(one, capsys))
    assert said["what"] == "image 1 of 0-19 on a page of 4 rows of 5, 16x16 pixels"
    assert json.loads(said["latent"]) == read_recipe(one)["latent"]  # few enough to be read


def test_the_command_makes_it_again(
    generator_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(generator_path.parent)
    assert main(["grid", "tiny.onnx", "--display", "none", "--keys", "x,i,right,s", "--out", str(tmp_path)]) == 0
    (saved,) = tmp_path.iterdir()
    said = fields(page(saved, capsys))
    assert "" not in said
    program, words = said["again"][:16], said["again"][17:].split()
    assert program == "python -m viewer"
    assert main([*words, "--display", "none", "--keys", "s", "--out", str(tmp_path / "again")]) == 0
    (again,) = (tmp_path / "again").iterdir()
    assert again.read_bytes() == saved.read_bytes()


def test_json_has_every_number(generator_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["grid", str(generator_path), "--display", "none", "--keys", "S", "--out", str(tmp_path)])
    (sheet,) = tmp_path.iterdir()
    assert json.loads(page(sheet, capsys, "--json")) == read_recipe(sheet)
    model = json.loads(page(generator_path, capsys, "--json"))
    assert model["kind"] == "generator"
    assert model["card"]["latent"]["size"] == 4
    assert model["sealed"] is True


@pytest.mark.parametrize(
    ("recipe", "name", "text"),
    [
        ({"names": [f"{k}.png" for k in range(40)]}, "names", "0.png, 1.png, 2.png, 3.png, 4.png, 5.png, 6.png, 7.png "
                                                              "and 32 more"),
        ({"classes": ["a"] * 9 + ["b"]}, "classes", "a (9), b"),
        ({"numbers": list(range(20))}, "numbers", "20 numbers, 0 to 19 (all: --json)"),
        ({"strokes": [[1, 2, [[3, 4]]]] * 7}, "strokes", "7 entries"),
        ({"by_class": True, "latents": [[0.5] * 30, [1.5] * 30]}, "latents",
         "2 times 30 numbers, 0.5 to 1.5, mean 1, deviation 0.5 (all: --json)"),
        ({"detail": {"file": "", "sha256": ""}, "gain": 0.25}, "gain", "0.25"),
        ({"image": "cat.jpg"}, "what", "made of cat.jpg, 6x4 pixels"),
    ],
)  # fmt: skip
def test_long_values_are_summed_up(
    recipe: dict[str, Any], name: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_png(np.zeros((4, 6, 3), np.uint8), {"mode": "dataset", **recipe}))
    said = fields(page(path, capsys))
    assert said[name] == text
    assert "detail" not in said
