"""The public API: the same images as the viewer's, to the bit, and errors of one line."""

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_denoisers import make_denoiser
from small_models import make_detail, make_encoder, make_generator, make_translator, photo_like

import utsuroi
from trainer.contract.directions import add_direction
from viewer.__main__ import main


def read(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)


def play(*words: object) -> None:
    """The viewer with a script of keys, without a screen."""
    assert main([str(word) for word in words]) == 0


@pytest.mark.parametrize("name", ["utsuroi", "utsuroi.arrays", "utsuroi.models"])
def test_examples_run(name: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert (failed, tried > 0) == (0, True)


def test_every_public_name_has_a_docstring() -> None:
    for name in utsuroi.__all__:
        thing = getattr(utsuroi, name)
        assert name == "__version__" or thing.__doc__, name
        for attribute, value in vars(thing).items() if isinstance(thing, type) else ():
            if not attribute.startswith("_") and (callable(value) or isinstance(value, property)):
                assert value.__doc__, f"{name}.{attribute}"


def test_it_loads_quickly_and_without_torch() -> None:
    code = (
        "import sys, time, numpy; start = time.process_time(); import utsuroi; took = time.process_time() - start\n"
        "utsuroi.load().sample(1)\n"
        "assert 'torch' not in sys.modules\n"
        "assert took < 0.15, took"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_samples_are_those_that_the_grid_saves(tmp_path: Path) -> None:
    play("grid", "--display", "none", "--seed", 3, "--keys", "s,right,s,-,s", "--out", tmp_path)
    saved = [read(path) for path in sorted(tmp_path.iterdir())]
    cats = utsuroi.load()
    np.testing.assert_array_equal(cats.sample(2, seed=3), saved[:2])
    np.testing.assert_array_equal(cats.sample(2, seed=3, truncation=0.9)[1], saved[2])


def test_samples_of_a_class(tmp_path: Path) -> None:
    path = make_generator(tmp_path / "kinds.onnx", labels=3, classes=("ant", "bee", "cat"))
    play("grid", path, "--display", "none", "--label", "bee", "--keys", "s", "--out", tmp_path / "out")
    model = utsuroi.load(path, utsuroi.Generator)
    assert model.classes == ("ant", "bee", "cat")
    (saved,) = (tmp_path / "out").iterdir()
    for label in ("bee", 1):
        np.testing.assert_array_equal(model.sample(1, label=label)[0], read(saved))
    with pytest.raises(utsuroi.UtsuroiError, match=r"^label is 'dog', expected 0\.\.2 or a name: ant, bee, cat"):
        model.sample(1, label="dog")


def test_detail_is_added_as_the_viewer_adds_it(tmp_path: Path) -> None:
    low, high = make_generator(tmp_path / "low.onnx"), make_detail(tmp_path / "high.onnx")
    play("hpf", low, high, "--display", "none", "--gain", 2, "--keys", "s", "--out", tmp_path / "out")
    (saved,) = (tmp_path / "out").iterdir()
    model = utsuroi.load(low, utsuroi.Generator, detail=high)
    np.testing.assert_array_equal(model.sample(1, gain=2)[0], read(saved))
    assert not np.array_equal(model.sample(1, gain=0), model.sample(1))


def test_images_are_encoded_by_the_encoder_beside_the_model(tmp_path: Path) -> None:
    make_encoder(tmp_path / "tiny.encoder.onnx")
    model = utsuroi.load(str(make_generator(tmp_path / "tiny.onnx")), utsuroi.Generator)
    images = model.sample(3)
    latents = model.encode(images)
    assert (latents.shape, latents.dtype) == ((3, 4), np.float32)
    np.testing.assert_array_equal(model.encode(images[1])[0], latents[1])
    assert isinstance(model.encoder, utsuroi.Encoder)
    larger = cv2.resize(np.asarray(images[0]), (32, 32), interpolation=cv2.INTER_NEAREST)
    np.testing.assert_allclose(model.encode(larger)[0], latents[0], atol=0.05)
    with pytest.raises(utsuroi.UtsuroiError, match=r"has no encoder beside it, expected toycats\.encoder\.onnx"):
        utsuroi.load().encode(images)
    with pytest.raises(utsuroi.UtsuroiError, match=r"images are the name 'dog\.jpg', expected arrays, such as numpy\."):
        model.encode("dog.jpg")


def test_interpolation_begins_and_ends_with_its_images() -> None:
    cats = utsuroi.load()
    a, b = cats.latents(2)
    for straight in (False, True):
        between = cats.interpolate(a, b, 5, straight=straight)
        np.testing.assert_array_equal(between[[0, 4]], cats.generate(np.stack([a, b])))
        assert not np.array_equal(between[2], between[0])


def test_mixes_are_those_of_the_key_m(tmp_path: Path) -> None:
    play("grid", "--display", "none", "--keys", "m,s", "--out", tmp_path)
    (saved,) = tmp_path.iterdir()
    np.testing.assert_array_equal(utsuroi.load().mix(1)[0], read(saved))


@pytest.mark.parametrize("kind", ["given", "edges"])
def test_translations_are_those_of_the_viewer(tmp_path: Path, kind: str) -> None:
    path = make_translator(tmp_path / "t.onnx")
    photo = photo_like(40, 40)
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    play("translate", path, tmp_path / "photo.png", "--condition", kind, "-o", tmp_path / "out")
    (saved,) = (tmp_path / "out").iterdir()
    model = utsuroi.load(path, utsuroi.Translator)
    np.testing.assert_array_equal(model.translate(photo[..., ::-1], condition=kind)[0], read(saved))
    with pytest.raises(utsuroi.UtsuroiError, match=r"takes 'sketch'.* add condition=\"given\"$"):
        model.translate(photo, condition="sketch")


def test_enlargements_are_those_of_the_viewer(tmp_path: Path) -> None:
    path = make_translator(tmp_path / "twice.onnx", scale=2)
    photo = photo_like(30, 50)
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    play("upscale", path, tmp_path / "photo.png", "-o", tmp_path / "out", "--tile", 16)
    (saved,) = (tmp_path / "out").iterdir()
    model = utsuroi.load(path, utsuroi.Translator)
    assert model.scale == 2
    np.testing.assert_array_equal(model.upscale(photo[..., ::-1], tile=16)[0], read(saved))


@pytest.mark.parametrize("sampler", ["ddim", "dpm", "ddpm"])
def test_denoised_images_are_those_of_the_viewer(tmp_path: Path, sampler: str) -> None:
    path = make_denoiser(tmp_path / "d.onnx", spread=0.3)
    flags = ["--rows", 1, "--cols", 3, "--steps", 6, "--seed", 4, "--sampler", sampler]
    play("diffuse", path, *flags, "-o", tmp_path / "out")
    saved = [read(one) for one in sorted((tmp_path / "out").iterdir())]
    model = utsuroi.load(path, utsuroi.Denoiser)
    np.testing.assert_array_equal(model.denoise(3, seed=4, steps=6, sampler=sampler), saved)
    for mistake, words in (
        ({"sampler": "heun"}, "sampler is 'heun', expected ddim, ddpm, dpm"),
        ({"guidance": 2.0}, "^guidance is 2, expected none"),
        ({"start": 5000}, r"^start is 5000, expected 1\.\."),
    ):
        with pytest.raises(utsuroi.UtsuroiError, match=words):
            model.denoise(**mistake)


def test_denoising_begins_with_images_or_with_those_of_a_generator(tmp_path: Path) -> None:
    path, generator = make_denoiser(tmp_path / "d.onnx", spread=0.3), make_generator(tmp_path / "g.onnx")
    photo = photo_like(16, 16)
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    for name, init in (("photo.png", photo[..., ::-1]), ("g.onnx", utsuroi.load(generator))):
        out = tmp_path / Path(name).stem
        play("diffuse", path, "--init", tmp_path / name, "--steps", 5, "--rows", 1, "--cols", 1, "-o", out)
        (saved,) = out.iterdir()
        np.testing.assert_array_equal(utsuroi.load(path).denoise(1, steps=5, init=init)[0], read(saved))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: utsuroi.load("missing.onnx"), "missing.onnx: no such file"),
        (lambda: utsuroi.load("toycats", utsuroi.Denoiser), "found a generator, expected a denoiser"),
        (lambda: utsuroi.load().sample(0), "n is 0, expected at least 1"),
        (lambda: utsuroi.load().generate(np.zeros((2, 3))), r"latents are \[2, 3\], expected finite \[n, 20\]"),
        (lambda: utsuroi.load().generate(np.full(20, np.nan)), "expected finite"),
        (lambda: utsuroi.load().sample("a"), "^n is 'a', expected a whole number of images$"),
        (lambda: utsuroi.load().sample(1, label=1), "^label is '1', expected none"),
        (lambda: utsuroi.load("toycats", detail="missing.onnx"), "missing.onnx: no such file"),
    ],
)
def test_mistakes_are_one_line(call, words: str) -> None:
    with pytest.raises(utsuroi.UtsuroiError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_notebook_shows_models_and_images() -> None:
    cats = utsuroi.load()
    page = cats._repr_html_()
    assert "20 numbers, normal" in page
    assert page.count("<img") == 1
    images = cats.sample(5)
    assert images._repr_html_().count("<img") == 1
    assert 'width="128" height="128"' in images[0]._repr_html_()
    for numbers in (images / 255, images[..., 0], images[:0], images[0, 0], images > 5):
        assert numbers._repr_html_() is None
    np.testing.assert_array_equal(images.sheet(columns=5)[:128, 130:258], images[1])
    assert images.sheet().shape == (2 * 130 - 2, 3 * 130 - 2, 3)
    with pytest.raises(ValueError, match="expected"):
        images[:0].sheet()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("page.onnx", b"<!doctype html><html>", "found a web page (HTML), expected an ONNX model; download the file"),
        ("a.onnx", b"version https://git-lfs.github.com/spec/v1\nsize 99\n", "git lfs pull fetches the file itself"),
        (
            "vae.safetensors",
            b"\x40\0\0\0\0\0\0\0{",
            "found weights (safetensors), expected an ONNX model; python",
        ),
        ("empty.onnx", b"", "found an empty file"),
    ],
)
def test_other_files_are_named(name: str, data: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    for more in ({}, {"encoder": path}, {"detail": path}):
        with pytest.raises(utsuroi.UtsuroiError) as caught:
            utsuroi.load(path if not more else "builtin", **more)
        assert str(caught.value).startswith(f"{path}: ")
        assert said in str(caught.value)


def test_named_directions_are_those_of_the_card_and_of_the_file_beside_it(tmp_path: Path) -> None:
    principal, own = ((2.0, 0, 0, 0),), {"fur": (0, 1.0, 0, 0), "ears": (0, 0, 1.0, 0)}
    path = make_generator(tmp_path / "m.onnx", directions=principal, named_directions=own)
    add_direction(tmp_path / "m.directions.json", "fur", {"direction": [0, 0, 0, 0.5]})
    model = utsuroi.load(path)
    assert list(model.directions) == ["fur", "ears", "principal 1"]
    latents = model.latents(2)
    for direction in ("fur", np.float32([0, 0, 0, 0.5])):
        np.testing.assert_array_equal(model.move(latents, direction, -3), latents - np.float32([0, 0, 0, 1.5]))
    assert model.move(latents[0], "principal 1").shape == (1, 4)
    with pytest.raises(utsuroi.UtsuroiError, match="direction is 'nose', expected one of fur, ears, principal 1"):
        model.move(latents, "nose")
    with pytest.raises(utsuroi.UtsuroiError, match=r"direction is \[3\], expected \[4\]"):
        model.move(latents, np.zeros(3))
    (tmp_path / "m.directions.json").write_text("{}")
    with pytest.raises(utsuroi.UtsuroiError, match="is no file of named directions"):
        _ = utsuroi.load(path).directions
