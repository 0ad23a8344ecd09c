"""The command as people run it: a run or a bare file in, files that open elsewhere out, one line for every mistake."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from pages import Page

from export import __main__ as command
from export.card import Card, check_seal
from trainer.checkpoint import State
from trainer.config import to_json
from trainer.families.vae import VAE, VAEConfig
from trainer.family import DataSpec
from trainer.runs import store as runs

SIDE = 16


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the convolutional VAE with the checkpoints of steps 10 (the best) and 20."""
    folder = tmp_path_factory.mktemp("runs") / "cats"
    folder.mkdir()
    config = VAEConfig(arch="conv", latent_size=4, width=16, image_size=SIDE, data="/home/me/cats.npy", out=folder)
    family = VAE(config)
    for step, score in ((10, 0.1), (20, 0.2)):
        torch.manual_seed(step)
        nets = family.build(DataSpec(image_size=(SIDE, SIDE), channels=3))
        facts = {
            "latent_mean": [0.0] * 4,
            "latent_covariance": np.eye(4).tolist(),
            "sample_latents": [[float(step)] * 4],
        }
        state = State(
            step=step,
            images_seen=step * 8,
            seconds=1.0,
            world_size=1,
            score=score,
            metrics={"mse": score},
            description=facts,
        )
        runs.save(folder, state, runs.state_dicts(nets), runs.state_dicts(nets), {})
    facts = {
        "family": runs.family_name(VAE),
        "config": to_json(config),
        "spec": {"image_size": [SIDE, SIDE], "channels": 3, "classes": []},
        "run_id": "abc",
        "commit": "0123",
        "versions": {},
    }
    (folder / "config.json").write_text(json.dumps(facts))
    return folder


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare state_dict whose decoder paints pure red, as OpenCV orders the colours: blue, green, red."""
    file = tmp_path_factory.mktemp("bare") / "vae_1120.pth"
    torch.manual_seed(0)
    state = VAE(VAEConfig()).build(DataSpec(image_size=(128, 128), channels=3)).vae.state_dict()
    state["decoder1.linear2.weight"].zero_()
    state["decoder1.linear2.bias"][:] = -20.0
    state["decoder1.linear2.bias"][2::3] = 20.0
    state["encoder1.linear.weight"].zero_()
    state["encoder1.linear.weight"][:, 2::3] = 1e-4  # looks at red alone
    torch.save(state, file)
    return file


def card_of(path: Path) -> Card:
    assert check_seal(path.read_bytes())
    card = Card.from_props({item.key: item.value for item in onnx.load(path).metadata_props})
    assert card is not None
    return card


def test_a_run_becomes_two_files_that_know_where_they_come_from(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "cats.onnx"
    assert command.main([str(run), "-o", str(out), "--licence", "CC-BY-4.0", "--name", "猫"]) == 0
    printed = capsys.readouterr()
    assert [line.split(":")[0] for line in printed.out.splitlines()] == [str(out), str(tmp_path / "cats.encoder.onnx")]
    assert "max difference" in printed.out
    assert all(line.startswith(f"exporting {run}: ") for line in printed.err.splitlines()), "while it takes long"
    card = card_of(out)
    assert (card.family, card.name, card.licence, card.data) == ("vae", "猫", "CC-BY-4.0", "cats.npy")
    assert card.training["run"] == "abc"
    assert (card.training["step"], card.training["images_seen"], card.training["score"]) == (10, 80, 0.1)
    assert len(card.directions) == 4
    assert card_of(tmp_path / "cats.encoder.onnx").kind == "encoder"
    assert b"/home/me" not in out.read_bytes()


@pytest.mark.usefixtures("player")
def test_a_run_becomes_a_page_and_a_file_where_one_is_asked_for(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, out = tmp_path / "cats.html", tmp_path / "kept.onnx"
    assert command.main(["--weights", "last", str(run), "--html", str(page)]) == 0
    printed = capsys.readouterr()
    assert f"{run}: exported for this page alone; with -o cats.onnx the model is kept" in printed.err
    assert [path.name for path in tmp_path.iterdir()] == ["cats.html"]
    assert len(printed.out.splitlines()) == 2
    read = Page(page)
    assert [model["name"] for model in read.facts["models"]] == ["cats.onnx", "cats.encoder.onnx"]
    assert read.facts["poster"] == {"seed": 0, "rows": 6, "cols": 8}
    assert command.main([str(run), "-o", str(out), "--html", str(page), "--force"]) == 0
    assert Page(page).contents(Page(page).facts["models"][0]) == out.read_bytes()
    assert command.main([str(run), "-o", str(out), "--html", str(tmp_path / "other.html")]) == 2
    assert capsys.readouterr().err.endswith(f"error: {out} exists; give --force to replace it\n")
    assert not (tmp_path / "other.html").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="file names of any bytes are Linux's")
def test_file_names_of_any_bytes_are_written(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "c\udce9t.onnx"  # Latin-1 é
    assert command.main([str(run), "-o", str(out)]) == 0
    assert card_of(out).name == "c\ufffdt"
    assert "c\ufffdt.onnx" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(("weights", "step"), [("last", 20), ("10", 10)])
def test_weights_are_chosen(run: Path, tmp_path: Path, weights: str, step: int) -> None:
    assert command.main([str(run), "-o", str(tmp_path / "a.onnx"), "--weights", weights]) == 0
    assert card_of(tmp_path / "a.onnx").training["step"] == step
    assert card_of(tmp_path / "a.onnx").sample_latents == ((float(step),) * 4,)


def test_bare_files_keep_their_colours(bare: Path, tmp_path: Path) -> None:
    out = tmp_path / "red.onnx"
    assert command.main([str(bare), "-o", str(out)]) == 0
    latent = np.random.default_rng(0).standard_normal((3, 10)).astype(np.float32)
    image = onnxruntime.InferenceSession(out).run(None, {"latent": latent})[0]
    assert (image == (255, 0, 0)).all()
    encoder = onnxruntime.InferenceSession(tmp_path / "red.encoder.onnx")
    black, red, blue = np.zeros((3, 1, 128, 128, 3), np.uint8)
    red[..., 0], blue[..., 2] = 255, 255
    codes = [encoder.run(None, {"image": paper})[0] for paper in (black, red, blue)]
    assert np.allclose(codes[0], codes[2])
    assert not np.allclose(codes[0], codes[1])


def test_mistakes_are_one_line(run: Path, bare: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "a.onnx")
    strange = tmp_path / "strange.pth"
    torch.save({"fc.weight": torch.zeros(2, 2), "fc.bias": torch.zeros(2)}, strange)
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "config.json").write_bytes((run / "config.json").read_bytes())
    state = torch.load(bare, weights_only=True)
    shapes = []
    for key, value in (("encoder1.linear_mu.bias", torch.tensor(1.0)), ("decoder1.linear2.bias", torch.zeros(7))):
        shapes.append(tmp_path / f"{key}.pth")
        torch.save({**state, key: value}, shapes[-1])
    taken = tmp_path / "taken.onnx"
    taken.write_bytes(b"precious")
    for arguments, expected in (
        (["nowhere", "-o", out], "nowhere: there is no such run or file"),
        ([str(taken), "-o", out], "taken.onnx: found a text file, expected an ONNX model; if it was downloaded"),
        ([str(tmp_path), "-o", out], "not a run"),
        ([str(run.parent), "-o", out], f"not a run: config.json: No such file or directory; runs in it: {run}"),
        ([str(empty), "-o", out], "no intact checkpoint"),
        ([str(run), "-o", out, "--weights", "15"], "one of the steps 10, 20"),
        ([str(run), "-o", out, "--weights", "bets"], "expected best, last"),
        ([str(run), "-o", out, "--family", "vae"], "expected none for a run"),
        ([str(run), "-o", str(tmp_path / "no" / "a.onnx")], "there is no folder"),
        ([str(run), "-o", str(tmp_path / "a.pth")], "expected .onnx"),
        ([str(run), "-o", str(taken)], "give --force to replace it"),
        ([str(run), "-o", out, "--key", "ema"], "expected none for a run"),
        ([str(strange), "-o", out], "no reader knows these weights: fc.weight [2, 2], fc.bias [2]; tried: "),
        ([str(bare), "-o", out, "--key", "ema"], "'ema' is not in it; it holds one network, which needs no --key"),
        ([str(bare), "-o", out, "--family", "../vae"], "expected one of"),
        ([str(bare), "-o", out, "--family", "vae", "--weights", "last"], "it holds one set"),
        ([str(shapes[0]), "-o", out, "--family", "vae"], "does not fit vae"),
        ([str(shapes[1]), "-o", out, "--family", "vae"], "does not fit vae"),
        ([str(run), "-o", str(tmp_path / f"{'a' * 300}.onnx")], "File name too long"),
        ([str(strange), "-o", out, "--family", "vae"], "the file's own: fc.weight [2, 2], fc.bias [2]"),
    ):
        assert command.main(arguments) == 2, arguments
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("error: ")
        assert printed.err.count("\n") == 1
        assert expected in printed.err
    assert taken.read_bytes() == b"precious"
    assert not (tmp_path / "a.onnx").exists()


def test_too_little_memory_is_one_line(
    bare: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("export.from_weights.read_weights", no_memory)
    assert command.main([str(bare), "-o", str(tmp_path / "a.onnx")]) == 2
    assert re.fullmatch(rf"error: .*{bare} -o .*: not enough memory\n", capsys.readouterr().err)


@pytest.mark.slow  # imports torch anew
def test_the_module_runs_and_says_what_it_does_and_its_result(bare: Path, tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "export", str(bare), "--family", "vae", "-o", "red.onnx", "--precision", "int8"]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    loading, *working = done.stderr.splitlines()
    assert loading == "loading PyTorch"
    *working, read_by = working
    assert read_by.startswith(f"{bare}: as --family vae says, read by vae: a bare hierarchical state_dict")
    assert all(re.fullmatch(r"(loading PyTorch|exporting \S+): \d+ s", line) for line in working), done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert "int8: max levels" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["red.encoder.onnx", "red.onnx"]
