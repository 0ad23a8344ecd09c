"""The launcher (accelerate or torchrun) that started this process, its options, and what it asks for."""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import psutil
import torch

from trainer.config import RunConfig
from trainer.contract.errors import UserError
from trainer.exit_status import LAUNCHERS

PR_SET_PDEATHSIG = 1
ACCUMULATION = "ACCELERATE_GRADIENT_ACCUMULATION_STEPS"


@dataclass(frozen=True)
class Launcher:
    """The process that started this one."""

    pid: int
    command: Sequence[str]
    environment: Mapping[str, str]
    supervisor: Sequence[str] = ()  # the command of ``launch/supervise.py``, where that started it

    @property
    def options(self) -> dict[str, str]:
        """Options on its command line: name with underscores → value."""
        options: dict[str, str] = {}
        for part, following in pairwise([*self.command, ""]):
            if part.endswith(".py"):
                break  # what follows belongs to the training script
            if part.startswith("--"):
                name, equals, value = part[2:].partition("=")
                options[name.replace("-", "_")] = value if equals else following
        return options


@cache
def find_launcher() -> Launcher | None:
    """The launcher that started this process, or ``None``. First called when a run begins: it may end before it."""
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process().parent()
        if parent is None or not names_in(command := parent.cmdline()) & LAUNCHERS:
            return None
        return Launcher(parent.pid, command, parent.environ(), supervisor_of(parent))
    return None


def supervisor_of(launcher: psutil.Process) -> Sequence[str]:
    """The command of the supervisor that started a launcher, empty where there is none."""
    with contextlib.suppress(psutil.Error):
        parent = launcher.parent()
        command = parent.cmdline() if parent is not None else []
        return command if "supervise.py" in names_in(command) else ()
    return ()


def names_in(command: Sequence[str]) -> set[str]:
    """File names among the first words of a command line."""
    return {Path(part).name for part in command[:4]}


def set_threads(config: RunConfig, launcher: Launcher | None) -> None:
    """Divide the cores among this machine's ranks: by default launchers leave each rank one thread."""
    threads = config.threads
    unset = launcher is not None and "OMP_NUM_THREADS" not in launcher.environment
    if launcher is not None and unset and not threads and "num_cpu_threads_per_process" not in launcher.options:
        has_affinity = hasattr(psutil.Process, "cpu_affinity")
        cores = len(psutil.Process().cpu_affinity()) if has_affinity else os.cpu_count()
        threads = max(1, (cores or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    if threads:
        torch.set_num_threads(threads)


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


def check_accumulation(config: RunConfig, launcher: Launcher | None) -> None:
    """Raise ``UserError`` where the launcher asks for another accumulation of gradients than ``--accumulate``.

    accelerate is kept from knowing: by its variable it would divide the gradients, and still take every step; its flag
    it passes on to DeepSpeed alone.
    """
    variable = os.environ.pop(ACCUMULATION, "")
    asked = [variable, launcher.options.get(ACCUMULATION.removeprefix("ACCELERATE_").lower(), "") if launcher else ""]
    for number in map(str.strip, asked):
        if number not in ("", "1", str(config.accumulate)):
            expected = f"expected {config.accumulate} as --accumulate is"
            way = f"; --accumulate {number} does it here" if number.isdecimal() and int(number) else ""
            raise UserError(f"the launcher's gradient_accumulation_steps is {number}, {expected}{way}")


def die_with(launcher: int) -> None:
    """Have the kernel send SIGTERM when the launcher dies, so that its workers save and stop (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != launcher:  # it died before
            os.kill(os.getpid(), signal.SIGTERM)
