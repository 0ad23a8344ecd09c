"""Files that run code when they are unpickled, and names that do things to a terminal: nothing happens."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from export.weights import read_weights
from trainer.contract.errors import ImageError, UserError
from trainer.contract.text import printable
from trainer.data.sources import need_source
from trainer.data.sources.npy_set import read_header
from trainer.runs.store import family_class
from viewer.files.image_set import open_set

ESCAPES = "\x1b]0;owned\x07\x1b[31m\x9b2J\u202e\r\nerror: forged"


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.target,)


def test_the_bomb_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Bomb(tmp_path / "burnt")))
    assert (tmp_path / "burnt").exists()


def weights(bomb: Bomb, protocol: int, zipped: bool) -> bytes:
    buffer = io.BytesIO()
    content = {"a.weight": torch.zeros(2), "b": bomb}
    torch.save(content, buffer, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["zip", "legacy", "bare", "archive"])
@pytest.mark.parametrize("suffix", [".pth", ".ckpt", ".safetensors", ".bin"])
def test_weights_run_nothing(tmp_path: Path, kind: str, suffix: str) -> None:
    bomb = Bomb(tmp_path / "burnt")
    if kind in ("zip", "legacy"):
        data = weights(bomb, 2, kind == "zip")
    elif kind == "bare":
        data = pickle.dumps(bomb)
    else:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(bomb))
        data = buffer.getvalue()
    path = tmp_path / f"w{suffix}"
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        read_weights(path)
    assert str(caught.value).isprintable()
    assert not bomb.target.exists()


def test_arrays_run_nothing(tmp_path: Path) -> None:
    bomb = Bomb(tmp_path / "burnt")
    path = tmp_path / "set.npy"
    np.save(path, np.array([bomb], object), allow_pickle=True)
    with pytest.raises(UserError, match="pickled"):
        read_header(path)
    with pytest.raises(ImageError):
        open_set(path)
    path.write_bytes(pickle.dumps(bomb))
    with pytest.raises(UserError):
        read_header(path)
    assert not bomb.target.exists()


def test_batches_of_cifar_run_nothing(tmp_path: Path) -> None:
    bomb = Bomb(tmp_path / "burnt")
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps({"data": bomb}))
    with pytest.raises(UserError, match="pickled"):
        need_source(str(folder)).open()
    assert not bomb.target.exists()


@pytest.mark.parametrize(
    "name", ["os:system", "trainer.families.vae:torch", "trainer.families.vae:VAE.__init__", "trainer.loop:main"]
)
def test_a_run_names_families_only(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="expected a class in"):
        family_class(name, tmp_path)


def test_keys_of_weights_do_not_reach_the_terminal(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "w.safetensors"
    save_file({f"a{ESCAPES}": torch.full((2,), float("nan"))}, path)
    with pytest.raises(UserError) as caught:
        read_weights(path)
    assert "owned" in str(caught.value)
    assert str(caught.value).isprintable()


def test_text_is_cleaned_whatever_it_is() -> None:
    for text in (ESCAPES, "\ud800", "\udc9b", "a\0b", "\u2028\u2066\u200b", "\x7f", "\U000e0001", "é漢😺"):
        assert printable(text).isprintable()
        assert printable(printable(text)) == printable(text)
        json.dumps(printable(text)).encode()
    assert printable("é漢😺 \\") == "é漢😺 \\"
    assert str(UserError(f"x {ESCAPES}")).isprintable()
