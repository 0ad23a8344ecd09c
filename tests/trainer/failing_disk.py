"""A disk that fails at a chosen step: what writes below a folder is refused, and said to be what the system says."""

import errno
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = ("os.mkdir", "os.rename", "os.link", "os.truncate", "os.remove", "os.rmdir")


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """From the ``at``-th step below ``under`` on, or at that one alone; -1: never."""

    at: int
    under: str
    error: str = "ENOSPC"  # name of an errno
    once: bool = False
    kill: bool = False  # the process, instead


def refuse(told: Refusal) -> list[int]:
    """Have this process's disk fail, for good; counts its steps."""
    number = getattr(errno, told.error)
    count = [0]

    def step(path: object) -> None:
        if isinstance(path, str | os.PathLike) and str(path).startswith(told.under):
            count[0] += 1
            if told.at >= 0 and (count[0] == told.at or (count[0] > told.at and not told.once)):
                if told.kill:
                    os.kill(os.getpid(), signal.SIGKILL)
                raise OSError(number, os.strerror(number), str(path))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in CHANGES or (event == "open" and arguments[2] & WRITING):
            step(arguments[0])

    def fsync(file: Any, call: Callable[[Any], None] = os.fsync) -> None:
        descriptor = file if isinstance(file, int) else file.fileno()
        step(Path(f"/proc/self/fd/{descriptor}").readlink())
        call(descriptor)

    sys.addaudithook(hook)
    os.fsync = fsync
    return count


@dataclass(frozen=True, kw_only=True)
class Ending:
    code: int
    error: str
    steps: int


def forked(main: Callable[[], int | None], told: Refusal, seconds: int = 120) -> Ending:
    """Run a command's ``main`` in a child of this process, on a disk that fails."""
    cv2.setNumThreads(1)  # a fork has none of its parent's threads, and would wait for them
    with tempfile.TemporaryFile() as error, tempfile.TemporaryFile() as steps:
        child = os.fork()
        if not child:
            signal.alarm(seconds)  # unhandled, it ends the process
            os.dup2(error.fileno(), 2)
            sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
            count, leave = refuse(told), os._exit

            def end(code: int) -> None:
                sys.stderr.flush()
                steps.write(str(count[0]).encode())
                steps.flush()
                leave(code)

            os._exit = end  # type: ignore[assignment]
            try:
                code = int(main() or 0)
            except SystemExit as ended:
                code = int(ended.code or 0)
            except BaseException:
                import traceback

                traceback.print_exc()
                code = 1
            end(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        for file in (error, steps):
            file.seek(0)
        return Ending(code=code, error=error.read().decode("utf-8", "replace"), steps=int(steps.read() or -1))
