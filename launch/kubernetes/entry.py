"""Starts a training in a pod: turns Kubeflow's environment variables into a launcher's command line.

    python launch/kubernetes/entry.py trainer/train_vae.py --data /data/cats.npy --out /runs/cats --steps 1000000

Kubeflow Trainer (TrainJob) sets PET_NNODES, PET_NPROC_PER_NODE, PET_NODE_RANK, PET_MASTER_ADDR and PET_MASTER_PORT; the
Training Operator (PyTorchJob) some of these, and WORLD_SIZE, RANK, MASTER_ADDR and MASTER_PORT, of which RANK counts
pods. With none of them, there is one pod. Options before the script go to ``launch/supervise.py``, which
this process becomes: Kubernetes' SIGTERM reaches it, and through it the trainers, which save and stop.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

LAUNCH = Path(__file__).resolve().parent.parent
# Removed for the launcher, which takes defaults from them and passes the rest on to processes with ranks of their own.
CONSUMED = ("PET_NNODES", "PET_NPROC_PER_NODE", "PET_NODE_RANK", "PET_MASTER_ADDR", "PET_MASTER_PORT",
         "WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")  # fmt: skip


def fail(message: str) -> NoReturn:
    """End the program for an error in the set-up of a pod: one line, exit code 2."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in message)
    print(f"error: {shown}", file=sys.stderr, flush=True)
    sys.exit(2)


def number(environment: Mapping[str, str], name: str, least: int) -> int:
    """Read a whole number from the environment."""
    text = environment[name]
    if not text.isdecimal() or int(text) < least:
        fail(f"{name} is {text!r}, expected a whole number of at least {least}")
    return int(text)


def first(environment: Mapping[str, str], *names: str) -> str | None:
    """The first of the names that is set."""
    return next((name for name in names if environment.get(name)), None)


def places(environment: Mapping[str, str], gpus: int) -> tuple[int, int, int]:
    """Number of pods, index of this one, and processes in each."""
    asked = environment.get("PET_NPROC_PER_NODE", "")
    if asked in ("auto", "gpu", ""):
        processes = max(1, gpus)  # one each
    elif asked == "cpu":
        processes = 1  # it has all the cores
    else:
        processes = number(environment, "PET_NPROC_PER_NODE", 1)
    pods = 1
    if "PET_NNODES" in environment:
        pods = number(environment, "PET_NNODES", 1)
    elif "WORLD_SIZE" in environment:
        # older operators count pods in it, newer ones processes, unless their number is automatic
        total = number(environment, "WORLD_SIZE", 1)
        pods = total // processes if asked.isdecimal() and total % processes == 0 else total
    named = first(environment, "PET_NODE_RANK", "RANK")
    rank = number(environment, named, 0) if named and pods > 1 else 0
    if rank >= pods:
        fail(f"{named} is {rank}, expected less than the {pods} pods")
    return pods, rank, processes


def command(environment: Mapping[str, str], arguments: list[str], gpus: int) -> list[str]:
    """Command line to run."""
    start = next((place for place, word in enumerate(arguments) if word.endswith(".py")), None)
    if start is None:
        fail("no script, expected one to train with: trainer/train_vae.py --out /runs/cats")
    pods, rank, processes = places(environment, gpus)
    if 0 < gpus < processes:
        fail(f"PET_NPROC_PER_NODE is {processes}, found {gpus} GPU(s) in this pod")
    total = pods * processes
    kind = "many_nodes" if pods > 1 else "many_gpus" if total > 1 else "one_gpu" if gpus else "one_cpu"
    hardware = ["--config_file", str(LAUNCH / "accelerate" / f"{kind}.yaml"), "--num_processes", str(total)]
    if pods > 1:
        address = first(environment, "PET_MASTER_ADDR", "MASTER_ADDR")
        port = first(environment, "PET_MASTER_PORT", "MASTER_PORT")
        if address is None or port is None:
            fail(f"{pods} pods, but no PET_MASTER_ADDR and PET_MASTER_PORT to meet at")
        hardware += ["--num_machines", str(pods), "--machine_rank", str(rank)]
        hardware += ["--main_process_ip", environment[address]]
        hardware += ["--main_process_port", str(number(environment, port, 1))]
    supervisor = [sys.executable, str(LAUNCH / "supervise.py"), *arguments[:start]]
    return [*supervisor, "accelerate", "launch", *hardware, *arguments[start:], "--processes", str(total)]


def main(arguments: list[str]) -> NoReturn:
    gpus = 0
    if os.environ.get("ACCELERATE_USE_CPU", "").lower() not in ("true", "1"):
        import torch  # seconds

        gpus = torch.cuda.device_count()
    words = command(os.environ, arguments, gpus)
    environment = {name: value for name, value in os.environ.items() if name not in CONSUMED}
    if not gpus:
        environment["ACCELERATE_USE_CPU"] = "true"
    os.execve(words[0], words, environment)


if __name__ == "__main__":
    main(sys.argv[1:])
