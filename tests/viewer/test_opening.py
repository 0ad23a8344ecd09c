"""The mode that fits a file, and the way back to where an image was saved."""

import hashlib
import json
import shlex
import shutil
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest
import small_models as make
from small_denoisers import make_denoiser

from trainer.contract.errors import UserError
from viewer.__main__ import main
from viewer.files.png import encode_png, read_recipe
from viewer.graph.properties import read_card
from viewer.opening import choose
from viewer.options import BUILT_IN

RECIPE = {"model": "tiny", "file": "tiny.onnx", "mode": "grid random"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Something of each kind."""
    folder = tmp_path_factory.mktemp("all")
    make.make_generator(folder / "cats.onnx")
    make.make_detail(folder / "fine.onnx")
    make.make_encoder(folder / "cats.encoder.onnx")
    make.make_translator(folder / "edges.onnx", scale=1)
    make.make_translator(folder / "sr.onnx", scale=2, context=4)
    make_denoiser(folder / "noise.onnx")
    nodes, constants = make.generator_nodes(4, 16, 16, 6)
    ports = [("latent", "f32", ["n", 4])], [("unit", "f32", ["n", 16 * 16 * 3])]
    make.write(folder / "plain.onnx", make.make_graph(nodes, *ports, constants))  # without a card
    plain = (folder / "plain.onnx").read_bytes()
    (folder / "later.onnx").write_bytes(plain[:1] + b"\x63" + plain[2:])  # the version of the format
    (folder / "pipeline/unet").mkdir(parents=True)
    (folder / "pipeline/model_index.json").write_text("{}")
    (folder / "pipeline/unet/x.safetensors").write_bytes(b"")
    photo = make.photo_like(24, 32)
    (folder / "photos").mkdir()
    for name in ("a.png", "b.jpg", "photos/c.png"):
        cv2.imwrite(str(folder / name), photo)
    np.save(folder / "set.npy", np.zeros((3, 8, 8, 3), np.uint8))
    (folder / "page.png").write_bytes(encode_png(photo, {"mode": "dataset page", "rows": 2, "cols": 3, "gap": 2}))
    (folder / "one.png").write_bytes(encode_png(photo, {"mode": "dataset", "file": "set.npy", "number": 1}))
    for name in ("run", "runs/cats"):
        (folder / name).mkdir(parents=True)
        (folder / name / "config.json").write_text(json.dumps({"family": "trainer.families.vae:Vae", "config": {}}))
    return folder


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("cats.onnx", "grid cats.onnx"),
        ("plain.onnx", "grid plain.onnx"),
        ("cats.onnx --rows 2", "grid cats.onnx --rows 2"),
        ("cats.onnx a.png", "grid cats.onnx --encode a.png"),
        ("cats.onnx fine.onnx", "hpf cats.onnx fine.onnx"),
        ("edges.onnx", "translate edges.onnx --draw"),
        ("edges.onnx a.png photos --size 64", "translate edges.onnx a.png photos --size 64"),
        ("a.png edges.onnx", "translate edges.onnx a.png"),
        ("sr.onnx a.png", "upscale sr.onnx a.png"),
        ("sr.onnx photos/*.png", "upscale sr.onnx 'photos/*.png'"),
        ("sr.onnx page.png", "upscale sr.onnx page.png"),
        ("noise.onnx", "diffuse noise.onnx"),
        ("noise.onnx cats.onnx", "diffuse noise.onnx --init cats.onnx"),
        ("noise.onnx a.png b.jpg --steps 3", "diffuse noise.onnx --init a.png b.jpg --steps 3"),
        ("set.npy", "dataset set.npy"),
        ("photos", "dataset photos"),
        ("a.png b.jpg set.npy", "dataset a.png b.jpg set.npy"),
        ("toycats:40", "dataset toycats:40"),
        ("page.png", "pick page.png"),
        ("one.png", "info one.png"),
        ("cats.encoder.onnx", "info cats.encoder.onnx"),
        ("builtin", "grid builtin"),
        ("toycats", "grid toycats"),
    ],
)
def test_files_choose_the_mode(words: str, command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert choose(words.split(), "python -m viewer").command("") == f" {command}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("sr.onnx", "expected images after it: python -m viewer sr.onnx IMAGE... (upscale)"),
        ("a.png", "expected a model before it: python -m viewer MODEL.onnx a.png (diffuse, grid, translate, upscale)"),
        ("a.png", "or others beside it (dataset)"),
        ("cats.onnx set.npy", "a generator and a set of images, which no mode opens together"),
        ("-", "nothing is read from the standard input"),
        ("nothing.onnx", "nothing.onnx: no such file"),
        ("later.onnx", "its model format is 99"),
        ("pipeline", "python -m export pipeline -o pipeline.onnx"),
        ("none/*.png", "no such file"),
        ("x\0.onnx", "no such file"),
    ],
)
def test_what_no_mode_opens_is_explained(words: str, said: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(UserError) as caught:
        choose(words.split(" "), "python -m viewer")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_command_line_says_which_mode_it_opens(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    more = ["--display", "none", "--keys", "-,s", "--out", str(tmp_path)]
    assert main(["cats.onnx", "--rows", "2", "--cols", "3", *more]) == 0
    said = capsys.readouterr().err
    assert said.startswith("cats.onnx: a generator; opening grid (python -m viewer grid cats.onnx --rows 2 --cols 3")
    assert said.count("\n") == 1
    (saved,) = tmp_path.iterdir()
    assert read_recipe(saved)["cols"] == 3

    shutil.copy("cats.onnx", tmp_path)
    assert main([str(saved), "--display", "none", "--keys", "s", "--out", str(tmp_path / "again")]) == 0
    said = capsys.readouterr().err
    assert f"saved in mode grid; opening grid (python -m viewer grid {tmp_path / 'cats.onnx'} --from {saved}" in said
    (again,) = (tmp_path / "again").iterdir()
    assert again.read_bytes() == saved.read_bytes()


def test_a_flag_that_the_fitting_mode_lacks_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert main(["cats.encoder.onnx", "--display", "none"]) == 2
    said = capsys.readouterr().err
    what = "cats.encoder.onnx: an encoder, which mode info opens, and that has no --display"
    assert said == f"error: {what}: python -m viewer info cats.encoder.onnx\n"
    with pytest.raises(SystemExit):
        main(["cats.onnx", "--dispaly", "none"])
    assert "did you mean --display?" in capsys.readouterr().err


def test_words_that_are_no_files_are_modes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grid").write_text("named like a mode")
    with pytest.raises(SystemExit):
        main(["grid", "--help"])  # the mode, as ever
    assert "a page of images" in capsys.readouterr().out.lower()
    assert main(["./grid"]) == 2
    assert "./grid: found a text file" in capsys.readouterr().err
    for words, said in (
        (["gird"], "did you mean grid?"),
        (["--rows", "3"], "a mode or a file first"),
        ([], "required"),
    ):
        with pytest.raises(SystemExit) as ending:
            main(words)
        assert ending.value.code == 2
        assert said in capsys.readouterr().err
    (tmp_path / "builtin").write_text("a file of that name")
    assert main(["builtin"]) == 2
    assert "builtin: found a text file" in capsys.readouterr().err


def test_a_saved_image_leads_back_to_its_model_and_no_other(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = shutil.copy(folder / "cats.onnx", tmp_path / "cats.onnx")
    out = ["--display", "none", "--keys", "s", "--out", "saved"]
    assert main(["grid", "cats.onnx", "--encode", str(folder / "a.png"), *out]) == 2  # without its encoder
    shutil.copy(folder / "cats.encoder.onnx", tmp_path)
    assert main(["grid", "cats.onnx", "--encode", str(folder / "a.png"), *out]) == 0
    (saved,) = Path("saved").iterdir()

    def command(*words: str) -> str:
        return choose([*words], "").command("").strip()

    page = shlex.quote(str(saved))
    assert command(str(saved)) == f"grid cats.onnx --from {page}"  # the model is found here; its photograph is not
    shutil.copy(folder / "a.png", tmp_path)
    assert command(str(saved)) == f"grid cats.onnx --from {page} --encode a.png"
    assert command(str(saved), "cats.onnx") == f"grid cats.onnx --from {page} --encode a.png"
    make.make_generator(tmp_path / "other.onnx", hidden=9)
    assert command("other.onnx", str(saved)) == f"grid other.onnx --encode {page}"  # an image like others
    Path(here).unlink()
    with pytest.raises(UserError, match=r"made by 'cats.onnx', found none beside it or here; name the model first"):
        command(str(saved))
    (tmp_path / "other.onnx").rename(here)
    with pytest.raises(UserError, match=r"cats.onnx is another of this name"):
        command(str(saved))


def test_what_was_enlarged_opens_with_the_image_it_was_made_of(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert main(["upscale", "sr.onnx", "a.png", "-o", str(tmp_path)]) == 0
    (saved,) = tmp_path.iterdir()
    assert saved.name == "a.png"  # itself is not what it was made of
    assert choose([str(saved)], "").command("") == " upscale sr.onnx a.png --tile 384"
    monkeypatch.chdir(tmp_path)
    shutil.copy(folder / "sr.onnx", tmp_path)
    with pytest.raises(UserError, match=r"made of 'a\.png', found none"):
        choose([str(saved)], "")


@pytest.mark.parametrize(
    "more",
    [
        {"mode": "grid", "file": "../../etc/passwd", "sha256": "0"},
        {"mode": "grid", "file": ["a"], "sha256": None},
        {"mode": 7, "file": "tiny.onnx"},
        {"mode": "grid", "file": "\x1b[31m.onnx"},
        {"mode": "upscale", "file": "toycats.onnx", "image": {"file": {"file": 3}}, "tile": float("inf")},
        {"rows": 10**30, "cols": -1, "gap": "x", "mode": "grid"},
        {"rows": True, "cols": [1], "image": None, "latents": [[1, "a"], []]},
    ],
)
def test_hostile_recipes_are_one_line(
    more: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "page.png"
    path.write_bytes(encode_png(np.zeros((4, 4, 3), np.uint8), {**RECIPE, **more}))
    code = main([str(path), "--max-seconds", "20"])
    said = capsys.readouterr()
    assert code in (0, 2)
    assert not {"\x1b"} & set(said.out + said.err)
    assert said.err.count("\n") <= 2
    assert main(["info", str(path)]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_a_card_is_read_without_the_weights(folder: Path, tmp_path: Path) -> None:
    card = read_card(BUILT_IN)
    assert card is not None
    assert card.name == "toycats"
    assert read_card(folder / "plain.onnx") is None
    data = (folder / "cats.onnx").read_bytes()
    for end in range(0, len(data), 97):
        (tmp_path / "cut.onnx").write_bytes(data[:end])
        read_card(tmp_path / "cut.onnx")
    (tmp_path / "cut.onnx").write_bytes(data[:-300])
    assert read_card(tmp_path / "cut.onnx") is None


def test_an_image_of_several_models_leads_back_to_all_of_them_in_their_order(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(import_module("viewer.modes.grid.options"), "SAVED", {"several": {"": "--from"}})
    monkeypatch.setattr(
        import_module("viewer.modes.grid.options"), "OPENS", {"encoder( detail)+(?P<rest>( image)+)": "--encode"}
    )
    signers = [
        {"file": name, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}
        for name in ("plain.onnx", "cats.onnx")
    ]
    page = tmp_path / "page.png"
    page.write_bytes(encode_png(np.zeros((4, 4, 3), np.uint8), {"mode": "several", "models": signers}))
    back = f" grid plain.onnx cats.onnx --from {page}"
    assert choose([str(page)], "").command("") == back
    assert choose(["cats.onnx", str(page), "plain.onnx"], "").command("") == back
    words = ["cats.encoder.onnx", "fine.onnx", "a.png", "b.jpg"]
    assert choose(words, "").command("") == " grid cats.encoder.onnx fine.onnx --encode a.png b.jpg"
    signers[0]["sha256"] = "0"
    page.write_bytes(encode_png(np.zeros((4, 4, 3), np.uint8), {"mode": "several", "models": signers}))
    with pytest.raises(UserError, match=r"plain\.onnx is another of this name"):
        choose([str(page)], "")
    assert main(["info", str(page)]) == 0
    said = capsys.readouterr().out
    assert f"again    python -m viewer grid plain.onnx cats.onnx --from {page}" in said
    assert said.count("made by  ") == said.count("sha256   ") == 2
