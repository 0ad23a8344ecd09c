"""A pod's first process: what Kubeflow says becomes the launcher's command line, and signals reach the trainers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("psutil", reason="needs the train extra")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="runs in containers alone")

Told = Callable[..., tuple[list[str], dict[str, str]]]
ROOT = Path(__file__).resolve().parents[2]
ENTRY = [sys.executable, str(ROOT / "launch" / "kubernetes" / "entry.py")]

# Stands for accelerate: notes its command line, and saves when signalled.
ACCELERATE = f"""#!{sys.executable}
import json, os, signal, sys, time
from pathlib import Path
run = Path(sys.argv[sys.argv.index("--out") + 1])
run.mkdir(parents=True, exist_ok=True)
(run / "command.json").write_text(json.dumps({{"words": sys.argv[1:], "environment": dict(os.environ)}}))
if os.environ.get("ENDS_WITH"):
    sys.exit(int(os.environ["ENDS_WITH"]))
def stop(number, frame):
    (run / "checkpoints" / "step_00000001").mkdir(parents=True)
    sys.exit(75)
signal.signal(signal.SIGTERM, stop)
(run / "ready").touch()
time.sleep(600)
"""

TRAINJOB = {
    "PET_NNODES": "4", "PET_NPROC_PER_NODE": "8", "PET_NODE_RANK": "3", "PET_MASTER_ADDR": "cats-node-0-0.cats",
    "PET_MASTER_PORT": "29400",
}  # fmt: skip
PYTORCHJOB = {
    "MASTER_ADDR": "cats-master-0", "MASTER_PORT": "23456", "WORLD_SIZE": "32", "RANK": "3", "PET_NPROC_PER_NODE": "8",
    "PET_NODE_RANK": "3", "PET_NNODES": "4",
}  # fmt: skip
OLD_PYTORCHJOB = {"MASTER_ADDR": "cats-master-0", "MASTER_PORT": "23456", "WORLD_SIZE": "4", "RANK": "3"}


@pytest.fixture
def pod(tmp_path: Path) -> dict[str, str]:
    """The environment of a pod without GPUs."""
    program = tmp_path / "bin" / "accelerate"
    program.parent.mkdir()
    program.write_text(ACCELERATE)
    program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PET_", "ACCELERATE_"))}
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "ACCELERATE_USE_CPU": "true"}


@pytest.fixture
def told(pod: dict[str, str], tmp_path: Path) -> Told:
    """Runs the entry to its end → the words and the environment that the launcher got."""

    def run(variables: dict[str, str], *before: str) -> tuple[list[str], dict[str, str]]:
        words = [*ENTRY, *before, "trainer/train_vae.py", "--out", str(tmp_path / "run"), "--data", "my cats.npy"]
        done = subprocess.run(
            words, env={**pod, "ENDS_WITH": "0", **variables}, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        found = json.loads((tmp_path / "run" / "command.json").read_text())
        return found["words"], found["environment"]

    return run


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


@pytest.mark.parametrize(
    ("variables", "address", "port", "total"),
    [
        (TRAINJOB, "cats-node-0-0.cats", "29400", "32"),
        (PYTORCHJOB, "cats-master-0", "23456", "32"),
        (OLD_PYTORCHJOB, "cats-master-0", "23456", "4"),
    ],
    ids=["trainjob", "pytorchjob", "old pytorchjob"],
)
def test_many_pods_meet(variables: dict[str, str], address: str, port: str, total: str, told: Told) -> None:
    words, environment = told(variables)
    script = words.index("trainer/train_vae.py")
    hardware, training = words[:script], words[script + 1 :]
    assert words[:2] == ["launch", "--quiet"]
    assert Path(option(hardware, "--config_file")) == ROOT / "launch" / "accelerate" / "many_nodes.yaml"
    assert option(hardware, "--num_machines") == "4"
    assert option(hardware, "--machine_rank") == "3"
    assert option(hardware, "--num_processes") == option(training, "--processes") == total
    assert option(hardware, "--main_process_ip") == address
    assert option(hardware, "--main_process_port") == port
    assert option(training, "--data") == "my cats.npy"
    assert not {name for name in environment if name in variables}  # torchrun would read them again


@pytest.mark.parametrize(
    ("variables", "config", "total"),
    [
        ({}, "one_cpu", "1"),
        ({"PET_NNODES": "1", "PET_NPROC_PER_NODE": "auto", "PET_NODE_RANK": "0"}, "one_cpu", "1"),
        ({"PET_NNODES": "1", "PET_NPROC_PER_NODE": "2", "PET_NODE_RANK": "0"}, "many_gpus", "2"),
        ({"PET_NPROC_PER_NODE": "cpu"}, "one_cpu", "1"),
        # a Master alone
        ({"WORLD_SIZE": "1", "RANK": "0", "MASTER_ADDR": "x", "MASTER_PORT": "1"}, "one_cpu", "1"),
    ],
)
def test_one_pod_needs_no_meeting_place(variables: dict[str, str], config: str, total: str, told: Told) -> None:
    words, environment = told(variables)
    assert Path(option(words, "--config_file")).stem == config
    assert option(words, "--num_processes") == option(words, "--processes") == total
    assert "--num_machines" not in words
    assert environment["ACCELERATE_USE_CPU"] == "true"


@pytest.mark.parametrize(
    ("variables", "arguments", "expected"),
    [
        ({}, ["--out", "x"], "no script"),
        ({"PET_NNODES": "1:4"}, ["a.py", "--out", "x"], "PET_NNODES is '1:4', expected a whole number"),
        ({"PET_NNODES": "2"}, ["a.py", "--out", "x"], "no PET_MASTER_ADDR"),
        ({**TRAINJOB, "PET_NODE_RANK": "4"}, ["a.py", "--out", "x"], "PET_NODE_RANK is 4, expected less than the 4"),
        ({"PET_NPROC_PER_NODE": "many"}, ["a.py", "--out", "x"], "PET_NPROC_PER_NODE is 'many'"),
        ({}, ["a.py"], "names no --out"),
        ({}, ["--stopped-code", "256", "a.py", "--out", "x"], "--stopped-code is 256"),
    ],
)
def test_a_pod_that_is_set_up_wrongly_says_so(
    variables: dict[str, str], arguments: list[str], expected: str, pod: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [*ENTRY, *arguments], env={**pod, **variables}, capture_output=True, text=True, timeout=120, check=False,
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("flags", "code"), [([], 75), (["--stopped-code", "143"], 143)], ids=["trainjob", "pytorchjob"]
)
def test_sigterm_saves_and_the_code_brings_the_pod_back(
    flags: list[str], code: int, pod: dict[str, str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    process = subprocess.Popen([*ENTRY, *flags, "trainer/train_vae.py", "--out", str(run)], env={**pod, **TRAINJOB})
    try:
        until = time.monotonic() + 60
        while not (run / "ready").exists():
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == code
        assert (run / "checkpoints" / "step_00000001").is_dir()
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_two_pods_train_together(tmp_path: Path) -> None:
    """The real launcher and the real trainer, each pod a process of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    pods = [
        subprocess.Popen(
            [*ENTRY, "--tries", "1", "trainer/train_vae.py", "--out", str(tmp_path / "run"), "--steps", "3",
             "--image-size", "32", "--batch-size", "8", "--threads", "1"],
            env={**os.environ, "PATH": programs, "PYTHONPATH": str(ROOT), "ACCELERATE_USE_CPU": "true",
                 "PET_NNODES": "2", "PET_NPROC_PER_NODE": "1", "PET_NODE_RANK": rank, "PET_MASTER_ADDR": "127.0.0.1",
                 "PET_MASTER_PORT": port},
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for rank in ("0", "1")
    ]  # fmt: skip
    printed = [process.communicate(timeout=600)[0] for process in pods]
    assert [process.returncode for process in pods] == [0, 0], printed
    (start,) = json.loads((tmp_path / "run" / "config.json").read_text())["resumes"]
    assert start["world_size"] == 2
