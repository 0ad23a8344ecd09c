"""Exit codes of a training, the launchers that hide them, and the file that passes them to ``launch/supervise.py``.

Launchers turn every exit code of their workers into 1. The supervisor therefore names a file in the environment; each
rank appends lines of JSON to it: that it has begun to train, and the code that it ends with. A kill leaves no such
line. Standard library only: the supervisor reads this module by its path, without the package installed.
"""

import contextlib
import json
import os

FINISHED, FAILED, MISTAKE = 0, 1, 2  # FAILED: resuming may succeed; MISTAKE: the same command would fail the same
STOPPED = 75  # EX_TEMPFAIL: stopped on request after saving; the same command resumes
EXIT_FILE = "UTSUROI_EXIT_FILE"  # environment variable that names the file
TORCHRUN = {"torchrun", "torch.distributed.run"}
LAUNCHERS = {"accelerate", "accelerate-launch", "accelerate.commands.launch"} | TORCHRUN


def report(**values: int) -> None:
    """Append one line in one write, so that those of several ranks do not mix; nothing where no file is named."""
    name = os.environ.get(EXIT_FILE)
    if name:
        with contextlib.suppress(OSError):
            file = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, json.dumps(values).encode() + b"\n")
            finally:
                os.close(file)
