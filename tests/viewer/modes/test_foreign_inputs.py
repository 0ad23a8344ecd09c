"""Models without a card that take more than one input, in the modes: keys, what is saved, and the way back."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_foreign as foreign
from small_models import photo_like

import utsuroi
from viewer.__main__ import main
from viewer.files.inputs import read_photo
from viewer.files.png import encode_png, read_recipe


def run(*words: object) -> None:
    assert main([*map(str, words), "--display", "none"]) == 0


def pixels(path: Path) -> np.ndarray:
    return read_photo(path).on_white()


def forgotten(model: Path) -> None:
    """Nothing is kept of a model beside it."""
    model.with_name(f"{model.name}.json").unlink(missing_ok=True)


@pytest.mark.parametrize("mode", ["grid", "animate", "latent"])
def test_classes_are_keys_and_saved_images_lead_back(tmp_path: Path, mode: str) -> None:
    model, names = foreign.labelled(tmp_path / "g.onnx"), tmp_path / "names.txt"
    names.write_text("a\nb\nc\nd\ne\n")
    run(mode, model, "--classes", names, "--keys", "3,n,s", "--out", tmp_path)
    forgotten(model)
    names.unlink()

    saved = tmp_path / "g-0001.png"
    recipe = read_recipe(saved)
    assert (recipe["label"], recipe["class"]) == (4, "e")
    assert recipe["reading"] == {"classes": '["a", "b", "c", "d", "e"]', "output_range": "0..1"}
    run(saved, "--keys", "s", "--out", tmp_path / "again")
    assert not model.with_name("g.onnx.json").exists()
    assert (tmp_path / "again/g-0001.png").read_bytes() == saved.read_bytes()


@pytest.mark.parametrize("mode", ["grid", "animate"])
def test_a_scalar_is_plus_and_minus(tmp_path: Path, mode: str) -> None:
    model = foreign.scaled(tmp_path / "g.onnx")
    run(mode, model, "--set", "psi=0.75", "--keys", "s,+,s,-,-,s", "--out", tmp_path)
    forgotten(model)

    saved = [tmp_path / f"g-000{number}.png" for number in (1, 2, 3)]
    recipes = [read_recipe(path) for path in saved]
    assert [recipe["settings"] for recipe in recipes] == [{"psi": 0.75}, {"psi": 0.825}, {"psi": 0.675}]
    assert all(recipe["reading"] == {"set": "psi=0.75", "output_range": "0..1"} for recipe in recipes)
    low, high = pixels(saved[2]).mean(), pixels(saved[1]).mean()
    assert low < pixels(saved[0]).mean() < high
    run(saved[1], "--keys", "s", "--out", tmp_path / "again")
    assert (tmp_path / "again/g-0001.png").read_bytes() == saved[1].read_bytes()


def test_info_tells_what_inputs_are_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [foreign.node("Gather", ["table", "y"], "light", axis=0), foreign.node("Mul", ["light", "psi"], "more")]
    extras: list[foreign.Port] = [("y", "i64", ("n",)), ("psi", "f32", ())]
    path = foreign.generator(tmp_path / "g.onnx", extras, nodes, [foreign.table(5)])
    assert main(["info", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "given" in printed
    assert "y: the class, psi: 1" in printed


def test_a_scalar_beside_an_image_is_plus_and_minus(tmp_path: Path) -> None:
    model, photo = foreign.restorer(tmp_path / "r.onnx", "strength", ()), tmp_path / "in.png"
    photo.write_bytes(encode_png(photo_like(24, 32), {}))
    run("translate", model, photo, "--keys", "s,-,-,s", "--out", tmp_path)

    first, second = tmp_path / "r-0001.png", tmp_path / "r-0002.png"
    assert read_recipe(second)["settings"] == {"strength": 0.8}
    assert np.abs(pixels(second).astype(int) - 0.8 * pixels(first)).max() <= 1
    run(second, "--keys", "s", "--out", tmp_path / "again")
    assert (pixels(tmp_path / "again/r-0001.png") == pixels(second)).all()


def test_diffusion_with_a_schedule_by_flag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, config = foreign.denoiser(tmp_path / "u.onnx", channels=1), tmp_path / "scheduler_config.json"
    config.write_text(json.dumps({"num_train_timesteps": 100, "beta_schedule": "squaredcos_cap_v2",
                                  "prediction_type": "v_prediction"}))  # fmt: skip
    words = ["--steps", 3, "--rows", 1, "--cols", 2]
    run("diffuse", model, "--schedule", config, "--image-size", "16", *words, "-o", tmp_path / "out")
    forgotten(model)
    config.unlink()

    saved = tmp_path / "out/u-0002.png"
    assert read_recipe(saved)["reading"] == {"image_size": "16x16", "schedule": "cosine:100:0.0..0.999:v"}
    assert pixels(saved).shape == (16, 16, 3)
    run("diffuse", model, "--from", saved, "-o", tmp_path / "again")
    assert (tmp_path / "again/u-0002.png").read_bytes() == saved.read_bytes()
    run("compare", model, model, "--schedule", "linear", "--image-size", "16", "--keys", "s", "--out", tmp_path)


def test_guidance_needs_a_label_for_images_of_any(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = foreign.denoiser(tmp_path / "u.onnx", classes=5, sides=(8, 8))
    words = ["diffuse", model, "--steps", 2, "--guidance", 1, "-o", tmp_path / "out"]
    assert main([*map(str, words)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "--guidance is 1, expected none" in error
    assert "say --classes 4" in error
    run(*words, "--classes", 4)


def test_the_python_api(tmp_path: Path) -> None:
    words: dict[str, Any] = {"classes": list("abcde")}
    model = utsuroi.load(foreign.labelled(tmp_path / "g.onnx"), **words)
    assert model.sample(1, label="e").mean() > model.sample(1, label="a").mean() + 20
    low, high = (utsuroi.load(foreign.scaled(tmp_path / "s.onnx"), set={"psi": psi}).sample(1) for psi in (0.0, 2.0))
    assert low.mean() < high.mean()
    steps = utsuroi.load(foreign.denoiser(tmp_path / "u.onnx"), schedule="cosine:50", prediction="x0", image_size=16)
    assert steps.denoise(2, steps=2).shape == (2, 16, 16, 3)
    with pytest.raises(utsuroi.UtsuroiError, match="schedule is 'wild', expected one of linear"):
        utsuroi.load(foreign.denoiser(tmp_path / "u.onnx"), schedule="wild")
