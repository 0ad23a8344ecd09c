"""What to type where a file is something else than was expected."""

import shutil
from pathlib import Path

import pytest

from viewer.files.misfits import A_MODEL, misfit_of

OLD = Path(__file__).parents[2] / "fixtures" / "v0_1"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("runs/vae", "export it first: python -m export runs/vae -o vae.onnx"),
        ("runs", "export one of them: python -m export runs/vae -o vae.onnx"),
        ("runs/vae/checkpoints", "export its run: python -m export runs/vae -o vae.onnx"),
        ("runs/vae/checkpoints/step_00000008/averaged.safetensors", "export its run: python -m export runs/vae"),
        ("my weights.safetensors", "python -m export 'my weights.safetensors' -o 'my weights.onnx'"),
        ("cats.npy", "python -m viewer cats.npy opens it"),
        ("shards", "python -m viewer shards opens it"),
        ("saved.png", "python -m viewer saved.png opens it"),
        ("plain.png", "it goes after a model"),
    ],
)
def test_ways_out(name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(OLD / "runs" / "vae", "runs/vae")
    shutil.copytree(OLD / "shards", "shards")
    shutil.copy(next(OLD.glob("runs/vae/checkpoints/*/averaged.safetensors")), "my weights.safetensors")
    shutil.copy(OLD / "sets" / "cats.npy", "cats.npy")
    shutil.copy(OLD / "saved" / "grid" / "vae-0001.png", "saved.png")
    shutil.copy(OLD / "edges" / "cat00.png", "plain.png")
    message = misfit_of(Path(name), A_MODEL)
    assert message.startswith("found ")
    assert ", expected an ONNX model; " in message
    assert said in message
