"""What files and folders are, by their first bytes."""

import io
import json
import random
import tarfile
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from trainer.contract.formats import KINDS
from trainer.contract.headers import Unreadable, read_header
from trainer.contract.recognise import recognise, recognise_bytes

OLD = Path(__file__).parents[2] / "fixtures" / "v0_1"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12582912\n"
PAGE = b"\n<!-- saved from -->\n<!DOCTYPE html>\n<html><head><title>cats.onnx</title>"


def archive(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for name in names:
            written.writestr(name, b"\0" * 100)
    return file.getvalue()


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as written:
        written.addfile(tarfile.TarInfo("a"))
    return file.getvalue()


def array(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


FILES = {
    "set.npy": (array(np.zeros((3, 8, 8, 3), np.uint8)), "a NumPy array (.npy) of uint8 [3, 8, 8, 3]", "set"),
    "floats.npy": (array(np.zeros((3, 512), np.float32)), "a NumPy array (.npy) of float32 [3, 512]", "array"),
    "cut.npy": (b"\x93NUMPY\x01\0", "a damaged NumPy array", ""),
    "odd.npy": (b"\x93NUMPY\x01\0\x10\0" + b"[" * 4000, "a damaged NumPy array", ""),
    "pointer.onnx": (POINTER, "a Git LFS pointer to a file of 12.6 MB", ""),
    "page.onnx": (PAGE, "a web page (HTML)", ""),
    "denied.onnx": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML file", ""),
    "drawing.svg": (b'<?xml version="1.0"?><svg xmlns="x"/>', "a drawing (SVG)", ""),
    "answer.onnx": (b'{"error": "not found"}', "a JSON file", ""),
    "notes.onnx": ("Grüße\n".encode(), "a text file", ""),
    "nothing.onnx": (b"", "an empty file", ""),
    "zeros.onnx": (bytes(9000), "a file of zeros", ""),
    "cats.zip": (archive("cats/cats.onnx"), "a zip archive", "set"),
    "weights.pth": (archive("vae/data.pkl", "vae/data/0"), "weights of PyTorch", "weights"),
    "old.pth": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "weights of PyTorch", "weights"),
    "script.pt": (archive("vae/data.pkl", "vae/code/m.py", "vae/constants.pkl"), "a TorchScript program", ""),
    "pickled.bin": (b"\x80\x04\x95\x05", "a pickled Python object", "pickle"),
    "vae.keras": (archive("metadata.json", "config.json", "model.weights.h5"), "a Keras model", ""),
    "arrays.npz": (archive("images.npy"), "a NumPy archive", "set"),
    "vae.safetensors": ((64).to_bytes(8, "little") + b'{"a":{"dtype":"F32"', "weights (safetensors)", "weights"),
    "vae.h5": (b"\x89HDF\r\n\x1a\n\0\0", "an HDF5 file, as Keras", ""),
    "saved_model.pb": (b"\x08\x01\x12\x90\x01", "a TensorFlow graph", ""),
    "model.pb": (b"\x08\x09\x12\x07pytorch", "an ONNX model", "model"),
    "later.onnx": (b"\x08\x63\x3a\xe6", "an ONNX model", "model"),  # a version that nothing reads yet
    "vae.tflite": (b"\x1c\0\0\0TFL3", "a TensorFlow Lite model", ""),
    "vae.ort": (b"\x1c\0\0\0ORTM", "a model in onnxruntime's own format", ""),
    "net.xml": (b'<?xml version="1.0"?>\n<net name="Model0" version="11">', "an OpenVINO model", ""),
    "cats.param": (b"7767517\n75 83\nInput  data", "an ncnn model", ""),
    "cats.engine": (b"ftrt\0\0\1", "a TensorRT engine", ""),
    "cats.gguf": (b"GGUF\3\0", "a GGUF model", ""),
    "cats.onnx.data": (bytes(64), "the weights of an ONNX model", ""),
    "cats.onnx_data": (b"\x3c\x01\x02", "the weights of an ONNX model", ""),
    "cats.parquet": (b"PAR1\x15\x04", "a Parquet table", "set"),
    "cats.tar": (tar(), "a tar archive", "set"),
    "train-images-idx3-ubyte": (b"\0\0\x08\x03\0\0\xea\x60", "an IDX file", "set"),
    "cats.gz": (b"\x1f\x8b\x08\0", "a compressed file", "set"),
    "photo.jpg": (cv2.imencode(".jpg", np.zeros((9, 9, 3), np.uint8))[1].tobytes(), "an image", "image"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_are_known_by_their_bytes(name: str, tmp_path: Path) -> None:
    data, what, kind = FILES[name]
    (tmp_path / name).write_bytes(data)
    found = recognise(tmp_path / name)
    assert found is not None
    assert found.what.startswith(what)
    assert found.kind == kind
    assert kind in (*KINDS, "")
    assert found.what.isprintable()
    assert found.way_out or kind in ("model", "image", "set", "array", "weights", "pickle") or found.what[-1] == ")"
    if kind != "image":
        with pytest.raises(Unreadable, match="not an image"):
            read_header(data or b"\0")


@pytest.mark.filterwarnings("error")
def test_damaged_and_hostile_bytes_raise_nothing() -> None:
    chance = random.Random(0)
    for name, (data, *_) in FILES.items():
        for _ in range(40):
            damaged = bytearray(data or b"x")
            for _ in range(chance.randrange(1, 5)):
                place = chance.randrange(len(damaged)) if damaged else 0
                if chance.random() < 0.5:
                    del damaged[place : place + chance.randrange(1, 20)]
                else:
                    damaged[place:place] = chance.randbytes(chance.randrange(1, 9))
            found = recognise_bytes(bytes(damaged), bytes(damaged), Path(name).suffix)
            assert found is None or (found.what.isprintable() and len(found.what) < 200)
    started = time.process_time()
    for data in (b"<!--" * 1024, b"<?xml " * 700, b"<!doctype svg" * 300, b" " * 4090 + b"<html>",
                 b"\x93NUMPY\x01\0\xff\x0f" + b"(" * 4000, b"\x93NUMPY\x01\0\xff\x0f" + b"1or" * 1300):  # fmt: skip
        assert recognise_bytes(data) is not None
    assert time.process_time() - started < 1


def test_bytes_that_tell_nothing() -> None:
    for data in (b"\xfe\x01\x02\x03" * 9, b"\x0a\xff" * 50, bytes(range(1, 255))):
        assert recognise_bytes(data) is None


def test_what_training_and_export_have_written_is_known() -> None:
    assert {recognise(path).kind for path in OLD.glob("models/*.onnx")} == {"model"}
    assert {recognise(path).kind for path in OLD.glob("runs/*")} == {"run"}
    assert {recognise(path).kind for path in OLD.glob("sets/*.npy")} == {"set"}
    assert {recognise(path).kind for path in OLD.glob("runs/*/checkpoints/*/*.safetensors")} == {"weights"}
    assert {recognise(path).kind for path in OLD.glob("runs/*/checkpoints/*/*.pt")} == {"weights"}
    assert {recognise(path).kind for path in OLD.glob("pictures/*/*.png")} == {"image"}
    kinds = {name: recognise(OLD / name).kind for name in ("runs", "pictures", "models", "shards")}
    assert kinds == {"runs": "runs", "pictures": "images", "models": "models", "shards": "folder"}


def test_folders_of_other_programs_are_no_runs(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["UNet2DModel"], "config": {}}))
    assert recognise(tmp_path).kind == "folder"
    (tmp_path / "x.safetensors").touch()
    assert recognise(tmp_path).kind == "weights", "as diffusers writes it: one word exports it"
    (tmp_path / "x.safetensors").unlink()
    (tmp_path / "config.json").write_text("[" * 100_000)
    assert recognise(tmp_path).kind == "folder"
    (tmp_path / "saved_model.pb").touch()
    assert recognise(tmp_path).what == "a TensorFlow SavedModel"


def test_a_huge_file_is_known_at_once(tmp_path: Path) -> None:
    for begin, what in (
        (array(np.zeros((1, 8, 8, 3), np.uint8))[:128], "NumPy"),
        (b"PK\x03\x04", "zip"),
        (b"", "zeros"),
    ):
        path = tmp_path / "huge.onnx"
        with path.open("wb") as file:
            file.write(begin)
            file.truncate(1 << 40)  # no block of it is on the disk
        started = time.process_time()
        assert what in recognise(path).what
        assert time.process_time() - started < 0.5
