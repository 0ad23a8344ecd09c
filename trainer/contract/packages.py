"""What to say where a package is missing, or hidden by another one of its name: one line, and how to install it.

Standard library only: it runs where nothing is installed."""

import importlib.util
import re
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final

from trainer.contract.errors import INSTALL_LIBRARIES, fail

ROOT: Final = Path(__file__).resolve().parents[2]  # a clone, or where packages are installed
_OURS: Final = ("trainer", "viewer", "export", "utsuroi")


@contextmanager
def needing(extra: str, program: str) -> Iterator[None]:
    """Ends the program with one line and code 2 where an import within fails for want of a package.

    ``extra``: of pyproject.toml, that has what is needed; "": the base. ``program``: as the user called it."""
    try:
        yield
    except ImportError as error:
        line = explained(error, extra, program)
        if not line:
            raise
        fail(line)


def explain(extra: str, program: str) -> None:
    """As ``needing``, for all that follows in this process."""
    others = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        line = explained(error, extra, program) if isinstance(error, ImportError) else ""
        if line:
            fail(line)
        others(kind, error, trace)

    sys.excepthook = hook


def explained(error: ImportError, extra: str, program: str) -> str:
    """What is missing, and the way out; empty where the error has another reason."""
    library, is_library, _ = str(error).partition(": cannot open shared object file")
    if is_library:
        return f"{library} is missing, expected it in the system: {INSTALL_LIBRARIES}"
    package = (error.name or "").partition(".")[0]
    spec = _found(package)
    if package in _OURS and spec and ROOT / package not in Path(spec).parents:
        return f"{spec} hides the package {package} of utsuroi: rename it, or start from another folder"
    if not package or spec is not None or not isinstance(error, ModuleNotFoundError):
        return ""
    return f"{program} needs {package}, which is not installed for {sys.executable}: {how_to_install(extra)}"


def how_to_install(extra: str = "") -> str:
    """The command that installs the packages of an extra, or of the base, for the Python that runs this."""
    if (ROOT / "pyproject.toml").is_file():
        clone = "." if Path.cwd() == ROOT else str(ROOT)
        what = ["-e", f"{clone}[{extra}]" if extra else clone]
    else:
        what = requirements(extra)
    return f"{_installer()} {' '.join(map(_quoted, what))}"


def requirements(extra: str) -> list[str]:
    """What an installed utsuroi requires for an extra, or without any: ``["onnx>=1.17", ...]``."""
    from importlib.metadata import PackageNotFoundError, requires  # with email and socket: not at every start

    try:
        lines = requires("utsuroi") or []
    except PackageNotFoundError:  # copied by hand
        return [f"utsuroi[{extra}]" if extra else "utsuroi"]
    found = []
    for line in lines:
        name, _, marker = (part.strip() for part in line.partition(";"))
        match = re.search(r"""extra == ["'](.+?)["']""", marker)
        if (match[1] if match else "") == extra:
            inner = re.fullmatch(r"utsuroi\[(.+)\]", name)
            found += [one for part in inner[1].split(",") for one in requirements(part)] if inner else [name]
    return found


def _installer() -> str:
    """``pip install``, as it must be called to install for this Python."""
    has_pip = importlib.util.find_spec("pip") is not None
    if sys.prefix == sys.base_prefix and (ROOT / "pyproject.toml").is_file():
        managed = Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").is_file()  # Debian's Python, Homebrew's, ...
        if managed or not has_pip:
            own = ROOT / ".venv" if Path.cwd() != ROOT else Path(".venv")
            is_made = (own / "bin" / "activate").is_file()
            make = "" if is_made else f"{Path(sys.executable).name} -m venv {_quoted(str(own))} && "
            if make and importlib.util.find_spec("ensurepip") is None:  # as Debian's Python comes
                make = f"apt-get install python3-venv && {make}"
            return f"{make}. {_quoted(str(own / 'bin' / 'activate'))} && pip install"
    if Path(sys.prefix, "pipx_metadata.json").is_file():
        return "pipx inject utsuroi"
    if not has_pip:
        return f"uv pip install --python {_quoted(sys.executable)}"
    pip = shutil.which("pip")
    if pip is not None and Path(pip).parent == Path(sys.executable).parent:
        return "pip install"
    return f"{_quoted(sys.executable)} -m pip install"


def _quoted(word: str) -> str:
    return word if re.fullmatch(r"[\w./\\:~-]+", word) else f'"{word}"'  # as every shell takes it


def _found(package: str) -> str | None:
    """File or folder of a package that can be imported; ``None``: there is none."""
    try:
        spec = importlib.util.find_spec(package) if package else None
    except ValueError:  # imported in an unusual way
        return ""
    if spec is None:
        return None
    return spec.origin or next(iter(spec.submodule_search_locations or ()), "")
