"""A missing package, and a file that hides one of ours, are one line with the way out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainer.contract import packages
from trainer.contract.packages import how_to_install, requirements
from utsuroi import siblings

ROOT = Path(__file__).resolve().parents[3]
NAMES = ("trainer", "viewer", "export")


def python(*words: object, cwd: Path = ROOT, path: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(path)}
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        ("-m viewer grid", ""),
        ("-m viewer info x.onnx", ""),
        ("-m export runs/x -o x.onnx", "[export]"),
        ("-m trainer.data info x.npy", ""),
        ("trainer/train_vae.py --help", "[train]"),
        ("trainer/evaluate.py runs/x", "[train]"),
        ("-m trainer.train_vae --help", "[train]"),
        ("-m trainer.evaluate runs/x", "[train]"),
        ("-m utsuroi view grid", ""),
        ("-m utsuroi train vae --help", "[train]"),
        ("-m utsuroi evaluate runs/x", "[train]"),
        ("-m utsuroi export runs/x -o x.onnx", "[export]"),
        ("-m utsuroi --completion bash", ""),
    ],
)
def test_a_bare_python_is_told_what_to_install(words: str, extra: str) -> None:
    done = python("-S", *words.split())  # -S: without site-packages
    assert (done.returncode, done.stdout) == (2, ""), done
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "which is not installed for" in line
    assert f".{extra}" in line.rpartition("pip install -e ")[2]


def test_what_needs_no_package_works_on_a_bare_python() -> None:
    assert python("-S", "-m", "utsuroi", "--version").returncode == 0
    listed = python("-S", "-m", "utsuroi", "--help")
    assert (listed.returncode, listed.stderr) == (0, "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files of our packages' names."""
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('this is not utsuroi')\n")
    return tmp_path


@pytest.mark.parametrize("words", ["utsuroi view grid --help", "viewer grid --help", "export --help"])
def test_files_in_the_current_folder_hide_nothing_from_a_command_that_runs(words: str, folder: Path) -> None:
    (folder / f"{words.split(maxsplit=1)[0]}.py").unlink(missing_ok=True)  # that one would run in our place
    done = python("-m", *words.split(), cwd=folder)
    assert (done.returncode, done.stderr) == (0, ""), done


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_hides_a_package_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text("raise SystemExit('this is not utsuroi')\n")
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}]; "
    done = python("-c", f"{code}from utsuroi.__main__ import main; sys.exit(main(['view', 'grid']))")
    assert (done.returncode, done.stdout) == (2, ""), done
    words = f"{tmp_path / name}.py hides the package {name} of utsuroi: rename it, or start from another folder"
    assert done.stderr == f"error: {words}\n"
    assert python("-c", f"{code}import utsuroi; utsuroi.load").stderr.endswith(f"ImportError: {words}\n")


def test_another_distributions_export_is_named(tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "__init__.py").touch()
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}]; from viewer.__main__ import main"
    done = python("-c", f"{code}; sys.exit(main(['info', 'x']))")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path / 'export' / '__init__.py'} hides the package export of utsuroi")
    assert done.stderr.count("\n") == 1


def test_another_distribution_in_the_same_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, file in (("utsuroi-0.1.0", "export/card.py"), ("other-1.0", "exports/x.py")):
        record = tmp_path / f"{name}.dist-info" / "RECORD"
        record.parent.mkdir()
        record.write_text(f"{name}.py,,\n{file},,\n")
    monkeypatch.setattr(siblings, "_ROOT", tmp_path)
    assert siblings.sharing() == ""
    record.write_text("other.py,,\nviewer/__init__.py,,\n")
    assert siblings.sharing().startswith(f"other has a package viewer too, in the same folder {tmp_path / 'viewer'}")


def test_scripts_of_the_trainer_run_the_checkout_that_they_are_in(tmp_path: Path) -> None:
    for path in (tmp_path / "trainer" / "families", tmp_path / "trainer" / "contract"):
        path.mkdir(parents=True)
    for name in ("trainer.py", "contract/packages.py", "contract/errors.py", "contract/text.py"):
        (tmp_path / "trainer" / name).write_text((ROOT / "trainer" / name).read_text())
    (tmp_path / "trainer" / "train_x.py").write_text("from trainer.families.x import found\nprint(found)\n")
    (tmp_path / "trainer" / "families" / "x.py").write_text("found = __file__\n")
    done = python(tmp_path / "trainer" / "train_x.py")  # although ROOT is on the path too
    assert done.stdout == f"{tmp_path / 'trainer' / 'families' / 'x.py'}\n", done


def test_a_wheel_names_packages_and_a_clone_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert how_to_install("data").endswith(f'pip install -e "{ROOT}[data]"')
    monkeypatch.chdir(ROOT)
    assert how_to_install("data").endswith('pip install -e ".[data]"')
    monkeypatch.setattr(packages, "ROOT", tmp_path)  # as installed from a wheel, which has no pyproject.toml
    line = how_to_install("export")
    assert '"torch>=' in line
    assert '"onnx>=' in line
    assert "utsuroi" not in line.partition("pip install")[2]
    assert any(one.startswith("numpy") for one in requirements(""))


def test_a_python_that_the_system_manages_gets_an_environment_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(packages, "ROOT", tmp_path)
    monkeypatch.setattr(packages.sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.chdir(tmp_path)
    python = Path(sys.executable).name
    assert how_to_install() == f"{python} -m venv .venv && . .venv/bin/activate && pip install -e ."
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").touch()
    assert how_to_install() == ". .venv/bin/activate && pip install -e ."
