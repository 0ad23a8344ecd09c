"""What a training tells ``launch/supervise.py``: launchers make every exit code of their workers into 1.

The supervisor names a file in the environment. Each rank appends lines of JSON to it: that it has begun to train, and
the code that it ends with. A kill leaves no such line.
"""

import contextlib
import json
import os

FILE = "UTSUROI_EXIT_FILE"


def tell(**facts: int) -> None:
    """Append one line, in one write, so that those of several ranks do not mix. Nobody may listen."""
    name = os.environ.get(FILE)
    if name:
        with contextlib.suppress(OSError):
            file = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, json.dumps(facts).encode() + b"\n")
            finally:
                os.close(file)
