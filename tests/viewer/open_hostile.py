"""Opens model files in the viewer, each in a process of its own, with little address space; a program, run by tests.

``open_hostile.py MODE FOLDER OUT`` prints a line of JSON for every ``FOLDER/*.onnx``. The viewer is imported once and
forked, since a hundred starts would take minutes. A system call on a file named ``/<name>.begins`` marks where in
a trace a file's own calls begin.
"""

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path

from viewer.__main__ import main

BEFORE_FORK = (
    "sessions.replay",
    "app",
    "displays.recorder",
    "model",
    "modes.grid.session",
    "sessions.model_session",
    "modes.info.headless",
)
for name in BEFORE_FORK:
    importlib.import_module(f"viewer.{name}")
ADDRESS_SPACE = 4 * 2**30
PATIENCE = 120  # seconds by the clock, on a machine that may be busy with other things


def child(mode: str, path: Path, out: Path, pipe: int) -> None:
    os.setpgid(0, 0)
    os.dup2(pipe, 1)
    os.dup2(pipe, 2)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    shown = ["--rows", "2", "--cols", "2", "--display", "none", "--record", str(out / f"{path.stem}.png")]
    with contextlib.suppress(OSError):
        Path(f"/{path.stem}.begins").stat()
    try:
        code = main([mode, str(path), *(shown if mode == "grid" else [])])
    except SystemExit as ending:
        code = int(ending.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    os._exit(code)


def run(mode: str, path: Path, out: Path) -> dict[str, object]:
    reader, writer = os.pipe()
    begun = time.monotonic()
    process = os.fork()
    if process == 0:
        child(mode, path, out, writer)
    os.close(writer)
    said, patient = b"", True
    while True:
        if select.select([reader], [], [], 1.0)[0]:
            data = os.read(reader, 65536)
            if not data:
                break
            said += data
        if time.monotonic() - begun > PATIENCE:
            patient = False
            os.kill(process, signal.SIGKILL)
    os.close(reader)
    _, status, usage = os.wait4(process, 0)
    return {
        "name": path.stem,
        "code": os.waitstatus_to_exitcode(status) if patient else "hangs",
        "said": said.decode("utf-8", "backslashreplace"),
        "processor_seconds": usage.ru_utime + usage.ru_stime,
        "seconds": time.monotonic() - begun,
        "megabytes": usage.ru_maxrss // 1024,
    }


if __name__ == "__main__":
    mode, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    os.chdir(folder)
    for path in sorted(folder.glob("*.onnx")):
        print(json.dumps(run(mode, path, out)), flush=True)
