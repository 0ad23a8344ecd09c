"""Ranks: the only module that makes an ``Accelerator``, seeds, agrees across ranks, and exits."""

import contextlib
import hashlib
import math
import os
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import torch
from accelerate.accelerator import Accelerator
from accelerate.utils import broadcast, gather_object
from torch import Tensor, nn

from trainer import exit_status, sharding
from trainer.config import RunConfig
from trainer.contract.errors import UserError
from trainer.contract.text import in_processes
from trainer.exit_status import FINISHED, MISTAKE, STOPPED, TORCHRUN
from trainer.failures import TrainingFailure
from trainer.family import Nets
from trainer.launcher import (
    Launcher,
    asked_to_shard,
    check_accumulation,
    die_with,
    find_launcher,
    names_in,
    set_threads,
)

Found = TypeVar("Found")

TORCHRUN_COUNTS = ("nnodes", "nproc_per_node")  # by default 1
SILENT_SECONDS = 5.0  # that a process waits for the one that says what is wrong
ECHO_SECONDS = 2.0  # launchers repeat a terminal's Ctrl-C to their workers: not a second request
STOP_SIGNALS = ("SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP")


class World:
    """This process, one of ``size`` ranks."""

    def __init__(self, config: RunConfig) -> None:
        launcher = find_launcher()
        asked = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
        if asked not in ("no", config.precision):
            way = f"set --precision {asked}"
            raise UserError(f"the launcher asks for {asked}, --precision is {config.precision}: {way}")
        check_accumulation(config, launcher)
        sharded = asked_to_shard(config)
        if config.device == "cpu":
            os.environ["ACCELERATE_USE_CPU"] = "true"
        # accelerate's rendezvous warns about what a single machine cannot change
        warnings.filterwarnings("ignore", message=".*No device id is provided via.*")
        self.accelerator = Accelerator(
            mixed_precision="no" if config.precision == "fp32" else config.precision,
            cpu=config.device == "cpu",
            step_scheduler_with_optimizer=False,
        )
        self.device = self.accelerator.device
        if self.device.type == "cpu":
            self.device = torch.device("cpu")  # accelerate numbers that of several processes
        self.rank = self.accelerator.process_index
        self.size = self.accelerator.num_processes
        self.is_main = self.accelerator.is_main_process
        self.sharded = sharded and self.size > 1  # one rank holds everything anyway
        self.on_all(lambda: check_device(config, self.device, self.size))
        ranks = config.processes or asked_size(launcher)
        if ranks is not None and ranks != self.size:
            raise UserError(
                f"asked for {ranks} processes, found {self.size}; for several on a CPU use ACCELERATE_USE_CPU=true "
                f"accelerate launch --multi_gpu --num_processes {ranks} (see launch/accelerate/)"
            )
        set_threads(config, launcher)
        self.launcher = launcher.pid if launcher is not None else None
        self.launcher_died = False
        if launcher is not None:
            die_with(launcher.pid)
        self.stop_asked_at: float | None = None  # monotonic seconds

    def in_words(self, config: RunConfig) -> str:
        """A line on what the run computes with."""
        threads = f", {torch.get_num_threads()} thread(s) each" if self.device.type == "cpu" else ""
        pieces = ", weights in pieces (FSDP)" if self.sharded else ""
        where = f"{in_processes(self.size)} on {self.device}"
        usual = ", the default of --out" if config.out == RunConfig.out else ""
        return f"{where}, {config.precision}{threads}{pieces}; writing to {config.out}{usual}"

    def shard(self, net: nn.Module) -> None:
        """Shard a network where the launcher asks for FSDP. Call before its optimiser is made."""
        if self.sharded:
            sharding.shard(self.accelerator.prepare_model(net, evaluation_mode=True), self.device, self.size)

    def prepare(self, net: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Move a network to the device, and wrap it and its optimiser for ranks and precision."""
        if self.sharded:
            optimizer.register_state_dict_post_hook(sharding.gather_states)
            optimizer.register_load_state_dict_pre_hook(sharding.cut_states)
            return net, self.accelerator.prepare_optimizer(optimizer)
        prepared, prepared_optimizer = self.accelerator.prepare(net, optimizer)
        if self.size > 1:
            # BatchNorm's running statistics are saved from the main rank; sending them every step breaks
            # two forward passes in one backward. The constructor's own flag is deprecated from torch 2.13 on.
            name = "forward_sync_buffers" if hasattr(prepared, "forward_sync_buffers") else "broadcast_buffers"
            setattr(prepared, name, False)
        return prepared, prepared_optimizer

    def set_sync(self, net: Any, enabled: bool) -> None:
        """Set whether the next forward and backward pass average gradients over ranks."""
        if self.sharded:
            net.set_requires_gradient_sync(enabled)
        elif self.size > 1:
            net.require_backward_grad_sync = enabled  # what DDP.no_sync sets, outside of a with block

    def gather(self, value: Any) -> list[Any]:
        """Values of all ranks, in order of rank."""
        return gather_object([value]) if self.size > 1 else [value]

    def on_main(self, act: Callable[[], Any], out: Path) -> Any:
        """Run ``act``, which writes to the folder ``out``, on the main rank, and return its result on every rank. Its
        ``UserError`` or ``OSError`` is raised on every rank as ``TrainingFailure``."""
        found, failure = self.gather(attempt(act, out) if self.is_main else None)[0]
        if failure is not None:
            raise failure
        return found

    def on_all(self, act: Callable[[], Found]) -> Found:
        """Run ``act`` on every rank; the first rank's ``UserError`` is raised on all of them as ``TrainingFailure``.
        (One machine may lack the data, say.) It names the rank unless that is the main one."""
        found, failure = attempt(act)
        for rank, other in enumerate(self.gather(failure)):
            if other is not None:
                what = f"process {rank}: {other}" if rank else str(other)
                raise TrainingFailure(what, code=other.code, on_all_ranks=True)
        return found

    def agree(self, *values: float) -> list[float]:
        """Maximum of each of the ranks' values."""
        if self.size == 1:
            return list(values)
        gathered: Tensor = self.accelerator.gather(torch.tensor([values], dtype=torch.float32, device=self.device))
        return gathered.amax(0).tolist()

    def synchronise(self, averaged: Nets, nets: Nets) -> None:
        """Make the averaged networks the same on all ranks: they take the main rank's buffers (running statistics
        differ by rank), and where ``nets`` are sharded, every rank's part."""
        if self.size > 1:
            for name, net in averaged.items():
                if self.sharded:
                    sharding.gather_rows(net, nets[name])
                for buffer in net.buffers():
                    buffer.copy_(broadcast(buffer.clone()))

    def all_finite(self, net: nn.Module) -> bool:
        """Whether every weight is finite, on all ranks."""
        fine = all(bool(sharding.piece(parameter).isfinite().all()) for parameter in net.parameters())
        return self.agree(0.0 if fine else 1.0) == [0.0]

    def same_parameters(self, nets: Nets) -> bool:
        """Whether all ranks hold the same weights, to the bit; true of sharded networks."""
        if self.sharded:
            return True
        digest = hashlib.sha256()
        for net in nets.values():
            for parameter in net.parameters():
                digest.update(parameter.detach().cpu().numpy().tobytes())
        return len({*self.gather(digest.hexdigest())}) == 1

    @contextlib.contextmanager
    def catch_signals(self) -> Iterator[None]:
        """Record the time of a signal in ``stop_asked_at`` instead of dying. A second one exits at once, whatever this
        process waits for: a thread of its own reads them."""
        heard, sender = socket.socketpair()
        sender.setblocking(False)
        numbers = {getattr(signal, name) for name in STOP_SIGNALS if hasattr(signal, name)}
        # nohup ignores SIGHUP for good; shells ignore SIGINT of background jobs, where it still means stop
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            numbers.remove(signal.SIGHUP)
        previous = {number: signal.signal(number, lambda number, frame: None) for number in numbers}
        wakeup = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        thread = threading.Thread(target=self.listen, args=(heard, numbers), daemon=True)
        thread.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in previous.items():
                signal.signal(number, handler)
            sender.close()
            thread.join()
            heard.close()

    def listen(self, heard: socket.socket, numbers: set[int]) -> None:
        """Read signal numbers until the other end is closed."""
        while data := heard.recv(1):
            now = time.monotonic()
            if data[0] not in numbers:
                continue
            if self.stop_asked_at is None:
                self.stop_asked_at = now
            elif now - self.stop_asked_at > ECHO_SECONDS and not self.is_of_the_kernel(data[0]):
                os._exit(128 + data[0])

    def is_of_the_kernel(self, number: int) -> bool:
        """Whether a signal only says that the launcher has died: see ``die_with``. A launcher that is asked to stop
        may end before what it started."""
        died = self.launcher is not None and os.getppid() != self.launcher
        first, self.launcher_died = died and not self.launcher_died, died
        return first and number == signal.SIGTERM


def attempt(act: Callable[[], Any], out: Path | None = None) -> tuple[Any, TrainingFailure | None]:
    """What ``act`` returns, or its ``UserError``; an ``OSError`` is one where it writes to the folder ``out``."""
    try:
        return act(), None
    except UserError as error:
        what, code = str(error), getattr(error, "code", MISTAKE)
    except OSError as error:
        if out is None:
            raise
        what, code = f"{out}: cannot be written to: {error.strerror or error}", MISTAKE
    return None, TrainingFailure(what, code=code, on_all_ranks=True)


def leave(world: World | None, code: int) -> NoReturn:
    """Exit without running destructors: finished CPU ranks were seen to die in them."""
    exit_status.report(code=code, rank=world.rank if world is not None else rank_of_environment())
    if world is None and code == MISTAKE and os.environ.get("LOCAL_RANK", "0") != "0":
        time.sleep(SILENT_SECONDS)  # launchers end all processes once one has ended: first the one that says why
    if world is not None and code in (FINISHED, STOPPED):
        world.accelerator.wait_for_everyone()
        world.accelerator.end_training()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def rank_of_environment() -> int:
    """Rank of this process before it has met the others."""
    return int(os.environ.get("RANK", "0"))


def seed_step(seed: int, step: int, rank: int) -> None:
    """Seed torch's default generators from (seed, step, rank), so that resuming needs no saved state."""
    number = int.from_bytes(hashlib.sha256(f"{seed}/{step}/{rank}".encode()).digest()[:7], "little")
    if has_accelerator():
        torch.manual_seed(number)
    else:  # the above prepares to seed each kind of accelerator that there could be: a tenth of a small network's step
        torch.default_generator.manual_seed(number)


@cache
def has_accelerator() -> bool:
    """Whether this machine has any."""
    return torch.accelerator.is_available()


def asked_size(launcher: Launcher | None) -> int | None:
    """Number of ranks that the launcher was to start: accelerate by its command line or config file, torchrun by its
    command line or environment. ``None`` where that is not one number."""
    if launcher is None:
        return None
    options = launcher.options
    if names_in(launcher.command) & TORCHRUN:
        counts = [options.get(name, os.environ.get(f"PET_{name.upper()}", "1")) for name in TORCHRUN_COUNTS]
        return math.prod(map(int, counts)) if all(map(str.isdecimal, counts)) else None
    if "num_processes" in options:
        return int(options["num_processes"])
    from accelerate.commands.config.config_args import default_yaml_config_file, load_config_from_file

    file = options.get("config_file") or default_yaml_config_file
    return int(load_config_from_file(str(file)).num_processes) if Path(file).is_file() else None


def check_device(config: RunConfig, device: torch.device, size: int) -> None:
    if config.device not in ("auto", device.type):
        raise UserError(f"--device is {config.device}, found only {device.type}")
    asked_for_cpu = config.device == "cpu" or os.environ.get("ACCELERATE_USE_CPU", "false").lower() in ("true", "1")
    if size > 1 and device.type == "cpu" and not asked_for_cpu:
        raise UserError(f"{size} processes were launched for GPUs, found none; ACCELERATE_USE_CPU=true trains on CPU")
    if config.precision == "fp16" and device.type == "cpu":
        raise UserError("--precision is fp16, which a CPU would silently train in fp32; expected bf16 or fp32 on a CPU")
