"""Weights in files beside a model: brought into its bytes where they are what the model says, and refused elsewhere."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hostile_models import MAKERS
from onnx import TensorProto, external_data_helper, helper, numpy_helper
from small_models import constant, make_generator, make_graph

import utsuroi
from export.card import BLANK_SEAL, SEAL_KEY, seal
from viewer.__main__ import main
from viewer.graph.beside import with_weights
from viewer.graph.reading import Reading
from viewer.graph.screening import ElsewhereError, ScreeningError, screen
from viewer.model import ModelError, open_model

DATA = "m.onnx.data"
ROOT = Path(__file__).parents[3]


def doubling(branch: bool = False) -> onnx.ModelProto:
    """y = 2 x + 1 of numbers [n, 4]; with ``branch``, by constants that are in nodes, branches and functions."""
    two, one = constant("two", np.full(4, 2, np.float32)), constant("one", np.ones(4, np.float32))
    nodes = [helper.make_node("Mul", ["x", "two"], ["double"])]
    ports = ([("x", "f32", ["n", 4])], [("y", "f32", ["n", 4])])
    if not branch:
        return make_graph([*nodes, helper.make_node("Add", ["double", "one"], ["y"])], *ports, [two, one])
    out = helper.make_tensor_value_info("added", TensorProto.FLOAT, [4])
    then = helper.make_graph([helper.make_node("Identity", ["inner"], ["added"])], "then", [], [out],
                             [constant("inner", np.ones(4, np.float32))])  # fmt: skip
    other = helper.make_graph([helper.make_node("Constant", [], ["added"], value=one)], "else", [], [out])
    nodes += [
        helper.make_node("Constant", [], ["yes"], value=constant("c", np.array(True))),
        helper.make_node("If", ["yes"], ["one"], then_branch=then, else_branch=other),
        helper.make_node("Add", ["double", "one"], ["y"]),
    ]
    return make_graph(nodes, *ports, [two])


def outside(model: onnx.ModelProto, folder: Path, **options: Any) -> bytes:
    """Write the weights of a model beside it, and return its bytes."""
    path = folder / "m.onnx"
    onnx.save_model(model, path, save_as_external_data=True, size_threshold=0, convert_attribute=True,
                    **{"location": DATA, **options})  # fmt: skip
    return path.read_bytes()


@pytest.mark.parametrize("branch", [False, True], ids=["initializers", "branches"])
@pytest.mark.parametrize("one_file", [True, False], ids=["one file", "a file for each"])
def test_weights_beside_a_model_are_brought_into_it(tmp_path: Path, branch: bool, one_file: bool) -> None:
    model = doubling(branch)
    data = outside(model, tmp_path, all_tensors_to_one_file=one_file)
    with pytest.raises(ElsewhereError, match="in another file"):
        screen(data)
    whole = with_weights(tmp_path / "m.onnx", data)
    screen(whole)
    found = onnx.load_from_string(whole)
    expected = onnx.load(tmp_path / "m.onnx")  # which reads the other files itself
    for one, other in zip(external_data_helper._get_all_tensors(found),
                          external_data_helper._get_all_tensors(expected), strict=True):  # fmt: skip
        assert (numpy_helper.to_array(one) == numpy_helper.to_array(other)).all()
    onnx.checker.check_model(found)


def test_a_model_that_is_whole_stays_the_same_bytes(tmp_path: Path) -> None:
    data = doubling().SerializeToString()
    assert with_weights(tmp_path / "m.onnx", data) is data


def changed(data: bytes, **keys: str) -> bytes:
    """With other words in the place of the first tensor."""
    model = onnx.load_from_string(data)
    tensor = model.graph.initializer[0]
    kept = {entry.key: entry.value for entry in tensor.external_data}
    del tensor.external_data[:]
    for key, value in {**kept, **keys}.items():
        tensor.external_data.add(key=key, value=value)
    return model.SerializeToString()


PLACES = ["../secret.bin", "/etc/hostname", "/dev/zero", "sub/m.data", r"..\secret.bin", "C:secret", "", ".", "..",
          "file:///etc/hostname", "*/_ORT_MEM_ADDR_/*", "a" * 300, "m\n.data"]  # fmt: skip
KEYS = {
    "negative offset": ({"offset": "-8"}, "expected a whole number"),
    "huge offset": ({"offset": "9" * 18}, "cut short"),
    "offset of many digits": ({"offset": "9" * 400}, "expected a whole number"),
    "huge length": ({"length": str(2**62)}, "expected 16 for their shape"),
    "short length": ({"length": "8"}, "expected 16 for their shape"),
    "overlapping": ({"offset": "20"}, "overlap"),
}


@pytest.mark.parametrize("place", PLACES)
def test_places_elsewhere_are_never_opened(tmp_path: Path, place: str) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(4096))
    folder = tmp_path / "models"
    (folder / "sub").mkdir(parents=True)
    data = outside(doubling(), folder)
    (folder / "sub" / "m.data").write_bytes(bytes(4096))
    with pytest.raises(ScreeningError, match="own folder") as caught:
        with_weights(folder / "m.onnx", changed(data, location=place))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("case", KEYS)
def test_places_within_the_file_are_checked(tmp_path: Path, case: str) -> None:
    data = outside(doubling(), tmp_path)
    path = tmp_path / DATA
    path.write_bytes(path.read_bytes().ljust(64, b"\0"))
    keys, said = KEYS[case]
    with pytest.raises(ScreeningError, match=said):
        with_weights(tmp_path / "m.onnx", changed(data, **keys))


def link(path: Path, real: Path) -> None:
    real.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(real)


def hard_link(path: Path, real: Path) -> None:
    os.link(path, real)


def pipe(path: Path, _: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path, _: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes and links")
@pytest.mark.parametrize(
    ("make", "said"),
    [(link, "are a link"), (hard_link, "other names"), (pipe, "no regular file"), (folder, "no regular file"),
     (lambda path, _: path.unlink(), "found none beside it"), (lambda path, _: path.write_bytes(b"\0"), "cut short")],
)  # fmt: skip
def test_what_is_not_an_own_whole_file_is_not_read(
    tmp_path: Path, make: Callable[[Path, Path], None], said: str
) -> None:
    (tmp_path / "models").mkdir()
    data = outside(doubling(), tmp_path / "models")
    make(tmp_path / "models" / DATA, tmp_path / "elsewhere.bin")
    with pytest.raises(ScreeningError, match=said):
        with_weights(tmp_path / "models" / "m.onnx", data)


def test_a_file_that_takes_the_name_in_between_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = outside(doubling(), tmp_path)
    really = os.open

    def swapped(path: Any, *more: Any, **named: Any) -> int:
        if str(path).endswith(DATA):
            Path(path).replace(tmp_path / "old")
            Path(path).write_bytes(bytes(64))
        return really(path, *more, **named)

    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises(ScreeningError, match="changed while it was opened"):
        with_weights(tmp_path / "m.onnx", data)


def test_tied_weights_may_be_the_same_bytes(tmp_path: Path) -> None:
    model = doubling()
    data = outside(model, tmp_path)
    whole = onnx.load_from_string(with_weights(tmp_path / "m.onnx", changed(data, offset="16")))
    assert [list(numpy_helper.to_array(one)) for one in whole.graph.initializer] == [[1] * 4, [1] * 4]


def many(count: int, dims: list[int], length: int) -> bytes:
    """A model of so many weights, all of them the same stretch of a file."""
    model = doubling()
    del model.graph.initializer[:]
    tensor = TensorProto(name="w", dims=dims, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": DATA, "offset": "0", "length": str(length)}.items():
        tensor.external_data.add(key=key, value=value)
    model.graph.initializer.extend([tensor] * count)
    return model.SerializeToString()


def test_weights_that_would_become_huge_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / DATA).open("wb") as file:
        file.truncate(2**30)  # no block of it is on the disk
    for count, dims, said in ((3, [2**28], "expected fewer than"), (1, [2**40], "expected fewer than"),
                              (1, [2**62] * 9, "expected fewer than")):  # fmt: skip
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(ScreeningError, match=said):
            with_weights(tmp_path / "m.onnx", many(count, dims, 2**30))
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 2**10


@pytest.mark.slow
def test_a_million_weights_are_refused_soon(tmp_path: Path) -> None:
    (tmp_path / DATA).write_bytes(bytes(4096))
    with pytest.raises(ScreeningError, match="more parts than any model has"):
        screen(with_weights(tmp_path / "m.onnx", many(1_000_000, [1], 4)))


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts memory as Linux does")
def test_a_gigabyte_of_weights_is_in_memory_once(tmp_path: Path) -> None:
    with (tmp_path / DATA).open("wb") as file:
        file.truncate(2**30)
    (tmp_path / "m.onnx").write_bytes(many(1, [2**28], 2**30))
    program = """
import sys
from pathlib import Path
import utsuroi
from export.card import BLANK_SEAL, SEAL_KEY, seal
from viewer.__main__ import main
from viewer.graph.beside import with_weights
from viewer.graph.reading import Reading
path = Path(sys.argv[1])
print(len(with_weights(path, path.read_bytes())))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "m.onnx")], cwd=ROOT, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    size, kilobytes = map(int, done.stdout.split())
    assert size > 2**30
    assert kilobytes < 1.3 * 2**20


def test_hostile_files_are_refused_with_the_flag_too(tmp_path: Path) -> None:
    (tmp_path / "link.bin").symlink_to("/etc/hostname")
    (tmp_path / "weights.bin").write_bytes(bytes(4096))
    for name in MAKERS:
        if name.startswith(("weights_", "sparse_weights_else", "branches", "a_circle")):
            data = MAKERS[name]()
            try:
                whole = with_weights(tmp_path / "m.onnx", data)
            except ScreeningError as error:
                assert str(error).isprintable()  # noqa: PT017
            else:
                assert whole is data or name == "weights_beside", name


def beside(folder: Path) -> Path:
    """A generator whose weights are in a file beside it."""
    path = make_generator(folder / "m.onnx")
    model = onnx.load(path)
    del model.metadata_props[:]
    outside(model, folder)
    return path


def test_the_flag_opens_what_is_refused_without(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, shown = beside(tmp_path), ["--display", "none", "--rows", "2", "--cols", "2", "--out", str(tmp_path)]
    assert main(["grid", str(path), *shown, "--keys", "s,esc"]) == 2
    said = capsys.readouterr().err
    assert f"python -m export {path} -o one.onnx makes one file" in said
    assert "--external-data opens them" in said
    with pytest.raises(utsuroi.UtsuroiError, match="--external-data"):
        utsuroi.load(path)
    assert utsuroi.load(path, external_data=True).sample(1).shape == (1, 16, 16, 3)
    assert main(["grid", str(path), "--external-data", *shown, "--keys", "s,esc"]) == 0
    (saved,) = tmp_path.glob("*.png")
    assert main([str(saved), "--display", "none", "--record", str(tmp_path / "again.gif")]) == 0  # with the flag
    assert "--external-data" in capsys.readouterr().err
    with (tmp_path / DATA).open("r+b") as file:  # the hash is of both
        file.write(b"\1" * 64)
    assert main([str(saved), "--display", "none"]) == 2
    assert "is another of this name" in capsys.readouterr().err


def test_a_seal_does_not_cover_other_files(tmp_path: Path) -> None:
    path = make_generator(tmp_path / "m.onnx")
    model = onnx.load(path)
    outside(model, tmp_path)
    model = onnx.load(path, load_external_data=False)
    next(entry for entry in model.metadata_props if entry.key == SEAL_KEY).value = BLANK_SEAL
    path.write_bytes(seal(model.SerializeToString()))
    with pytest.raises(ModelError, match="carries a seal, which does not cover"):
        open_model(path, reading=Reading(external_data=True))


HOSTILE = sorted(name for name in MAKERS if name.startswith(("weights_", "sparse_weights", "constant_of", "a_circle")))
HOSTILE += ["branches_3000_deep", "an_operator_of_somebody", "first_99_percent", "random_bytes", "a_billion_laughs"]


@pytest.mark.parametrize("command", [["info", "--external-data"], []], ids=["info", "export"])
def test_consent_opens_nothing_else(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the flag, and for the export, which needs none: one line, nothing written."""
    from export.__main__ import main as export

    (tmp_path / "link.bin").symlink_to("/etc/hostname")
    path, one = tmp_path / "m.onnx", tmp_path / "one.onnx"
    for name in HOSTILE:
        if name == "weights_beside" or (command and not name.startswith(("weights_", "sparse_weights_else"))):
            continue
        path.write_bytes(MAKERS[name]())
        code = main([command[0], str(path), *command[1:]]) if command else export([str(path), "-o", str(one)])
        said = capsys.readouterr()
        assert code == 2, name
        assert said.out == ""
        assert said.err.count("\n") == 1
        assert said.err.strip().isprintable()
        assert not one.exists()
