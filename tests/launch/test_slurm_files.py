"""The SLURM scripts, run for real with what a cluster would give them replaced by programs that take notes."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "launch" / "slurm").glob("*.sbatch"))
pytestmark = pytest.mark.skipif(os.name == "nt" or shutil.which("bash") is None, reason="needs bash")

NOTES = 'printf "%s\\n" "$(basename "$0") $*" >> "$NOTES"\n'
# Stands for the supervisor: saves when signalled, unless it is to end by itself.
PYTHON = (
    NOTES
    + """
if [ -n "${ENDS_WITH:-}" ]; then exit "$ENDS_WITH"; fi
trap 'sleep 0.3; echo saved >> "$NOTES"; exit 75' USR1 TERM
touch "$NOTES.ready"
while true; do sleep 0.05; done
"""
)
SRUN = NOTES + 'while [ "${1#--}" != "$1" ]; do shift; done\nexec "$@"\n'


@pytest.fixture
def cluster(tmp_path: Path) -> dict[str, str]:
    """The environment of a job of two GPUs on each of two machines."""
    for name, body in {
        "python": PYTHON,
        "scontrol": NOTES + "echo first-machine\n",
        "srun": SRUN,
    }.items():
        (tmp_path / name).write_text("#!/bin/bash\n" + body)
        (tmp_path / name).chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "NOTES": str(tmp_path / "notes"),
        "SLURM_JOB_ID": "41",
        "SLURM_GPUS_ON_NODE": "2",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_JOB_NODELIST": "machine[1-2]",
        "SLURM_NODEID": "1",
        "SLURM_ARRAY_TASK_ID": "4",
    }


def command(path: Path) -> list[str]:
    script = [] if path.stem == "families" else ["trainer/train_vae.py", "--out", "runs/my cats"]
    return ["bash", str(path), *script, "--data", "cats.npy"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_signal_before_the_limit_saves_and_goes_back_into_the_queue(path: Path, cluster: dict[str, str]) -> None:
    job = subprocess.Popen(command(path), env=cluster, cwd=ROOT)
    ready = Path(cluster["NOTES"] + ".ready")
    until = time.monotonic() + 240
    while not ready.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    job.send_signal(signal.SIGUSR1)
    assert job.wait(20) == 75
    notes = Path(cluster["NOTES"]).read_text().splitlines()
    assert notes[-2:] == ["saved", "scontrol requeue 41"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_had_no_time_to_save_comes_back_too(path: Path, cluster: dict[str, str]) -> None:
    done = subprocess.run(command(path), env={**cluster, "ENDS_WITH": "138"}, cwd=ROOT, timeout=240, check=False)
    assert done.returncode == 138
    assert Path(cluster["NOTES"]).read_text().splitlines()[-1] == "scontrol requeue 41"


@pytest.mark.parametrize("code", [0, 1, 2])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_ends_by_itself_does_not_come_back(path: Path, code: int, cluster: dict[str, str]) -> None:
    done = subprocess.run(command(path), env={**cluster, "ENDS_WITH": str(code)}, cwd=ROOT, timeout=240, check=False)
    assert done.returncode == code
    assert "requeue" not in Path(cluster["NOTES"]).read_text()


def test_many_nodes_say_which_machine_they_are(cluster: dict[str, str]) -> None:
    subprocess.run(
        command(ROOT / "launch" / "slurm" / "many_nodes.sbatch"),
        env={**cluster, "ENDS_WITH": "0"},
        cwd=ROOT,
        check=True,
    )
    (line,) = (line for line in Path(cluster["NOTES"]).read_text().splitlines() if line.startswith("python "))
    for part in ("--num_machines 2", "--machine_rank 1", "--num_processes 4", "--main_process_ip first-machine",
                 "--out runs/my cats --data cats.npy --processes 4"):  # fmt: skip
        assert part in line


def test_an_array_trains_a_family_a_job(cluster: dict[str, str]) -> None:
    path = ROOT / "launch" / "slurm" / "families.sbatch"
    text = path.read_text()
    families = text.split("families=(")[1].split(")")[0].split()
    assert f"--array=0-{len(families) - 1}" in text
    assert all((ROOT / "trainer" / f"train_{family}.py").is_file() for family in families)
    subprocess.run(command(path), env={**cluster, "ENDS_WITH": "0"}, cwd=ROOT, check=True)
    assert f"trainer/train_{families[4]}.py --out runs/{families[4]}" in Path(cluster["NOTES"]).read_text()
