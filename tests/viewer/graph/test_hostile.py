"""Model files that mean harm or are damaged: refused in one line, soon, in little memory, and no other file is read."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hostile_models import MAKERS, MAY_SHOW, SECRET, whole
from small_models import make_generator

from viewer.__main__ import main
from viewer.graph import limits
from viewer.graph.limits import opening_seconds
from viewer.graph.screening import ScreeningError, screen
from viewer.model import ModelError, open_model
from viewer.modes import Mode, mode_names

ROOT = Path(__file__).parents[3]
OPEN = Path(__file__).parents[1] / "open_hostile.py"
IMAGE_DATA = Path(os.environ.get("IMAGE_DATA", "nowhere"))
FAST = ("random_bytes", "first_99_percent", "weights_above", "weights_of_a_device", "weights_beside",
        "weights_of_4_TiB_without_data", "constant_of_shape_of_64_GiB", "expand_of_64_GiB_when_run",
        "a_64_GiB_image_without_a_card", "an_operator_of_somebody", "branches_3000_deep", "a_billion_laughs",
        "a_circle", "escapes_in_every_name", "escapes_in_its_card", "a_card_with_odd_latent",
        "a_result_that_grows_with_the_square", "a_result_of_nothing",
        "a_class_of_a_million_million", "escapes_in_names_of_inputs_and_classes")  # fmt: skip
BEFORE_ANYTHING_READS_THEM = {  # refused by looking at them, and what the message has to say
    **dict.fromkeys((name for name in MAKERS if re.match(r"weights_(?!of_|sho|lon)|sparse_weights_else", name)),
                    "another file"),
    **dict.fromkeys(("weights_of_4_TiB_without_data", "weights_whose_size_overflows", "weights_of_negative_size",
                     "weights_of_the_largest_size", "weights_shorter_than_they_say", "weights_of_many_axes"), "found"),
    **dict.fromkeys(("sparse_weights_of_64_GiB", "a_sparse_attribute_of_64_GiB"), "expected at most"),
    **dict.fromkeys(("an_operator_of_somebody", "python_in_a_graph", "a_context_of_another_engine"),
                    "is unknown, expected those of ONNX"),
    **dict.fromkeys(("a_function_that_calls_itself", "functions_that_call_each_other"), "calls itself"),
    "a_billion_laughs": "written out",
    "branches_3000_deep": "nested",
    "first_50_percent": "ends early",
    "ort_format": "not an ONNX model",
    "nothing": "not an ONNX model",
}  # fmt: skip
SECONDS = {"a_chain_of_100_000_nodes": opening_seconds(0, 100_000) + 5}  # of processor; the others 5 at most
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of the kernel and forks are Linux's")


@pytest.mark.parametrize("name", sorted(BEFORE_ANYTHING_READS_THEM))
def test_a_look_is_enough(name: str) -> None:
    with pytest.raises(ScreeningError, match=re.escape(BEFORE_ANYTHING_READS_THEM[name])) as caught:
        screen(MAKERS[name]())
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_models_that_are_whole_pass_the_look() -> None:
    screen(whole())
    screen((ROOT / "viewer/models/toycats.onnx").read_bytes())


def hostile_folder(tmp_path: Path, names: list[str]) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    for place in (tmp_path / SECRET, folder / "weights.bin"):
        place.write_bytes(bytes(4096))
    (folder / "link.bin").symlink_to(f"../{SECRET}")
    for name in names:
        (folder / f"{name}.onnx").write_bytes(MAKERS[name]())
    return folder


def open_all(mode: str, folder: Path, out: Path) -> tuple[list[dict[str, Any]], str]:
    """What the viewer did with every file, and the trace of the system calls; empty where there is no strace."""
    out.mkdir(exist_ok=True)
    trace = out / "trace"
    command = [sys.executable, str(OPEN), mode, str(folder), str(out)]
    if traces():
        calls = "trace=open,openat,openat2,creat,connect,execve,stat,newfstatat,statx,readlink"
        command = ["strace", "-f", "-qq", "-s", "300", "-e", calls, "-o", str(trace), *command]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], trace.read_text() if trace.exists() else ""


def traces() -> bool:
    """Whether there is an strace that may do its work."""
    strace = shutil.which("strace")
    if strace is None:
        return False
    return subprocess.run([strace, "-o", os.devnull, "true"], capture_output=True, check=False).returncode == 0


def assert_refused(results: list[dict[str, Any]]) -> None:
    wrong = []
    for result in results:
        said, code = result["said"], result["code"]
        lines = said.strip("\n").split("\n")
        one_line = len(lines) == 1 and lines[0].isprintable() and lines[0].startswith("error: ")
        soon = result["processor_seconds"] < SECONDS.get(result["name"], 5)
        if code == 2 and one_line and soon:
            continue
        harmless = all(line.isprintable() for line in lines)
        if not (code == 0 and result["name"] in MAY_SHOW and harmless and soon):
            wrong.append((result["name"], code, said[-300:], result["processor_seconds"]))
    assert not wrong


def assert_nothing_else_was_opened(trace: str, folder: Path, out: Path) -> None:
    """Of other files only what the program itself is made of, and what the kernel tells of the machine."""
    own = [Path(place).resolve() for place in (sys.prefix, sys.base_prefix, ROOT, out)]
    system = ["/proc/cpuinfo", "/proc/self/status", "/proc/meminfo", "/sys", "/lib", "/usr/lib", "/dev/urandom",
              "/etc/ld.so.cache", "/proc/sys", "/proc/stat", "/dev/null", "/proc/self/task"]  # fmt: skip
    marks = {name for line in trace.splitlines() if (name := re.search(r'"/([^"/]+)\.begins"', line))}
    assert len(marks) >= len(list(folder.glob("*.onnx")))
    begun: set[str] = set()
    for line in trace.splitlines():
        process = line.split()[0]
        if ".begins" in line:
            begun.add(process)
            continue
        assert "execve(" not in line or process not in begun, line
        assert "connect(" not in line or process not in begun, line
        found = re.search(r'\b(?:open|openat|openat2|creat)\(.*?"([^"]*)".*= (-?\d+)', line)
        if process not in begun or found is None:
            continue
        path = Path(found[1])
        assert SECRET not in found[1], line
        assert path.name not in ("weights.bin", "link.bin", "hostname", "environ", "zero", "mem"), line
        if int(found[2]) < 0:
            continue
        if any((folder / path).is_relative_to(place) for place in system):
            continue
        real = (folder / path).resolve()
        assert real.parent == folder.resolve() or any(real.is_relative_to(place) for place in own), line


@linux
def test_a_few_hostile_files_are_refused(tmp_path: Path) -> None:
    folder = hostile_folder(tmp_path, list(FAST))
    results, trace = open_all("grid", folder, tmp_path / "out")
    assert len(results) == len(FAST)
    assert_refused(results)
    if trace:
        assert_nothing_else_was_opened(trace, folder, tmp_path / "out")


@linux
@pytest.mark.slow
@pytest.mark.parametrize("mode", ["grid", "info"])
def test_every_hostile_file_is_refused(tmp_path: Path, mode: str) -> None:
    assert len(MAKERS) >= 100
    folder = hostile_folder(tmp_path, list(MAKERS))
    results, trace = open_all(mode, folder, tmp_path / "out")
    assert len(results) == len(MAKERS)
    if mode == "info":  # nothing is run, so that what only a run brings out stays where it is
        quiet = {name for name in MAKERS if re.search("_64_GiB|_day|loop|many_inputs|an_input_of_", name)}
        results = [result for result in results if not (result["name"] in quiet and result["code"] == 0)]
    assert_refused(results)
    assert max(result["megabytes"] for result in results) < 4096
    if trace:
        assert_nothing_else_was_opened(trace, folder, tmp_path / "out")
    slowest = max(results, key=lambda result: float(result["processor_seconds"]))
    print(f"{len(results)} files, slowest {slowest['name']}: {slowest['processor_seconds']:.1f} s of processor time")


@linux
@pytest.mark.skipif(not (IMAGE_DATA / "onnx").is_dir(), reason="IMAGE_DATA names no folder with other people's models")
def test_other_peoples_models_are_shown_or_refused(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    for number, path in enumerate(sorted((IMAGE_DATA / "onnx").rglob("*.onnx"))):
        shutil.copyfile(path, folder / f"{number}-{path.name}")
    for mode in ("grid", "info"):
        results, trace = open_all(mode, folder, tmp_path / mode)
        assert results
        for result in results:
            assert result["code"] in (0, 2), result
            assert mode == "grid" or result["code"] == 0, result
        if trace:
            assert_nothing_else_was_opened(trace, folder, tmp_path / mode)


@pytest.mark.parametrize("mode", [name for name in mode_names() if Mode(name).kind or name == "info"])
def test_every_mode_looks_first(
    mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], photo_path: Path
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(MAKERS["weights_above"]())
    images = [str(photo_path)] if mode in ("translate", "upscale") else []
    files = [str(path)] * (1 + ("models" in Mode(mode).Options.__dataclass_fields__))
    assert main([mode, *files, *images]) == 2
    assert "another file" in capsys.readouterr().err


def test_a_hostile_encoder_beside_a_model(tmp_path: Path, photo_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_generator(tmp_path / "m.onnx")
    path.with_name("m.encoder.onnx").write_bytes(MAKERS["weights_above"]())
    assert main(["grid", str(path), "--encode", str(photo_path), "--display", "none"]) == 2
    assert "m.encoder.onnx: weights" in capsys.readouterr().err


# Memory and time.


@linux
def test_the_whole_process_is_bound() -> None:
    program = """
import numpy as np
from viewer.graph.limits import limits
with limits(memory=200 * 2**20):
    try:
        np.ones(400 * 2**20, np.uint8)
    except MemoryError:
        print("refused")
print(np.ones(400 * 2**20, np.uint8).sum())
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["refused", str(400 * 2**20)], done.stderr


def test_the_memory_of_a_model_is_what_the_flag_says(tmp_path: Path) -> None:
    """In onnxruntime's own allocator, as on systems whose kernel binds nothing."""
    path = tmp_path / "m.onnx"
    path.write_bytes(MAKERS["doubling_of_64_GiB_when_run"]())
    program = f"""
import numpy as np
from viewer.graph import limits
from viewer.model import ModelError, open_model
limits._taken = lambda: None
from pathlib import Path
with limits.limits(memory=100 * 2**20):
    model = open_model(Path({str(path)!r}))
    try:
        model.generate(np.zeros((1, 4), np.float32))
    except ModelError as error:
        print(error)
status = Path("/proc/self/status")
if status.exists():  # what getrusage says there counts the process before it became this program
    (most,) = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    assert int(most) < 400 * 2**10
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "needs more than 0.0977 GiB of memory" in done.stdout
    assert "--max-memory" in done.stdout


def test_the_time_of_a_run_is_what_the_flag_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(MAKERS["an_endless_loop"]())
    shown = ["--display", "none", "--record", str(tmp_path / "out.png")]
    before = time.process_time()
    assert main(["grid", str(path), "--max-seconds", "0.4", *shown]) == 2
    assert time.process_time() - before < 3
    assert "one run took more than 0.4 s, expected less; --max-seconds allows more" in capsys.readouterr().err
    ended = time.monotonic() + 20
    while any(thread.name == "model" for thread in threading.enumerate()):  # a loop can be called off
        assert time.monotonic() < ended
        time.sleep(0.05)


def test_a_model_that_was_called_off_can_be_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(MAKERS["an_endless_loop"]())
    model = open_model(path)
    latents = np.zeros((1, 4), np.float32)
    monkeypatch.setattr("viewer.runtime.run_seconds", lambda kind: 0.1)
    for _ in range(2):
        with pytest.raises(ModelError, match=r"took more than 0\.1 s|still at work"):
            model.generate(latents)
    ended = time.monotonic() + 20
    while model._runtime._overdue is not None and time.monotonic() < ended:
        time.sleep(0.05)
    with pytest.raises(ModelError, match=r"took more than 0\.1 s"):
        model.generate(latents)


def test_a_large_graph_may_take_longer_to_open() -> None:
    """Attention of one size has its masks worked out then."""
    calls = [onnx.helper.make_node("Two", ["x"], ["y"], domain="own"), onnx.helper.make_node("Relu", ["y"], ["z"])]
    ports = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xz"]
    own = onnx.helper.make_opsetid("own", 1), onnx.helper.make_opsetid("", 17)
    two = [onnx.helper.make_node("Relu", ["x"], ["m"]), onnx.helper.make_node("Relu", ["m"], ["y"])]
    function = onnx.helper.make_function("own", "Two", ["x"], ["y"], two, own[1:])
    graph = onnx.helper.make_graph(calls, "g", ports[:1], ports[1:])
    model = onnx.helper.make_model(graph, functions=[function], opset_imports=own)
    assert screen(model.SerializeToString()) == 4
    assert limits.opening_seconds(0, 0) == 3
    assert limits.opening_seconds(0, 2400) == 9
    assert limits.opening_seconds(0, 10**6) == 30
    with limits.limits(seconds=2):
        assert limits.opening_seconds(0, 600) == 2


def test_a_busy_machine_makes_no_model_hostile() -> None:
    """Time in which the process did not have the processor does not count."""
    assert limits.finish(lambda: time.sleep(0.5) or "done", 0.2, lambda: None) == "done"


def test_what_fails_in_its_thread_fails_here() -> None:
    with pytest.raises(ZeroDivisionError):
        limits.finish(lambda: 1 / 0, 1.0, lambda: None)
