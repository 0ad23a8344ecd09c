"""Runs trainings one after another, each in forks of one process that has torch already, and says how each ended.

    python tests/trainer/run_trainings.py < commands > endings

A start takes a fraction of a second, so that a training can be broken in a hundred places. Commands come one a line:
{"model": M, "arguments": [...], "ranks": R, "run": the run's folder, "seconds": limit} with, where wanted,
"environment": all variables, "folder": the working folder,
"machines": by rank, a working folder and variables for a machine of its own,
"kill": {"after": seconds since there is a new checkpoint, "ranks": those to kill -9},
"refuse": {"at": N, "error": name of an errno, "once": B, "under": folder} - from its Nth step on the disk below that
folder, or at that one alone, what writes fails - and
"break": {"step": N, "rank": R, "how": nan, memory, loader, truncate or raise, "file": what to truncate}.
Each line is answered by one, {"codes": by rank, "out", "errors": by rank, "steps": on the disk, "newest": step of the
newest intact checkpoint or -1, "complaints", "nets": SHA-256 of its weights, "samples": by step}.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from failing_disk import Refusal, refuse

from trainer import checkpoint
from trainer.checkpoint import NETS, sha256
from trainer.families import load_family
from trainer.family import Family
from trainer.loop import main


def family_of(model: str) -> type[Family]:
    return load_family(model)


def broken(family: type[Family], command: dict[str, Any], rank: int) -> type[Family]:
    """A family that meets with an accident in one of its steps."""

    def step(self: Family, nets: Any, batches: Iterator[Any], turn: Any) -> None:
        if turn.step == command["step"] and rank == command.get("rank", 0):
            how = command["how"]
            if how == "nan":
                batches = (replace(batch, image=batch.image * torch.nan) for batch in batches)
            elif how == "memory":
                torch.empty(1 << 60, dtype=torch.uint8)
            elif how == "loader":
                import psutil

                next(iter(batches))
                psutil.Process().children()[0].kill()
                time.sleep(0.1)
            elif how == "truncate":
                os.truncate(command["file"], 200)
            elif how == "raise":
                raise RuntimeError("a defect")
        family.step(self, nets, batches, turn)

    return type(family.__name__, (family,), {"step": step, "__module__": family.__module__})


def child(command: dict[str, Any], rank: int, port: int, files: list[Any]) -> None:
    """One rank, to its end."""
    signal.alarm(command.get("seconds", 600))  # unhandled, it ends the process
    for number, file in zip((1, 2), files, strict=False):
        os.dup2(file.fileno(), number)
    sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # commands are for the parent
    if "environment" in command:
        os.environ.clear()
        os.environ.update(command["environment"])
    machine = command["machines"][rank] if "machines" in command else {}
    os.chdir(machine.get("folder", command.get("folder", ".")))
    sys.argv = [f"trainer/train_{command['model']}.py", *command["arguments"]]
    ranks = command.get("ranks", 1)
    if ranks > 1:
        os.environ |= {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks), "LOCAL_WORLD_SIZE": str(ranks),
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        }  # fmt: skip
    os.environ |= machine.get("environment", {})
    family = family_of(command["model"])
    if "break" in command:
        family = broken(family, command["break"], rank)
    told = command.get("refuse") if rank == 0 else None
    count = refuse(Refusal(**told) if told else Refusal(at=-1, under="\0"))
    leave = os._exit

    def end(code: int) -> None:
        files[2].write(str(count[0]).encode())
        files[2].flush()
        leave(code)

    os._exit = end  # type: ignore[assignment]
    try:
        main(family, command["arguments"])
    except SystemExit as ended:
        leave(int(ended.code or 0))
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        leave(1)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def newest(run: Path) -> int:
    return max((checkpoint.step_of(path) for path in checkpoint.checkpoints(run)), default=-1)


def kill(pids: list[int], run: Path, before: int, after: float, ranks: list[int]) -> None:
    """kill -9 so many seconds after the run has saved for the first time."""
    end = time.monotonic() + 60
    while newest(run) <= before and time.monotonic() < end:
        time.sleep(0.001)
    time.sleep(after)
    for rank in ranks:
        os.kill(pids[rank], signal.SIGKILL)


def run(command: dict[str, Any]) -> dict[str, Any]:
    """One training."""
    ranks, folder = command.get("ranks", 1), Path(command["run"])
    before, port = newest(folder), free_port()
    outputs = [[tempfile.TemporaryFile() for _ in range(3)] for _ in range(ranks)]  # noqa: SIM115
    pids = []
    for rank in range(ranks):
        pid = os.fork()
        if not pid:
            child(command, rank, port, outputs[rank])
        pids.append(pid)
    if "kill" in command:
        kill(pids, folder, before, command["kill"]["after"], command["kill"]["ranks"])
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    texts = []
    for files in outputs:
        for file in files:
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
            file.close()
    path, complaints = checkpoint.newest_intact(folder)
    return {
        "codes": codes,
        "out": texts[0],
        "errors": texts[1::3],
        "steps": int(texts[2] or -1),
        "newest": checkpoint.step_of(path) if path else -1,
        "complaints": complaints,
        "nets": sha256(path / NETS) if path else "",
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    os.environ["ACCELERATE_USE_CPU"] = "true"
    for name in ("torch._dynamo", "torch.utils.tensorboard"):  # the rest of what each would import for itself
        with contextlib.suppress(ImportError):
            import_module(name)
    for line in sys.stdin:
        command = json.loads(line)
        family_of(command["model"])  # imported here, once
        print(json.dumps(run(command)), flush=True)
