"""Runs image tools one after another, each in a process of its own, and says how each ended.

    python tests/trainer/run_tools.py < commands.json > endings.json

Commands are a list of {"arguments": [...], "seconds": S, "die_at": N or null, "by": "kill" or "interrupt",
"folder": F}; ``die_at`` ends the tool just before its Nth call that changes a folder or waits for the disk (an
interrupt comes after what it removes has been removed). Endings are a list of {"code": exit code or minus a signal,
"seconds", "megabytes", "out", "error", "steps"}.
"""

import contextlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from trainer.data.__main__ import main
from trainer.data.tools import load_tool, tool_names

CALLS = ("replace", "rename", "link", "unlink", "fsync", "mkdir")


def dying_at(step: int | None, by: str) -> list[int]:
    """Have this process end at a step; counts the steps."""
    count = [0]

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def one(*arguments: Any, **options: Any) -> Any:
            if count[0] == step:
                count[0] += 1
                if by == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                if call.__name__ == "unlink":
                    with contextlib.suppress(OSError):
                        call(*arguments, **options)
                raise KeyboardInterrupt
            count[0] += 1
            return call(*arguments, **options)

        return one

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    return count


def run(command: dict[str, Any]) -> dict[str, Any]:
    """Run one tool in a child of this process."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error, tempfile.TemporaryFile() as steps:
        started = time.monotonic()
        child = os.fork()
        if not child:
            signal.alarm(command["seconds"])  # unhandled, it ends the process
            os.dup2(out.fileno(), 1)
            os.dup2(error.fileno(), 2)
            sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
            os.chdir(command.get("folder", "."))
            count = dying_at(command.get("die_at"), command.get("by", "kill"))
            code = 1
            try:
                main(command["arguments"])
            except SystemExit as ended:
                code = int(ended.code or 0)
            except BaseException:
                import traceback

                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
            steps.write(str(count[0]).encode())
            steps.flush()
            os._exit(code)
        _, status, used = os.wait4(child, 0)
        texts = []
        for file in (out, error, steps):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "surrogateescape"))
        return {
            "code": os.waitstatus_to_exitcode(status),
            "seconds": time.monotonic() - started,
            "megabytes": used.ru_maxrss / 1024,
            "out": texts[0],
            "error": texts[1],
            "steps": int(texts[2] or -1),
        }


if __name__ == "__main__":
    for name in tool_names():  # once here, and not in every child
        load_tool(name)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    json.dump([run(command) for command in json.load(sys.stdin)], sys.stdout)
