"""Set-up of demo.py and test.py: a virtual environment with this checkout in it.

Standard library only, and nothing newer than Python 3.8 in its syntax: it runs before anything is installed,
and an old Python must get as far as the line that says so.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
STAMP = "utsuroi-install.json"  # in the virtual environment: what was installed into it, and from where
WINDOWS = os.name == "nt"
READY_FLAG = "--no-setup"  # uses this Python as it is; also how a script restarts itself


def fail(message: str, code: int = 1) -> NoReturn:
    """End the program with one line."""
    print(f"error: {message}", file=sys.stderr, flush=True)
    sys.exit(code)


@contextmanager
def stage(title: str) -> Iterator[None]:
    """Print what begins, and how long it took once it has ended."""
    print(f"{title} ...", flush=True)
    start = time.monotonic()
    yield
    print(f"{title}: done in {time.monotonic() - start:.1f} s", flush=True)


def enter(extras: Sequence[str], script: Path, arguments: Sequence[str], meanwhile: Sequence[str] = ()) -> None:
    """Return only in an interpreter that has this checkout and the last of ``extras`` ("export", "all") installed.

    Elsewhere: make ``.venv`` unless a virtual environment is active, install into it each of ``extras`` in turn, and
    restart ``script`` in it. ``meanwhile``: ``python -m`` of these words, which need the first of ``extras`` alone,
    runs while the others are installed; whether it succeeded is for the script to find out. Ends the program with one
    line where the set-up fails. The working folder becomes the checkout.
    """
    check_python(sys.version_info[:2])
    os.chdir(ROOT)
    if READY_FLAG in arguments:
        return
    environment = active_environment(os.environ, sys.prefix, sys.base_prefix)
    if environment is None:
        environment = ROOT / ".venv"
        if not is_usable(environment):
            create(environment)
    elif not is_usable(environment):
        wanted = "Python >= {}.{}: leave it (deactivate), and repeat this command".format(*OLDEST_PYTHON)
        fail(f"the active virtual environment {environment} has no working {wanted}")
    if not is_installed(environment, extras[-1]):
        install(environment, extras[0])
        check_viewer(environment)
        with running(environment, meanwhile):
            for extra in extras[1:]:
                print("The viewer is there. To see its own cats meanwhile, type in another terminal:")
                text = "\n".join(["", *activation(environment), "    utsuroi view grid", ""])
                print(text, flush=True)
                install(environment, extra)
    restart(environment, script, [READY_FLAG, *arguments])


def check_python(version: tuple[int, ...]) -> None:
    """End the program unless this Python is new enough."""
    if version < OLDEST_PYTHON:
        fail("this is Python {}.{}, utsuroi needs {}.{} or newer".format(*version, *OLDEST_PYTHON))


def active_environment(variables: Mapping[str, str], prefix: str, base_prefix: str) -> Path | None:
    """Virtual environment in use: the one that runs this script, or the one active in the shell."""
    active = prefix if prefix != base_prefix else variables.get("VIRTUAL_ENV")
    return Path(active) if active else None


def python_of(environment: Path, windows: bool = WINDOWS) -> Path:
    """The interpreter of a virtual environment."""
    return environment / "Scripts" / "python.exe" if windows else environment / "bin" / "python"


def activation(environment: Path, shell: str = os.environ.get("SHELL", ""), windows: bool = WINDOWS) -> list[str]:
    """Lines to type that go to the checkout and activate an environment."""
    script = python_of(environment, windows).with_name("activate")
    if windows:  # the command prompt takes activate.bat, PowerShell Activate.ps1
        return [f'    cd "{ROOT}"', f"    {script}"]
    ending = {"fish": ".fish", "csh": ".csh", "tcsh": ".csh"}.get(Path(shell).name, "")
    return [f"    cd {shlex.quote(str(ROOT))}", f"    {'source' if ending else '.'} {shlex.quote(f'{script}{ending}')}"]


def is_usable(environment: Path) -> bool:
    """Whether the environment's interpreter runs and is new enough."""
    return succeeds([str(python_of(environment)), "-c", f"import sys; sys.exit(sys.version_info < {OLDEST_PYTHON})"])


def succeeds(command: Sequence[str]) -> bool:
    """Whether a command, run without output, is there and succeeds."""
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def create(environment: Path) -> None:
    """Make a virtual environment, replacing a broken one. Ends the program with one line where it fails."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        fail("this Python cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv")
    with stage(f"Make the virtual environment {environment}"):
        if subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=False).returncode != 0:
            fail(f"could not make the virtual environment {environment} (what venv said is above)")


def wanted_stamp(extras: str) -> dict[str, str]:
    """Stamp that ``install`` writes; where it is found, nothing needs to be installed."""
    project = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    return {"root": str(ROOT), "pyproject": project, "extras": extras}


def is_installed(environment: Path, extras: str) -> bool:
    """Whether this checkout, as its pyproject.toml now is, was installed with these extras, or with all."""
    try:
        found = json.loads((environment / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return found in (wanted_stamp(extras), wanted_stamp("all"))


def install(environment: Path, extras: str) -> None:
    """Install this checkout, editable, with its extras; ends the program with one line where that fails."""
    stamp, python = wanted_stamp(extras), str(python_of(environment))
    what = f"utsuroi[{extras}]" if extras else "the viewer of utsuroi"
    with stage(f"Install {what} into {environment}"):
        (environment / STAMP).unlink(missing_ok=True)
        pip = [python, "-m", "pip", "--disable-pip-version-check"]
        if not succeeds([*pip, "--version"]):
            subprocess.run([python, "-m", "ensurepip"], check=False)
        quietly = ("--quiet", "--no-input", "--no-compile")  # of torch's modules, most are never imported
        command = [*pip, "install", *quietly, "--editable", f"{ROOT}[{extras}]" if extras else str(ROOT)]
        if subprocess.run(command, check=False).returncode != 0:
            fail(f"pip could not install {what} into {environment}: its reason is above (no network?)")
        (environment / STAMP).write_text(json.dumps(stamp) + "\n", encoding="utf-8")


@contextmanager
def running(environment: Path, words: Sequence[str]) -> Iterator[None]:
    """``python -m`` of these words beside what is done within, and waited for; none: nothing runs."""
    if not words:
        yield
        return
    with subprocess.Popen([str(python_of(environment)), "-m", *words]) as process:
        try:
            yield
        except BaseException:
            process.terminate()
            raise


def check_viewer(environment: Path) -> None:
    """End the program where the viewer does not start, for want of a library of the system, say: it prints why."""
    command = python_of(environment).with_name("utsuroi.exe" if WINDOWS else "utsuroi")
    words = [str(command), "info", str(ROOT / "viewer" / "models" / "toycats.onnx")]
    if subprocess.run(words, check=False, stdout=subprocess.DEVNULL).returncode != 0:
        fail("the viewer does not start (its reason is above); put that right, and repeat this command")


def restart(environment: Path, script: Path, arguments: Sequence[str]) -> NoReturn:
    """Run ``script`` in the environment instead of this process, as if the environment had been activated."""
    python = python_of(environment)
    variables = {**os.environ, "VIRTUAL_ENV": str(environment)}
    variables["PATH"] = f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    command = [str(python), str(script), *arguments]
    sys.stdout.flush()
    if WINDOWS:  # there exec returns to the shell at once
        sys.exit(subprocess.run(command, env=variables, check=False).returncode)
    os.execve(command[0], command, variables)
