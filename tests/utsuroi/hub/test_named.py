"""Models of the hub wherever a model is named."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hub_server import Hub
from small_denoisers import make_denoiser
from small_foreign import generator
from small_models import make_detail, make_encoder, make_generator

import utsuroi
from export.__main__ import main as export
from viewer.__main__ import main as view
from viewer.files.png import read_recipe


@pytest.fixture
def cats(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the models that the hub has, too."""
    folder = tmp_path / "mine"
    folder.mkdir()
    make_generator(folder / "cats.onnx")
    make_encoder(folder / "cats.encoder.onnx")
    hub.add("me/cats", {path.name: path.read_bytes() for path in folder.iterdir()})
    hub.add("me/high", {"high.onnx": make_detail(folder / "high.onnx").read_bytes()})
    hub.add("me/noise", {"noise.onnx": make_denoiser(folder / "noise.onnx").read_bytes()})
    monkeypatch.chdir(tmp_path)
    return folder


def test_the_api_loads_it_with_its_encoder(cats: Path) -> None:
    there, here = utsuroi.load("hub:me/cats"), utsuroi.load(cats / "cats.onnx")
    images = here.sample(3, seed=4)
    np.testing.assert_array_equal(there.sample(3, seed=4), images)
    np.testing.assert_array_equal(there.encode(images), here.encode(images))
    high = utsuroi.load("hub:me/cats/cats.onnx", detail="hub:me/high")
    assert not np.array_equal(high.sample(3, seed=4), images)
    with pytest.raises(utsuroi.UtsuroiError, match=r"^hub:me/dogs: there is no such model on the hub"):
        utsuroi.load("hub:me/dogs")


@pytest.mark.parametrize(
    "words",
    [
        ["hub:me/cats"],
        ["grid", "hub:me/cats"],
        ["hpf", "hub:me/cats", "hub:me/high"],
        ["hub:me/cats", "hub:me/high"],
        ["animate", "hub:me/cats", "--detail", "hub:me/high"],
        ["latent", "hub:me/cats@main/cats.onnx"],
        ["diffuse", "hub:me/noise", "--init", "hub:me/cats", "--steps", "2"],
        ["compare", "hub:me/cats", "mine/cats.onnx"],
    ],
    ids=" ".join,
)
def test_each_mode_plays_it(words: list[str], cats: Path, tmp_path: Path) -> None:
    assert view([*words, "--display", "none", "--keys", "s,esc", "--out", str(tmp_path / "out")]) == 0
    (saved,) = (tmp_path / "out").glob("*.png")
    assert cv2.imread(str(saved)) is not None


def test_a_saved_image_says_where_its_model_is(
    cats: Path, hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert view(["hub:me/cats", "--display", "none", "--keys", "s,esc", "--out", str(out)]) == 0
    (saved,) = out.iterdir()
    origin = f"hub:me/cats@{hub.repositories['me/cats'].head()}/cats.onnx"
    assert read_recipe(saved)["hub"] == origin
    capsys.readouterr()
    assert view([str(saved), "--display", "none"]) == 2
    assert f"name the model first: python -m viewer {origin} {saved}" in capsys.readouterr().err
    again = tmp_path / "again"
    assert view([origin, str(saved), "--display", "none", "--keys", "s,esc", "--out", str(again)]) == 0
    np.testing.assert_array_equal(cv2.imread(str(next(again.iterdir()))), cv2.imread(str(saved)))


def test_info_and_export_take_it(cats: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert view(["info", "hub:me/cats", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "generator"
    assert export(["hub:me/nothing", "-o", "x.onnx"]) == 2
    assert "hub:me/nothing: there is no such model on the hub" in capsys.readouterr().err


def test_a_model_of_another_program_is_exported_from_the_hub(hub: Hub, tmp_path: Path) -> None:
    foreign = generator(tmp_path / "theirs.onnx")
    hub.add("them/net", {"theirs.onnx": foreign.read_bytes()})
    assert export(["hub:them/net", "-o", str(tmp_path / "one.onnx")]) == 0
    assert utsuroi.load(tmp_path / "one.onnx").card.kind == "generator"


def test_nothing_is_written_into_the_cache(cats: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted((tmp_path / "cache").rglob("*"))
    assert view(["info", "hub:me/cats"]) == 0
    fetched = sorted(path.name for path in (tmp_path / "cache").rglob("*") if path not in before)
    assert "cats.onnx" in fetched
    assert not [name for name in fetched if name.endswith((".json", ".part"))]


@pytest.mark.parametrize("name", ["hub:me/cats/../x.onnx", "hub:cats", "hub:me/cats/cats.pth", "hub:me/a@../b"])
def test_what_is_no_name_is_refused_before_anything_is_asked(
    name: str, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert view(["grid", name]) == 2
    assert capsys.readouterr().err.startswith(f"error: {name}: ")
    assert not hub.asked


def test_a_set_of_the_hub_is_still_a_set(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert view(["hub:me/photos", "--display", "none"]) == 2  # no such set either
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("hub:me/photos: there is no such model on the hub")
    assert said[0].endswith("; taken for a set of images")
    assert said[1].startswith("hub:me/photos: a set of images; opening dataset")
    assert said[2].startswith("error: hub:me/photos")
