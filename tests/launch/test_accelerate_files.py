"""The launch files: hardware only, and as many ranks as they say."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("accelerate", reason="needs the train extra")
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_multi_gpu_env

from trainer.config import RunConfig
from trainer.launcher import asked_to_shard

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "launch" / "accelerate"
FILES = sorted(FOLDER.glob("*.yaml"))
HARDWARE = {
    "compute_environment", "distributed_type", "use_cpu", "num_machines", "num_processes", "gpu_ids", "fsdp_config",
}  # fmt: skip

SHOW_WORLD = """
import os
from accelerate import Accelerator
world = Accelerator()
print(f"rank {world.process_index} of {world.num_processes} on {world.device.type}", flush=True)
world.wait_for_everyone()
os._exit(0)
"""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_accelerate_reads_it_and_it_names_hardware_only(path: Path) -> None:
    load_config_from_file(str(path))
    assert set(yaml.safe_load(path.read_text())) <= HARDWARE


def test_it_is_the_fsdp_that_the_trainer_does(monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["--config_file", str(FOLDER / "fsdp.yaml"), "--num_processes", "8", "trainer/train_ddpm.py"]
    arguments = launch_command_parser().parse_args(command)
    arguments, *_ = _validate_launch_command(arguments)
    for name, value in prepare_multi_gpu_env(arguments).items():
        if name.startswith(("FSDP_", "ACCELERATE_")):
            monkeypatch.setenv(name, value)
    assert asked_to_shard(RunConfig())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "ranks"), [("one_cpu", 1), ("two_cpu_ranks", 2)])
def test_it_starts_the_ranks_that_it_names(name: str, ranks: int, tmp_path: Path) -> None:
    script = tmp_path / "world.py"
    script.write_text(SHOW_WORLD)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--main_process_port", str(port)]
    done = subprocess.run(
        [*launch, "--config_file", str(ROOT / "launch" / "accelerate" / f"{name}.yaml"), str(script)],
        env={**os.environ, "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    for rank in range(ranks):
        assert f"rank {rank} of {ranks} on cpu" in done.stdout
