"""Set up and run the tests: ``python3 launch/test.py``.

Arguments are passed on to pytest: ``python3 launch/test.py tests/viewer``, ``python3 launch/test.py -m slow``. Without
``-m``, the slow tests are left out. ``--no-setup`` uses this Python as it is.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import environment


def pytest_arguments(arguments: Sequence[str], cores: int) -> list[str]:
    """Arguments of pytest: the fast tests unless -m is present, in parallel where that helps."""
    own = list(arguments)
    if not any(argument.startswith("-m") for argument in own):
        own = ["-m", "not slow", *own]
    if cores > 1 and not any(argument.startswith(("-n", "--numprocesses", "--pdb", "-s")) for argument in own):
        # one worker more than cores: some tests wait for processes that they start
        own = ["-n", str(min(cores + 1, 9)), "--dist", "loadfile", *own]
    return own


def main() -> int:
    """Set up, run pytest, pass its exit code on."""
    arguments = sys.argv[1:]
    environment.enter(["all"], Path(__file__).resolve(), arguments)
    arguments = [argument for argument in arguments if argument != environment.READY_FLAG]
    command = [sys.executable, "-m", "pytest", *pytest_arguments(arguments, os.cpu_count() or 1)]
    # tests start hundreds of processes: each would compile the code anew
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, env=variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
