"""The set-up of demo.py and test.py, without a network."""

import contextlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of launch/, which is a folder of scripts and no package."""
    monkeypatch.syspath_prepend(str(ROOT / "launch"))
    spec = importlib.util.spec_from_file_location(f"launch_{name}", ROOT / "launch" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("environment", monkeypatch)


def test_the_running_environment_wins_over_the_activated_one(environment: ModuleType) -> None:
    activated = {"VIRTUAL_ENV": "/activated"}
    assert environment.active_environment(activated, "/venv", "/usr") == Path("/venv")
    assert environment.active_environment(activated, "/usr", "/usr") == Path("/activated")
    assert environment.active_environment({"VIRTUAL_ENV": ""}, "/usr", "/usr") is None
    assert environment.active_environment({}, "/usr", "/usr") is None


def test_the_interpreter_of_an_environment(environment: ModuleType) -> None:
    assert environment.python_of(Path("v"), windows=False) == Path("v/bin/python")
    assert environment.python_of(Path("v"), windows=True) == Path("v/Scripts/python.exe")


def test_an_old_python_gets_one_line(environment: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    environment.check_python((3, 11))
    with pytest.raises(SystemExit):
        environment.check_python((3, 9))
    assert capsys.readouterr().err == "error: this is Python 3.9, utsuroi needs 3.11 or newer\n"


@pytest.mark.skipif(os.name == "nt", reason="makes a symbolic link to the interpreter")
def test_a_broken_environment_is_not_usable(environment: ModuleType, tmp_path: Path) -> None:
    assert not environment.is_usable(tmp_path)
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(tmp_path / "gone")
    assert not environment.is_usable(tmp_path)
    python.unlink()
    python.symlink_to(sys.executable)
    assert environment.is_usable(tmp_path)


def test_a_python_without_ensurepip_names_the_package(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else name)
    with pytest.raises(SystemExit):
        environment.create(tmp_path / "venv")
    assert "apt install python3-venv" in capsys.readouterr().err


class Pip:
    """Stands where subprocess.run is, and remembers what would have been installed."""

    def __init__(self, returncode: int = 0) -> None:
        self.returncode = returncode
        self.installs: list[list[str]] = []

    def __call__(self, command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        if "install" not in command:
            return subprocess.CompletedProcess(command, 0)
        self.installs.append(command)
        return subprocess.CompletedProcess(command, self.returncode)


@pytest.fixture
def checkout(environment: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A checkout of which only pyproject.toml matters."""
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "pyproject.toml").write_text("[project]\n")
    monkeypatch.setattr(environment, "ROOT", root)
    return root


def test_what_is_installed_is_not_installed_again(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, checkout: Path
) -> None:
    pip = Pip()
    monkeypatch.setattr(environment.subprocess, "run", pip)
    assert not environment.is_installed(tmp_path, "export")
    environment.install(tmp_path, "export")
    assert pip.installs[0][-2:] == ["--editable", f"{checkout}[export]"]
    assert environment.is_installed(tmp_path, "export")
    assert not environment.is_installed(tmp_path, "all")
    environment.install(tmp_path, "all")
    assert environment.is_installed(tmp_path, "export")  # all holds the rest
    (checkout / "pyproject.toml").write_text("[project]\nname = 'changed'\n")
    assert not environment.is_installed(tmp_path, "all")


def test_the_viewer_comes_first_and_torch_after_it(
    environment: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    checkout: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pip, restarts = Pip(), []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(environment.subprocess, "run", pip)
    monkeypatch.setattr(environment, "active_environment", lambda *_: tmp_path)
    monkeypatch.setattr(environment, "restart", lambda *words: restarts.append(words))
    for _ in range(2):  # the second time there is nothing to install
        environment.enter(["", "export"], Path("demo.py"), ["--fresh"])
    assert [command[-1] for command in pip.installs] == [str(checkout), f"{checkout}[export]"]
    assert restarts == [(tmp_path, Path("demo.py"), ["--no-setup", "--fresh"])] * 2
    said = capsys.readouterr().out
    assert "utsuroi view grid" in said.partition("Install utsuroi[export]")[0]
    assert "\n".join(environment.activation(tmp_path)) in said


@pytest.mark.parametrize("returncode", [0, 1])
def test_work_that_needs_no_torch_is_done_while_torch_is_installed(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, checkout: Path, returncode: int
) -> None:
    (checkout / "waits.py").write_text("import sys; open('begun', 'w').close(); sys.stdin.readline()")
    begun, stdin = checkout / "begun", os.pipe()
    monkeypatch.chdir(tmp_path)

    def install(_: Path, extra: str) -> None:
        assert extra or not begun.exists()
        if extra:
            while not begun.exists():
                pass
            if returncode:
                raise SystemExit(returncode)
            os.close(stdin[1])  # now the work can end

    process = subprocess.Popen
    started = []

    def start(words: list[str]) -> "subprocess.Popen[bytes]":
        started.append(process([sys.executable, *words[1:]], stdin=stdin[0]))
        return started[0]

    monkeypatch.setattr(environment, "active_environment", lambda *_: tmp_path)
    monkeypatch.setattr(environment, "is_usable", lambda _: True)
    monkeypatch.setattr(environment, "check_viewer", lambda _: None)
    monkeypatch.setattr(environment, "install", install)
    monkeypatch.setattr(environment, "restart", lambda *_: None)
    monkeypatch.setattr(environment.subprocess, "Popen", start)
    ending = pytest.raises(SystemExit) if returncode else contextlib.nullcontext()
    with ending:
        environment.enter(["", "export"], Path("demo.py"), [], meanwhile=["waits"])
    assert (started[0].returncode == 0) is (returncode == 0)  # where the installation fails, the work ends as well


def test_what_the_demo_does_meanwhile_draws_its_cats(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    demo = load("demo", monkeypatch)
    few = [{"4000": "2", "64": "16"}.get(word, word) for word in demo.DRAWING]
    monkeypatch.setattr(demo, "DRAWING", few)
    monkeypatch.setattr(demo.environment, "ROOT", tmp_path)

    def enter(*_: object, meanwhile: list[str]) -> None:
        subprocess.run([sys.executable, "-m", *meanwhile], cwd=tmp_path, check=True)
        sys.exit()

    monkeypatch.setattr(demo.environment, "enter", enter)
    with pytest.raises(SystemExit):
        demo.main([])
    assert (tmp_path / demo.DATA).is_file()


@pytest.mark.skipif(os.name == "nt", reason="the command is a shell script here")
def test_a_viewer_that_does_not_start_ends_the_set_up_before_torch_is_fetched(
    environment: ModuleType, tmp_path: Path, checkout: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "utsuroi"
    command.write_text("#!/bin/sh\necho 'error: libGL.so.1 is missing' >&2; exit 2\n")
    command.chmod(0o755)
    with pytest.raises(SystemExit):
        environment.check_viewer(tmp_path)
    assert [line[:20] for line in capfd.readouterr().err.splitlines()] == [
        "error: libGL.so.1 is",
        "error: the viewer do",
    ]


@pytest.mark.parametrize(
    ("shell", "windows", "line"),
    [
        ("/bin/bash", False, ". /venv/bin/activate"),
        ("", False, ". /venv/bin/activate"),
        ("/usr/bin/fish", False, "source /venv/bin/activate.fish"),
        ("/bin/tcsh", False, "source /venv/bin/activate.csh"),
        ("", True, "/venv/Scripts/activate"),
    ],
)
def test_the_line_that_activates_is_of_the_users_shell(
    environment: ModuleType, checkout: Path, shell: str, windows: bool, line: str
) -> None:
    assert [one.strip() for one in environment.activation(Path("/venv"), shell, windows)][1] == line


def test_a_failed_install_is_one_line_and_leaves_no_stamp(
    environment: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    checkout: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(environment.subprocess, "run", Pip())
    environment.install(tmp_path, "all")
    monkeypatch.setattr(environment.subprocess, "run", Pip(returncode=1))
    with pytest.raises(SystemExit):
        environment.install(tmp_path, "all")
    assert capsys.readouterr().err.count("\n") == 1
    assert not environment.is_installed(tmp_path, "all")


@pytest.mark.parametrize(
    ("arguments", "called"),
    [
        ([], ["-n", "3", "--dist", "loadfile", "-m", "not slow"]),
        (["-m", "slow", "-n0"], ["-m", "slow", "-n0"]),
        (["tests/viewer", "--maxfail=1", "-n0"], ["-m", "not slow", "tests/viewer", "--maxfail=1", "-n0"]),
    ],
)
def test_pytest_gets_the_fast_set_and_what_was_asked(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], called: list[str]
) -> None:
    assert load("test", monkeypatch).pytest_arguments(arguments, cores=2) == called
