"""Bare weights: every usual layout is read, nothing in them is ever run, and what is wrong is said in one line."""

import argparse
import io
import json
import os
import pickle
import struct
import time
import tracemalloc
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from export import weight_files
from export.weights import read_weights
from trainer.contract.errors import UserError

STATE = {"layer.weight": torch.arange(6.0).view(2, 3), "layer.bias": torch.ones(2)}


def refused(file: Path, expected: str) -> None:
    with pytest.raises(UserError, match=expected) as caught:
        read_weights(file)
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
    (found,) = (one.state for one in read_weights(file))
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[key], STATE[key]) for key in STATE)


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "w.safetensors")
    (found,) = read_weights(tmp_path / "w.safetensors")
    assert torch.equal(found.state["layer.weight"], STATE["layer.weight"])


def test_values_of_numpy_and_options_beside_weights_are_no_code(tmp_path: Path) -> None:
    beside = {
        "best": np.float64(0.5), "psnr": np.float32(30), "steps": np.int64(3), "curve": np.linspace(0, 1, 5),
        "random": np.random.default_rng(0).integers(0, 9, 624).astype(np.uint32), "names": np.array(["a", "b"]),
        "args": argparse.Namespace(lr=0.1, out=Path("runs") / "cats"), "more": SimpleNamespace(a=1),
        "counts": defaultdict(list, {"a": [1, 2]}),
    }  # fmt: skip
    for zipped in (True, False):
        file = tmp_path / "w.pth.tar"
        torch.save({"state_dict": STATE, **beside}, file, _use_new_zipfile_serialization=zipped)
        (found,) = read_weights(file)
        assert torch.equal(found.state["layer.weight"], STATE["layer.weight"])


def test_files_of_the_time_before_numpy_2_are_read(tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    torch.save({"state_dict": STATE, "best": np.float64(0.5)}, file, _use_new_zipfile_serialization=False)
    data = file.read_bytes()
    assert b"numpy._core.multiarray" in data
    file.write_bytes(data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert len(read_weights(file)) == 1


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": STATE, "traps": np.array([Trap(tmp_path / "executed")])}, tmp_path / "w.pth")
    refused(tmp_path / "w.pth", "refused as unsafe")
    assert not (tmp_path / "executed").exists()


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
    monkeypatch.setattr(weight_files, "MAX_BYTES", 1 << 20)
    file = tmp_path / "w.pth"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * (8 << 20))
    assert file.stat().st_size < 1 << 16
    refused(file, "unpacked archive takes")


def test_huge_files_are_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    with file.open("wb") as stream:
        stream.truncate(weight_files.MAX_BYTES + 1)  # sparse
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


def test_pickles_are_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "G.pkl").write_bytes(pickle.dumps({"G_ema": 1}))
    refused(tmp_path / "G.pkl", "is a pickle, which only its own program can open.*refused; expected a state_dict")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_f32(tmp_path: Path, dtype: torch.dtype) -> None:
    state = {key: value.to(dtype) for key, value in STATE.items()} | {"layer.steps": torch.tensor(3)}
    torch.save(state, tmp_path / "w.pth")
    save_file(state, tmp_path / "w.safetensors")
    for suffix in ("pth", "safetensors"):
        (found,) = read_weights(tmp_path / f"w.{suffix}")
        assert found.state["layer.weight"].dtype == torch.float32
        assert found.state["layer.steps"].dtype == torch.int64
        assert torch.equal(found.state["layer.weight"], STATE["layer.weight"])


def test_shards_are_put_together(tmp_path: Path) -> None:
    index = tmp_path / "diffusion_pytorch_model.safetensors.index.json"
    names = {key: f"part-{number}.safetensors" for number, key in enumerate(STATE)}
    for key, name in names.items():
        save_file({key: STATE[key]}, tmp_path / name)
    index.write_text(json.dumps({"metadata": {}, "weight_map": names}))
    (tmp_path / "config.json").write_text(json.dumps({"_class_name": "UNet2DModel"}))
    for path in (index, tmp_path):
        (found,) = read_weights(path)
        assert found.state.keys() == STATE.keys()
        assert found.config == {"_class_name": "UNet2DModel"}
    for names, expected in (({"a": "gone.safetensors"}, "gone.safetensors is not there"),
                            ({"a": "../part-0.safetensors"}, "other folders"), ([], "not an index")):  # fmt: skip
        index.write_text(json.dumps({"weight_map": names}))
        refused(index, expected)


def pickled(pickle_bytes: bytes) -> bytes:
    """A file of torch with such a pickle, and no tensors."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle_bytes)
        archive.writestr("archive/version", "3")
        archive.writestr("archive/byteorder", "little")
    return buffer.getvalue()


def cycle() -> Any:
    inner: dict[str, Any] = {"a": 1}
    inner["again"] = {"and": inner}
    return inner


def laughs() -> Any:
    """Each dictionary twice in the next: of 2³⁰ paths, 30 dictionaries."""
    level: Any = {"epoch": 1}
    for _ in range(30):
        level = {"a": level, "b": level}
    return level


def deep() -> Any:
    level: Any = {"epoch": 1}
    for _ in range(400):
        level = {"state_dict": level}
    return level


@pytest.mark.parametrize("make", [cycle, laughs, deep])
def test_containers_of_any_shape_end(tmp_path: Path, make: Any) -> None:
    file = tmp_path / "w.pth"
    torch.save(make(), file)
    refused(file, "holds a dictionary of")
    torch.save({"model": STATE, "odd": make()}, file)
    (found,) = read_weights(file)
    assert found.state.keys() == STATE.keys()


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({1: torch.zeros(2), 2: torch.zeros(2)}, "holds a dictionary of 1, 2"),
        ({("a", "b"): torch.zeros(2), None: torch.zeros(1)}, "holds a dictionary of"),
        ({"a.b": torch.zeros(2, dtype=torch.float8_e4m3fn).fill_(float("nan"))}, "not finite"),
        ({"a.b": torch.zeros(3, device="meta")}, "on meta, expected a plain tensor"),
        ({"a.b": torch.quantize_per_tensor(torch.zeros(2), 1.0, 0, torch.qint8)}, "is quantised"),
        ({f"a.{number}": torch.zeros(1).expand(1 << 20, 1 << 7) for number in range(9)}, "set of tensors takes"),
    ],
)  # fmt: skip
def test_odd_tensors_and_keys_are_named(tmp_path: Path, state: Any, expected: str) -> None:
    torch.save(state, tmp_path / "w.pth")
    refused(tmp_path / "w.pth", expected)


def test_a_pickle_cannot_take_the_memory_by_a_number(tmp_path: Path) -> None:
    taking = b"\x80\x02cbuiltins\nbytearray\n\x8a\x06\x00\x00\x00\x00\x00\x10\x85R."
    (tmp_path / "w.pth").write_bytes(pickled(taking))
    refused(tmp_path / "w.pth", "builtins.bytearray .*refused as unsafe")


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors", "directory"])
def test_a_million_keys_are_refused_at_once(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_files, "MAX_CONTENTS", 1 << 20)
    file = tmp_path / ("w.safetensors" if form == "safetensors" else "w.pth")
    names = b"".join(b"X\x10\x00\x00\x00%016dK\x01" % number for number in range(1_000_000))
    many = b"\x80\x02}(" + names + b"u."
    if form == "zip":
        file.write_bytes(pickled(many))
    elif form == "legacy":
        file.write_bytes(b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {})) + many)
    elif form == "safetensors":
        file.write_bytes(struct.pack("<Q", len(many)) + many)
    else:
        entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
        end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(entry) * 400_000, 0, 0)
        file.write_bytes(entry * 400_000 + end)
    tracemalloc.start()
    begin = time.process_time()
    refused(file, "its table of contents takes")
    seconds, peak = time.process_time() - begin, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < 10
    assert peak < 200 << 20
