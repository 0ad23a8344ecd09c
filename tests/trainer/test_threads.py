"""How threads wait is said before torch is imported, by every command that imports it, and to libgomp in the end."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("accelerate", reason="needs the train extra")
from commands import environment

ROOT = Path(__file__).resolve().parents[2]
VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
RECORDER = """
import os, runpy, sys
from importlib.machinery import PathFinder
class Finder:
    def find_spec(name, path=None, target=None):
        if name == "torch":
            print(*(os.environ.get(name, "-") for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")))
            os._exit(0)
sys.meta_path.insert(0, Finder)
script, *sys.argv[1:] = sys.argv[1:]
if script.endswith(".py"):
    runpy.run_path(script, run_name="__main__")
else:
    runpy.run_module(script, run_name="__main__")
"""
RUN = "tests/fixtures/v0_1/runs/vae"  # a path is looked at before torch is imported
COMMANDS = [
    *([f"trainer/{path.name}"] for path in sorted((ROOT / "trainer").glob("train_*.py"))),
    ["trainer/evaluate.py", RUN], ["trainer.evaluate", RUN], ["export", RUN, "-o", "model.onnx"],
    ["utsuroi", "train", "vae"], ["utsuroi", "evaluate", RUN], ["utsuroi", "export", RUN, "-o", "model.onnx"],
]  # fmt: skip


def shell(**more: str) -> dict[str, str]:
    """Where nobody has said how threads wait."""
    return {name: value for name, value in environment().items() if name not in VARIABLES} | more


def when_torch_is_imported(command: list[str], **more: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", RECORDER, *command], cwd=ROOT, env=shell(**more), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return ended.stdout + ended.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_says_how_threads_wait_before_torch_is_imported(command: list[str]) -> None:
    assert when_torch_is_imported(command) == "- 1000 1\n"


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"GOMP_SPINCOUNT": "7"}, "- 7 1"),
        ({"KMP_BLOCKTIME": "infinite"}, "- 1000 infinite"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE - -"),
    ],
)
def test_what_the_environment_says_stays(said: dict[str, str], found: str) -> None:
    assert when_torch_is_imported(["trainer/train_vae.py"], **said) == f"{found}\n"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems' torch has another OpenMP")
def test_the_library_hears_of_it_under_the_launcher(tmp_path: Path) -> None:
    command = ("-m", "accelerate.commands.launch", "trainer/train_vae.py", "--out", str(tmp_path / "run"),
               "--image-size", "16", "--steps", "1", "--batch-size", "4")  # fmt: skip
    ended = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=shell(OMP_DISPLAY_ENV="verbose"), capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "GOMP_SPINCOUNT = '1000'" in ended.stderr
