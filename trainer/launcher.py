"""The launcher (accelerate or torchrun) that started this process, its options, and what it asks for."""

import contextlib
import ctypes
import os
import signal
import sys
from itertools import pairwise
from pathlib import Path
from typing import Literal

import psutil
import torch

from trainer.config import RunConfig
from trainer.contract.errors import UserError
from trainer.exit_status import LAUNCHERS, TORCHRUN

PR_SET_PDEATHSIG = 1
Kind = Literal["", "torchrun", "accelerate"]  # "": started by hand


def find_launcher() -> psutil.Process | None:
    """The launcher that started this process, or ``None``."""
    try:
        parent = psutil.Process().parent()
        command = parent.cmdline() if parent else []
    except psutil.Error:
        return None
    return parent if names_in(command) & LAUNCHERS else None


def names_in(command: list[str]) -> set[str]:
    """File names among the first words of a command line."""
    return {Path(part).name for part in command[:4]}


def kind_of(launcher: psutil.Process | None) -> Kind:
    """Which launcher started this process."""
    if launcher is None:
        return ""
    return "torchrun" if names_in(launcher.cmdline()) & TORCHRUN else "accelerate"


def options_of(launcher: psutil.Process | None) -> dict[str, str]:
    """Options on the launcher's command line: name with underscores → value."""
    options: dict[str, str] = {}
    command = launcher.cmdline() if launcher else []
    for part, following in pairwise([*command, ""]):
        if part.endswith(".py"):
            break  # what follows belongs to the training script
        if part.startswith("--"):
            name, equals, value = part[2:].partition("=")
            options[name.replace("-", "_")] = value if equals else following
    return options


def set_threads(config: RunConfig, launcher: psutil.Process | None, options: dict[str, str]) -> None:
    """Divide the cores among this machine's ranks: by default launchers leave each rank one thread."""
    threads = config.threads
    if launcher is not None and not threads and "num_cpu_threads_per_process" not in options:
        with contextlib.suppress(psutil.Error):
            if "OMP_NUM_THREADS" not in launcher.environ():
                cores = (
                    len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else os.cpu_count()
                )
                threads = max(1, (cores or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    if threads:
        torch.set_num_threads(threads)


def check_precision(config: RunConfig) -> None:
    asked = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    if asked not in ("no", config.precision):
        raise UserError(f"the launcher asks for {asked}, --precision is {config.precision}: set --precision {asked}")


def asked_to_shard(config: RunConfig) -> bool:
    """Whether the launcher asks for FSDP, in the form that ``trainer.sharding`` offers. Raises ``UserError``.

    accelerate is kept from knowing: it would silently leave CPU ranks unsharded.
    """
    if os.environ.pop("ACCELERATE_USE_FSDP", "false").lower() != "true":
        return False
    for name, expected in (("version", "2"), ("offload_params", "false"), ("auto_wrap_policy", "NO_WRAP"),
                           ("activation_checkpointing", "false"), ("cpu_ram_efficient_loading", "false")):  # fmt: skip
        found = os.environ.get(f"FSDP_{name.upper()}", expected)
        if found.lower() != expected.lower():
            raise UserError(f"fsdp_{name} is {found}, expected {expected} (see launch/accelerate/fsdp.yaml)")
    if config.compile or config.precision == "fp16":
        flag = "--compile" if config.compile else "--precision fp16"
        raise UserError(f"{flag} does not go with FSDP; leave it out, or take launch/accelerate/many_gpus.yaml")
    return True


def die_with(launcher: psutil.Process) -> None:
    """Have the kernel send SIGTERM when the launcher dies, so that its workers save and stop (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != launcher.pid:  # it died before
            os.kill(os.getpid(), signal.SIGTERM)
