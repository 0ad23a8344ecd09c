"""Bare weights: every usual layout is read, nothing in them is ever run, and what is wrong is said in one line."""

import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from export import weights
from export.weights import read_state_dict
from trainer.contract.errors import UserError

STATE = {"layer.weight": torch.arange(6.0).view(2, 3), "layer.bias": torch.ones(2)}


def refused(file: Path, expected: str) -> None:
    with pytest.raises(UserError, match=expected) as caught:
        read_state_dict(file)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        OrderedDict(STATE),
        {"state_dict": STATE, "epoch": 3},
        {"model": STATE, "optimizer": {"lr": 0.1}},
        {"module." + key: value for key, value in STATE.items()},
        {"state_dict": {"module._orig_mod." + key: value for key, value in STATE.items()}},
    ],
    ids=["plain", "ordered", "state_dict", "model", "module", "compiled"],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_usual_layouts_are_read(tmp_path: Path, content: Any, zipped: bool) -> None:
    file = tmp_path / "w.pth"
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    found = read_state_dict(file)
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[key], STATE[key]) for key in STATE)


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "w.safetensors")
    assert torch.equal(read_state_dict(tmp_path / "w.safetensors")["layer.weight"], STATE["layer.weight"])


class Trap:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_is_refused_and_never_run(tmp_path: Path, zipped: bool) -> None:
    file, mark = tmp_path / "w.pth", tmp_path / "executed"
    torch.save({"state_dict": STATE, "trap": Trap(mark)}, file, _use_new_zipfile_serialization=zipped)
    refused(file, r"needs the code of (posix|nt)\.mkdir .*refused as unsafe")
    assert not mark.exists()


def test_a_plain_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    file, mark = tmp_path / "w.pkl.pth", tmp_path / "executed"
    file.write_bytes(pickle.dumps(Trap(mark)))
    refused(file, "refused as unsafe|damaged")
    assert not mark.exists()


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "w.pth")
    refused(tmp_path / "w.pth", r"torch\.nn\.modules\.linear\.Linear")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_truncated_files_are_refused(tmp_path: Path, share: float, suffix: str) -> None:
    file = tmp_path / f"w{suffix}"
    if suffix == ".pth":
        torch.save(STATE, file)
    else:
        save_file(STATE, file)
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    refused(file, "damaged")


def test_noise_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    for seed in range(20):
        file.write_bytes(torch.randint(0, 256, (500,), generator=torch.Generator().manual_seed(seed)).byte().numpy())
        refused(file, "damaged|refused|holds")


def test_bombs_are_refused_unopened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "MAX_BYTES", 1 << 20)
    file = tmp_path / "w.pth"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * (8 << 20))
    assert file.stat().st_size < 1 << 16
    refused(file, "unpacked archive takes")


def test_huge_files_are_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    with file.open("wb") as stream:
        stream.truncate(weights.MAX_BYTES + 1)  # sparse
    refused(file, "GiB, expected at most 4 GiB")


def test_broadcast_tensors_cannot_claim_the_memory(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1).expand(1 << 40)}, tmp_path / "w.pth")
    refused(tmp_path / "w.pth", "set of tensors takes 4096")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, "a dictionary of nothing"),
        ({"epoch": 3, "lr": 0.1}, "a dictionary of epoch, lr"),
        ([1, 2], "a list"),
        ({"a": torch.full((2,), torch.nan)}, "a holds values that are not finite"),
        ({"a": torch.eye(2).to_sparse()}, "expected a plain tensor"),
        ({"a": torch.zeros(2, dtype=torch.complex64)}, "expected real numbers"),
    ],
)
def test_other_contents_are_named(tmp_path: Path, content: Any, expected: str) -> None:
    torch.save(content, tmp_path / "w.pth")
    refused(tmp_path / "w.pth", expected)


def test_wrong_names_are_refused(tmp_path: Path) -> None:
    refused(tmp_path / "w.txt", r"expected \.pth")
    refused(tmp_path / "missing.pth", "No such file")
    (tmp_path / "folder.pth").mkdir()
    refused(tmp_path / "folder.pth", "no file")
